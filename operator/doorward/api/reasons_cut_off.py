"""The reasons of the condition CutOffHolds: whether a revoked client is refused, by choice and as canaries show it."""

from doorward.api.reason import Mender, table

CUT_OFF = table(
    "CutOffHolds",  # said where it does not by choice, and where canaries show it
    (
        "HandshakeOnly",
        "False",
        Mender.NOBODY,
        (
            "spec.enforcement.mode is Handshake: ingress-nginx checks a client when it connects, not at each request. The message lists"
            " what that leaves open."
        ),
        (
            "access is checked at the TLS handshake only. This stays open: a client whose access is revoked has access until"
            " ingress-nginx has loaded the CRL, and may keep it on a TLS session that it resumes, for one request on a connection that it"
            " opened before, and on a response or WebSocket that is under way; clients of other hosts may have access without SNI; whoever can"
            " sign with a CA that is shared with others has access; access lists (doorward.io/allow) are not enforced. To close this, install"
            " the gate service and set enforcement.mode: EveryRequest"
        ),
    ),
    (
        "CanaryRefused",
        "True",
        Mender.NOBODY,
        (
            "The operator revoked a certificate that it made for this, and every replica of the ingress controller refused it soon after the"
            " CRL was published, while it admitted one that is not revoked. status.canary has the seconds for each replica."
        ),
        "a certificate that CRL {number} revokes was refused within {seconds} s by all {replicas} replicas of the ingress controller",
    ),
    (
        "RevokedCanaryAdmitted",
        "False",
        Mender.CLUSTER,
        (
            "A replica of the ingress controller still admits a certificate that the published CRL revokes: it has not loaded the CRL. So"
            " clients whose access is revoked have access there, except where the gate service is asked."
        ),
        (
            "Revoked clients have access: a certificate that CRL {number} revokes was still admitted {seconds} s after the CRL was"
            " published, by {places}. Look for errors in the log of the ingress controller, and see GatesCurrent; restart the Pod of the"
            " replica if it does not load any change"
        ),
    ),
    (
        "SessionsResumed",
        "False",
        Mender.CLUSTER,
        (
            "A TLS session that is resumed is admitted without a look at its certificate, so a client whose access is revoked may keep"
            " its access until the session expires. The gate service is not installed, or it is not asked there."
        ),
        (
            "a revoked client that resumes its TLS session may have access, at {places}. Install the gate service, or set"
            ' ssl-session-cache: "false" in the ConfigMap of the ingress controller'
        ),
    ),
    (
        "CutOffNotVerified",
        "Unknown",
        Mender.CLUSTER,
        "spec.enforcement.canary is true, and no canary has shown yet how long it takes until a revoked client is refused.",
        "Not verified: {detail}",
    ),
)
