"""A client that was deleted or revoked is there again, and the ledger is heard of later: nobody gets in with what was refused then."""

import pytest

from doorward.cluster.errors import Transient
from doorward.cluster.gateway import CLIENT_CERTIFICATE, ISSUED_CERTIFICATE
from doorward.objects.meta import ObjectKey
from tests.unit import given as rules
from tests.unit.given import ALICE

from . import given
from .given import PEOPLE, World, question

RECORD = rules.record().key
HELD = {"spec": {"revocation": {"reason": "certificateHold", "time": "2026-09-01T12:00:00Z", "heldBy": "Deletion"}}}
LATE = 10.0


def ledger_is_late(world: World) -> None:
    world.gateway.lag_of = lambda kind: LATE if kind == ISSUED_CERTIFICATE else 0.0


def delete(world: World) -> None:
    """As the operator lets a client go: ledger first, then the finalizer."""
    world.patch(CLIENT_CERTIFICATE, ALICE, {"metadata": {"finalizers": ["doorward.io/cut-off"]}})
    world.delete(CLIENT_CERTIFICATE, ALICE)
    world.patch(ISSUED_CERTIFICATE, RECORD, HELD)
    world.patch(CLIENT_CERTIFICATE, ALICE, {"metadata": {"finalizers": None}})


def create(world: World) -> None:
    world.add(given.client())
    world.advance()


def test_a_stolen_file_stays_out_though_the_hold_is_heard_of_after_the_new_client(world: World):
    ledger_is_late(world)
    delete(world)
    assert world.answer() == "client_gone"
    create(world)
    assert world.answer() == "ledger_behind"
    world.advance(5 * LATE)
    assert world.answer() == "held"


def test_nor_does_it_get_in_where_another_change_of_its_record_is_heard_of_in_between(world: World):
    ledger_is_late(world)
    world.patch(ISSUED_CERTIFICATE, RECORD, {"metadata": {"labels": {"a": "b"}}})
    delete(world)
    world.advance(LATE)
    create(world)
    assert world.answer() == "ledger_behind"


def test_the_new_client_gets_in_with_its_new_certificate_as_soon_as_that_is_heard_of(world: World):
    delete(world)
    create(world)
    new = rules.record(0xA2)
    world.add(given.record(new))
    world.advance()
    assert world.answer(question(new)) == "admitted"
    assert world.answer() == "held"


def test_a_client_whose_hold_was_lifted_before_it_was_created_again_gets_in_at_once(world: World):
    """A wrong prune that is undone: `doorward restore`, and then the manifests."""
    delete(world)
    world.patch(ISSUED_CERTIFICATE, RECORD, {"spec": {"revocation": {"lifted": True}}})
    create(world)
    assert world.answer() == "admitted"


def test_a_client_that_a_list_lacked_is_as_one_that_was_deleted(world: World):
    away = {CLIENT_CERTIFICATE, ISSUED_CERTIFICATE}
    world.gateway.refuse_reads = lambda kind, _: Transient("no") if kind in away else None
    world.gateway.end_watches()
    world.advance()
    delete(world)
    away.remove(CLIENT_CERTIFICATE)
    world.advance(10)
    assert world.answer() == "client_gone"
    create(world)
    assert world.answer() == "ledger_behind"
    away.clear()
    world.advance(10)
    assert world.answer() == "held"


@pytest.mark.parametrize("suspended", [False, True])
def test_one_that_is_no_more_revoked_gets_in_with_nothing_that_was_revoked_then(world: World, suspended: bool):
    ledger_is_late(world)
    world.patch(CLIENT_CERTIFICATE, ALICE, {"spec": {"revoked": True, "suspended": suspended}})
    world.patch(ISSUED_CERTIFICATE, RECORD, {"spec": {"revocation": {"reason": "keyCompromise"}}})
    world.patch(CLIENT_CERTIFICATE, ALICE, {"spec": {"revoked": False}})
    world.patch(CLIENT_CERTIFICATE, ALICE, {"spec": {"suspended": False}})
    assert world.answer() == "ledger_behind"
    world.advance(5 * LATE)
    assert world.answer() == "revoked"


def test_what_was_deleted_in_a_history_that_was_rolled_back_keeps_nobody_out(world: World):
    """The versions of that history may not come again for hours."""
    before, objects = world.cluster.version, {k: dict(v) for k, v in world.cluster._objects.items()}
    world.cluster.version = 9_000
    world.delete(CLIENT_CERTIFICATE, ALICE)
    assert world.answer() == "client_gone"
    world.cluster.version, world.cluster._objects = before, objects
    world.cluster.history.clear()
    world.gateway.end_watches()
    world.advance(10)
    assert world.answer() == "admitted"


def test_a_client_that_was_never_deleted_waits_for_no_ledger(world: World):
    bob = ObjectKey("issuers", "bob")
    world.cluster.create(CLIENT_CERTIFICATE, bob.namespace, given.client(bob), PEOPLE)
    world.patch(CLIENT_CERTIFICATE, ALICE, {"metadata": {"labels": {"a": "b"}}})
    assert world.answer() == "admitted"
