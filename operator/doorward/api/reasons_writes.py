"""The reasons for what the operator cannot write, or writes in vain: an MTLSIssuer and a ClientCertificate have them both."""

from doorward.api.reason import Mender, table

READY = table(
    "Ready",
    (
        "WriteRefused",
        "False",
        Mender.CLUSTER,
        "The API server refuses a write that the object needs: by an admission policy, a webhook, a quota or a missing right.",
        "The API server refuses to {what}: {detail}. Change the policy, webhook, quota or right that it names. {retry}",
    ),
    (
        "NotSettling",
        "False",
        Mender.CLUSTER,
        "Another controller or an admission policy changes what the operator writes.",
        "The operator cannot {what} for good: {detail}. Let only one of them set it. {retry}",
    ),
    (
        "ReconcileFailed",
        "False",
        Mender.CLUSTER,
        "The operator fails while it works on this object. CRLs and certificates that it published before stay in force. It publishes nothing new.",
        (
            "The operator cannot finish its work on this object: {detail}. The operator tries again. Look for this object in the"
            " operator's log"
        ),
    ),
)

GATES = table(
    "GatesCurrent",
    (
        "TargetsNotWritten",
        "False",
        Mender.CLUSTER,
        "The operator cannot configure a host that names this issuer: the API server refuses the write, or another controller changes it again.",
        "Some targets are not configured: {detail}",
    ),
)

GATE = table(
    "Gate",
    (
        "FieldConflict",
        "Unknown",
        Mender.OWNER,
        (
            "Another field manager owns an annotation that the operator writes and has set it to another value, or another controller or an"
            " admission policy changes what the operator writes. The value in the Ingress decides how the host is protected."
        ),
        "{detail}. Let only one of them set it. {retry}",
    ),
)
