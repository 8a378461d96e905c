"""ingress-nginx as a data plane: its targets are Ingresses, and all that it is told stands in their annotations."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from doorward.api.conditions import Condition
from doorward.cluster.gateway import INGRESS, Kind, Object
from doorward.gates.ingress_nginx import annotations, openings
from doorward.gates.ingress_nginx.openings import CONTROLLERS
from doorward.gates.interface import Around, Target
from doorward.objects.meta import ObjectKey
from doorward.planning.gate import Decision
from doorward.planning.openings import Openings

SETTLES = timedelta(seconds=30)
"""Ten times what it takes by default (measured: 3 s); what it has loaded nobody can ask it."""

SETTINGS = ObjectKey("ingress-nginx", "ingress-nginx-controller")
"""Where ingress-nginx is installed by its own chart."""


@dataclass(frozen=True, slots=True)
class IngressNginx:
    """See `DataPlane`."""

    gate_service: str | None = None
    """`http://` and the host at which it is to ask at every request; None: it is not installed."""
    controllers: tuple[str, ...] = CONTROLLERS
    """What an IngressClass calls ingress-nginx."""
    settings_at: ObjectKey | None = SETTINGS
    """The ConfigMap of the controller."""

    @property
    def kind(self) -> Kind:
        return INGRESS

    @property
    def settling_time(self) -> timedelta:
        return SETTLES

    def keep(self, body: Mapping[str, Any]) -> Object:
        return annotations.kept(body)

    @property
    def asks(self) -> bool:
        return self.gate_service is not None

    @property
    def settings_read(self) -> frozenset[str]:
        return openings.READ

    def openings(self, body: Mapping[str, Any], sharing: Iterable[Mapping[str, Any]], around: Around) -> Openings:
        settings = openings.settings_of(around.settings or {}, str(self.settings_at))
        return annotations.openings(body, sharing, around.classes, self.controllers, settings)

    def read(self, body: Mapping[str, Any]) -> Target:
        return annotations.read(body, self.gate_service)

    def wanted(self, body: Mapping[str, Any], decision: Decision) -> Mapping[str, Any] | None:
        changes = annotations.changes(body, decision, self.gate_service)
        return None if changes is None else {"metadata": {"annotations": dict(changes)}}

    def told(self, body: Mapping[str, Any], condition: Condition) -> Mapping[str, Any] | None:
        text = annotations.text_of(condition)
        known = (body["metadata"].get("annotations") or {}).get(annotations.GATE)
        return None if known == text else {"metadata": {"annotations": {annotations.GATE: text}}}

    def leftovers(self, body: Mapping[str, Any]) -> Mapping[str, Any] | None:
        names = annotations.leftovers(body)
        return {"metadata": {"annotations": dict.fromkeys(names)}} if names else None
