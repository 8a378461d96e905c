"""The two kinds that people write: the specs from which their CRDs in deploy/crds/ are generated."""

from typing import Annotated

from pydantic import Field

from doorward.api.client_parts import ClientPrivateKey, IssuerReference, Keystores, SecretTemplate
from doorward.api.fields import (
    DnsName,
    Duration,
    EmailAddress,
    Lifetime,
    Model,
    SecretName,
    Subject,
    Uri,
    rule,
    validations,
    when_parsed,
)
from doorward.api.issued_certificate import RevocationReason
from doorward.api.issuer_ca import CaSource
from doorward.api.issuer_gates import Enforcement, GatesRule, IngressSettings
from doorward.api.issuer_parts import CertificateLimits, CrlPolicy, Issuance, LedgerPolicy, RevocationPolicy
from doorward.api.limits import BETWEEN_RENEWALS


class MTLSIssuerSpec(Model):
    """Trust domain of client certificates: a CA with its successors, the rules for issuing, and one published CRL.

    Whoever can read Secrets in the namespace of an MTLSIssuer has its CA key.
    """

    ca: Annotated[
        CaSource,
        Field(
            description="Source of the CA that signs client certificates and CRLs: exactly one of `generate` and `secretRef`. An"
            " issuer cannot change from one to the other."
        ),
    ]
    certificates: Annotated[
        CertificateLimits,
        Field(
            default_factory=CertificateLimits,
            description="Lifetimes and keys of the client certificates that this issuer signs, and how long replaced ones stay"
            " valid.",
        ),
    ]
    issuance: Annotated[
        Issuance,
        Field(
            default_factory=Issuance,
            description="Namespaces and names for which this issuer signs certificates. A user who creates a ClientCertificate also"
            " needs the verb `issue` on the MTLSIssuer.",
        ),
    ]
    gates: Annotated[
        GatesRule,
        Field(
            default_factory=GatesRule,
            description="Ingresses that may admit the clients of this issuer. An Ingress opts in with the annotation"
            " `doorward.io/issuer`.",
        ),
    ]
    revocation: Annotated[
        RevocationPolicy,
        Field(
            default_factory=RevocationPolicy,
            description="What happens to the certificates of a ClientCertificate that is deleted.",
        ),
    ]
    crl: Annotated[
        CrlPolicy,
        Field(
            default_factory=CrlPolicy,
            description="Validity and renewal of the certificate revocation list (CRL, RFC 5280), which the operator publishes in the"
            " ConfigMap `<issuer>-crl` and copies to the gates.",
        ),
    ]
    ledger: Annotated[
        LedgerPolicy,
        Field(
            default_factory=LedgerPolicy,
            description="Retention of the ledger: the IssuedCertificates of this issuer, one for each certificate.",
        ),
    ]
    ingress: Annotated[
        IngressSettings,
        Field(
            default_factory=IngressSettings,
            description="Settings that the operator writes as ingress-nginx annotations on each Ingress that opts in.",
        ),
    ]
    enforcement: Annotated[
        Enforcement,
        Field(
            default_factory=Enforcement,
            description="When it is decided whether a client has access: at every request or at the TLS handshake.",
        ),
    ]

    model_config = Model.model_config | {
        "json_schema_extra": validations(
            rule(
                "has(self.ca.generate) == has(oldSelf.ca.generate)",
                "ca cannot change between generate and secretRef: create a new MTLSIssuer and move the clients",
            ),
            rule(
                "self.ingress.verifyClient == 'on' || self.gates.allowOptional",
                "set gates.allowOptional: true before ingress.verifyClient: optional",
            ),
        )
    }


class ClientCertificateSpec(Model):
    """Access of one client: as long as the object exists, the operator issues and renews its certificate in a Secret.

    Deleting the object revokes access. This can be undone within the issuer's `revocation.undoWindow`.
    """

    issuer_ref: Annotated[
        IssuerReference,
        Field(
            description="MTLSIssuer that signs the certificate. Creating the ClientCertificate needs the verb `issue` on it. Immutable."
        ),
    ]
    common_name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=64,
            description="Common name (CN) of the certificate subject, such as `alice.edge.example`, at most 64 bytes in UTF-8. Must"
            " match one of the issuer's `issuance.allowedSubjects`, if it has any, and must not start with `system:`. A change"
            " issues a new certificate.",
        ),
    ]
    subject: Annotated[
        Subject,
        Field(
            default_factory=Subject,
            description="Further attributes of the certificate subject. Each value must match the issuer's"
            " `issuance.allowedSubjects`, if it has any. A change issues a new certificate.",
        ),
    ]
    dns_names: Annotated[
        tuple[DnsName, ...],
        Field(
            max_length=32,
            description="DNS names in the subject alternative name, in ASCII (punycode), such as `alice.edge.example`. The first label"
            " may be `*`; IP addresses are refused. At most 32, of up to 253 characters each. A change issues a new certificate.",
        ),
    ] = ()
    email_addresses: Annotated[
        tuple[EmailAddress, ...],
        Field(
            max_length=32,
            description="Email addresses in the subject alternative name, in ASCII, such as `alice@example.com`. At most 32, of up to"
            " 254 characters each. A change issues a new certificate.",
        ),
    ] = ()
    uris: Annotated[
        tuple[Uri, ...],
        Field(
            max_length=16,
            description="Absolute URIs in the subject alternative name, in ASCII, such as `spiffe://example.com/alice`. At most 16, of"
            " up to 512 characters each. A change issues a new certificate.",
        ),
    ] = ()
    duration: Annotated[
        Lifetime | None,
        Field(
            description="Lifetime of the certificate in hours, minutes and seconds, such as 720h. At least 1h and at most the"
            " issuer's `certificates.maxDuration`; it never outlives its CA. A change takes effect at the next renewal. Defaults"
            " to the issuer's `certificates.duration`."
        ),
    ] = None
    renew_before: Annotated[
        Duration | None,
        Field(
            description="How long before its expiry the certificate is renewed, such as 240h. At least 5m shorter than the"
            " lifetime. Defaults to a third of the lifetime, or to half of it below 240h."
        ),
    ] = None
    private_key: Annotated[
        ClientPrivateKey,
        Field(
            default_factory=ClientPrivateKey,
            description="Key that the operator generates and stores in the result Secret as `tls.key`. Not used if `request` is set.",
        ),
    ]
    request: Annotated[
        str | None,
        Field(
            min_length=64,
            max_length=16384,
            description="Certificate signing request (CSR) of the client in PEM format, at most 16384 characters. The operator"
            " certifies its public key and ignores its names and extensions, so that no private key enters the cluster. The key is"
            " RSA of 2048, 3072 or 4096 bits, ECDSA on P-256 or P-384, or Ed25519. A request can be replaced,"
            " but not added or removed. If not set, the operator generates a key as `privateKey` says.",
        ),
    ] = None
    secret_name: Annotated[
        SecretName | None,
        Field(
            description="Name of the result Secret, in the namespace of the ClientCertificate, at most 253 characters. The operator"
            " never overwrites a Secret that is not its own. Names with `doorward.` at the start or after a `-` are not allowed."
            " Immutable. Defaults to `<name>-mtls`."
        ),
    ] = None
    secret_template: Annotated[
        SecretTemplate,
        Field(
            default_factory=SecretTemplate,
            description="Labels and annotations that the operator adds to the result Secret. A change issues no new certificate.",
        ),
    ]
    keystores: Annotated[
        Keystores,
        Field(
            default_factory=Keystores,
            description="Further formats of key and certificate in the result Secret. Not used if `request` is set.",
        ),
    ]
    reissue: Annotated[
        str | None,
        Field(
            max_length=64,
            description="Change this value to force an immediate reissue, for example to the current date. The certificate before"
            " stays valid, until it expires or the issuer's `certificates.supersededGracePeriod` ends. Removing the value has no"
            " effect. At most 64 characters. If not set, no reissue is forced.",
        ),
    ] = None
    suspended: Annotated[
        bool,
        Field(
            description="If true, all certificates of this client are put on hold (CRL reason `certificateHold`), and no certificate"
            " is issued. Setting it back to false restores access with the same certificate and key, and needs the verb `issue`"
            " on the issuer. Defaults to false."
        ),
    ] = False
    revoked: Annotated[
        bool,
        Field(
            description="If true, all certificates of this client are revoked permanently, with the reason in `revocationReason`."
            " Takes precedence over `suspended`. Setting it back to false issues a new certificate, with a new key unless"
            " `request` is set, and needs the verb `issue` on the issuer; revoked certificates stay revoked. Defaults to false."
        ),
    ] = False
    revocation_reason: Annotated[
        RevocationReason,
        Field(
            description="CRL reason (RFC 5280, section 5.3.1) of the certificates that `revoked` revokes. Of certificates that are"
            " revoked already it can only be changed to `keyCompromise`. A key that was revoked as `keyCompromise` is never"
            " certified again. Defaults to unspecified."
        ),
    ] = "unspecified"

    model_config = Model.model_config | {
        "json_schema_extra": validations(
            rule("self.issuerRef == oldSelf.issuerRef", "issuerRef is immutable: create a new ClientCertificate"),
            rule(
                "has(self.secretName) == has(oldSelf.secretName)"
                " && (!has(self.secretName) || self.secretName == oldSelf.secretName)",
                "secretName is immutable: create a new ClientCertificate",
            ),
            rule(
                "has(self.request) == has(oldSelf.request)",
                "a request can be replaced, but not added or removed: create a new ClientCertificate",
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
