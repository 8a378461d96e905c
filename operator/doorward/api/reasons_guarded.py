"""The reasons of a condition of MTLSIssuers: another way to a Service behind a gate is open, or could be opened."""

from doorward.api.reason import Mender, table

SERVICES = table(
    "ServicesGuarded",  # said only while it is not so
    (
        "ServicesNotGuarded",
        "False",
        Mender.CLUSTER,
        (
            "The operator cannot write the ConfigMap doorward-guarded in a namespace with a gate. So the admission policy does not know"
            " all Services that are behind the gate, and admits an Ingress that serves one of them without a certificate."
        ),
        (
            "an Ingress that serves a Service behind a gate without a certificate may be admitted, since the operator cannot name these"
            " Services to the admission policy: {detail}. Change the policy, webhook, quota or right that this names"
        ),
    ),
    (
        "ServicesUnprotected",
        "False",
        Mender.OWNER,
        (
            "An Ingress has the annotation doorward.io/unprotected and serves a Service that is behind a gate of this issuer. Everybody"
            " has access to that Service at the hosts of this Ingress."
        ),
        (
            "everybody has access to Services behind the gates of this issuer by another Ingress, which the annotation"
            " doorward.io/unprotected permits: {detail}. To end this, delete the Ingress, or annotate it with doorward.io/issuer"
        ),
    ),
)
