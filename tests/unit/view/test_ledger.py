"""The ledger as it was last seen: whether a list is ahead of it, and whose own rules are about to refuse again."""

from dataclasses import replace

import pytest
from hypothesis import given as given_
from hypothesis import settings
from hypothesis import strategies as st

from doorward.cluster.errors import Forbidden
from doorward.cluster.steps import STEP
from doorward.objects import ledger_record
from doorward.objects.ledger_record import Revocation, record_name
from doorward.objects.meta import ObjectKey
from doorward.view import ledger
from doorward.view.ledger import Ledger, Listed
from doorward.view.stores import View
from tests.support.clock import FakeClock
from tests.support.memory_cluster import ISSUED_CERTIFICATE, NAMESPACE, MemoryCluster
from tests.support.memory_gateway import MemoryGateway
from tests.support.turns import Turns
from tests.unit import given
from tests.unit.given import ALICE, ISSUER, NOW, SECOND
from tests.unit.issuers.bed import WatchedGateway

RECORD = given.record(1)
JUNK = given.record(2)


def body(record=RECORD, version=7):
    made = ledger_record.render_again(record)
    return {**made, "metadata": made["metadata"] | {"resourceVersion": str(version)}}


@pytest.mark.parametrize(
    ("listed", "behind"),
    [
        pytest.param({}, False, id="that is empty"),
        pytest.param({RECORD.key: Listed(7, RECORD)}, False, id="with what was heard"),
        pytest.param({RECORD.key: Listed(6, RECORD)}, False, id="with what was there before that"),
        pytest.param({RECORD.key: Listed(8, RECORD)}, True, id="with a later version"),
        pytest.param({given.record(2).key: Listed(1, given.record(2))}, True, id="with another record"),
        pytest.param({RECORD.key: Listed(8, None)}, False, id="with a version that cannot be read"),
    ],
)
async def test_the_watch_is_behind_a_list(listed, behind):
    known = Ledger()
    known.put(body())
    assert await known.is_behind(listed) is behind


def test_the_event_loop_turns_while_a_long_list_is_compared():
    walk = Turns(FakeClock(NOW), 0.001)

    class Listing(dict):
        def items(self):
            for pair in super().items():
                walk.handle()
                yield pair

    known, told = Ledger(), Listed(0, RECORD)
    listed = Listing({ObjectKey("shop", str(number)): told for number in range(1000)})
    assert walk.beside(known.is_behind(listed), len(listed)) <= round(STEP / 0.001) + 1
    assert walk.handled == len(listed)


def test_a_serial_is_one_issuers_though_another_signed_the_same_number():
    known = Ledger()
    other = ObjectKey("shop", "others")
    for record in (RECORD, replace(RECORD, issuer=other, key=ObjectKey("shop", RECORD.key.name))):
        known.put(body(record))
    assert [found.issuer for found in known.of_serial(ISSUER, RECORD.serial)] == [ISSUER]
    assert known.of_serial(ISSUER, JUNK.serial) == ()


@pytest.fixture
def cluster():
    """Two records, of which the second cannot be read."""
    made = MemoryCluster(FakeClock(NOW))
    made.create(NAMESPACE, "", {"metadata": {"name": ISSUER.namespace}}, "kubectl")
    for record in (RECORD, JUNK):
        made.create(ISSUED_CERTIFICATE, ISSUER.namespace, ledger_record.render_again(record), "kubectl")
    made.merge_patch(ISSUED_CERTIFICATE, JUNK.key, {"spec": {"notAfter": "junk"}}, "kubectl", "")
    return made


def told(found):
    """By record, its serial, or None where it cannot be read."""
    return {key: each.record and each.record.serial for key, each in found.items()}


async def test_a_list_has_all_of_the_issuers_namespace_as_far_as_it_can_be_read(cluster):
    cluster.create(NAMESPACE, "", {"metadata": {"name": "other"}}, "kubectl")
    elsewhere = ledger_record.render_again(RECORD) | {"metadata": {"name": RECORD.key.name}}
    cluster.create(ISSUED_CERTIFICATE, "other", elsewhere, "kubectl")
    found = await ledger.listed(MemoryGateway(cluster), ISSUER)
    assert told(found) == {RECORD.key: 1, JUNK.key: None}
    assert found[RECORD.key].version == int(cluster.get(ISSUED_CERTIFICATE, RECORD.key)["metadata"]["resourceVersion"])


@pytest.mark.parametrize("most", [0, 512], ids=["by the list, as they are very many", "by name"])
@pytest.mark.parametrize("at_once", [1, 32])
async def test_records_are_asked_for(cluster, monkeypatch, most, at_once):
    monkeypatch.setattr(ledger, "MOST_BY_NAME", most)
    monkeypatch.setattr(ledger, "AT_ONCE", at_once)
    gateway = WatchedGateway(cluster)
    found = await ledger.asked(gateway, ISSUER, [RECORD.key, given.record(3).key, JUNK.key])
    assert {verb for verb, _ in gateway.reads} == ({"get"} if most else {"list"})
    assert told(found) == {RECORD.key: 1, JUNK.key: None}
    assert found[RECORD.key].version == int(cluster.get(ISSUED_CERTIFICATE, RECORD.key)["metadata"]["resourceVersion"])
    assert await ledger.asked(gateway, ISSUER, []) == {}
    gateway.refuse_reads = lambda *_: Forbidden("no")
    with pytest.raises(Forbidden):
        await ledger.asked(gateway, ISSUER, [RECORD.key])


def client(*, issuer=ISSUER.name, **spec):
    reference = {"name": issuer, "namespace": ISSUER.namespace}
    return {
        "metadata": {"namespace": ALICE.namespace, "name": ALICE.name, "uid": given.UID, "resourceVersion": "3"},
        "spec": {"issuerRef": reference, "commonName": "alice"} | spec,
    }


DELETED = {"deletionTimestamp": "2026-09-01T12:00:00Z"}
OUT = client(suspended=True)
PENDING = [
    pytest.param(RECORD, OUT, True, id="is suspended"),
    pytest.param(RECORD, client(revoked=True), True, id="is revoked"),
    pytest.param(RECORD, OUT | {"metadata": OUT["metadata"] | DELETED}, True, id="is deleted"),
    pytest.param(
        given.record(1, revocation=given.own_hold(lifted=True)), OUT, True, id="is out, and a person lifted it"
    ),
    pytest.param(given.record(1, revocation=given.own_hold()), OUT, False, id="is out, and it is refused already"),
    pytest.param(given.expired(1, since=SECOND), OUT, False, id="is out, and it has expired"),
    pytest.param(given.record(2), OUT, False, id="is out, and it is not named"),
    pytest.param(RECORD, client(), False, id="is in"),
    pytest.param(RECORD, client(issuer="other", suspended=True), False, id="is another issuer's now"),
    pytest.param(RECORD, None, False, id="is gone"),
]


@pytest.mark.promise(1)
@pytest.mark.parametrize(("record", "holder", "expected"), PENDING)
def test_a_serial_is_about_to_be_refused_again_whose_client(record, holder, expected):
    view = View(FakeClock(NOW), account=given.ACCOUNT)
    view.ledger.put(body(record))
    if holder is not None:
        view.certificates.put(holder)
    assert view.pending_again(ISSUER, frozenset({1}), NOW) == (frozenset({1}) if expected else frozenset())


@pytest.mark.promise(1)
@pytest.mark.parametrize("ends", [True, False])
def test_so_is_one_whose_clients_namespace_ends(ends):
    view = View(FakeClock(NOW), account=given.ACCOUNT)
    view.ledger.put(body(RECORD))
    view.certificates.put(client())
    view.namespaces.put({"metadata": {"name": ALICE.namespace, "resourceVersion": "2"} | (DELETED if ends else {})})
    assert view.pending_again(ISSUER, frozenset({1}), NOW) == (frozenset({1}) if ends else frozenset())


def test_the_records_of_a_key_are_its_own_and_its_issuers():
    seen = Ledger()
    key, other = "abc" + "0" * 61, "abc" + "1" * 61
    elsewhere = ObjectKey("elsewhere", ISSUER.name)
    mine, near = given.record(1, public_key_sha256=key), given.record(2, public_key_sha256=other)
    there = given.record(3, public_key_sha256=key, issuer=elsewhere, key=ObjectKey("elsewhere", "partners.1.3"))
    for record in (mine, near, there):
        seen.put(body(record))
    found = [[record.key for record in seen.of_key(issuer, key)] for issuer in (ISSUER, elsewhere)]
    assert found == [[mine.key], [there.key]]


MARKED = st.one_of(
    st.none(),
    st.sampled_from(["superseded", "certificateHold"]).flatmap(
        lambda reason: st.builds(Revocation, reason=st.just(reason), time=st.just(NOW), lifted=st.booleans())
    ),
)
ROWS = st.lists(
    st.tuples(st.integers(1, 12), st.integers(1, 3), st.booleans(), MARKED), max_size=20, unique_by=lambda row: row[:2]
)
OTHER = ObjectKey("elsewhere", "other")


@settings(deadline=None)
@given_(ROWS, st.frozensets(st.integers(1, 14)))
def test_what_concerns_a_crl_is_found_without_a_walk_through_the_ledger(rows, serials):
    known = Ledger()
    for number, (serial, generation, ours, revocation) in enumerate(rows):
        issuer = ISSUER if ours else OTHER
        key = ObjectKey(issuer.namespace, record_name(issuer.name, generation, serial))
        record = replace(given.record(serial), key=key, issuer=issuer, generation=generation, revocation=revocation)
        known.put(body(record, number + 1))
    ours = known.heard_of(ISSUER)
    assert known.generations(ISSUER) == {record.generation for record in ours}
    lifted = {r.key for r in ours if r.is_lifted and r.serial in serials}
    assert {r.key for r in known.lifted(ISSUER, serials)} == lifted
    concerning = [r.key for r in ours if r.revocation is not None or r.serial in serials]
    assert sorted(r.key for r in known.concerning(ISSUER, serials)) == sorted(concerning)
