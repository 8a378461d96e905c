"""The reasons of the condition Enforced: what probes of the gates of an MTLSIssuer show."""

from doorward.api.reason import Mender, table

ENFORCED = table(
    "Enforced",
    (
        "ProbesRefused",
        "True",
        Mender.NOBODY,
        (
            "Every replica of the ingress controller refused the last probes of every gate: a client without a certificate, a client"
            " with a certificate of another CA, and plain HTTP. The condition says since when."
        ),
        "{hosts} hosts refuse every client that has no certificate of this issuer, at the replicas {replicas}",
    ),
    (
        "Open",
        "False",
        Mender.CLUSTER,
        (
            "A probe was answered where it had to be refused: clients without a certificate of this issuer have access. The message"
            " says at which host and replica. The annotations of the Ingress may all be there: ingress-nginx keeps its old"
            " configuration if it refuses one of them, and another Ingress may open the host."
        ),
        (
            "Clients without a certificate of this issuer have access: {detail}. Read the log of the ingress controller, and look for"
            " other Ingresses with the same host"
        ),
    ),
    (
        "ControllerHangs",
        "False",
        Mender.CLUSTER,
        (
            "A replica of the ingress controller takes connections and has not answered for 30 seconds. It may not load a new CRL"
            " either, so revoked clients may keep their access there."
        ),
        "A replica of the ingress controller does not answer: {detail}. Restart its Pod",
    ),
    (
        "NotReachable",
        "Unknown",
        Mender.CLUSTER,
        "The operator cannot reach a replica of the ingress controller, so nothing shows what the replica does.",
        (
            "Not verified, a replica of the ingress controller cannot be probed: {detail}. Allow connections from the operator to the"
            " HTTP and HTTPS ports of the ingress controller, for example in a NetworkPolicy"
        ),
    ),
    (
        "NotVerified",
        "Unknown",
        Mender.CLUSTER,
        "No probe has shown yet that the gates refuse clients without a certificate. The message says why.",
        "Not verified: {detail}",
    ),
)
