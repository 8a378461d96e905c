"""Clients who should not get in, and who ask all the same: a request every 10 ms, each by a new connection."""

import itertools
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.gate.doors import Door
from tests.support.kube import eventually
from tests.testbed.ingress_nginx import IngressNginx

from .attacks import BROKEN
from .connections import connected

PAUSE = 0.01
SETTLED = 1.0
"""Seconds after which nginx's old workers take no new connection any more: the new ones have refused for so long."""
OPEN, NOT_THERE = 200, 404


class Told(NamedTuple):
    """An answer; a connection that broke brought none."""

    begun: float
    status: int


Client = Callable[[str], ssl.SSLContext]
"""What it connects to a host with."""


@dataclass
class Crowd:
    """Some clients, who go round the same hosts in turns."""

    ingress: IngressNginx
    clients: Mapping[str, Client]
    hosts: Sequence[str] = ()
    closed: dict[str, float] = field(default_factory=dict)
    """From when on nobody of them may get in at a host."""
    told: dict[tuple[str, str], list[Told]] = field(default_factory=lambda: defaultdict(list))
    """By client and host."""

    def go_to(self, hosts: Sequence[str], *, closed: bool = True) -> None:
        """Ask there from now on; `closed`: nobody may ever get in."""
        if closed:
            self.closed |= {host: self.closed.get(host, 0.0) for host in hosts}
        self.hosts = tuple(hosts)

    def are_refused(self) -> None:
        """Wait until all are refused everywhere by all workers of nginx; from then on nobody may get in."""

        def refused() -> bool:
            latest = time.monotonic() - SETTLED
            return all((since := self._refused_since(*pair)) is not None and since < latest for pair in self._pairs())

        eventually(refused, "all are refused everywhere", seconds=180)  # of 200 hosts, each by each client
        self.closed |= {host: self.closed.get(host, time.monotonic()) for host in self.hosts}

    def ask_once_more(self) -> None:
        """Wait until each was told something at each host, asked after now."""
        now = time.monotonic()

        def asked(pair: tuple[str, str]) -> bool:
            return bool(self.told[pair]) and self.told[pair][-1].begun > now

        eventually(lambda: all(map(asked, self._pairs())), "all have asked again")

    def got_in(self) -> list[tuple[str, str, Told]]:
        """Each answer that let one in where nobody of them may get in."""
        return [
            (client, host, told)
            for (client, host), answers in self.told.items()
            for told in answers
            if told.status == OPEN and told.begun > self.closed.get(host, float("inf"))
        ]

    def run(self, leave: threading.Event) -> None:
        """Ask until told to leave."""
        numbers, due = itertools.count(), time.monotonic()
        while not leave.wait(max(0.0, due - time.monotonic())):
            due = max(due + PAUSE, time.monotonic())
            if pairs := self._pairs():
                self._ask(*pairs[next(numbers) % len(pairs)])

    def _pairs(self) -> list[tuple[str, str]]:
        return list(itertools.product(self.clients, self.hosts))

    def _ask(self, client: str, host: str) -> None:
        begun = time.monotonic()
        try:
            with connected(Door(self.ingress, host), self.clients[client](host)) as connection:
                status = connection.ask()
        except BROKEN:
            return
        self.told[client, host].append(Told(begun, status))

    def _refused_since(self, client: str, host: str) -> float | None:
        """Since when it was told nothing but that it may not enter; None: it got in, or the host is not there."""
        since = None
        for told in reversed(self.told[client, host]):
            if told.status in (OPEN, NOT_THERE):
                break
            since = told.begun
        return since


@contextmanager
def crowd(ingress: IngressNginx, clients: Mapping[str, Client]) -> Iterator[Crowd]:
    """They ask for the length of a block."""
    leave, asking = threading.Event(), Crowd(ingress, clients)
    thread = threading.Thread(target=asking.run, args=(leave,))
    thread.start()
    try:
        yield asking
    finally:
        leave.set()
        thread.join()
