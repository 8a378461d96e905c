"""The reasons of a ClientCertificate; InvalidSpec, NotPermitted and ClockSkewed an MTLSIssuer has, too."""

from doorward.api.reason import Mender, table

READY = table(
    "Ready",
    (
        "Issued",
        "True",
        Mender.NOBODY,
        "The certificate is in its Secret, as the spec asks.",
        "Secret {secret} holds serial {serial}; its successor is due {renewal}",
    ),
    (
        "CutOff",
        "True",
        Mender.NOBODY,
        "The client is revoked, as the spec asks.",
        "revoked since {time}, as spec.revoked asks: set it to false to issue a new certificate with a new key",
    ),
    (
        "Suspended",
        "True",
        Mender.NOBODY,
        "The client is suspended, as the spec asks: its certificates are on hold, and its Secret is unchanged.",
        "suspended, as spec.suspended asks: set it to false to restore access with the same certificate and key",
    ),
    (
        "Deleting",
        "False",
        Mender.ITSELF,
        "The object was deleted. It remains until a CRL that revokes the client's certificates is published.",
        "the object goes as soon as the CRL that names its {count} serials is published{detail}",
    ),
    (
        "NamespaceTerminating",
        "False",
        Mender.ITSELF,
        (
            "The namespace is being deleted. The client is on hold as if its object was deleted already, and no certificate is"
            " issued."
        ),
        (
            "Namespace {namespace} is being deleted, so the certificates of this client are on hold and no certificate is issued."
            " `doorward restore` can end the hold within the undo window of the MTLSIssuer"
        ),
    ),
    (
        "InvalidSpec",
        "False",
        Mender.OWNER,
        "The spec has a value that a certificate cannot contain. The message names it.",
        "{detail}",
    ),
    ("InvalidRequest", "False", Mender.OWNER, "The CSR in spec.request cannot be used.", "spec.request: {detail}"),
    (
        "KeyCompromised",
        "False",
        Mender.OWNER,
        "The owner of the public key of spec.request revoked it as keyCompromise. It is never certified again.",
        "the key of spec.request was revoked as keyCompromise: create a new key, and put its CSR into spec.request",
    ),
    (
        "KeyTaken",
        "False",
        Mender.OWNER,
        (
            "The public key of spec.request belongs to another client of this MTLSIssuer. No certificate is issued or renewed;"
            " the current one stays valid until it expires."
        ),
        (
            "the public key of spec.request belongs to another client of MTLSIssuer {issuer}: create a key that no other client"
            " uses, and put its CSR here"
        ),
    ),
    (
        "IssuerNotFound",
        "False",
        Mender.OWNER,
        "The MTLSIssuer in spec.issuerRef does not exist, or not yet.",
        "there is no MTLSIssuer {issuer}: create it, or create a new ClientCertificate with the right issuerRef",
    ),
    (
        "IssuerNotReady",
        "False",
        Mender.ISSUER,
        "The MTLSIssuer cannot sign certificates now.",
        "MTLSIssuer {issuer} cannot sign: {detail}",
    ),
    (
        "NamespaceNotAllowed",
        "False",
        Mender.ISSUER,
        "The issuer does not allow ClientCertificates from this namespace.",
        (
            "MTLSIssuer {issuer} does not allow clients from namespace {namespace}: its owner can widen"
            " spec.issuance.allowedNamespaces"
        ),
    ),
    (
        "SubjectNotAllowed",
        "False",
        Mender.OWNER,
        (
            "The names fit none of the issuer's allowedSubjects, or the name constraints of its CA do not permit them. No"
            " certificate is issued or renewed; the current one stays valid until it expires."
        ),
        (
            "MTLSIssuer {issuer} does not allow these names in namespace {namespace}. {refused}. Remove or change"
            " {attribute}, or ask the owner of the MTLSIssuer {advice}. Until then nothing is renewed"
        ),
    ),
    (
        "KeyNotAllowed",
        "False",
        Mender.OWNER,
        "The issuer does not allow this key algorithm.",
        "MTLSIssuer {issuer} allows only {allowed} keys: change spec.privateKey or spec.request",
    ),
    (
        "DurationTooLong",
        "False",
        Mender.OWNER,
        "The duration is longer than the issuer allows.",
        "spec.duration is longer than the {limit} that MTLSIssuer {issuer} allows: shorten it",
    ),
    (
        "SecretNameTaken",
        "False",
        Mender.OWNER,
        "An older ClientCertificate has this secretName.",
        "ClientCertificate {rival} already writes Secret {secret}: delete this one and make it again with another secretName",
    ),
    (
        "SecretUnmanaged",
        "False",
        Mender.OWNER,
        "A Secret with this name exists, and the operator did not create it. The operator never overwrites it.",
        "Secret {secret} is not Doorward's: move it away, or create a new ClientCertificate with another secretName",
    ),
    (
        "SecretCopied",
        "False",
        Mender.OWNER,
        (
            "The Secret holds the certificate of another ClientCertificate: somebody copied it there. It is never overwritten, and"
            " the certificates of this client stay valid."
        ),
        (
            "Secret {secret} is a copy: the ledger says that its certificate belongs to another ClientCertificate. Delete the Secret"
            " to get a certificate for this client. The certificates that this client has stay valid"
        ),
    ),
    (
        "SecretMissing",
        "False",
        Mender.ITSELF,
        (
            "The Secret was deleted, or holds no usable certificate. The operator waits for some seconds, and then issues another"
            " certificate. The one before stays valid for a grace period."
        ),
        "Secret {secret}: {detail}. Another certificate is issued at {time}",
    ),
    (
        "SecretImmutable",
        "False",
        Mender.OWNER,
        "The Secret is immutable, and the operator needs to write something else into it. The current certificate stays valid.",
        (
            "Secret {secret} is immutable, so the operator cannot write it, and it has to: {detail}. Delete the Secret. The operator"
            " then creates it with another certificate, and the current one stays valid for a grace period"
        ),
    ),
    (
        "SecretNameReserved",
        "False",
        Mender.OWNER,
        "The name of the result Secret is reserved for the CA Secrets of MTLSIssuers: <issuer>-ca-<number>.",
        (
            "Secret {secret} has the name of a CA Secret, which ends with -ca- and a number: create a new ClientCertificate with"
            " another secretName"
        ),
    ),
    (
        "PasswordMissing",
        "False",
        Mender.OWNER,
        (
            "The Secret with the keystore's password cannot be used. The message is the same for every cause, so that nobody"
            " learns from it which Secrets exist."
        ),
        (
            "Secret {secret} offers no keystore password under key {key}: it must exist in the namespace of this"
            ' ClientCertificate, carry the label doorward.io/keystore-password: "true", and hold 8 to 256 bytes of UTF-8 under'
            " that key, without control characters (a line break at the end is not part of the password)"
        ),
    ),
    (
        "NotPermitted",
        "False",
        Mender.CLUSTER,
        "The namespace has not opted in: the RoleBinding doorward-secrets is missing.",
        "Doorward may not use Secrets in namespace {namespace}; run: {command}",
    ),
    (
        "SecretRefused",
        "False",
        Mender.CLUSTER,
        "The API server refuses to write the Secret, because of a quota, a webhook or a policy.",
        "Secret {secret} cannot be written: {detail}",
    ),
    (
        "ReissueBudgetSpent",
        "False",
        Mender.ITSELF,
        "Too many certificates were issued for this client in the last day. The next one has to wait.",
        (
            "{count} certificates were issued for this client in the last day. The next one can be issued {time}. Find out"
            " what renews it so often (spec.renewBefore), deletes or changes Secret {secret}, revokes its certificates, or"
            " changes this object"
        ),
    ),
    (
        "CertificateLimitReached",
        "False",
        Mender.OWNER,
        "The client, its namespace or its issuer has reached its limit of unexpired certificates.",
        (
            "{scope} has {count} unexpired certificates, and the limit is {limit}. The next certificate is issued when"
            " enough of them have expired. {advice}"
        ),
    ),
    (
        "DurationTooShort",
        "False",
        Mender.OWNER,
        "spec.duration is shorter than the minimum. The operator uses the minimum instead, and the client keeps its access.",
        (
            "spec.duration is {duration}, and the shortest lifetime of a certificate is {shortest}. The operator uses"
            " {shortest}. Set spec.duration to {shortest} or more"
        ),
    ),
    (
        "RenewBeforeTooLong",
        "False",
        Mender.OWNER,
        (
            "spec.renewBefore is almost as long as the certificate's lifetime, or longer. The operator ignores it, and the client"
            " keeps its access."
        ),
        (
            "spec.renewBefore {renew_before} leaves less than {between} of the lifetime, which is {lifetime}. The operator"
            " ignores it and uses the default. The current certificate is renewed at {renewal}. Set spec.renewBefore to at"
            " least {between} less than the lifetime"
        ),
    ),
    (
        "ClockSkewed",
        "False",
        Mender.CLUSTER,
        "The clocks of the operator and the API server differ by more than five minutes. Until they agree, the operator signs nothing.",
        "the operator signs nothing while its clock and the API server's differ by {skew} s: correct the clocks",
    ),
)

ADMITTED = table(
    "Admitted",
    ("Live", "True", Mender.NOBODY, "The client has access.", "serial {serial} is valid until {until}"),
    (
        "Revoked",
        "False",
        Mender.NOBODY,
        "The published CRL lists every serial number of the client.",
        "refused since {time}: CRL {number} names every serial of this client",
    ),
    (
        "OnHold",
        "False",
        Mender.NOBODY,
        "The client is suspended, or its namespace is being deleted, and the published CRL lists every serial number of the client.",
        "on hold since {time}: CRL {number} names every serial of this client",
    ),
    (
        "LettingIn",
        "Unknown",
        Mender.ITSELF,
        "The hold on the certificate was lifted, and the CRL without its serial number is not published yet.",
        "the hold on serial {serial} was lifted, and the published CRL still lists it",
    ),
    (
        "CuttingOff",
        "Unknown",
        Mender.ITSELF,
        "The client is revoked, suspended or being deleted, and the CRL that lists its serial numbers is not published yet.",
        "the CRL that lists the serials of this client is not published yet",
    ),
    (
        "CaNotTrusted",
        "False",
        Mender.ITSELF,
        (
            "The gates do not trust the CA generation that signed the certificate: it is distrusted, retired or expired, or its last CRL"
            " has expired. The next generation signs a new certificate."
        ),
        "serial {serial} is from CA generation {generation}, {why}",
    ),
    (
        "NoIssuer",
        "False",
        Mender.OWNER,
        "The MTLSIssuer was deleted, so its gates are closed. If it is created again with the same name, it opens them.",
        "serial {serial} is valid, but its MTLSIssuer was deleted, so the gates are closed",
    ),
    (
        "NotIssued",
        "False",
        Mender.NOBODY,
        "No certificate was ever issued for this client. The condition Ready says why.",
        "no certificate has been issued",
    ),
    (
        "NoneValid",
        "False",
        Mender.NOBODY,
        (
            "Every certificate of this client is revoked, on hold or expired, and no new one was issued yet. The condition Ready"
            " says why."
        ),
        "no certificate of this client is valid: serial {serial}, the last one, is refused since {time} ({reason})",
    ),
    ("Expired", "False", Mender.NOBODY, "The certificate has expired.", "serial {serial} expired at {until}"),
)
