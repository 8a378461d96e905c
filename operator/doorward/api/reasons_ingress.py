"""The reasons said in the annotation `doorward.io/gate` of an Ingress, which has no conditions of Doorward's."""

from doorward.api.reason import Mender, table

GATE = table(
    "Gate",
    (
        "Protected",
        "True",
        Mender.NOBODY,
        "No object that the operator sees opens the host, or admits anybody but clients of the issuer.",
        "clients of {issuer} have access",
    ),
    (
        "FoundOpen",
        "False",
        Mender.OWNER,
        (
            "A probe of the host was answered and should have been refused: clients without a certificate of the issuer have access,"
            " although the annotations protect the host. See the condition Enforced of the MTLSIssuer."
        ),
        (
            "clients without a certificate of {issuer} have access: {detail}. Read the log of the ingress controller, and look for"
            " other Ingresses with the same host"
        ),
    ),
    (
        "NoSuchIssuer",
        "False",
        Mender.OWNER,
        "The MTLSIssuer in doorward.io/issuer does not exist. The host answers 403.",
        "closed: there is no MTLSIssuer {issuer}",
    ),
    (
        "IssuerNotRead",
        "False",
        Mender.ISSUER,
        "The spec of the issuer is invalid, so the operator writes no CRL for the host. The last CRL, if any, decides who has access.",
        "MTLSIssuer {issuer} has an invalid spec, see its condition Ready: no revocation reaches this host until the spec is valid",
    ),
    (
        "GateMissing",
        "False",
        Mender.ISSUER,
        "The gate Secret does not exist, so the host answers 403. The issuer's condition GatesCurrent says why.",
        "closed: MTLSIssuer {issuer} has no gate in namespace {namespace}, see its condition GatesCurrent",
    ),
    (
        "GateUnmanaged",
        "False",
        Mender.OWNER,
        (
            "A Secret with the name of the gate exists that the operator did not create and could not replace. Whoever created it"
            " decides who has access."
        ),
        "Secret {secret} is not Doorward's and decides who has access here: delete it",
    ),
    (
        "GateOutOfReach",
        "Unknown",
        Mender.OWNER,
        "The namespace has not opted in, so the operator cannot write the gate. The last CRL in the gate, if any, decides who has access.",
        "revoked clients of {issuer} may still have access, because the operator cannot write the CRL here: run {command}",
    ),
    (
        "GateClosing",
        "False",
        Mender.ISSUER,
        "The operator is closing the gate, and its Secret is not deleted yet. If that lasts, the issuer's condition GatesCurrent says why.",
        (
            "MTLSIssuer {issuer} is deleted or does not allow Ingresses of namespace {namespace}: the operator is closing this gate, and"
            " the host answers 403 when Secret {secret} is deleted"
        ),
    ),
    (
        "NotAllowedHere",
        "False",
        Mender.ISSUER,
        "The issuer does not allow Ingresses of this namespace. The host answers 403.",
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
        "A user set auth-tls-secret to another Secret. The operator never changes it.",
        "not protected by Doorward: auth-tls-secret was set to another Secret, remove it",
    ),
    (
        "NotEnforced",
        "False",
        Mender.OWNER,
        (
            "ingress-nginx is not known to protect an Ingress of this shape, or with this annotation: it may admit anybody. The"
            " admission policy refuses such an Ingress; this one was created without the policy, or before it."
        ),
        "anybody may have access: {fix}",
    ),
    (
        "HostShared",
        "False",
        Mender.OWNER,
        (
            "Another Ingress has the same host, and another trust bundle or an annotation with which ingress-nginx is not"
            " known to protect it. ingress-nginx has one trust bundle for a host: that of the oldest Ingress, in whatever namespace."
        ),
        (
            "not protected: Ingress {rival} has the same host and may decide who has access there: remove the host from one of the"
            " two, or give the other the annotation doorward.io/issuer of the same MTLSIssuer, and no setting of its own"
        ),
    ),
    (
        "NotServed",
        "False",
        Mender.OWNER,
        (
            "By its Ingress class, no ingress-nginx serves the Ingress. Another controller may serve it and ignore the annotations, or"
            " ignore only the CRL, as Traefik does: then a revoked client keeps its access."
        ),
        "not protected by ingress-nginx: {fix}",
    ),
    (
        "PlainHTTP",
        "False",
        Mender.OWNER,
        (
            "The host, or a path of it, answers over plain HTTP, where no certificate is asked for: there is no TLS section for it, or the"
            " redirect to HTTPS is switched off on the Ingress or in the ConfigMap of ingress-nginx."
        ),
        "clients of {issuer} have access over HTTPS, but anybody may have access over plain HTTP: {fix}",
    ),
    (
        "HostlessAuthTLS",
        "False",
        Mender.OWNER,
        (
            "Another Ingress has a rule without a host and sets auth-tls-secret. ingress-nginx verifies clients that send no server name"
            " (SNI) with that trust bundle, at every host, in whatever namespace that Ingress is."
        ),
        (
            "Ingress {other} has a rule without a host and sets auth-tls-secret: a client that sends no SNI is verified with that Secret"
            " here too. Add a host to its rules, or remove the annotation from it"
        ),
    ),
    (
        "SameServiceElsewhere",
        "False",
        Mender.OWNER,
        (
            "Another Ingress routes to the same Service and is not protected by an MTLSIssuer. Clients have access there without a certificate."
        ),
        (
            "Ingress {other} routes to the same Service {service} without protection: protect it with doorward.io/issuer, or give it a"
            " Service of its own"
        ),
    ),
    (
        "PathShared",
        "False",
        Mender.OWNER,
        (
            "An older Ingress has the same host and path, and another issuer or access list, or none. ingress-nginx serves a path from"
            " one Ingress, the older one, so the older one decides who has access at this path. If both were created in the same"
            " second, either may decide."
        ),
        (
            "{place} is served from the older Ingress {other}, which decides who has access there, not this one: remove the path from one of"
            " the two, or give both the same doorward.io/issuer and doorward.io/allow"
        ),
    ),
    (
        "NoAuthLocation",
        "False",
        Mender.OWNER,
        (
            "A path of the Ingress begins with one of the no-auth-locations of ingress-nginx (default /.well-known/acme-challenge), where"
            " it never asks the gate service."
        ),
        (
            "the gate service is not asked at {path}, which begins with one of the no-auth-locations of ingress-nginx: remove the path, or"
            " move it to an Ingress with a Service of its own"
        ),
    ),
    (
        "ListNotEnforced",
        "False",
        Mender.OWNER,
        (
            "The access list in doorward.io/allow is not enforced: the gate service is not"
            " installed, or it is not asked at this Ingress. All clients of the issuer have access."
        ),
        "all clients of {issuer} have access, not only those that doorward.io/allow selects: {fix}",
    ),
    (
        "ListNotRead",
        "False",
        Mender.OWNER,
        (
            "The access list in doorward.io/allow has an entry that cannot be read, so the gate service refuses all clients. The"
            " admission policy refuses such a list; this one was written without the policy, or before it."
        ),
        "closed: {fix}",
    ),
    (
        "ListedNotSelectable",
        "False",
        Mender.ISSUER,
        (
            "The access list in doorward.io/allow names clients in namespaces that the issuer does not list in"
            " spec.gates.selectableNamespaces. These clients are refused; the others that the list selects have access."
        ),
        (
            "protected, but clients of namespace {namespaces} that doorward.io/allow names are refused: list the namespace in"
            " gates.selectableNamespaces of MTLSIssuer {issuer}, or remove them from doorward.io/allow"
        ),
    ),
    (
        "OptionalNotAllowed",
        "False",
        Mender.ISSUER,
        "The Ingress has verify-client: optional, and the issuer does not allow it. ingress-nginx requires a certificate.",
        "protected with verify-client on: MTLSIssuer {issuer} does not allow optional",
    ),
    (
        "NotAsked",
        "False",
        Mender.OWNER,
        (
            "The gate service is installed, and an annotation of the Ingress keeps ingress-nginx from asking it at every request. The"
            " TLS handshake alone decides: a client whose access is revoked may keep it on a connection or TLS session that is open."
        ),
        (
            "clients of {issuer} have access, but the gate service is not asked: {fix}, or set enforcement.mode: Handshake on the"
            " MTLSIssuer"
        ),
    ),
)
