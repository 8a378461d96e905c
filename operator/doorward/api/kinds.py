"""The three kinds, as people write them: the specs from which the CRDs in deploy/crds/ are generated."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from doorward.api.fields import (
    DURATION_PATTERN,
    AnnotationValue,
    Attribute,
    DnsName,
    Duration,
    EmailAddress,
    Glob,
    Instant,
    KeyName,
    Label,
    LabelValue,
    Model,
    ObjectName,
    SecretName,
    Uri,
    rule,
    validations,
)

RevocationReason = Literal[
    "unspecified",
    "keyCompromise",
    "affiliationChanged",
    "superseded",
    "cessationOfOperation",
    "privilegeWithdrawn",
]
RecordReason = Literal[RevocationReason, "certificateHold"]
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


class Subject(Model):
    """What the subject says beside the common name; field names as cert-manager's."""

    organizations: Annotated[tuple[Attribute, ...], Field(max_length=8, description="O")] = ()
    organizational_units: Annotated[tuple[Attribute, ...], Field(max_length=8, description="OU")] = ()
    countries: Annotated[tuple[Attribute, ...], Field(max_length=8, description="C, two letters each")] = ()
    localities: Annotated[tuple[Attribute, ...], Field(max_length=8, description="L")] = ()
    provinces: Annotated[tuple[Attribute, ...], Field(max_length=8, description="ST")] = ()
    street_addresses: Annotated[tuple[Attribute, ...], Field(max_length=8, description="STREET")] = ()
    postal_codes: Annotated[tuple[Attribute, ...], Field(max_length=8, description="Postal code")] = ()
    serial_number: Annotated[
        str, Field(max_length=64, description="The subject's serialNumber attribute, not the certificate's serial.")
    ] = ""


class GeneratedCa(Model):
    """A CA of Doorward's own making."""

    common_name: Annotated[str, Field(min_length=1, max_length=64, description="Common name of the CA.")]
    subject: Annotated[Subject, Field(default_factory=Subject, description="Further parts of the CA's subject.")]
    duration: Annotated[Duration, Field(description="Lifetime of the CA certificate.")] = "8760h"
    renew_before: Annotated[Duration, Field(description="How long before its end the CA asks for its successor.")] = (
        "2160h"
    )
    private_key: Annotated[CaPrivateKey, Field(default_factory=CaPrivateKey, description="The CA's key.")]

    model_config = Model.model_config | {
        "json_schema_extra": validations(
            rule(
                f"!self.duration.matches('{DURATION_PATTERN}') || (duration(self.duration) >= duration('1h')"
                " && duration(self.duration) <= duration('262800h'))",
                "choose a CA duration between 1h and 262800h (30 years)",
            )
        )
    }


class SecretReference(Model):
    """A Secret in the issuer's own namespace."""

    name: Annotated[ObjectName, Field(description="Name of the Secret: tls.crt and tls.key, or ca.crt and ca.key.")]


class CaSource(Model):
    """Where the CA comes from: exactly one of the two."""

    generate: Annotated[GeneratedCa | None, Field(description="Let Doorward make the CA.")] = None
    secret_ref: Annotated[SecretReference | None, Field(description="Use your own CA from a Secret.")] = None

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

    duration: Annotated[Duration, Field(description="Lifetime where a ClientCertificate names none.")] = "2160h"
    max_duration: Annotated[Duration, Field(description="The longest lifetime a ClientCertificate may ask for.")] = (
        "8760h"
    )
    superseded_grace_period: Annotated[
        Duration | None,
        Field(description="Revoke a superseded serial this long after its successor; absent: it runs out by itself."),
    ] = None
    allowed_keys: Annotated[
        tuple[Literal["ECDSA", "RSA", "Ed25519"], ...],
        Field(min_length=1, max_length=3, description="Key algorithms a client may use."),
    ] = ("ECDSA", "RSA", "Ed25519")


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


class AllowedSubject(Model):
    """Patterns that a client's names must fit: `*` is any run of characters, `{namespace}` the client's namespace."""

    common_name: Annotated[Glob, Field(description="Pattern for the common name.")]
    organizations: Annotated[
        tuple[Glob, ...] | None, Field(max_length=16, description="Each organization must fit one; absent: any.")
    ] = None
    dns_names: Annotated[
        tuple[Glob, ...] | None, Field(max_length=16, description="Each DNS name must fit one; absent: any.")
    ] = None
    email_addresses: Annotated[
        tuple[Glob, ...] | None, Field(max_length=16, description="Each email address must fit one; absent: any.")
    ] = None
    uris: Annotated[
        tuple[Glob, ...] | None, Field(max_length=16, description="Each URI must fit one; absent: any.")
    ] = None


class Issuance(Model):
    """Who may mint clients here."""

    allowed_namespaces: Annotated[
        NamespaceRule, Field(default_factory=NamespaceRule, description="Where ClientCertificates may stand.")
    ]
    allowed_subjects: Annotated[
        tuple[AllowedSubject, ...],
        Field(max_length=32, description="What they may be called; needed unless allowedNamespaces is from: Same."),
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


class RevocationPolicy(Model):
    """How a cut-off becomes final."""

    undo_window: Annotated[
        Duration, Field(description="How long a deleted client is held before its cut-off is final.")
    ] = "24h"


class CrlPolicy(Model):
    """The pace of the revocation list."""

    validity: Annotated[Duration, Field(description="From thisUpdate to nextUpdate.")] = "168h"
    renew_every: Annotated[Duration, Field(description="A new one at the latest this long after the last.")] = "24h"

    model_config = Model.model_config | {
        "json_schema_extra": validations(
            rule(
                f"!self.validity.matches('{DURATION_PATTERN}') || !self.renewEvery.matches('{DURATION_PATTERN}')"
                " || (duration(self.renewEvery) + duration(self.renewEvery) <= duration(self.validity)"
                " && duration(self.validity) <= duration('8760h') && duration(self.renewEvery) >= duration('1m'))",
                "keep renewEvery at 1m or more and at half of validity or less, and validity at 8760h or less",
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
            description="Where clients without a valid certificate are sent: an absolute URL on a host of its own.",
        ),
    ] = None
    pass_certificate_to_upstream: Annotated[
        bool, Field(description="Send the client's certificate to the application in ssl-client-cert.")
    ] = False


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
    ingress: Annotated[
        IngressSettings, Field(default_factory=IngressSettings, description="Settings on each Ingress that opts in.")
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
        KeyReference | None, Field(description="Its password; absent: a strong one is made and stands in the Secret.")
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
    duration: Annotated[Duration | None, Field(description="Lifetime; absent: the issuer's default.")] = None
    renew_before: Annotated[
        Duration | None,
        Field(
            description="How long before its end it is renewed; absent: a third of the lifetime, half below 10 days."
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
    revoked: Annotated[bool, Field(description="true: cut off at once, for good.")] = False
    revocation_reason: Annotated[
        RevocationReason, Field(description="Why, as in RFC 5280; keyCompromise also bars the key.")
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
    time: Annotated[Instant, Field(description="Since when, RFC 3339.")]
    final_at: Annotated[Instant | None, Field(description="When a hold becomes final.")] = None
    lifted: Annotated[bool, Field(description="true: the hold is over; the certificate is good again.")] = False

    model_config = Model.model_config | {
        "json_schema_extra": validations(
            rule(
                "!has(self.lifted) || !self.lifted || self.reason == 'certificateHold'",
                "only a certificateHold can be lifted: every other reason is final",
            )
        )
    }


class IssuedCertificateSpec(Model):
    """One serial number ever signed."""

    issuer_name: Annotated[Label, Field(description="The MTLSIssuer, in this namespace.")]
    generation: Annotated[int, Field(ge=1, le=1_000_000, description="CA generation that signed it.")]
    serial_number: Annotated[str, Field(pattern="^[0-9a-f]{1,40}$", max_length=40, description="Lower-case hex.")]
    subject: Annotated[str, Field(max_length=4096, description="Subject, RFC 4514.")]
    not_before: Annotated[Instant, Field(description="From when it is good, RFC 3339.")]
    not_after: Annotated[Instant, Field(description="Until when it is good, RFC 3339.")]
    fingerprints: Annotated[Fingerprints, Field(description="Digests of the certificate.")]
    public_key_sha256: Annotated[
        str, Field(alias="publicKeySHA256", pattern="^[0-9a-f]{64}$", max_length=64, description="Of the DER SPKI.")
    ]
    client_certificate: Annotated[Holder, Field(description="Whom it was signed for.")]
    revocation: Annotated[Revocation | None, Field(description="Set: the serial is refused.")] = None

    model_config = Model.model_config | {
        "json_schema_extra": validations(
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
                " || (has(self.revocation) && self.revocation.reason == oldSelf.revocation.reason)",
                "this serial is revoked for good: only a certificateHold can be lifted or given another reason",
            ),
            rule(
                "!has(oldSelf.revocation) || has(self.revocation)",
                "a revocation is not removed: to end a hold set revocation.lifted: true",
            ),
        )
    }
