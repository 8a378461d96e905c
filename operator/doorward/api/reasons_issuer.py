"""The reasons of the conditions that every MTLSIssuer has."""

from doorward.api.reason import Mender, table

READY = table(
    "Ready",
    ("Signing", "True", Mender.NOBODY, "The CA signs, and its CRL is published.", "CA {subject} signs until {until}"),
    (
        "CaSecretMissing",
        "False",
        Mender.ISSUER,
        "The Secret with the CA does not exist.",
        "there is no Secret {secret}: {advice}",
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
        "The Secret holds another CA now. It signs certificates as soon as the gates have it.",
        "CA generation {generation} signs as soon as the gates have it; no certificate is signed until then",
    ),
    (
        "CaDistrusted",
        "False",
        Mender.ISSUER,
        "spec.ca.distrust lists every CA generation that the issuer has, so its gates are closed.",
        "spec.ca.distrust lists every CA of this issuer: put another CA, with another key, into Secret {secret}",
    ),
    (
        "CaKeyShared",
        "False",
        Mender.ISSUER,
        "Another MTLSIssuer has the same CA key. Each MTLSIssuer needs a CA key of its own.",
        "MTLSIssuer {rival} has the same CA key: give this issuer a CA with a key of its own",
    ),
    (
        "ClusterCa",
        "False",
        Mender.ISSUER,
        "The CA is the cluster's own client CA, so its certificates are users of the cluster.",
        "the CA is the cluster's own client CA, and its certificates are users of the cluster: give this issuer a CA of its own",
    ),
    (
        "CaReplaced",
        "False",
        Mender.ISSUER,
        "The Secret of a generated CA holds another CA than the one that signed the certificates.",
        (
            "Secret {secret} holds another CA than the one the gates trust ({subject}): restore that one,"
            " or name its generation in spec.ca.distrust"
        ),
    ),
    (
        "CaSecretUnmanaged",
        "False",
        Mender.ISSUER,
        (
            "A Secret has the name of a generated CA Secret, and lacks the operator's labels. If it holds the CA's key, the operator"
            " signs CRLs with it, but no certificates."
        ),
        (
            "Secret {secret} has the name of a CA that the operator made, and lacks its labels. If you restored that CA, add the"
            " labels app.kubernetes.io/managed-by=doorward and doorward.io/role=ca. Otherwise move the Secret away"
        ),
    ),
    (
        "CrlUnmanaged",
        "False",
        Mender.ISSUER,
        "A ConfigMap with the name of the CRL exists, and the operator did not create it.",
        "ConfigMap {configmap} is not Doorward's: move it away",
    ),
    (
        "CrlFull",
        "False",
        Mender.ISSUER,
        (
            "More certificates of your CA were revoked than its CRL can list. The CA is closed and its gates admit nobody,"
            " because the CRL is never truncated."
        ),
        (
            "More certificates of CA generation {generation} were revoked than its CRL can list in {limit} bytes. The gates"
            " admit nobody. Put another CA into Secret {secret}: its clients then get new certificates"
        ),
    ),
)

CRL = table(
    "CRLCurrent",
    (
        "Published",
        "True",
        Mender.NOBODY,
        "The published CRL is complete and has not expired.",
        "CRL {number} lists {entries} serials and is valid until {until}",
    ),
    (
        "NotPublished",
        "False",
        Mender.ITSELF,
        "The CRL is not published, or not as it should be.",
        "ConfigMap {configmap} does not hold the CRL it should: {detail}",
    ),
)

GATES = table(
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
        "GatesNotClosed",
        "False",
        Mender.CLUSTER,
        "A gate that must admit nobody could not be closed or deleted. The message says which, and whether it still admits clients.",
        (
            "these gates must admit nobody and cannot be removed: {detail}. Give the operator the rights of ClusterRole doorward-secrets"
            " there, and remove what holds the Secret"
        ),
    ),
    (
        "SomeNotCurrent",
        "False",
        Mender.CLUSTER,
        "The operator cannot write a gate. The gate keeps its last CRL, or stays closed.",
        "{detail}",
    ),
)

EXCLUSIVE = table(
    "CAExclusive",
    ("Generated", "True", Mender.NOBODY, "The CA is Doorward's own.", "the CA key is Doorward's own"),
    (
        "SharedCA",
        "Unknown",
        Mender.ISSUER,
        (
            "Doorward did not create the CA, so somebody else may have its key and sign certificates with it. ingress-nginx accepts them."
            " The gate service refuses them where it is asked, because they have no record in the ledger."
        ),
        (
            "whoever else signs with this CA admits clients that no ClientCertificate names, except where the gate service is asked at"
            " every request. Use a CA of Doorward's own"
        ),
    ),
)
