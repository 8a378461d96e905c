"""The reasons said in the annotation `doorward.io/gate` of an Ingress, which has no conditions of Doorward's."""

from doorward.api.reason import Mender, table

GATE = table(
    "Gate",
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
        "GateForeign",
        "False",
        Mender.OWNER,
        (
            "A Secret that is not Doorward's has the name of the gate, and the operator could not replace it. Whoever made the Secret"
            " decides who has access."
        ),
        "Secret {secret} is not Doorward's and decides who has access here: delete it",
    ),
    (
        "GateOutOfReach",
        "Unknown",
        Mender.OWNER,
        "The namespace's consent is missing: who gets in follows from the last CRL that Doorward wrote here, if any.",
        "clients of {issuer} that are cut off may still get in, as the CRL here cannot be written: run {command}",
    ),
    (
        "GateClosing",
        "False",
        Mender.ISSUER,
        "The gate must admit nobody any more, and its Secret is not deleted yet. If that lasts, the issuer's condition GatesCurrent says why.",
        (
            "MTLSIssuer {issuer} is deleted or does not allow Ingresses of namespace {namespace}: the operator is closing this gate, and"
            " the host answers 403 when Secret {secret} is deleted"
        ),
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
        "NotEnforced",
        "False",
        Mender.OWNER,
        (
            "ingress-nginx is not known to protect an Ingress of this shape, or with this annotation: it may admit anybody. The"
            " admission policy refuses such an Ingress; this one was created without the policy, or before it."
        ),
        "anybody may get in: {fix}",
    ),
    (
        "HostShared",
        "False",
        Mender.OWNER,
        (
            "Another Ingress has a host of this one, and another trust bundle, or an annotation with which ingress-nginx is not"
            " known to protect it. ingress-nginx has one trust bundle for a host: that of the oldest Ingress, in whatever namespace."
        ),
        (
            "not protected: Ingress {rival} has the same host and may decide who gets in there: remove the host from one of the"
            " two, or give the other the annotation doorward.io/issuer of the same MTLSIssuer, and no setting of its own"
        ),
    ),
    (
        "PlainHttp",
        "False",
        Mender.OWNER,
        "The Ingress has no TLS section, so the host answers over plain HTTP, where no certificate is asked for.",
        "clients of {issuer} get in over HTTPS, but anybody gets in over plain HTTP: add spec.tls with the host",
    ),
    (
        "OptionalNotAllowed",
        "False",
        Mender.ISSUER,
        "The Ingress asks for optional, and the issuer does not allow it; a certificate is asked for.",
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
            "clients of {issuer} get in, but the gate service is not asked: {fix}, or set enforcement.mode: Handshake on the"
            " MTLSIssuer"
        ),
    ),
)
