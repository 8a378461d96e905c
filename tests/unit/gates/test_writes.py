"""What one write or deletion of a gate leaves, by what stands there when it arrives."""

import asyncio
from dataclasses import replace

import pytest

from doorward.cluster.gateway import SECRET
from doorward.cluster.store import version_of
from doorward.gates.apply import GATE_RETRY, GateApplier, Newer
from doorward.gates.memory import GateMemory, GateView, Refusal, WantedBundle
from doorward.objects.crl_configmap import TrustBundle, parse_gate, render_gate
from doorward.objects.meta import ObjectKey, gate_secret_name
from tests.support.key_source import CountingKeySource
from tests.unit.given import ISSUER, NOW
from tests.unit.issuers.bed import SHOP, PublisherBed, WatchedGateway

AT = ObjectKey(SHOP, gate_secret_name(ISSUER))
HELD = TrustBundle(anchors=b"a", crl=b"CRL 5")
WANTED = WantedBundle(bundle=TrustBundle(anchors=b"a", crl=b"CRL 6"), digest="6", number=6)


class KeepingGateway(WatchedGateway):
    """A webhook puts finalizers back onto what is written."""

    async def replace(self, kind, namespace, name, body):
        kept = self.cluster.get(kind, ObjectKey(namespace, name))["metadata"].get("finalizers")
        return await super().replace(
            kind, namespace, name, body | {"metadata": body["metadata"] | {"finalizers": kept}}
        )


@pytest.fixture
def bed():
    """A gate that holds a CRL of number 5."""
    bed = PublisherBed()
    bed.cluster.create(SECRET, SHOP, render_gate(ISSUER, SHOP, HELD, since=NOW, version=None), "doorward")
    bed.view.secrets.put(found(bed))
    return bed


def found(bed):
    return bed.cluster.find(SECRET, AT)


def looked_at(bed, **change):
    """What is known of the gate as it stands there now."""
    return GateMemory(view=replace(GateView(version_of(found(bed)), "5", b"a", NOW, 5), **change))


def another_writes(bed):
    """What the operator has not heard of yet."""
    bed.cluster.merge_patch(SECRET, AT, {"metadata": {"labels": {"edited": "yes"}}}, "kubectl", "")


def done(bed, what, *args):
    applier = GateApplier(bed.view, bed.gateway, bed.intake, bed.clock, CountingKeySource(0))
    return asyncio.run(getattr(applier, what)(ISSUER, SHOP, *args))


class TestDeletion:
    def test_a_gate_as_it_was_looked_at_is_deleted(self, bed):
        assert done(bed, "remove", looked_at(bed)) == GateMemory()
        assert found(bed) is None

    def test_a_gate_that_was_never_looked_at_stays(self, bed):
        assert done(bed, "remove", GateMemory()) == GateMemory()
        assert found(bed) is not None

    def test_a_gate_that_another_wrote_since_stays_and_is_looked_at_again(self, bed):
        memory = looked_at(bed)
        another_writes(bed)
        assert done(bed, "remove", memory) == memory
        assert bed.view.secrets.version(AT) == version_of(found(bed))

    def test_a_gate_that_another_writes_just_before_stays_and_is_looked_at_again(self, bed):
        memory = looked_at(bed)
        bed.gateway.before["delete", SECRET] = lambda: another_writes(bed)
        assert done(bed, "remove", memory) == memory
        assert bed.view.secrets.version(AT) == version_of(found(bed))

    def test_a_gate_that_is_gone_is_forgotten(self, bed):
        memory = looked_at(bed)
        bed.cluster.delete(SECRET, AT, "kubectl")
        assert done(bed, "remove", memory) == GateMemory()
        assert bed.view.secrets.get(AT) is None


class TestWriting:
    def test_a_gate_as_it_was_looked_at_gets_the_newer_crl(self, bed):
        known = done(bed, "write", WANTED, looked_at(bed))
        assert parse_gate(found(bed)) == WANTED.bundle
        assert known == GateMemory(view=GateView(version_of(found(bed)), "6", b"a", NOW, 6))

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param({"number": 7}, id="it holds a newer CRL"),
            pytest.param({"version": 1}, id="it is another version"),
        ],
    )
    def test_a_gate_stays_as_it_is_where(self, bed, change):
        assert done(bed, "write", WANTED, looked_at(bed, **change)) == Newer()
        assert parse_gate(found(bed)) == HELD

    def test_a_gate_that_is_deleted_and_that_a_webhook_keeps_is_not_current(self, bed):
        bed.cluster.merge_patch(SECRET, AT, {"metadata": {"finalizers": ["example.com/keep"]}}, "kubectl", "")
        bed.cluster.delete(SECRET, AT, "kubectl")
        bed.view.secrets.put(found(bed))
        bed.gateway = KeepingGateway(bed.cluster)
        known = done(bed, "write", WANTED, looked_at(bed))
        detail = "it was deleted, and finalizers example.com/keep keep it: remove them"
        assert known == GateMemory(refusal=Refusal(detail, NOW + GATE_RETRY))
