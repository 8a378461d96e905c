"""One probe of one gate at one replica: the three connections, each only where the one before left something to find."""

from collections.abc import Mapping
from typing import Protocol

from doorward.clock import Clock
from doorward.objects.endpoints import Replica
from doorward.planning.enforcement import Asked, Heard, Verdict, Way, judge
from doorward.planning.separation import Naming
from doorward.probes import connection, foreign

Shown = tuple[Verdict, str]
UNKNOWN_HOST = "doorward-probe.invalid"
"""A name that no Ingress can be asked by: RFC 6761 keeps it out of every DNS."""

NAMES = {Naming.NOTHING: "", Naming.UNKNOWN: UNKNOWN_HOST}
"""What a TLS handshake names that names no host of a replica."""


class Prober(Protocol):
    """What asks a replica."""

    async def probe(self, replica: Replica, asked: Asked) -> tuple[Shown, ...]:
        """What each connection showed; never empty."""
        ...

    async def unnamed(self, replica: Replica) -> Mapping[Naming, Heard]:
        """What came of TLS handshakes that name no host of the replica."""
        ...


class NetworkProber:
    """Asks over the network."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def probe(self, replica: Replica, asked: Asked) -> tuple[Shown, ...]:
        """See `Prober`."""
        shown = [await self._over_tls(replica, asked, Way.NOBODY)]
        if shown[0][0] in (Verdict.SILENT, Verdict.UNREACHABLE):
            return tuple(shown)
        shown.append(await self._over_tls(replica, asked, Way.FOREIGN))
        if replica.http:
            heard = await connection.ask(replica, asked.host, asked.path, tls=False)
            shown.append(judge(asked, Way.PLAIN, heard))
        return tuple(shown)

    async def unnamed(self, replica: Replica) -> Mapping[Naming, Heard]:
        """See `Prober`."""
        return {naming: await connection.greet(replica, NAMES[naming]) for naming in Naming}

    async def _over_tls(self, replica: Replica, asked: Asked, way: Way) -> Shown:
        client = foreign.made(self._clock.now()) if way is Way.FOREIGN else None
        heard = await connection.ask(replica, asked.host, asked.path, tls=True, client=client)
        unknown = await self._unknown_host(replica) if _may_be_unknown(heard) else None
        return judge(asked, way, heard, unknown)

    async def _unknown_host(self, replica: Replica) -> Heard:
        """What the replica answers for a host that nobody has."""
        return await connection.ask(replica, UNKNOWN_HOST, "/", tls=True)


def _may_be_unknown(heard: Heard) -> bool:
    return heard.status >= 300 and not heard.authorities
