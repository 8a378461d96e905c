"""The parts of an MTLSIssuer's spec that say which gates let its clients in, and how."""

from typing import Annotated, Literal

from pydantic import Field

from doorward.api.fields import (
    Duration,
    Label,
    Model,
    validations,
    when_parsed,
)
from doorward.api.issuer_parts import NamespaceRule
from doorward.api.limits import (
    SHORTEST_STALENESS,
)


class GatesRule(Model):
    """Who may let this issuer's clients in."""

    allowed_namespaces: Annotated[
        NamespaceRule,
        Field(
            default_factory=NamespaceRule,
            description="Namespaces whose Ingresses may name this issuer in the annotation `doorward.io/issuer`. An Ingress"
            " in another namespace that names it refuses everybody.",
        ),
    ]
    allow_optional: Annotated[
        bool,
        Field(
            description="If true, an Ingress may set the annotation `doorward.io/verify-client: optional`, and ingress-nginx passes"
            " requests without a certificate on to the application. Where the gate service is asked, it refuses them with 403."
            " Defaults to false."
        ),
    ] = False
    selectable_namespaces: Annotated[
        tuple[Label, ...],
        Field(
            max_length=64,
            description=(
                "Namespaces whose ClientCertificates an Ingress can select with its annotation `doorward.io/allow`, by name or"
                " by label. Users who can edit ClientCertificates in one of these namespaces decide about their labels, and so"
                " about access to these Ingresses. If not set, only the issuer's own namespace. At most 64 names."
            ),
        ),
    ] = ()


class IngressSettings(Model):
    """What ingress-nginx is told on each Ingress that opts in."""

    verify_client: Annotated[
        Literal["on", "optional"],
        Field(
            description="`on`: ingress-nginx refuses clients without a valid certificate. `optional`: every Ingress of this issuer"
            " behaves as with the annotation `doorward.io/verify-client: optional`; `gates.allowOptional` must be true. Defaults to on."
        ),
    ] = "on"
    verify_depth: Annotated[
        int,
        Field(
            ge=1,
            le=10,
            description="Length of the certificate chain up to which nginx verifies a client, from 1 to 10. Gates trust the CA that"
            " signs the clients, so 1 is enough, also for an intermediate CA. Defaults to 1.",
        ),
    ] = 1
    error_page: Annotated[
        str | None,
        Field(
            max_length=512,
            pattern=r"^https?://[-a-zA-Z0-9._~:/?#@!&*+,=%]+$",
            description="URL to which ingress-nginx redirects clients without a valid certificate, such as"
            " `https://help.example.com/certificates`: absolute, at most 512 characters, and on a host of its own. ingress-nginx"
            " accepts one path segment of letters, digits, `.` and `-`; with another form the clients get an error 400. If not set,"
            " they get an error 400.",
        ),
    ] = None
    pass_certificate_to_upstream: Annotated[
        bool,
        Field(
            description="If true, ingress-nginx sends the client's certificate to the application in the header `ssl-client-cert`, in"
            " PEM format and URL-encoded. Defaults to false."
        ),
    ] = False


class Enforcement(Model):
    """When it is decided whether a client has access."""

    mode: Annotated[
        Literal["EveryRequest", "Handshake"],
        Field(
            description="`EveryRequest`: ingress-nginx asks the gate service at every request, where the gate service is installed."
            " Revoking, suspending or deleting a client takes effect at its next request. `Handshake`: only the TLS handshake"
            " decides, by the CRL. A client whose access is revoked may keep it on TLS sessions that are resumed and on"
            " connections that are open. Defaults to EveryRequest."
        ),
    ] = "EveryRequest"
    max_staleness: Annotated[
        Duration | None,
        Field(
            description="Time without any answer from the Kubernetes API server after which the gate service refuses all clients,"
            f" such as 1h. At least {SHORTEST_STALENESS}. If not set, the gate service admits clients by the last known state until"
            " nextUpdate of the issuer's CRL."
        ),
    ] = None
    canary: Annotated[
        bool,
        Field(
            description="If true, the operator tests whether each replica of the ingress controller refuses a revoked client. For this"
            " it signs two certificates, the canaries. A CRL that is published anyway revokes one of them, at most every 15s. Then"
            " the operator connects with both to one host of each gate. These certificates are valid for 10 minutes, their keys stay"
            " in the memory of the operator, and no request reaches an application. The result is in the condition CutOffHolds and in `status.canary`. Defaults to false."
        ),
    ] = False

    model_config = Model.model_config | {
        "json_schema_extra": validations(
            when_parsed(
                "maxStaleness",
                given=True,
                then=f"duration(self.maxStaleness) >= duration('{SHORTEST_STALENESS}')",
                message=f"set maxStaleness to {SHORTEST_STALENESS} or more: the API server reports once a minute",
            )
        )
    }
