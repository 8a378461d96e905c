"""Lists that fail: each rests by itself, is named where it concerns somebody, and stops nothing else."""

import pytest

from doorward.cluster.errors import Forbidden, Transient
from doorward.cluster.gateway import CLIENT_CERTIFICATE, EVENT, INGRESS, ISSUED_CERTIFICATE, ISSUER, NAMESPACE, SECRET
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, PEOPLE, OperatorBed
from tests.unit.given import NOW
from tests.unit.runtime.looks import issuer_said, live, serial

NO = Forbidden("no", status=403)
PEOPLES = (ISSUER, CLIENT_CERTIFICATE, INGRESS)


def refusing(*kinds, where=()):
    return lambda kind, namespace: NO if kind in kinds and (not where or namespace in where) else None


def lists_of(bed, kind):
    return sum(asked == kind for asked, _ in bed.gateway.lists)


def without_finalizer(bed, name):
    bed.edit(CLIENT_CERTIFICATE, name, {"metadata": {"finalizers": []}})
    bed.delete(CLIENT_CERTIFICATE, name)


@pytest.mark.parametrize("denied", PEOPLES, ids=lambda kind: kind.plural)
def test_one_list_that_stays_forbidden_does_not_make_all_others_run_on(served, denied):
    served.kill()
    served.start(refuse_reads=refusing(denied))
    served.advance(600)
    tries = {kind.plural: lists_of(served, kind) for kind in PEOPLES}
    kopf = 600  # it tries again each second here
    assert tries.pop(denied.plural) < kopf + 20
    assert max(tries.values()) <= 5


@pytest.mark.parametrize("denied", [ISSUER, INGRESS], ids=lambda kind: kind.plural)
def test_a_client_whose_finalizer_was_removed_is_held_though_another_list_stays_forbidden(served, denied):
    alice = serial(served, "alice")
    served.gateway.refuse_reads = refusing(denied)
    served.gateway.end_watches()
    without_finalizer(served, "alice")
    served.advance(3600)
    assert live(served) == {serial(served, "bob")}
    assert alice not in live(served)


def _in_scope(*names):
    bed = OperatorBed(NOW, finalizer_at_creation=True, scope=(NAMESPACE_NAME, "shop"))
    bed.cluster.create(NAMESPACE, "", {"metadata": {"name": "shop"}}, PEOPLE)
    bed.start()
    bed.issuer()
    for name in names:
        bed.apply(name)
    bed.settle()
    return bed


@pytest.mark.parametrize(
    ("denied", "where", "held"),
    [
        pytest.param(CLIENT_CERTIFICATE, "shop", True, id="in the other namespace: it is held"),
        pytest.param(ISSUED_CERTIFICATE, "shop", True, id="of the other namespace's ledger: it is held"),
        pytest.param(CLIENT_CERTIFICATE, NAMESPACE_NAME, False, id="in its own namespace: it may be there"),
    ],
)
def test_a_client_whose_finalizer_was_removed_while_a_list_is_forbidden(denied, where, held):
    bed = _in_scope("alice", "bob")
    with_bob = {serial(bed, "bob")}
    everybody = with_bob | {serial(bed, "alice")}
    bed.kill()
    bed.start(refuse_reads=refusing(denied, where=(where,)))
    bed.advance(60)
    without_finalizer(bed, "alice")
    bed.advance(3600)
    assert live(bed) == (with_bob if held else everybody)
    bed.kill()


def test_an_issuer_is_served_while_the_ledger_of_another_namespace_cannot_be_listed():
    bed = _in_scope()
    bed.kill()
    bed.start(refuse_reads=refusing(ISSUED_CERTIFICATE, where=("shop",)))
    bed.apply("carol")
    bed.settle()
    assert live(bed) == {serial(bed, "carol")}
    bed.kill()


@pytest.mark.parametrize(
    ("denied", "where", "text"),
    [
        pytest.param(NAMESPACE, (), "namespaces: no", id="of the whole cluster"),
        pytest.param(INGRESS, (), "ingresses: no", id="of targets"),
        pytest.param(ISSUED_CERTIFICATE, (), "issuedcertificates: no", id="without which nothing can be planned"),
    ],
)
def test_a_list_that_fails_for_minutes_is_named_on_the_issuer_until_it_is_synced(served, denied, where, text):
    before = issuer_said(served)
    served.kill()
    served.start(refuse_reads=refusing(denied, where=where))
    served.advance(90)
    assert issuer_said(served) == before
    served.advance(300)
    assert issuer_said(served) == before | {"Synced": "SourceNotSynced"}
    conditions = served.find(ISSUER, ISSUER_AT.name)["status"]["conditions"]
    assert text in next(item["message"] for item in conditions if item["type"] == "Synced")
    assert [f"{u.plural}: {u.error}" for u in served.operator.view.unsynced()] == [text]
    served.gateway.refuse_reads = refusing()
    served.advance(120)
    assert issuer_said(served) == before
    assert served.operator.view.unsynced() == ()


def test_a_namespaces_own_list_is_named_on_the_issuer_that_has_a_gate_there(served):
    served.kill()
    served.start(refuse_reads=lambda kind, _: Transient("reset") if kind == SECRET else None)
    served.advance(400)
    assert issuer_said(served)["Synced"] == "SourceNotSynced"
    assert [str(u) for u in served.operator.view.unsynced()] == [f"secrets in namespace {NAMESPACE_NAME}: reset"]


def test_a_namespace_that_did_not_opt_in_is_no_source_that_is_not_synced(served):
    served.kill()
    served.start(refuse_reads=refusing(SECRET))
    served.advance(400)
    assert served.operator.view.unsynced() == ()
    assert "Synced" not in issuer_said(served)


def test_what_failed_says_so_without_writing_again_and_again(served):
    served.kill()
    served.start(refuse_reads=refusing(ISSUED_CERTIFICATE))
    served.advance(3600)
    assert [write.kind for write in served.gateway.writes] == [ISSUER.name, EVENT.name]


def readiness(bed):
    async def ask():
        return bed.operator.readiness()

    return bed._runner.run(ask())


@pytest.mark.parametrize(
    ("denied", "after_a_start", "then"),
    [
        pytest.param(ISSUER, False, False, id="issuers"),
        pytest.param(CLIENT_CERTIFICATE, False, False, id="clients"),
        pytest.param(ISSUED_CERTIFICATE, False, False, id="ledger"),
        pytest.param(INGRESS, True, False, id="targets"),
        pytest.param(NAMESPACE, True, True, id="namespaces, without which it goes on"),
    ],
)
def test_readiness_knows_lists_that_fail(served, denied, after_a_start, then):
    served.kill()
    served.start(refuse_reads=refusing(denied))
    served.advance(10)
    assert readiness(served).ready is after_a_start
    served.advance(120)
    assert readiness(served).ready is then
    assert f"not synced: {denied.plural}: no" in readiness(served).text
    served.gateway.refuse_reads = refusing()
    served.advance(120)
    assert (readiness(served).ready, readiness(served).text) == (True, "leads\n")


def test_readiness_knows_a_kopf_that_stops_again_and_again(served):
    loop = served._runner.get_loop()
    for _ in range(10):
        served.operator.kopf.began(loop.time())
        served.advance(9)
        served.operator.kopf.ended(loop.time(), wanted=False)
    assert not readiness(served).ready
    assert "Kopf" in readiness(served).text
    served.operator.kopf.began(loop.time())
    served.advance(31)
    assert readiness(served).ready


@pytest.mark.parametrize("denied", PEOPLES, ids=lambda kind: kind.plural)
def test_a_new_leader_for_which_one_list_fails_cuts_off_all_the_same(denied):
    with OperatorBed(NOW, elected=True, finalizer_at_creation=True) as bed:
        bed.issuer()
        bed.apply("alice")
        bed.apply("bob")
        bed.settle()
        bed.start()
        bed.advance(30)
        bed.gateway.refuse_reads = lambda kind, _: Transient("reset") if kind == denied else None
        bed.kill_leader()
        bed.edit(CLIENT_CERTIFICATE, "alice", {"spec": {"revoked": True}})
        bed.advance(90)
        assert live(bed) == {serial(bed, "bob")}
        bed.gateway.refuse_reads = refusing()
        bed.advance(120)
        assert bed.operator.view.unsynced() == ()
        bed.apply("carol")
        bed.settle()
        assert live(bed) == {serial(bed, "bob"), serial(bed, "carol")}
