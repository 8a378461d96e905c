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
        "revoked since {time}, as spec.revoked asks; false again gives a new certificate with a new key",
    ),
    (
        "Suspended",
        "True",
        Mender.NOBODY,
        "The client is suspended, as the spec asks: held, with its certificate and key left as they are.",
        "suspended, as spec.suspended asks: the same certificate is good again when that is false",
    ),
    (
        "Deleting",
        "False",
        Mender.ITSELF,
        "The client is being cut off before the object goes.",
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
    ("InvalidSpec", "False", Mender.OWNER, "The spec asks for what no certificate can say.", "{detail}"),
    ("InvalidRequest", "False", Mender.OWNER, "spec.request is no usable CSR.", "spec.request: {detail}"),
    (
        "KeyCompromised",
        "False",
        Mender.OWNER,
        "The owner of the public key of spec.request revoked it as keyCompromise. It is never certified again.",
        "the key of spec.request was revoked as keyCompromise: make a new key, and put its CSR here",
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
        "There is no such MTLSIssuer (yet).",
        "there is no MTLSIssuer {issuer}: create it, or make a new ClientCertificate with the right issuerRef",
    ),
    ("IssuerNotReady", "False", Mender.ISSUER, "The issuer cannot sign.", "MTLSIssuer {issuer} cannot sign: {detail}"),
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
        "SecretForeign",
        "False",
        Mender.OWNER,
        "A Secret of that name is there and is not Doorward's; it is never overwritten.",
        "Secret {secret} is not Doorward's: move it away, or make a new ClientCertificate with another secretName",
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
        "The result Secret would have a name that the CA Secrets of MTLSIssuers have, <issuer>-ca-<number>.",
        (
            "Secret {secret} has the name of a CA Secret, which ends with -ca- and a number: make a new ClientCertificate with"
            " another secretName"
        ),
    ),
    (
        "PasswordMissing",
        "False",
        Mender.OWNER,
        (
            "The Secret with the keystore's password cannot be used. The message is the same whatever is wrong, so that it tells"
            " nothing of Secrets that do not offer a password."
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
        "The namespace has not consented: the RoleBinding for Secrets is missing.",
        "Doorward may not use Secrets in namespace {namespace}; run: {command}",
    ),
    (
        "SecretRefused",
        "False",
        Mender.CLUSTER,
        "The API server refuses the write of the Secret (a quota, a webhook, a policy).",
        "Secret {secret} cannot be written: {detail}",
    ),
    (
        "ReissueBudgetSpent",
        "False",
        Mender.ITSELF,
        "So many certificates were issued for this client in the last day that the next one has to wait.",
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
        "The client, its namespace or its issuer has as many unexpired certificates as it may have.",
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
            "spec.renewBefore leaves almost nothing of the certificate's lifetime. The operator ignores it, and the client"
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
        "The operator's clock and the API server's differ by more than five minutes; nothing is signed meanwhile.",
        "nothing is signed while the operator's clock is {skew} s off the API server's: set the clocks right",
    ),
)

ADMITTED = table(
    "Admitted",
    ("Live", "True", Mender.NOBODY, "The client can get in.", "serial {serial} is good until {until}"),
    (
        "Revoked",
        "False",
        Mender.NOBODY,
        "The published CRL names every serial of the client.",
        "refused since {time}: CRL {number} names every serial of this client",
    ),
    (
        "OnHold",
        "False",
        Mender.NOBODY,
        "The client is suspended, or its namespace is being deleted, and the published CRL names every serial of it.",
        "on hold since {time}: CRL {number} names every serial of this client",
    ),
    (
        "LettingIn",
        "Unknown",
        Mender.ITSELF,
        "The certificate is good again, and the CRL that says so is not published yet.",
        "serial {serial} is good again, and the published CRL still names it",
    ),
    (
        "CuttingOff",
        "Unknown",
        Mender.ITSELF,
        "The client is revoked, and the CRL that says so is not published yet.",
        "the CRL that names this client is not published yet",
    ),
    (
        "CaNotTrusted",
        "False",
        Mender.ITSELF,
        "The CA generation that signed the certificate is distrusted, was retired, or has expired, or its last CRL has; the next one signs a new one.",
        "serial {serial} is from CA generation {generation}, {why}",
    ),
    (
        "NoIssuer",
        "False",
        Mender.OWNER,
        "The MTLSIssuer is gone, and its gates are closed; made again under its name it opens them.",
        "serial {serial} is good, but its MTLSIssuer is gone, and with it the gates are closed",
    ),
    (
        "NotIssued",
        "False",
        Mender.NOBODY,
        "No certificate was ever issued for this client; condition Ready says why.",
        "no certificate has been issued",
    ),
    (
        "NoneValid",
        "False",
        Mender.NOBODY,
        (
            "Every certificate that was issued for this client is revoked, on hold or has expired, and there is no new one yet;"
            " condition Ready says why."
        ),
        "no certificate of this client is valid: serial {serial}, the last one, is refused since {time} ({reason})",
    ),
    ("Expired", "False", Mender.NOBODY, "The certificate has expired.", "serial {serial} expired at {until}"),
)
