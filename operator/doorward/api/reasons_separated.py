"""The reasons of the condition HostsSeparated: whether clients of other hosts and other CAs are kept from the hosts of an MTLSIssuer."""

from doorward.api.reason import Mender, table

_FIX = (
    'Set ssl-reject-handshake: "true" in the ConfigMap of the ingress controller (HTTPS clients that send no SNI then have no access), or'
    " install the gate service with enforcement.mode: EveryRequest"
)

SEPARATED = table(
    "HostsSeparated",
    (
        "EveryRequestChecked",
        "True",
        Mender.NOBODY,
        (
            "The gate service is installed, the annotations of all Ingresses of the issuer let ingress-nginx ask it at every request, and"
            " probes show that ingress-nginx serves their hosts. The gate service refuses each certificate that this issuer did not"
            " issue, whatever host or CA it comes from."
        ),
        "{count} Ingresses ask the gate service at every request; it refuses certificates that this issuer did not issue",
    ),
    (
        "GateServiceNotAsked",
        "False",
        Mender.CLUSTER,
        (
            "A canary, which the gate service refuses, was about to reach the application: a replica of the ingress controller does not ask the"
            " gate service, though the annotations of the Ingress say so. ingress-nginx keeps its old configuration if it refuses one of them."
        ),
        (
            "The gate service is not asked, whatever the annotations say, at {places}: clients of other hosts and revoked clients may have"
            " access. Read the log of the ingress controller for an annotation that it refuses, such as auth-url with annotations-risk-level"
            " below High"
        ),
    ),
    (
        "UnknownNamesRefused",
        "True",
        Mender.NOBODY,
        (
            "Every replica of the ingress controller refused the last TLS handshakes without SNI and with an unknown SNI. A client of"
            " another host, or of a CA of an Ingress without a host, needs one of these to reach the hosts of this issuer."
        ),
        "{replicas} replicas of the ingress controller refuse TLS handshakes without SNI and with an unknown SNI",
    ),
    (
        "SessionsSeparated",
        "True",
        Mender.NOBODY,
        (
            "A canary tried to resume its TLS session without SNI and with an unknown SNI, and every replica of the ingress controller"
            " refused it. No replica asks for certificates of another CA there."
        ),
        (
            "the canary of CRL {number} was refused when it resumed its TLS session without SNI and with an unknown SNI, and no"
            " replica of the ingress controller asks for certificates of another CA there"
        ),
    ),
    (
        "OtherCAWithoutSNI",
        "False",
        Mender.CLUSTER,
        (
            "A replica of the ingress controller asks clients without SNI, or with an unknown SNI, for certificates of another CA. An"
            " Ingress without a host has the annotation auth-tls-secret. A client of that CA then reaches every host of the controller,"
            " by the header Host, except where the gate service is asked."
        ),
        "Clients of another CA may have access: {detail}. Look for an Ingress without a host that has auth-tls-secret. "
        + _FIX,
    ),
    (
        "SessionsOfOtherHosts",
        "False",
        Mender.CLUSTER,
        (
            "A replica of the ingress controller admitted a canary that resumed its TLS session without SNI or with an unknown SNI."
            " nginx does not compare such a session with the host of the request, so a client of another host may have access. The gate"
            " service is not asked at every request."
        ),
        (
            "Clients of other hosts may have access: a TLS session that is resumed without SNI, or with an unknown SNI, is admitted, at"
            " {places}. " + _FIX
        ),
    ),
    (
        "SeparationNotVerified",
        "Unknown",
        Mender.CLUSTER,
        "Nothing has shown yet whether clients of other hosts have access to the hosts of this issuer. The message says why.",
        "Not verified: {detail}. " + _FIX + ". With enforcement.canary: true the operator tests it at the next CRL",
    ),
)
