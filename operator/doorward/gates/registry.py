"""The data planes that there are: the only module that imports one."""

from doorward.gates.ingress_nginx.plane import IngressNginx
from doorward.gates.interface import DataPlane
from doorward.objects.meta import ObjectKey

PLANES: tuple[DataPlane, ...] = (IngressNginx(),)


def planes(
    gate_service: str | None, controllers: tuple[str, ...] = (), settings_at: ObjectKey | None = None
) -> tuple[DataPlane, ...]:
    """The same, where the gate service is to be asked at that address (None: it is not installed), and ingress-nginx has other
    names in IngressClasses or its ConfigMap another one.
    """
    known = IngressNginx()
    return (IngressNginx(gate_service, controllers or known.controllers, settings_at or known.settings_at),)
