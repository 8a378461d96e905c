"""What is remembered of one gate: what it held when it was read last, and that it could not be written."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from doorward.objects.crl_configmap import TrustBundle


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedBundle:
    """What every gate of an issuer is to hold: what is committed."""

    bundle: TrustBundle
    digest: str
    number: int
    """Its highest CRL number; 0: nothing is published."""


@dataclass(frozen=True, slots=True)
class GateView:
    """What a version of a gate holds, and since when this process knows it to hold these anchors."""

    version: int
    digest: str
    anchors: bytes
    since: datetime
    number: int
    """The highest CRL number in it; 0: none that our CAs signed."""
    opens_from: int = 0
    """The lowest CRL number with which it may be opened: it admits nobody, and held only lower ones before; 0: it is not
    closed.
    """


@dataclass(frozen=True, slots=True)
class Closed:
    """The bundle that admits nobody and that this process wrote into the gate, and when. Its key was forgotten, so what
    another process wrote cannot be told from a CA of somebody's, and is written again.
    """

    digest: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a gate could not be written, and until when it is left alone."""

    detail: str
    retry_at: datetime
    wait: timedelta = timedelta(0)
    """How long that is, from the refusal on, where it was to be closed or deleted: it does not matter once it is gone, or may
    admit clients again.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class GateMemory:
    """Of one gate of one issuer."""

    view: GateView | None = None
    refusal: Refusal | None = None
    idle_since: datetime | None = None
    """Since when this process has seen no target that names it; None: there is one, or may be."""
    closed: Closed | None = None
    """Or None, where this process has not closed it, or has opened it again."""

    def refused(self, now: datetime) -> Refusal | None:
        """The refusal for which the gate is left alone at `now`."""
        return self.refusal if self.refusal is not None and now < self.refusal.retry_at else None
