"""Drives the TLS handshakes that name no host of the ingress controller: one of each kind at each replica, again and again."""

import asyncio
import logging
from collections.abc import Callable, Mapping

from doorward.clock import Clock
from doorward.logged import about
from doorward.objects.endpoints import Replica
from doorward.objects.meta import ObjectKey
from doorward.planning.enforcement import Heard
from doorward.planning.separation import Naming, Unnamed
from doorward.probes.book import ProbeBook
from doorward.probes.prober import Prober

logger = logging.getLogger(__name__)
EVERY = 15.0
"""Seconds between two of one kind at a replica."""
IDLE = 1.0
"""Seconds between two looks for a gate: without one, there is nothing to find."""


class UnnamedProbing:
    """What it finds concerns every issuer with a gate: a replica has one default server for all of them."""

    def __init__(self, book: ProbeBook, prober: Prober, clock: Clock, changed: Callable[[ObjectKey], object]) -> None:
        self._book = book
        self._prober = prober
        self._clock = clock
        self._changed = changed
        self._heard: dict[Replica, Mapping[Naming, Heard]] = {}

    def of(self, issuer: ObjectKey) -> Unnamed:
        """What was found at the replicas that are there, for an issuer."""
        at = {str(replica): self._heard[replica] for replica in self._book.replicas if replica in self._heard}
        return Unnamed(at=at, anchors=self._book.anchors_of(issuer, self._clock.now()))

    async def keep(self, replica: Replica) -> None:
        """Ask one replica, for as long as it is there."""
        try:
            while True:
                if not self._book.issuers():
                    await asyncio.sleep(IDLE)
                    continue
                await self._ask(replica)
                await asyncio.sleep(EVERY)
        finally:
            self._heard.pop(replica, None)

    async def _ask(self, replica: Replica) -> None:
        try:
            heard = await self._prober.unnamed(replica)
        except Exception:  # a bug here ends one probe, not the process
            logger.exception("probe failed", extra=about("probes", replica=str(replica)))
            return
        if self._heard.get(replica) == heard:
            return
        self._heard[replica] = heard
        found = {naming.name.lower(): _words(each) for naming, each in heard.items()}
        logger.info("unnamed handshakes probed", extra=about("probes", replica=str(replica), **found))
        for issuer in self._book.issuers():
            self._changed(issuer)


def _words(heard: Heard) -> str:
    """As a log says it; what a replica sent is not in it."""
    return heard.trouble or heard.alert or ("asks for a certificate" if heard.authorities else "accepted")
