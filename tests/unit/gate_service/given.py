"""Objects as the API server gives them to the gate service, and a service that was told of them."""

import asyncio
from typing import Any, Self

from doorward.cluster.errors import Transient
from doorward.cluster.gateway import CLIENT_CERTIFICATE, INGRESS, ISSUED_CERTIFICATE, ISSUER, NAMESPACE, Kind
from doorward.gate_service.following import LONGEST_REST
from doorward.gate_service.metrics import Metrics
from doorward.gate_service.service import GateService
from doorward.objects import ledger_record
from doorward.objects.ledger_record import Record
from doorward.objects.meta import ObjectKey, key_of
from doorward.objects.proxy_requests.question import Gate, Presented, Question
from tests.support import virtual_loop
from tests.support.clock import FakeClock
from tests.support.memory_cluster import MemoryCluster
from tests.support.memory_gateway import MemoryGateway
from tests.support.scraped import Scraped
from tests.unit import given

PEOPLE = "kubectl"
KINDS = {kind.name: kind for kind in (ISSUER, CLIENT_CERTIFICATE, ISSUED_CERTIFICATE, INGRESS)}
GATE = Gate("shop", given.ISSUER)
"""Where Alice knocks."""


def issuer(at: ObjectKey = given.ISSUER, **override: Any) -> dict[str, Any]:
    """An MTLSIssuer whose CRL is good for a week."""
    body = {
        "apiVersion": "doorward.io/v1alpha1",
        "kind": "MTLSIssuer",
        "metadata": {"namespace": at.namespace, "name": at.name},
        "spec": {"ca": {"generate": {"commonName": "Partners CA"}}},
        "status": {"crl": {"nextUpdate": "2026-09-08T12:00:00Z"}},
    }
    return body | override


def client(at: ObjectKey = given.ALICE, of: ObjectKey = given.ISSUER, **spec: Any) -> dict[str, Any]:
    """A ClientCertificate."""
    return {
        "apiVersion": "doorward.io/v1alpha1",
        "kind": "ClientCertificate",
        "metadata": {"namespace": at.namespace, "name": at.name},
        "spec": {"issuerRef": {"namespace": of.namespace, "name": of.name}, "commonName": at.name} | spec,
    }


def record(of: Record | None = None) -> dict[str, Any]:
    """An IssuedCertificate."""
    return ledger_record.render_again(of or given.record())


def ingress(name: str = "till", allow: str | None = None, namespace: str = GATE.namespace) -> dict[str, Any]:
    """An Ingress with an access list, or without one."""
    annotations = {"doorward.io/issuer": str(given.ISSUER)} | ({} if allow is None else {"doorward.io/allow": allow})
    metadata = {"namespace": namespace, "name": name, "annotations": annotations}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata, "spec": {}}


def question(of: Record | None = None, gate: Gate = GATE, ingress: str | None = "") -> Question:
    """What ingress-nginx asks of the certificate of a record; as before access lists where no Ingress is named."""
    found = of or given.record()
    return Question(gate, Presented(bytes.fromhex(found.sha1), found.serial), ingress)


class World:
    """A cluster in memory, and a gate service that follows it, in virtual time."""

    def __init__(self, *, sha256: bool = False) -> None:
        self.clock = FakeClock(given.NOW)
        self.cluster = MemoryCluster(self.clock)
        for namespace in {given.ISSUER.namespace, given.ALICE.namespace, GATE.namespace, "elsewhere"}:
            self.cluster.create(NAMESPACE, "", {"metadata": {"name": namespace}}, PEOPLE)
        self.gateway = MemoryGateway(self.cluster)
        self.service = GateService(self.gateway, self.clock, sha256=sha256)
        self.metrics = Metrics(self.service)
        self._runner = virtual_loop.runner(self.clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.close()

    def start(self) -> None:
        """The service follows the cluster from now on."""

        async def begin() -> None:
            self._following = asyncio.create_task(self.service.follow())
            await asyncio.sleep(1)

        self._runner.run(begin())

    def advance(self, seconds: float = 1.0) -> None:
        """Let the service follow for so long."""
        self._runner.run(asyncio.sleep(seconds))
        assert not self._following.done()

    def add(self, *bodies: dict[str, Any]) -> None:
        """Create objects; what people may not write of them is written, too."""
        for body in bodies:
            kind, at = KINDS[body["kind"]], key_of(body)
            self.cluster.create(kind, at.namespace, body, PEOPLE)
            if "status" in body:
                self.cluster.merge_patch(kind, at, {"status": body["status"]}, PEOPLE, "status")

    def patch(self, kind: Kind, at: ObjectKey, patch: dict[str, Any], subresource: str = "") -> None:
        """Merge a patch into an object, and let the service hear of it."""
        self.cluster.merge_patch(kind, at, patch, PEOPLE, subresource)
        self.advance()

    def delete(self, kind: Kind, at: ObjectKey) -> None:
        """Delete an object, and let the service hear of it."""
        self.cluster.delete(kind, at, PEOPLE)
        self.advance()

    def bookmark(self) -> None:
        """A minute is over: the API server tells each watch which version it has reached."""
        self.gateway.send_bookmarks()
        self.advance()

    def cut_the_line(self) -> None:
        """The API server answers nobody any more."""
        self.gateway.refuse_reads = lambda *_: Transient("connection refused")
        self.gateway.end_watches()
        self.advance()

    def mend_the_line(self) -> None:
        """It answers again."""
        self.gateway.refuse_reads = lambda *_: None
        self.advance(LONGEST_REST + 1)

    def answer(self, asked: Question | None = None) -> str:
        """What Alice is told, or whoever is asked for."""
        return self.service.answer(question() if asked is None else asked).verdict.value

    def scrape(self) -> Scraped:
        """What `/metrics` shows."""
        return Scraped(self._runner.run(self.metrics.render()).decode())
