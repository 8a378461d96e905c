"""What a data plane must be able to say and to be told; everything that knows one sits in a module of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from doorward.objects.meta import ObjectKey
from doorward.planning.gate import Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What an object of the data plane says of its protection."""

    key: ObjectKey
    reference: str | None
    """The issuer it names; None: not opted in."""
    wants_optional: bool
    other_secret: bool


class GateAdapter(Protocol):
    """One data plane."""

    TRUST_TAKEN: timedelta
    """So long after its trust bundle was written has a gate taken it, where the data plane gives no proof."""

    def kept(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """What is remembered of the object: enough for all that follows."""
        ...

    def read(self, body: Mapping[str, Any]) -> Target:
        """What the object says."""
        ...

    def changes(self, body: Mapping[str, Any], decision: Decision) -> Mapping[str, str] | None:
        """The annotations that must be applied, all of ours; None where nothing differs."""
        ...

    def leftovers(self, body: Mapping[str, Any]) -> tuple[str, ...]:
        """Annotations of ours on an object that opted out."""
        ...
