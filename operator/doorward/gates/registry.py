"""The data planes that there are: the only module that imports one."""

from doorward.gates.ingress_nginx.plane import IngressNginx
from doorward.gates.interface import DataPlane

PLANES: tuple[DataPlane, ...] = (IngressNginx(),)


def planes(gate_service: str | None) -> tuple[DataPlane, ...]:
    """The same, where the gate service is to be asked at that address."""
    return (IngressNginx(gate_service),) if gate_service is not None else PLANES
