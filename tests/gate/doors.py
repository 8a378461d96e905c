"""Hosts behind ingress-nginx, what clients are told there, and clients who knock without end."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cluster.policies_support import ISSUER
from tests.support.home import Home, client
from tests.support.kube import CERTIFICATES, INGRESSES, Kind, eventually
from tests.testbed import manifests
from tests.testbed.asking import Answer, NoAnswer
from tests.testbed.ingress_nginx import IngressNginx

SERVICES = Kind("api/v1", "services")
ENDPOINTS = Kind("apis/discovery.k8s.io/v1", "endpointslices")

Files = Mapping[str, Path]
"""A client's tls.crt and tls.key."""

NOBODY: Files = {}
IN = "in"
NO_CERTIFICATE = "no certificate"
REFUSED = "certificate refused"
CLOSED = "closed to all"
SILENT = "nothing"

OVERLAP, IN_A_ROW = 0.25, 6
"""For 0.1 s and a little, nginx's old workers answer beside the new ones; on a busy machine that takes more, and so do answers."""
OLD_WORKERS = 10.0
"""Seconds within which the last of them must have gone, where a host was seen to answer as it should."""
LOST = 50.0
"""Seconds: longer than a gate stays closed before its Secret is deleted. Where an Ingress changes within milliseconds of that, the
controller may go on with the bundle that admits nobody, until the next event (docs/limits.md).
"""

KNOCKS_EVERY = 0.08
"""Seconds from one round of somebody who knocks to the next: as often as with a curl for each, four at once, on two busy cores."""
MOST_BROKEN = 5
"""Connections of one client that nginx may break in a test: those that wait while it reloads, whoever's they are (one was seen)."""


def verdict(answer: Answer) -> str:
    """What a host made of a client, in one of the words above; anything else as it came."""
    if answer.alert:
        return NO_CERTIFICATE if answer.alert == "certificate required" else REFUSED
    if answer.status == 200:
        return IN
    if answer.status == 400 and "No required SSL certificate was sent" in answer.body:
        return NO_CERTIFICATE
    if answer.status == 400 and "The SSL certificate error" in answer.body:
        return REFUSED
    return CLOSED if answer.status == 403 else f"{answer.status}: {answer.body}"


@dataclass(frozen=True)
class Door:
    """One host; every question is a new connection."""

    ingress: IngressNginx
    host: str

    def ask(self, client: Files = NOBODY, *options: str) -> Answer:
        """The answer to one request; `options` are more of curl's."""
        return self.ingress.hosts.ask(self.host, cert=client.get("tls.crt"), key=client.get("tls.key"), options=options)

    def tells(self, client: Files = NOBODY) -> str:
        """What it tells a client now."""
        return verdict(self.ask(client))

    def comes_to_tell(self, client: Files, wanted: str, *, seconds: float = 90) -> None:
        """Wait until it tells a client that, and goes on doing so."""
        seen: list[str] = []
        since = begun = time.monotonic()
        lost = False

        def settled() -> bool:
            nonlocal since, lost
            try:
                seen.append(self.tells(client))
            except NoAnswer:
                seen.append(SILENT)
            if seen[-1] != wanted:
                since = time.monotonic()
            if not lost and (wanted, seen[-1]) == (CLOSED, REFUSED) and since - begun > LOST:
                lost = True
                self.ingress.read_again(self.host)
            return seen[-IN_A_ROW:] == [wanted] * IN_A_ROW and time.monotonic() - since > OVERLAP

        try:
            eventually(settled, f"{self.host} tells: {wanted}", seconds=seconds, pause=0.05)
        except AssertionError as error:
            raise AssertionError(f"{error}; it tells: {seen[-IN_A_ROW:]}") from None

    def headers(self, client: Files = NOBODY) -> dict[str, str]:
        """The headers that the application gets with a client's request."""
        answer = self.ask(client)
        assert answer.status == 200, answer
        return dict(json.loads(answer.body)["headers"])


@dataclass(frozen=True)
class Street:
    """The hosts of one namespace; all of its Ingresses lead to one Service."""

    ingress: IngressNginx
    home: Home

    @classmethod
    def build(cls, ingress: IngressNginx, home: Home) -> "Street":
        """With the Service, and no host yet."""
        service, endpoints = manifests.service(home.namespace, "app")
        home.make(SERVICES, service)
        home.make(ENDPOINTS, endpoints)
        return cls(ingress, home)

    def host(self, name: str) -> str:
        """The host of the Ingress of that name."""
        return f"{name}.{self.home.namespace}.example"

    def manifest(self, name: str, *, issuer: str | None = "partners", **annotations: str) -> dict[str, Any]:
        """An Ingress that opts in; without an issuer, one that does not."""
        said = ({ISSUER: issuer} if issuer else {}) | annotations
        options: dict[str, Any] = {"ingress_class": self.ingress.ingress_class, "annotations": said}
        *_, body = manifests.backing(self.home.namespace, self.host(name), **options)
        return body | {"metadata": body["metadata"] | {"name": name}}

    def door(self, name: str, *, issuer: str | None = "partners", **annotations: str) -> Door:
        """Put a host up."""
        self.home.make(INGRESSES, self.manifest(name, issuer=issuer, **annotations))
        return Door(self.ingress, self.host(name))


def read_again(home: Home, name: str) -> None:
    """ingress-nginx may read an Ingress just before it hears of its Secret, and then the host answers 403 until the next event
    of either (seen once). This is one.
    """
    home.change(INGRESSES, name, {"metadata": {"labels": {"read": "again"}}})


def admitted(home: Home, door: Door, name: str, **spec: Any) -> Files:
    """A new client's files, once it gets in."""
    home.make(CERTIFICATES, client(name, **spec))
    home.issued(name)
    files = home.files(name)
    door.comes_to_tell(files, IN)
    return files


@dataclass(frozen=True)
class Knocks:
    """What a client who knocks without end was told so far."""

    hosts: Sequence[str]
    rounds: list[Mapping[str, int | None]] = field(default_factory=list)
    """The status from each host, by rounds that are over; None: the connection broke."""
    failed: list[Exception] = field(default_factory=list)
    """Why the client knocks no more."""

    def once_more(self) -> None:
        """Wait until every host has answered again, to a question from after now."""
        first = len(self.rounds) + 1  # the round that is on may have asked already

        def answered() -> bool:
            later = self.rounds[first:]
            return all(any(told[host] is not None for told in later) for host in self.hosts)

        self._wait(answered, "another answer from all hosts")

    def come_to_be_told(self, status: int) -> None:
        """Wait for a round in which all hosts answered that."""
        self._wait(lambda: self.rounds and set(self.rounds[-1].values()) == {status}, f"{status} from all hosts")

    def statuses(self, *hosts: str) -> set[int]:
        """The statuses that came from these hosts, each of which has answered."""
        told = {host: {told[host] for told in self.rounds} - {None} for host in hosts}
        assert all(told.values()), f"no answer: {[host for host, said in told.items() if not said]}"
        return {status for said in told.values() for status in said if status is not None}

    def broken(self, *hosts: str) -> int:
        """How many connections to these hosts broke before an answer."""
        return sum(told[host] is None for told in self.rounds for host in hosts)

    def _wait(self, holds: Callable[[], object], what: str) -> None:
        eventually(lambda: self.failed or holds(), what)
        if self.failed:
            raise self.failed[0]


@contextlib.contextmanager
def knocking(ingress: IngressNginx, hosts: Sequence[str], client: Files = NOBODY) -> Iterator[Knocks]:
    """A client at all these hosts in turn, each time with a new connection, for the length of a block."""
    knocks = Knocks(hosts)
    leave = threading.Event()

    def knock() -> None:
        try:
            due = time.monotonic()
            while not leave.wait(max(0.0, due - time.monotonic())):
                due = time.monotonic() + KNOCKS_EVERY
                told = ingress.hosts.try_all(hosts, cert=client.get("tls.crt"), key=client.get("tls.key"))
                knocks.rounds.append({host: _status(answer) for host, answer in told})
        except Exception as error:  # noqa: BLE001 - whoever waits for it gets it
            knocks.failed.append(error)

    thread = threading.Thread(target=knock)
    thread.start()
    try:
        yield knocks
    finally:
        leave.set()
        thread.join()
    if knocks.failed:
        raise knocks.failed[0]


def _status(answer: Answer | None) -> int | None:
    return None if answer is None else answer.status
