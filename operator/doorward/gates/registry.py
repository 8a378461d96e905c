"""The data planes that there are: the only module that imports one."""

from doorward.gates.ingress_nginx.plane import IngressNginx
from doorward.gates.interface import DataPlane

PLANES: tuple[DataPlane, ...] = (IngressNginx(),)
