"""The parts of an MTLSIssuer's spec that say what it may sign and for whom, and how CRL and ledger are kept."""

from typing import Annotated, Literal

from pydantic import Field

from doorward.api.allowed_subjects import AllowedSubject
from doorward.api.fields import (
    Duration,
    LabelValue,
    Lifetime,
    Model,
    rule,
    validations,
    when_parsed,
)
from doorward.api.limits import (
    BETWEEN_CRLS,
    LONGEST_CRL_VALIDITY,
)

NamespacesFrom = Literal["Same", "Selector", "All"]


class CertificateLimits(Model):
    """Defaults and limits of what the issuer signs."""

    duration: Annotated[
        Lifetime,
        Field(
            description=(
                "Lifetime of the certificates of clients that set no `duration`, such as 720h. At least 1h and at most"
                " `maxDuration`. A change takes effect at the next renewal of each client. Defaults to 2160h (90 days)."
            )
        ),
    ] = "2160h"
    max_duration: Annotated[
        Lifetime,
        Field(
            description="Longest `duration` that a ClientCertificate may ask for, such as 2160h. At least 1h, and at least `duration`. Clients that ask"
            " for more get no new certificate. Defaults to 8760h (365 days)."
        ),
    ] = "8760h"
    superseded_grace_period: Annotated[
        Duration | None,
        Field(
            description=(
                "Time from the issue of a certificate until the client's older certificates are revoked (CRL reason"
                " `superseded`), such as 24h. If not set, older certificates stay valid until they expire. Each revoked certificate"
                " takes room in the CRL until it has expired. A certificate whose Secret was deleted is revoked after this time too,"
                " but not before 10m, and after 24h if this is not set."
            )
        ),
    ] = None
    allowed_keys: Annotated[
        tuple[Literal["ECDSA", "RSA", "Ed25519"], ...],
        Field(
            min_length=1,
            max_length=3,
            description="Key algorithms that clients may use, in `privateKey` or in the CSR of `request`. At most 3. Defaults to all"
            " three: ECDSA, RSA and Ed25519.",
        ),
    ] = ("ECDSA", "RSA", "Ed25519")

    model_config = Model.model_config | {
        "json_schema_extra": validations(
            when_parsed(
                *("duration", "maxDuration"),
                then="duration(self.duration) <= duration(self.maxDuration)",
                message="set certificates.duration to at most certificates.maxDuration: else every client has to set its own"
                " duration",
            )
        )
    }


class LabelSelector(Model):
    """Labels that a namespace must carry, all of them."""

    match_labels: Annotated[
        dict[Annotated[str, Field(max_length=317)], LabelValue],
        Field(
            min_length=1,
            max_length=16,
            description="Labels that the namespace must have, all of them and with these values, such as `team: edge`. At most 16.",
        ),
    ]


class NamespaceRule(Model):
    """Which namespaces take part."""

    from_: Annotated[
        NamespacesFrom,
        Field(
            alias="from",
            description="`Same`: only the issuer's own namespace. `Selector`: also namespaces with the labels in `selector`. `All`:"
            " every namespace. Defaults to Same.",
        ),
    ] = "Same"
    selector: Annotated[
        LabelSelector | None,
        Field(description="Labels of the namespaces. Required with `from: Selector`, and not allowed without it."),
    ] = None

    model_config = Model.model_config | {
        "json_schema_extra": validations(
            rule(
                "(self.from == 'Selector') == has(self.selector)", "give a selector with from: Selector, and only then"
            )
        )
    }


class Issuance(Model):
    """Who may have ClientCertificates of this issuer."""

    allowed_namespaces: Annotated[
        NamespaceRule,
        Field(
            default_factory=NamespaceRule,
            description="Namespaces whose ClientCertificates may refer to this issuer. In other namespaces nothing is issued or"
            " renewed.",
        ),
    ]
    allowed_subjects: Annotated[
        tuple[AllowedSubject, ...],
        Field(
            max_length=32,
            description=(
                "Names that clients may have, at most 32 entries. All names of a client must match one entry; an attribute for which"
                " that entry has no patterns must not be set. A pattern is compared exactly. In it `{namespace}` stands for"
                " the client's namespace, and `*` for one or more of the characters A-Z, a-z, 0-9, `.`, `_` and `-`; a"
                " pattern that is `*` alone allows any value. If allowedSubjects is not set, any names are allowed, which is"
                " possible only with `allowedNamespaces.from: Same`."
            ),
        ),
    ] = ()

    model_config = Model.model_config | {
        "json_schema_extra": validations(
            rule(
                "self.allowedNamespaces.from == 'Same' || (has(self.allowedSubjects) && size(self.allowedSubjects) > 0)",
                "set allowedSubjects, for example to [{commonName: '*.{namespace}.example'}], if allowedNamespaces.from is All or"
                " Selector",
            )
        )
    }


class RevocationPolicy(Model):
    """How a cut-off becomes final."""

    undo_window: Annotated[
        Duration,
        Field(
            description=(
                "Time for which the deletion of a ClientCertificate can be undone with `doorward restore`. Until then its"
                " certificates are on hold (CRL reason `certificateHold`); after that they are revoked as `cessationOfOperation`. A"
                " change applies to later deletions. Defaults to 24h."
            )
        ),
    ] = "24h"


class CrlPolicy(Model):
    """The pace of the revocation list."""

    validity: Annotated[
        Duration,
        Field(
            description=(
                "Time from the publication of a CRL to its nextUpdate. After nextUpdate gates refuse every client, so the operator"
                " may be down for `validity` minus `renewEvery`. At least twice `renewEvery` and at most 8760h. Defaults to 168h"
                " (7 days)."
            )
        ),
    ] = "168h"
    renew_every: Annotated[
        Duration,
        Field(
            description=(
                "Maximum time between two CRL publications, even if nothing was revoked. At least 1m and at most half of"
                " `validity`. Defaults to 24h."
            )
        ),
    ] = "24h"

    model_config = Model.model_config | {
        "json_schema_extra": validations(
            when_parsed(
                *("validity", "renewEvery"),
                then="(duration(self.renewEvery) + duration(self.renewEvery) <= duration(self.validity)"
                f" && duration(self.validity) <= duration('{LONGEST_CRL_VALIDITY}')"
                f" && duration(self.renewEvery) >= duration('{BETWEEN_CRLS}'))",
                message=f"keep renewEvery at {BETWEEN_CRLS} or more and at half of validity or less, and validity at"
                f" {LONGEST_CRL_VALIDITY} or less",
            )
        )
    }


class LedgerPolicy(Model):
    """How long the ledger keeps records of expired certificates."""

    retention: Annotated[
        Duration,
        Field(
            description="How long an IssuedCertificate is kept after its certificate expired and left the CRL (one"
            " `crl.validity` after its expiry). Then the operator moves it to the archive, which"
            " `doorward records --archived` reads. At least 24h, at most 87600h (10 years). Defaults to 2160h (90 days)."
        ),
    ] = "2160h"

    model_config = Model.model_config | {
        "json_schema_extra": validations(
            when_parsed(
                "retention",
                then="(duration(self.retention) >= duration('24h') && duration(self.retention) <= duration('87600h'))",
                message="choose a retention between 24h and 87600h (10 years)",
            )
        )
    }
