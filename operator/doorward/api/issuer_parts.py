"""The parts of an MTLSIssuer's spec: its CA, what it may sign, who may use it."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from doorward.api.allowed_subjects import AllowedSubject
from doorward.api.fields import (
    Duration,
    Label,
    LabelValue,
    Lifetime,
    Model,
    ObjectName,
    Subject,
    rule,
    validations,
    when_parsed,
)
from doorward.api.limits import (
    BETWEEN_CAS,
    BETWEEN_CRLS,
    LONGEST_CA_LIFETIME,
    LONGEST_CRL_VALIDITY,
    SHORTEST_CA_LIFETIME,
    SHORTEST_STALENESS,
)

NamespacesFrom = Literal["Same", "Selector", "All"]


class CaPrivateKey(Model):
    """The CA's key."""

    algorithm: Annotated[Literal["ECDSA", "RSA"], Field(description="Key algorithm of the CA.")] = "ECDSA"
    size: Annotated[
        Literal[256, 384, 2048, 3072, 4096] | None,
        Field(description="Bits: 256 (default) or 384 for ECDSA; 2048, 3072 (default) or 4096 for RSA."),
    ] = None

    model_config = Model.model_config | {
        "json_schema_extra": validations(
            rule(
                "!has(self.size) || (self.algorithm == 'ECDSA') == (self.size < 1000)",
                "choose a size that fits the algorithm: 256 or 384 for ECDSA; 2048, 3072 or 4096 for RSA",
            )
        )
    }


class GeneratedCa(Model):
    """A CA of Doorward's own making."""

    common_name: Annotated[str, Field(min_length=1, max_length=64, description="Common name of the CA.")]
    subject: Annotated[Subject, Field(default_factory=Subject, description="Further parts of the CA's subject.")]
    duration: Annotated[
        Duration,
        Field(
            description="Lifetime of the CA certificate. At least 48h and at most 262800h (30 years). Defaults to 8760h."
        ),
    ] = "8760h"
    renew_before: Annotated[
        Duration,
        Field(
            description=(
                "How long before the expiry of the CA its successor is made and every client gets a new certificate. At"
                " least 24h shorter than `duration`. A value that is as long as `duration` or longer is ignored: then the"
                " successor is made after two thirds of the lifetime, or after half of it below 240h. Defaults to 2160h."
            )
        ),
    ] = "2160h"
    rotate: Annotated[
        str | None, Field(max_length=64, description="Any other value than before asks for the next CA now.")
    ] = None
    private_key: Annotated[CaPrivateKey, Field(default_factory=CaPrivateKey, description="The CA's key.")]

    model_config = Model.model_config | {
        "json_schema_extra": validations(
            when_parsed(
                "duration",
                then=f"(duration(self.duration) >= duration('{SHORTEST_CA_LIFETIME}')"
                f" && duration(self.duration) <= duration('{LONGEST_CA_LIFETIME}'))",
                message=f"choose a CA duration between {SHORTEST_CA_LIFETIME} and {LONGEST_CA_LIFETIME} (30 years)",
            ),
            when_parsed(
                *("duration", "renewBefore"),
                then="duration(self.renewBefore) >= duration(self.duration)"
                f" || duration(self.renewBefore) + duration('{BETWEEN_CAS}') <= duration(self.duration)",
                message=f"set ca.generate.renewBefore to at least {BETWEEN_CAS} less than ca.generate.duration: each new CA"
                " gives every client a new certificate",
            ),
        )
    }


class SecretReference(Model):
    """A Secret in the issuer's own namespace."""

    name: Annotated[ObjectName, Field(description="Name of the Secret: tls.crt and tls.key, or ca.crt and ca.key.")]


class CaSource(Model):
    """Where the CA comes from: exactly one of the two."""

    generate: Annotated[GeneratedCa | None, Field(description="Let Doorward make the CA.")] = None
    secret_ref: Annotated[
        SecretReference | None,
        Field(
            description=(
                "Use your own CA from a Secret, self-signed or not. Its key is RSA of 2048 bits or more, ECDSA on P-256, P-384 or"
                " P-521, or Ed25519. A CA with another key, another subject or another subject key identifier is a"
                " new CA generation: put it into the Secret, and all clients get new certificates while the old ones stay good."
                " The operator uses the certificate that fits the private key, and the certificates above it, in any order."
            )
        ),
    ] = None
    distrust: Annotated[
        tuple[Annotated[int, Field(ge=1, le=1_000_000)], ...],
        Field(
            max_length=64,
            description=(
                "CA generations whose key is stolen. Every gate stops trusting them at once, and all other generations over the"
                " same keys. Their clients get new certificates."
            ),
        ),
    ] = ()

    model_config = Model.model_config | {
        "json_schema_extra": validations(
            rule("has(self.generate) != has(self.secretRef)", "name exactly one of ca.generate and ca.secretRef")
        )
    }

    @model_validator(mode="after")
    def exactly_one(self) -> Self:
        if (self.generate is None) == (self.secret_ref is None):
            msg = "name exactly one of ca.generate and ca.secretRef"
            raise ValueError(msg)
        return self


class CertificateLimits(Model):
    """Defaults and limits of what the issuer signs."""

    duration: Annotated[
        Lifetime,
        Field(
            description=(
                "Lifetime of the certificates of clients that set no `duration`. At least 1h and at most `maxDuration`."
                " Defaults to 2160h."
            )
        ),
    ] = "2160h"
    max_duration: Annotated[
        Lifetime,
        Field(
            description="Longest `duration` that a ClientCertificate may ask for. At least `duration`. Defaults to 8760h."
        ),
    ] = "8760h"
    superseded_grace_period: Annotated[
        Duration | None,
        Field(
            description=(
                "Time from the issue of a certificate until the client's older certificates are revoked (CRL reason"
                " `superseded`). If not set, older certificates stay valid until they expire. Each revoked certificate takes"
                " room in the CRL until it has expired. A certificate whose Secret was deleted is revoked after this time too:"
                " 24h after the next one was issued if this is not set, and never before 10m."
            )
        ),
    ] = None
    allowed_keys: Annotated[
        tuple[Literal["ECDSA", "RSA", "Ed25519"], ...],
        Field(min_length=1, max_length=3, description="Key algorithms a client may use."),
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
        Field(min_length=1, max_length=16, description="Labels of the namespace."),
    ]


class NamespaceRule(Model):
    """Which namespaces take part."""

    from_: Annotated[
        NamespacesFrom,
        Field(alias="from", description="Same: the issuer's own. Selector: by label. All: every namespace."),
    ] = "Same"
    selector: Annotated[LabelSelector | None, Field(description="With from: Selector.")] = None

    model_config = Model.model_config | {
        "json_schema_extra": validations(
            rule(
                "(self.from == 'Selector') == has(self.selector)", "give a selector with from: Selector, and only then"
            )
        )
    }


class Issuance(Model):
    """Who may mint clients here."""

    allowed_namespaces: Annotated[
        NamespaceRule, Field(default_factory=NamespaceRule, description="Where ClientCertificates may stand.")
    ]
    allowed_subjects: Annotated[
        tuple[AllowedSubject, ...],
        Field(
            max_length=32,
            description=(
                "Names that clients may have. The names of a client must match one entry as a whole; an attribute for which"
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
                "name allowedSubjects, such as [{commonName: '*.{namespace}.example'}], when other namespaces may mint",
            )
        )
    }


class GatesRule(Model):
    """Who may let this issuer's clients in."""

    allowed_namespaces: Annotated[
        NamespaceRule, Field(default_factory=NamespaceRule, description="Where Ingresses may name this issuer.")
    ]
    allow_optional: Annotated[bool, Field(description="May an Ingress choose doorward.io/verify-client: optional?")] = (
        False
    )
    selectable_namespaces: Annotated[
        tuple[Label, ...],
        Field(
            max_length=64,
            description=(
                "Namespaces whose ClientCertificates an Ingress can select with its annotation `doorward.io/allow`, by name or"
                " by label. Users who can edit ClientCertificates in one of these namespaces decide about their labels, and so"
                " about access to these Ingresses. If not set, only the issuer's own namespace. At most 64 names."
            ),
        ),
    ] = ()


class RevocationPolicy(Model):
    """How a cut-off becomes final."""

    undo_window: Annotated[
        Duration,
        Field(
            description=(
                "Time for which the revocation of a deleted client can be undone. Until then its certificates are on hold"
                " (CRL reason `certificateHold`); after that they are revoked as `cessationOfOperation`. Defaults to 24h."
            )
        ),
    ] = "24h"


class CrlPolicy(Model):
    """The pace of the revocation list."""

    validity: Annotated[
        Duration,
        Field(
            description=(
                "Time from the publication of a CRL to its nextUpdate. If the operator is down for longer, every client is"
                " refused. At least twice `renewEvery` and at most 8760h. Defaults to 168h."
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


class IngressSettings(Model):
    """What ingress-nginx is told on each Ingress that opts in."""

    verify_client: Annotated[
        Literal["on", "optional"],
        Field(
            description="on: no certificate, no entry. optional: the application decides; needs gates.allowOptional."
        ),
    ] = "on"
    verify_depth: Annotated[int, Field(ge=1, le=10, description="Longest chain that is accepted.")] = 1
    error_page: Annotated[
        str | None,
        Field(
            max_length=512,
            pattern=r"^https?://[-a-zA-Z0-9._~:/?#@!&*+,=%]+$",
            description="Where clients without a valid certificate are sent: an absolute URL on a host of its own. ingress-nginx"
            " accepts `https://<host>/<segment>`, with one segment of letters, digits, `.` and `-`; with another form the"
            " clients get an error 400 instead.",
        ),
    ] = None
    pass_certificate_to_upstream: Annotated[
        bool, Field(description="Send the client's certificate to the application in ssl-client-cert.")
    ] = False


class Enforcement(Model):
    """When it is decided whether a client has access."""

    mode: Annotated[
        Literal["EveryRequest", "Handshake"],
        Field(
            description="`EveryRequest`: ingress-nginx asks the gate service at every request, where the gate service is installed."
            " Revoking, suspending or deleting a client takes effect at its next request. `Handshake`: only the TLS handshake"
            " decides, by the CRL. A client whose access is revoked may keep it on TLS sessions that are resumed and on"
            " connections that are open. Defaults to EveryRequest."
        ),
    ] = "EveryRequest"
    max_staleness: Annotated[
        Duration | None,
        Field(
            description="Time without any answer from the Kubernetes API server after which the gate service refuses all clients,"
            f" such as 1h. At least {SHORTEST_STALENESS}. If not set, the gate service admits clients by the last known state until"
            " nextUpdate of the issuer's CRL."
        ),
    ] = None

    model_config = Model.model_config | {
        "json_schema_extra": validations(
            when_parsed(
                "maxStaleness",
                given=True,
                then=f"duration(self.maxStaleness) >= duration('{SHORTEST_STALENESS}')",
                message=f"set maxStaleness to {SHORTEST_STALENESS} or more: the API server reports once a minute",
            )
        )
    }
