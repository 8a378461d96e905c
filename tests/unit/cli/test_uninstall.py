"""`doorward uninstall`: the policies go, the operator ends, and no finalizer stays, in virtual time."""

import asyncio
from typing import Any

import pytest

from doorward.cli import uninstall
from doorward.cli.uninstall import DEPLOYMENT, POLICIES, NotPrepared, Uninstall
from doorward.cluster.errors import Forbidden, NotFound
from doorward.cluster.gateway import CLIENT_CERTIFICATE, LEASE, NAMESPACE, Kind, Object
from doorward.objects.meta import FINALIZER, ObjectKey
from tests.support.clock import FakeClock
from tests.support.memory_cluster import KINDS, MemoryCluster
from tests.support.memory_gateway import MemoryGateway
from tests.support.virtual_loop import runner
from tests.unit.given import NOW

SYSTEM = "doorward-system"
AT = ObjectKey(SYSTEM, "doorward")
ALICE = ObjectKey("edge", "alice")


class Place:
    """A cluster with Doorward's objects in it, and an operator that ends when it is scaled to none."""

    def __init__(self) -> None:
        self.clock = FakeClock(NOW)
        self.cluster = MemoryCluster(self.clock, kinds=(*KINDS, *POLICIES, DEPLOYMENT))
        self.gateway = MemoryGateway(self.cluster)
        self.obeys = True
        for name in (SYSTEM, "edge"):
            self.make(NAMESPACE, "", name)
        for kind in POLICIES:
            for name in ("doorward", "doorward-gate", "somebody"):
                self.make(kind, "", f"{name}.example", labels={"app.kubernetes.io/name": name})
        self.make(DEPLOYMENT, SYSTEM, "doorward", spec={"replicas": 2})
        self.make(LEASE, SYSTEM, "doorward", spec={"holderIdentity": "pod-1", "leaseDurationSeconds": 10})
        self.make(CLIENT_CERTIFICATE, "edge", "alice", finalizers=["somebody/else", FINALIZER])
        self.make(CLIENT_CERTIFICATE, "edge", "bob", finalizers=[FINALIZER])
        self.make(CLIENT_CERTIFICATE, "edge", "carol")

    def make(self, kind: Kind, namespace: str, name: str, *, spec: Any = None, **metadata: Any) -> None:
        body = {"metadata": {"name": name, **metadata}, "spec": spec or {}}
        self.cluster.create(kind, namespace, body, "somebody")

    def run(self, *, seconds: float = 240.0) -> None:
        async def work() -> None:
            await Uninstall(self.gateway, SYSTEM, seconds).run()

        async def beside() -> None:
            done = asyncio.ensure_future(work())
            while not done.done():
                self.operator()
                await asyncio.sleep(0.5)
            await done

        with runner(self.clock) as loop:
            loop.run(beside())

    def operator(self) -> None:
        """Renew the Lease, or release it where the Deployment is scaled to none."""
        ends = self.obeys and self.cluster.get(DEPLOYMENT, AT)["spec"]["replicas"] == 0
        spec = {"holderIdentity": "" if ends else "pod-1", "renewTime": str(self.clock.monotonic())}
        self.cluster.merge_patch(LEASE, AT, {"spec": spec}, "operator", "")

    def names(self, kind: Kind) -> set[str]:
        return {body["metadata"]["name"] for body in self.cluster.all(kind)}

    def finalizers(self) -> list[list[str]]:
        return [body["metadata"].get("finalizers") or [] for body in self.cluster.all(CLIENT_CERTIFICATE)]


@pytest.fixture
def place() -> Place:
    return Place()


def test_everything_that_would_keep_an_object_is_gone_and_nothing_else(place: Place):
    place.run()
    assert [place.names(kind) for kind in POLICIES] == [{"somebody.example"}] * 4
    assert place.finalizers() == [["somebody/else"], [], []]
    assert place.cluster.get(DEPLOYMENT, AT)["spec"] == {"replicas": 0}
    assert place.names(CLIENT_CERTIFICATE) == {"alice", "bob", "carol"}
    assert {write.kind for write in place.gateway.writes} == {
        *(kind.name for kind in POLICIES),
        "Deployment",
        "ClientCertificate",
    }


def test_no_finalizer_goes_while_a_policy_is_there_or_an_operator_works(place: Place):
    def admit(kind: Kind, before: Object | None, after: Object) -> None:
        if kind == CLIENT_CERTIFICATE and before and not after["metadata"].get("finalizers"):
            assert all(place.names(each) == {"somebody.example"} for each in POLICIES)
            assert place.cluster.get(LEASE, AT)["spec"]["holderIdentity"] == ""

    place.cluster.admit = admit
    place.run()
    assert place.finalizers()[1] == []


def test_a_policy_that_is_in_force_for_a_moment_longer_is_waited_for(place: Place):
    refused = 0

    def admit(kind: Kind, before: Object | None, after: Object) -> None:
        nonlocal refused
        if kind == CLIENT_CERTIFICATE and before and refused < 5 and before != after:
            refused += 1
            raise Forbidden("ValidatingAdmissionPolicy 'fence-clients.doorward.io' denied request", status=403)

    place.cluster.admit = admit
    place.run()
    assert refused == 5
    assert place.finalizers() == [["somebody/else"], [], []]


def test_a_policy_that_puts_the_finalizer_back_for_a_moment_is_waited_for(place: Place, capsys):
    back = 0

    def admit(kind: Kind, before: Object | None, after: Object) -> None:
        nonlocal back
        if kind == CLIENT_CERTIFICATE and before and back < 5:
            back += 1
            after["metadata"]["finalizers"] = before["metadata"]["finalizers"]

    place.cluster.admit = admit
    place.run()
    assert back == 5
    assert place.finalizers() == [["somebody/else"], [], []]
    assert "finalizers removed: 2\n" in capsys.readouterr().out


def test_one_that_is_never_permitted_is_told_with_the_reason(place: Place):
    def admit(kind: Kind, before: Object | None, _: Object) -> None:
        if kind == CLIENT_CERTIFICATE and before:
            raise Forbidden("no right to patch", status=403)

    place.cluster.admit = admit
    with pytest.raises(NotPrepared, match=r"2 ClientCertificates still have .*no right to patch"):
        place.run(seconds=60)


def test_an_operator_that_does_not_end_is_named(place: Place):
    place.obeys = False
    with pytest.raises(NotPrepared, match="pod-1 still holds the Lease"):
        place.run(seconds=60)
    assert place.finalizers() == [["somebody/else", FINALIZER], [FINALIZER], []]


def test_a_deletion_that_has_begun_is_left_to_the_operator(place: Place, capsys):
    place.cluster.delete(CLIENT_CERTIFICATE, ObjectKey("edge", "bob"), "somebody")
    original = place.operator

    def operator() -> None:
        original()
        if place.clock.monotonic() > 20 and "bob" in place.names(CLIENT_CERTIFICATE):
            assert place.cluster.get(DEPLOYMENT, AT)["spec"]["replicas"] == 2
            patch = {"metadata": {"finalizers": []}}
            place.cluster.merge_patch(CLIENT_CERTIFICATE, ObjectKey("edge", "bob"), patch, "operator", "")

    place.operator = operator  # type: ignore[method-assign]
    place.run()
    assert place.names(CLIENT_CERTIFICATE) == {"alice", "carol"}
    assert "bob" not in capsys.readouterr().err


def test_a_deletion_that_the_operator_does_not_finish_is_told_and_ends(place: Place, capsys):
    place.cluster.delete(CLIENT_CERTIFICATE, ObjectKey("edge", "bob"), "somebody")
    place.run()
    assert place.clock.monotonic() >= uninstall.DELETIONS
    assert "clientcertificate edge/bob: its deletion has begun" in capsys.readouterr().err
    assert place.names(CLIENT_CERTIFICATE) == {"alice", "carol"}


def test_where_the_operator_is_gone_already_nothing_is_waited_for(place: Place):
    place.cluster.delete(DEPLOYMENT, AT, "somebody")
    place.cluster.delete(LEASE, AT, "somebody")
    place.cluster.delete(CLIENT_CERTIFICATE, ObjectKey("edge", "bob"), "somebody")
    place.operator = lambda: None  # type: ignore[method-assign]
    place.run()
    assert place.clock.monotonic() < 5
    assert place.names(CLIENT_CERTIFICATE) == {"alice", "carol"}


def test_kinds_that_the_cluster_does_not_serve_are_passed_over(place: Place):
    def refuse(kind: Kind, _: str | None) -> NotFound | None:
        missing = kind in (POLICIES[0], POLICIES[2], CLIENT_CERTIFICATE)
        return NotFound("the server could not find the requested resource", status=404) if missing else None

    place.gateway.refuse_reads = refuse
    place.run()
    assert place.names(POLICIES[1]) == {"somebody.example"}


def test_a_missing_right_ends_it(place: Place):
    def refuse(kind: Kind, _: str | None) -> Forbidden | None:
        return Forbidden("cannot list", status=403) if kind == CLIENT_CERTIFICATE else None

    place.gateway.refuse_reads = refuse
    with pytest.raises(Forbidden):
        place.run()
