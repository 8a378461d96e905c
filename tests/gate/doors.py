"""Hosts behind ingress-nginx, what clients are told there, and clients who knock without end."""

import contextlib
import json
import subprocess
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.policies_support import ISSUER
from tests.support.home import Home, client
from tests.support.kube import CERTIFICATES, INGRESSES, Kind, eventually
from tests.testbed import manifests
from tests.testbed.ingress_nginx import Answer, IngressNginx

SERVICES = Kind("api/v1", "services")
ENDPOINTS = Kind("apis/discovery.k8s.io/v1", "endpointslices")

Files = Mapping[str, Path]
"""A client's tls.crt and tls.key."""

NOBODY: Files = {}
IN = "in"
NO_CERTIFICATE = "no certificate"
REFUSED = "certificate refused"
CLOSED = "closed to all"

OVERLAP = 0.25
"""Seconds: for 0.1 of them, nginx's old workers answer beside the new ones."""


def verdict(answer: Answer) -> str:
    """What a host made of a client, in one of the words above; anything else as it came."""
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
        return self.ingress.curl(self.host, cert=client.get("tls.crt"), key=client.get("tls.key"), options=options)

    def tells(self, client: Files = NOBODY) -> str:
        """What it tells a client now."""
        return verdict(self.ask(client))

    def comes_to_tell(self, client: Files, wanted: str) -> None:
        """Wait until it tells a client that, and goes on doing so."""
        seen: list[str] = []
        since = time.monotonic()

        def settled() -> bool:
            nonlocal since
            seen[:] = [self.tells(client)]
            if seen != [wanted]:
                since = time.monotonic()
            return time.monotonic() - since > OVERLAP

        try:
            eventually(settled, f"{self.host} tells: {wanted}", seconds=30)
        except AssertionError as error:
            raise AssertionError(f"{error}; it tells: {seen}") from None

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


def admitted(home: Home, door: Door, name: str, **spec: Any) -> Files:
    """A new client's files, once it gets in."""
    home.make(CERTIFICATES, client(name, **spec))
    home.issued(name)
    files = home.files(name)
    door.comes_to_tell(files, IN)
    return files


@dataclass(frozen=True)
class Knocks:
    """What a client who knocks without end was told so far, by host."""

    told: Mapping[str, Counter[int]]
    rounds: list[set[int]]
    """The statuses of each round that is over."""

    def once_more(self) -> None:
        """Wait until every host was asked again from now on."""
        asked = len(self.rounds)
        eventually(lambda: len(self.rounds) >= asked + 2, "another round at all hosts")

    def come_to_be_told(self, status: int) -> None:
        """Wait for a round in which all hosts answered that."""
        eventually(lambda: {status} in self.rounds[-1:], f"{status} from all hosts")

    def statuses(self, *hosts: str) -> set[int]:
        """The statuses that came from these hosts."""
        return {status for host in hosts for status in self.told[host]}


@contextlib.contextmanager
def knocking(ingress: IngressNginx, hosts: Sequence[str], client: Files = NOBODY) -> Iterator[Knocks]:
    """A client at all these hosts in turn, each time with a new connection, for the length of a block."""
    command = ["curl", "--silent", "--insecure", "--max-time", "20", "--config", "-"]
    command += ["--connect-to", f"::{ingress.address}:{ingress.https_port}", "--write-out", "%{http_code} %{url}\n"]
    command += ["--cert", client["tls.crt"], "--key", client["tls.key"]] if client else []
    config = "".join(f'url = "https://{host}/"\noutput = "/dev/null"\n' for host in hosts)
    knocks = Knocks(defaultdict(Counter), [])
    leave = threading.Event()

    def knock() -> None:
        while not leave.is_set():
            done = subprocess.run(command, input=config, capture_output=True, text=True, check=False)
            answers = [line.split(" ") for line in done.stdout.splitlines()]
            for status, url in answers:
                knocks.told[url.removeprefix("https://").rstrip("/")][int(status)] += 1
            knocks.rounds.append({int(status) for status, _ in answers})

    thread = threading.Thread(target=knock)
    thread.start()
    try:
        yield knocks
    finally:
        leave.set()
        thread.join()
