"""Every condition, every reason it may have, the sentence it is said with, and who can mend it.

The page docs/reference/reasons.md (`make docs`) and `doorward explain` are made from this module. In `Ready=True` the
spec is fulfilled, also where that means that nobody gets in: GitOps health checks must not fail for ever on a revoked
entry.
"""

from doorward.api.reason import Mender, Reason
from doorward.api.reason import table as _table
from doorward.api.reasons_ca import COMPLETE, ROOM, SETTLED

_READY = _table(
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
        "revoked since {time}, as spec.revoked asks; to let the client in again, make a new ClientCertificate",
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
    ("InvalidSpec", "False", Mender.OWNER, "The spec asks for what no certificate can say.", "{detail}"),
    ("InvalidRequest", "False", Mender.OWNER, "spec.request is no usable CSR.", "spec.request: {detail}"),
    (
        "KeyCompromised",
        "False",
        Mender.OWNER,
        "The public key of spec.request was revoked as keyCompromise, and is never certified again.",
        "the key of spec.request was revoked as keyCompromise: make a new key, and put its CSR here",
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
        "The names fit none of the issuer's allowedSubjects.",
        "MTLSIssuer {issuer} does not allow these names in namespace {namespace}: {detail}",
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
        "PasswordMissing",
        "False",
        Mender.OWNER,
        "The Secret with the keystore's password is not there, or is not usable.",
        "the keystore password in Secret {secret}, key {key}, {detail}",
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
        "The Secret was lost, its serial revoked or spec.reissue changed so often that the next certificate has to wait.",
        (
            "{count} certificates were issued here in the last day; the next can be issued {time}:"
            " find out what deletes or changes Secret {secret}, revokes its serials or changes spec.reissue"
        ),
    ),
    (
        "ClockSkewed",
        "False",
        Mender.CLUSTER,
        "The operator's clock and the API server's differ by more than five minutes; nothing is signed meanwhile.",
        "nothing is signed while the operator's clock is {skew} s off the API server's: set the clocks right",
    ),
    # of an MTLSIssuer
    ("Signing", "True", Mender.NOBODY, "The CA signs, and its CRL is published.", "CA {subject} signs until {until}"),
    (
        "CaSecretMissing",
        "False",
        Mender.ISSUER,
        "The Secret with the CA is not there.",
        "there is no Secret {secret}: create it with tls.crt and tls.key, or ca.crt and ca.key",
    ),
    (
        "CaSecretInvalid",
        "False",
        Mender.ISSUER,
        "The Secret holds no usable CA certificate and key.",
        "Secret {secret}: {detail}; put a CA certificate and its own key there",
    ),
    (
        "CaExpired",
        "False",
        Mender.ISSUER,
        "The CA certificate has expired.",
        "Secret {secret}: {detail}; put a CA there that is valid now",
    ),
    (
        "CaNotYetValid",
        "False",
        Mender.ISSUER,
        "The CA certificate is not valid yet.",
        "Secret {secret}: {detail}; put a CA there that is valid now, or set the clock",
    ),
    (
        "CaAnnounced",
        "False",
        Mender.ITSELF,
        "The CA was replaced by another, which signs as soon as the gates have it.",
        "CA generation {generation} signs as soon as the gates have taken it; nothing is signed until then",
    ),
    (
        "CaDistrusted",
        "False",
        Mender.ISSUER,
        "spec.ca.distrust names the only CA there is; its gates are closed.",
        "no CA is left that spec.ca.distrust does not name: put another one into Secret {secret}",
    ),
    (
        "CaKeyShared",
        "False",
        Mender.ISSUER,
        "Another MTLSIssuer has the same CA key; a key belongs to one.",
        "MTLSIssuer {rival} has the same CA key: a CA key belongs to one issuer, give this one a key of its own",
    ),
    (
        "ClusterCa",
        "False",
        Mender.ISSUER,
        "The CA is the cluster's own client CA.",
        "this is the cluster's own client CA, whose certificates are cluster users: give this issuer a CA of its own",
    ),
    (
        "CaReplaced",
        "False",
        Mender.ISSUER,
        "The Secret of a CA of Doorward's making holds another key than the one that has signed here.",
        (
            "Secret {secret} holds another CA than the one the gates trust ({subject}): put that one back,"
            " or name its generation in spec.ca.distrust"
        ),
    ),
    (
        "CaSecretForeign",
        "False",
        Mender.ISSUER,
        "A Secret with the name of the generated CA's is there and is not Doorward's.",
        "Secret {secret} is not Doorward's: move it away",
    ),
    (
        "CrlForeign",
        "False",
        Mender.ISSUER,
        "A ConfigMap with the CRL's name is there and is not Doorward's.",
        "ConfigMap {configmap} is not Doorward's: move it away",
    ),
    (
        "CrlFull",
        "False",
        Mender.ISSUER,
        "The CRL would not fit into a ConfigMap; it is never truncated.",
        (
            "the next CRL must name {entries} serials, which do not fit into the {limit} bytes of a ConfigMap; nothing is"
            " signed or published any more: end clients that nobody needs, or put their generation into spec.ca.distrust"
        ),
    ),
)

_ADMITTED = _table(
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
        "The client is suspended, and the published CRL names every serial of it.",
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
        "The CA generation that signed the certificate is distrusted, or was retired; the next one signs a new one.",
        "serial {serial} is from CA generation {generation}, which the gates do not trust",
    ),
    ("NotIssued", "False", Mender.NOBODY, "There is no certificate yet.", "no certificate has been issued"),
    ("Expired", "False", Mender.NOBODY, "The certificate has expired.", "serial {serial} expired at {until}"),
)

_CRL = _table(
    "CRLCurrent",
    (
        "Published",
        "True",
        Mender.NOBODY,
        "The published CRL is signed, complete and in time.",
        "CRL {number} lists {entries} serials and is good until {until}",
    ),
    (
        "NotPublished",
        "False",
        Mender.ITSELF,
        "The CRL is not published, or not as it should be.",
        "ConfigMap {configmap} does not hold the CRL it should: {detail}",
    ),
)

_GATES = _table(
    "GatesCurrent",
    (
        "AllCurrent",
        "True",
        Mender.NOBODY,
        "Every gate holds the published CRL.",
        "{count} namespaces hold CRL {number}",
    ),
    ("NoGates", "True", Mender.NOBODY, "No Ingress names this issuer.", "no Ingress names this issuer"),
    (
        "SomeNotCurrent",
        "False",
        Mender.CLUSTER,
        "A gate could not be written: it keeps what it has, or stays closed.",
        "{detail}",
    ),
)

_EXCLUSIVE = _table(
    "CAExclusive",
    ("Generated", "True", Mender.NOBODY, "The CA is Doorward's own.", "the CA key is Doorward's own"),
    (
        "SharedCA",
        "Unknown",
        Mender.ISSUER,
        "The CA came from outside: whoever else holds its key can let clients in.",
        "whoever else signs with this CA lets clients in that no ClientCertificate names: use a CA of Doorward's own",
    ),
)

_HOLDS = _table(
    "CutOffHolds",
    (
        "SessionResumption",
        "Unknown",
        Mender.CLUSTER,
        "ingress-nginx does not ask the CRL when a TLS session is resumed.",
        (
            'a refused client that resumes its TLS session may be let in: set ssl-session-cache: "false" and'
            ' ssl-session-tickets: "false" in the ConfigMap of ingress-nginx'
        ),
    ),
)

_SEPARATED = _table(
    "HostsSeparated",
    (
        "SharedListener",
        "Unknown",
        Mender.CLUSTER,
        "With nginx's defaults a client of another host's CA can get in without SNI.",
        (
            'a client of another host\'s CA may get in without SNI: set ssl-reject-handshake: "true" in the ConfigMap of'
            " ingress-nginx"
        ),
    ),
)

_GATE = _table(
    "Gate",  # said in the annotation doorward.io/gate of an Ingress, which has no conditions of ours
    ("Protected", "True", Mender.NOBODY, "Only live clients of the issuer get in.", "clients of {issuer} get in"),
    (
        "NoSuchIssuer",
        "False",
        Mender.OWNER,
        "The issuer named in doorward.io/issuer is not there; the host answers 403.",
        "closed: there is no MTLSIssuer {issuer}",
    ),
    (
        "GateMissing",
        "False",
        Mender.ISSUER,
        "The gate's Secret is not there, so the host answers 403; the issuer's condition GatesCurrent says why.",
        "closed: MTLSIssuer {issuer} has no gate in namespace {namespace}, see its condition GatesCurrent",
    ),
    (
        "GateOutOfReach",
        "Unknown",
        Mender.OWNER,
        "The namespace's consent is missing: who gets in follows from the last CRL that Doorward wrote here, if any.",
        "clients of {issuer} that are cut off may still get in, as the CRL here cannot be written: run {command}",
    ),
    (
        "NotAllowedHere",
        "False",
        Mender.ISSUER,
        "The issuer does not allow Ingresses of this namespace; the host answers 403.",
        "closed: MTLSIssuer {issuer} does not allow Ingresses of namespace {namespace}",
    ),
    (
        "BadReference",
        "False",
        Mender.OWNER,
        "doorward.io/issuer is neither <issuer> nor <namespace>/<issuer>.",
        (
            "doorward.io/issuer must be <issuer> or <namespace>/<issuer>: until then auth-tls-secret stays as it is, and"
            " without one the host is open"
        ),
    ),
    (
        "OtherSecret",
        "False",
        Mender.OWNER,
        "A person set another auth-tls-secret; it is never rewritten.",
        "not protected by Doorward: auth-tls-secret was set to another Secret, remove it",
    ),
    (
        "OptionalNotAllowed",
        "False",
        Mender.ISSUER,
        "The Ingress asks for optional, and the issuer does not allow it; a certificate is asked for.",
        "protected with verify-client on: MTLSIssuer {issuer} does not allow optional",
    ),
)

BY_CONDITION: dict[str, dict[str, Reason]] = {
    "Ready": _READY,
    "Admitted": _ADMITTED,
    "CRLCurrent": _CRL,
    "GatesCurrent": _GATES,
    "CAExclusive": _EXCLUSIVE,
    "CASettled": SETTLED,
    "CRLRoom": ROOM,
    "CutOffHolds": _HOLDS,
    "HostsSeparated": _SEPARATED,
    "LedgerComplete": COMPLETE,
    "Gate": _GATE,
}

REASONS: dict[str, Reason] = {name: reason for table in BY_CONDITION.values() for name, reason in table.items()}
"""By name; a name stands for one reason of one condition."""

if len(REASONS) != sum(map(len, BY_CONDITION.values())):  # pragma: no cover - a slip while editing the table
    raise AssertionError("a reason's name stands twice")
