"""The three kinds, as people write them: the specs from which the CRDs in deploy/crds/ are generated."""

from typing import Annotated, Literal

from pydantic import Field

from doorward.api.fields import (
    AnnotationValue,
    DnsName,
    Duration,
    EmailAddress,
    KeyName,
    Label,
    LabelValue,
    Lifetime,
    Model,
    ObjectName,
    SecretName,
    SpecInstant,
    Subject,
    Uri,
    rule,
    validations,
    when_parsed,
)
from doorward.api.issuer_ca import CaSource
from doorward.api.issuer_gates import Enforcement, GatesRule, IngressSettings
from doorward.api.issuer_parts import CertificateLimits, CrlPolicy, Issuance, LedgerPolicy, RevocationPolicy
from doorward.api.limits import BETWEEN_RENEWALS

RevocationReason = Literal[
    "unspecified",
    "keyCompromise",
    "affiliationChanged",
    "superseded",
    "cessationOfOperation",
    "privilegeWithdrawn",
]
RecordReason = Literal[RevocationReason, "certificateHold"]
HoldSource = Literal["Deletion", "Suspension"]


class MTLSIssuerSpec(Model):
    """A trust domain: one CA lineage, one access list, one CRL."""

    ca: Annotated[CaSource, Field(description="Where the CA comes from.")]
    certificates: Annotated[
        CertificateLimits, Field(default_factory=CertificateLimits, description="Defaults and limits of what it signs.")
    ]
    issuance: Annotated[Issuance, Field(default_factory=Issuance, description="Who may mint clients here.")]
    gates: Annotated[GatesRule, Field(default_factory=GatesRule, description="Who may let its clients in.")]
    revocation: Annotated[
        RevocationPolicy, Field(default_factory=RevocationPolicy, description="How a cut-off becomes final.")
    ]
    crl: Annotated[CrlPolicy, Field(default_factory=CrlPolicy, description="The pace of the revocation list.")]
    ledger: Annotated[
        LedgerPolicy,
        Field(default_factory=LedgerPolicy, description="How long records of expired certificates are kept."),
    ]
    ingress: Annotated[
        IngressSettings, Field(default_factory=IngressSettings, description="Settings on each Ingress that opts in.")
    ]

    enforcement: Annotated[
        Enforcement, Field(default_factory=Enforcement, description="When it is decided whether a client has access.")
    ]

    model_config = Model.model_config | {
        "json_schema_extra": validations(
            rule(
                "has(self.ca.generate) == has(oldSelf.ca.generate)",
                "ca cannot change between generate and secretRef: make a new MTLSIssuer and move the clients",
            ),
            rule(
                "self.ingress.verifyClient == 'on' || self.gates.allowOptional",
                "set gates.allowOptional: true before ingress.verifyClient: optional",
            ),
        )
    }


class IssuerReference(Model):
    """The MTLSIssuer that signs."""

    name: Annotated[Label, Field(description="Name of the MTLSIssuer.")]
    namespace: Annotated[Label | None, Field(description="Its namespace; absent: the ClientCertificate's own.")] = None


class ClientPrivateKey(Model):
    """The client's key, where Doorward makes it."""

    algorithm: Annotated[Literal["ECDSA", "RSA", "Ed25519"], Field(description="Key algorithm.")] = "ECDSA"
    size: Annotated[
        Literal[256, 384, 2048, 3072, 4096] | None,
        Field(
            description="Bits: 256 (default) or 384 for ECDSA; 2048 (default), 3072 or 4096 for RSA; none for Ed25519."
        ),
    ] = None
    rotation_policy: Annotated[
        Literal["Always", "Never"], Field(description="A new key at each renewal, or the same one.")
    ] = "Always"

    model_config = Model.model_config | {
        "json_schema_extra": validations(
            rule(
                "!has(self.size) || (self.algorithm == 'ECDSA' && self.size < 1000)"
                " || (self.algorithm == 'RSA' && self.size > 1000)",
                "choose a size that fits the algorithm: 256 or 384 for ECDSA; 2048, 3072 or 4096 for RSA; none for Ed25519",
            )
        )
    }


class SecretTemplate(Model):
    """What the client's Secret carries besides."""

    labels: Annotated[
        dict[Annotated[str, Field(max_length=317)], LabelValue],
        Field(default_factory=dict, max_length=32, description="Labels for the Secret."),
    ]
    annotations: Annotated[
        dict[Annotated[str, Field(max_length=317)], AnnotationValue],
        Field(default_factory=dict, max_length=32, description="Annotations for the Secret."),
    ]

    model_config = Model.model_config | {
        "json_schema_extra": validations(
            rule(
                "!has(self.labels) || self.labels.all(k, !k.startsWith('doorward.io/') && k != 'app.kubernetes.io/managed-by')",
                "leave out doorward.io/ labels and app.kubernetes.io/managed-by: they mark what is the operator's own",
            ),
            rule(
                "!has(self.annotations) || self.annotations.all(k, !k.startsWith('doorward.io/'))",
                "leave out doorward.io/ annotations: they are the operator's own",
            ),
        )
    }


class KeyReference(Model):
    """One key of a Secret in the ClientCertificate's namespace."""

    name: Annotated[ObjectName, Field(description="Name of the Secret.")]
    key: Annotated[KeyName, Field(description="Key in it.")] = "password"


class Pkcs12(Model):
    """The file for browsers and phones."""

    profile: Annotated[
        Literal["Modern2023", "LegacyDES"],
        Field(
            description="Modern2023: AES-256, SHA-256. LegacyDES: 3DES, SHA-1, for older Windows, macOS, iOS, Android."
        ),
    ] = "Modern2023"
    password_secret_ref: Annotated[
        KeyReference | None,
        Field(
            description="Secret in the same namespace with the password, 8 to 256 bytes of UTF-8 without control characters. A"
            " line break at its end is not part of the password. The Secret must carry the label"
            ' `doorward.io/keystore-password: "true"`. If absent, the operator makes a password and stores it in the result Secret.'
        ),
    ] = None


class Keystores(Model):
    """Further forms of the key and certificate."""

    pkcs12: Annotated[Pkcs12, Field(default_factory=Pkcs12, description="keystore.p12")]


class ClientCertificateSpec(Model):
    """One client's entitlement."""

    issuer_ref: Annotated[IssuerReference, Field(description="The MTLSIssuer that signs. Immutable.")]
    common_name: Annotated[str, Field(min_length=1, max_length=64, description="Who it is.")]
    subject: Annotated[Subject, Field(default_factory=Subject, description="Further parts of the subject.")]
    dns_names: Annotated[tuple[DnsName, ...], Field(max_length=32, description="DNS names.")] = ()
    email_addresses: Annotated[tuple[EmailAddress, ...], Field(max_length=32, description="Email addresses.")] = ()
    uris: Annotated[tuple[Uri, ...], Field(max_length=16, description="URIs.")] = ()
    duration: Annotated[
        Lifetime | None,
        Field(
            description=(
                "Lifetime of the certificate in hours, minutes and seconds, such as 720h. At least 1h and at most the"
                " issuer's `certificates.maxDuration`. Defaults to the issuer's `certificates.duration`. A change takes"
                " effect at the next renewal."
            )
        ),
    ] = None
    renew_before: Annotated[
        Duration | None,
        Field(
            description=(
                "How long before its expiry the certificate is renewed, such as 240h. At least 5m shorter than the"
                " lifetime. Defaults to a third of the lifetime, or to half of it below 240h."
            )
        ),
    ] = None
    private_key: Annotated[
        ClientPrivateKey, Field(default_factory=ClientPrivateKey, description="The key, where Doorward makes it.")
    ]
    request: Annotated[
        str | None,
        Field(
            min_length=64,
            max_length=16384,
            description="The client's own CSR, PEM: only its public key counts; no private key enters the cluster.",
        ),
    ] = None
    secret_name: Annotated[
        SecretName | None, Field(description="Name of the result Secret; absent: <name>-mtls. Immutable.")
    ] = None
    secret_template: Annotated[
        SecretTemplate, Field(default_factory=SecretTemplate, description="Labels and annotations for the Secret.")
    ]
    keystores: Annotated[Keystores, Field(default_factory=Keystores, description="Further forms of the result.")]
    reissue: Annotated[
        str | None,
        Field(max_length=64, description="Any text; a new one asks for a new certificate now. Taken away: nothing."),
    ] = None
    suspended: Annotated[
        bool, Field(description="true: cut off at once; false again: the same certificate and key are good again.")
    ] = False
    revoked: Annotated[bool, Field(description="true: cut off at once, for good.")] = False
    revocation_reason: Annotated[
        RevocationReason, Field(description="Why, as in RFC 5280; keyCompromise also bars the client's own keys.")
    ] = "unspecified"

    model_config = Model.model_config | {
        "json_schema_extra": validations(
            rule("self.issuerRef == oldSelf.issuerRef", "issuerRef is immutable: make a new ClientCertificate"),
            rule(
                "has(self.secretName) == has(oldSelf.secretName)"
                " && (!has(self.secretName) || self.secretName == oldSelf.secretName)",
                "secretName is immutable: make a new ClientCertificate",
            ),
            rule(
                "has(self.request) == has(oldSelf.request)",
                "a request can be replaced, but not added or taken away: make a new ClientCertificate",
            ),
            when_parsed(
                *("duration", "renewBefore"),
                given=True,
                then=f"duration(self.renewBefore) + duration('{BETWEEN_RENEWALS}') <= duration(self.duration)",
                message=f"set renewBefore to at least {BETWEEN_RENEWALS} less than duration, such as 240h with a duration of"
                " 720h: else the certificate is renewed again and again",
            ),
            rule(
                "!self.commonName.startsWith('system:')",
                "choose another commonName: names that begin with system: are the cluster's own",
            ),
        )
    }


class Fingerprints(Model):
    """Digests of the whole certificate, lower-case hex."""

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$", max_length=64, description="The usual one.")]
    sha1: Annotated[str, Field(pattern="^[0-9a-f]{40}$", max_length=40, description="As nginx gives it.")]


class Holder(Model):
    """The ClientCertificate that the serial was signed for."""

    namespace: Annotated[Label, Field(description="Its namespace.")]
    name: Annotated[ObjectName, Field(description="Its name.")]
    uid: Annotated[str, Field(min_length=1, max_length=64, description="Its UID.")]


class Revocation(Model):
    """Since when, and why, the serial is refused."""

    reason: Annotated[RecordReason, Field(description="As in RFC 5280 §5.3.1; only certificateHold can be lifted.")]
    time: Annotated[
        SpecInstant | None,
        Field(description="Since when, RFC 3339; absent: Doorward writes when it saw the revocation."),
    ] = None
    final_at: Annotated[SpecInstant | None, Field(description="When a hold becomes final.")] = None
    held_by: Annotated[
        HoldSource | None,
        Field(description="What put a hold, and may lift it: the client's Suspension or Deletion; absent: a person."),
    ] = None
    lifted: Annotated[bool, Field(description="true: the hold is over; the certificate is good again.")] = False

    model_config = Model.model_config | {
        "json_schema_extra": validations(
            rule(
                "!has(self.lifted) || !self.lifted || self.reason == 'certificateHold'",
                "only a certificateHold can be lifted: leave lifted out, or set it to false, with any other reason",
            )
        )
    }


class IssuedCertificateSpec(Model):
    """One serial number ever signed."""

    issuer_name: Annotated[Label, Field(description="The MTLSIssuer, in this namespace.")]
    generation: Annotated[int, Field(ge=1, le=1_000_000, description="CA generation that signed it.")]
    serial_number: Annotated[str, Field(pattern="^[0-9a-f]{1,40}$", max_length=40, description="Lower-case hex.")]
    subject: Annotated[str, Field(max_length=4096, description="Subject, RFC 4514.")]
    not_before: Annotated[SpecInstant, Field(description="From when it is good, RFC 3339.")]
    not_after: Annotated[SpecInstant, Field(description="Until when it is good, RFC 3339.")]
    fingerprints: Annotated[Fingerprints, Field(description="Digests of the certificate.")]
    public_key_sha256: Annotated[
        str, Field(alias="publicKeySHA256", pattern="^[0-9a-f]{64}$", max_length=64, description="Of the DER SPKI.")
    ]
    client_certificate: Annotated[Holder, Field(description="Whom it was signed for.")]
    revocation: Annotated[Revocation | None, Field(description="Set: the serial is refused.")] = None

    model_config = Model.model_config | {
        # Atomic: with the managers of each field by name a record takes a third more in etcd, two a page instead of three.
        "json_schema_extra": {"x-kubernetes-map-type": "atomic"}
        | validations(
            *(
                rule(f"self.{name} == oldSelf.{name}", f"{name} is immutable: only revocation may change")
                for name in (
                    "issuerName",
                    "generation",
                    "serialNumber",
                    "subject",
                    "notBefore",
                    "notAfter",
                    "fingerprints",
                    "publicKeySHA256",
                    "clientCertificate",
                )
            ),
            rule(
                "!has(oldSelf.revocation) || oldSelf.revocation.reason == 'certificateHold'"
                " || (has(self.revocation) && self.revocation.reason in [oldSelf.revocation.reason, 'keyCompromise'])",
                "this serial is revoked for good: only a certificateHold can be lifted or given another reason than keyCompromise",
            ),
            rule(
                "!has(oldSelf.revocation) || has(self.revocation)",
                "a revocation is not removed: to end a hold set revocation.lifted: true",
            ),
        )
    }
