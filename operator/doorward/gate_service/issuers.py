"""MTLSIssuers as they were last seen, as far as the rule reads them."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from doorward.cluster.steps import in_steps
from doorward.objects.meta import Object, ObjectKey, key_of, parse_instant
from doorward.planning import timing
from doorward.planning.selection import selectable_namespaces

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Issuer:
    """See `IssuerKnown`."""

    distrusted: frozenset[int]
    next_update: datetime | None
    max_staleness: timedelta | None
    selectable: frozenset[str]
    """The namespaces whose clients an access list can select."""


class Issuers:
    """All MTLSIssuers."""

    def __init__(self) -> None:
        self._known: dict[ObjectKey, Issuer] = {}
        self._listed: set[ObjectKey] = set()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, key: ObjectKey) -> Issuer | None:
        """What is known of it; None: there is none, or it cannot be read."""
        return self._known.get(key)

    def begin(self) -> None:
        """A full list begins."""
        self._listed = set()

    def take(self, body: Object) -> None:
        """An MTLSIssuer as the API server has it. One that cannot be read admits nobody."""
        key = key_of(body)
        self._listed.add(key)
        try:
            self._known[key] = _read(body)
        except (ValueError, KeyError, TypeError, AttributeError):
            logger.exception("cannot read MTLSIssuer %s", key, extra={"object": f"MTLSIssuer {key}"})
            self._known.pop(key, None)

    def remove(self, body: Object) -> None:
        """It was deleted."""
        self._known.pop(key_of(body), None)

    async def end(self) -> None:
        """The list is complete: what it did not have is not there."""
        async for key in in_steps(self._known.keys() - self._listed):
            del self._known[key]


def _read(body: Object) -> Issuer:
    spec: dict[str, Any] = body["spec"]
    crl = (body.get("status") or {}).get("crl") or {}
    staleness = (spec.get("enforcement") or {}).get("maxStaleness")
    listed = (spec.get("gates") or {}).get("selectableNamespaces") or ()
    return Issuer(
        distrusted=frozenset(int(number) for number in spec["ca"].get("distrust") or ()),
        next_update=parse_instant(crl["nextUpdate"]) if "nextUpdate" in crl else None,
        max_staleness=timing.duration(staleness) if staleness is not None else None,
        selectable=selectable_namespaces(key_of(body), [str(each) for each in listed]),
    )
