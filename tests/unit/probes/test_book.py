"""Which gate is due at which replica, and what is remembered of it."""

from datetime import timedelta

import pytest

from doorward.cluster.gateway import INGRESS
from doorward.objects.endpoints import Replica
from doorward.objects.meta import ObjectKey
from doorward.planning.enforcement import A_GATE, AGAIN, FIRST, NOT_KNOWN, OFTEN, Verdict
from doorward.probes.book import MOST_REPLICAS, NOT_PUBLISHED, GateKey, ProbeBook, Wanted
from doorward.view.keys import target_key
from tests.unit.given import NOW, SECOND

PARTNERS, OTHERS = ObjectKey("edge", "partners"), ObjectKey("edge", "others")
SHOP = target_key(INGRESS, ObjectKey("edge", "shop"))
ONE, TWO = Replica("192.0.2.1", 443, 80), Replica("192.0.2.2", 443, 80)
REFUSED, OPEN = [(Verdict.REFUSED, "")], [(Verdict.OPEN, "answers 200")]
LATER = NOW + FIRST


def wanted(*hosts, issuer=PARTNERS, seen=None, unprobed=""):
    return Wanted(
        issuer=issuer,
        hosts=dict.fromkeys(hosts, "/"),
        unprobed=unprobed,
        optional=False,
        error_page=None,
        seen=seen,
    )


@pytest.fixture
def book():
    """One host, two replicas, and one anchor."""
    made = ProbeBook()
    made.unprobed = ""
    made.listed([ONE, TWO], NOW)
    made.published(PARTNERS, [b"first"], 1, NOW)
    made.target(SHOP, wanted("shop.example"), NOW)
    return made


def taken(book, replica, now):
    found = book.take(replica, now)
    return found and found[0].host


def test_each_replica_has_its_own_turn(book):
    assert taken(book, ONE, NOW) is None
    assert (taken(book, ONE, LATER), taken(book, TWO, LATER)) == ("shop.example", "shop.example")
    assert taken(book, ONE, LATER + timedelta(days=1)) is None, "it is being probed"


def test_a_gate_that_changes_while_it_is_probed_is_probed_again(book):
    gate, _ = book.take(ONE, LATER)
    book.target(SHOP, wanted("shop.example", seen="another"), LATER)
    book.record(ONE, gate, REFUSED, LATER + SECOND)
    assert taken(book, ONE, LATER + SECOND) is None
    assert taken(book, ONE, LATER + FIRST) == "shop.example"


def test_without_an_anchor_nothing_is_probed_until_there_is_one():
    book = ProbeBook()
    book.unprobed = ""
    book.listed([ONE], NOW)
    book.target(SHOP, wanted("shop.example"), NOW)
    assert taken(book, ONE, LATER) is None
    assert book.probed(PARTNERS).unprobed == NOT_PUBLISHED
    book.published(PARTNERS, [b"first"], 1, LATER)
    assert taken(book, ONE, LATER + FIRST) == "shop.example"


def test_after_a_change_of_the_ca_the_old_one_may_be_asked_for_only_for_a_while(book):
    book.published(PARTNERS, [b"second"], 2, LATER)
    gate, asked = book.take(ONE, LATER + FIRST)
    assert asked.anchors == {b"first", b"second"}
    book.record(ONE, gate, REFUSED, LATER + FIRST)
    _, asked = book.take(ONE, LATER + AGAIN)
    assert asked.anchors == {b"second"}


@pytest.mark.promise(3)
def test_what_was_found_of_a_host_is_forgotten_with_it(book):
    gate, _ = book.take(ONE, LATER)
    book.record(ONE, gate, REFUSED, LATER)
    book.target(SHOP, wanted("other.example"), LATER)
    book.target(SHOP, wanted("shop.example"), LATER)
    (found,) = book.probed(PARTNERS).gates
    assert found.findings == {}


@pytest.mark.promise(3)
def test_what_was_found_is_not_said_of_another_issuer(book):
    gate, _ = book.take(ONE, LATER)
    book.target(SHOP, wanted("shop.example", issuer=OTHERS), LATER)
    book.record(ONE, gate, REFUSED, LATER)
    assert book.probed(PARTNERS).gates == ()


def test_a_probe_that_began_for_another_issuer_says_nothing_of_this_one(book):
    book.published(OTHERS, [b"others"], 1, NOW)
    gate, asked = book.take(ONE, LATER)
    assert asked.issuer == PARTNERS
    book.target(SHOP, wanted("shop.example", issuer=OTHERS), LATER)
    assert book.record(ONE, gate, REFUSED, LATER, asked) is None
    (found,) = book.probed(OTHERS).gates
    assert found.findings == {}


def test_a_replica_that_goes_takes_along_what_was_found_there(book):
    gate, _ = book.take(ONE, LATER)
    book.record(ONE, gate, OPEN, LATER)
    assert "shop.example answers 200 at replica 192.0.2.1" in book.found_open(SHOP)
    book.listed([TWO], LATER)
    assert book.found_open(SHOP) == ""
    assert book.record(ONE, gate, OPEN, LATER) is None


def test_a_target_that_is_gone_is_not_probed(book):
    book.target(SHOP, None, NOW)
    assert taken(book, ONE, LATER) is None
    assert book.issuers() == ()
    assert book.record(ONE, GateKey(SHOP, "shop.example"), OPEN, LATER) is None


@pytest.mark.promise(3)
def test_no_more_replicas_are_probed_than_fit_and_the_others_are_counted(book):
    many = [Replica(f"192.0.2.{n}", 443, 80) for n in range(100, 100 + MOST_REPLICAS + 3)]
    book.listed(many, NOW)
    assert book.replicas == tuple(many[:MOST_REPLICAS])
    assert (len(book.probed(PARTNERS).replicas), book.probed(PARTNERS).left_out) == (MOST_REPLICAS, 3)
    book.listed(many[:MOST_REPLICAS], NOW)
    assert book.probed(PARTNERS).left_out == 0


@pytest.mark.parametrize(
    "between",
    [pytest.param(None, id="it was gone"), pytest.param(wanted("shop.example", issuer=OTHERS), id="another's")],
)
def test_what_was_found_of_a_target_is_forgotten_when(book, between):
    gate, _ = book.take(ONE, LATER)
    book.record(ONE, gate, REFUSED, LATER)
    book.target(SHOP, between, LATER)
    book.target(SHOP, wanted("shop.example"), LATER)
    (found,) = book.probed(PARTNERS).gates
    assert found.findings == {}


def test_what_was_found_stays_when_a_target_or_the_list_of_replicas_changes(book):
    gate, _ = book.take(ONE, LATER)
    book.record(ONE, gate, OPEN, LATER)
    before = book.found_open(SHOP)
    assert not book.target(SHOP, wanted("a.example", "shop.example", seen="another"), LATER)
    book.listed([ONE], LATER)
    assert book.found_open(SHOP) == before != ""
    assert [gate.host for gate in book.probed(PARTNERS).gates] == ["a.example", "shop.example"]


def test_only_a_target_that_was_not_known_is_new(book):
    assert not book.target(SHOP, wanted("shop.example"), NOW)
    assert not book.target(SHOP, wanted("shop.example", seen="another"), NOW)
    assert book.target(SHOP, wanted("shop.example", issuer=OTHERS), NOW)
    assert not book.target(SHOP, None, NOW)
    assert book.target(SHOP, wanted("shop.example"), NOW)


def test_a_gate_is_probed_again_and_again_and_by_one_at_a_time(book):
    gate, asked = book.take(ONE, LATER)
    assert book.record(ONE, gate, REFUSED, LATER, asked) == (None, book.probed(PARTNERS).gates[0].findings[str(ONE)])
    assert taken(book, ONE, LATER + OFTEN - SECOND) is None
    gate, _ = book.take(ONE, LATER + OFTEN)
    book.target(SHOP, wanted("shop.example", seen="another"), NOW)
    assert taken(book, ONE, LATER + AGAIN) is None, "it is being probed"
    before, after = book.record(ONE, gate, OPEN, LATER + OFTEN)
    assert (before.verdict, after.verdict) == (Verdict.REFUSED, Verdict.OPEN)


def test_a_gate_is_probed_some_time_after_its_last_change_and_what_is_the_same_is_none(book):
    book.target(SHOP, wanted("shop.example"), LATER)
    assert taken(book, ONE, LATER) == "shop.example"
    book.target(SHOP, wanted("shop.example", seen="another"), LATER)
    assert taken(book, TWO, LATER) is None
    assert taken(book, TWO, LATER + FIRST) == "shop.example"


def test_where_many_gates_come_one_that_was_probed_before_is_probed_later_and_not_forgotten(book):
    at = NOW + AGAIN
    gate, _ = book.take(ONE, at)
    book.record(ONE, gate, REFUSED, at)
    for number in range(100):
        book.target(target_key(INGRESS, ObjectKey("edge", f"{number}")), wanted("a.example", issuer=OTHERS), at)
    assert taken(book, ONE, at + OFTEN) is None
    assert taken(book, ONE, at + 101 * A_GATE) == "shop.example"


def test_a_new_replica_is_probed_at_once_as_far_as_the_gate_is_not_new_itself(book):
    new = Replica("192.0.2.3", 443, 80)
    book.listed([ONE, TWO, new], LATER + AGAIN)
    assert taken(book, new, LATER + AGAIN) == "shop.example"


def test_a_host_that_is_gone_is_not_probed_and_what_a_probe_of_it_showed_is_nothing(book):
    gate, _ = book.take(ONE, LATER)
    book.target(SHOP, wanted("other.example"), LATER)
    assert book.record(ONE, gate, OPEN, LATER) is None
    assert taken(book, TWO, LATER + FIRST) == "other.example"
    assert book.found_open(SHOP) == ""


def test_after_a_probe_that_began_for_another_issuer_the_gate_is_probed_again(book):
    book.published(OTHERS, [b"others"], 1, NOW)
    gate, asked = book.take(ONE, LATER)
    book.target(SHOP, wanted("shop.example", issuer=OTHERS), LATER)
    assert taken(book, ONE, LATER + FIRST) is None, "it is being probed"
    book.record(ONE, gate, REFUSED, LATER + FIRST, asked)
    assert taken(book, ONE, LATER + FIRST) == "shop.example"


def test_a_gate_that_could_not_be_probed_is_tried_later_and_one_at_a_replica_that_is_gone_is_not(book):
    gate, _ = book.take(ONE, LATER)
    book.leave(ONE, gate, LATER)
    assert taken(book, ONE, LATER + AGAIN - SECOND) is None
    assert taken(book, ONE, LATER + AGAIN) == "shop.example"
    book.listed([TWO], LATER)
    book.leave(ONE, gate, LATER)
    assert book.take(ONE, LATER + AGAIN) is None


def test_the_same_bundle_is_no_change_and_another_one_is(book):
    for replica in (ONE, TWO):
        gate, _ = book.take(replica, LATER)
        book.record(replica, gate, REFUSED, LATER)
    book.published(PARTNERS, [b"first"], 1, LATER)
    assert taken(book, ONE, LATER + FIRST) is None
    book.published(PARTNERS, [b"first"], 2, LATER)
    assert book.bundle_of(PARTNERS) == 2
    assert taken(book, ONE, LATER + FIRST) == "shop.example"


def test_without_cas_a_gate_is_not_probed(book):
    book.published(PARTNERS, [], 2, NOW)
    assert taken(book, ONE, LATER) is None


def test_an_issuer_that_publishes_nothing_any_more_is_not_probed_and_not_verified(book):
    book.since = NOW
    for replica in (ONE, TWO):
        gate, _ = book.take(replica, LATER)
        book.record(replica, gate, REFUSED, LATER)
    assert (book.probed(PARTNERS).unprobed, book.probed(PARTNERS).since) == ("", None)
    book.drop(PARTNERS)
    assert (book.bundle_of(PARTNERS), book.anchors_of(PARTNERS, LATER)) == (None, frozenset())
    assert (book.probed(PARTNERS).unprobed, book.probed(PARTNERS).since) == (NOT_PUBLISHED, NOW)
    assert taken(book, ONE, LATER + AGAIN) is None


def test_until_all_gates_were_probed_at_all_replicas_it_is_known_since_when_the_process_probes(book):
    book.since = NOW
    gate, _ = book.take(ONE, LATER)
    book.record(ONE, gate, REFUSED, LATER)
    assert not book.is_asked(SHOP)
    assert book.probed(PARTNERS).since == NOW
    gate, _ = book.take(TWO, LATER)
    book.record(TWO, gate, REFUSED, LATER)
    assert book.is_asked(SHOP)
    book.unprobed = "off"
    assert (book.probed(PARTNERS).unprobed, book.probed(PARTNERS).since) == ("off", NOW)
    book.unprobed = ""
    assert book.probed(PARTNERS).since is None
    book.target(SHOP, wanted("a.example", "shop.example"), LATER)
    assert not book.is_asked(SHOP)
    assert book.probed(PARTNERS).since is None, "once is enough"
    book.published(OTHERS, [b"others"], 1, NOW)
    assert book.probed(OTHERS).since == NOW, "it has no gate"


def test_one_gate_that_was_not_probed_is_enough_and_one_that_cannot_be_is_not_waited_for(book):
    book.since = NOW
    book.target(SHOP, wanted("a.example", "shop.example", unprobed="a wildcard"), NOW)
    for replica in (ONE, TWO):
        gate, _ = book.take(replica, LATER)
        book.record(replica, gate, REFUSED, LATER)
    assert not book.is_asked(SHOP)
    assert book.probed(PARTNERS).since == NOW
    for replica in (ONE, TWO):
        gate, _ = book.take(replica, LATER)
        book.record(replica, gate, REFUSED, LATER)
    assert book.is_asked(SHOP)
    assert book.probed(PARTNERS).since is None


def test_what_is_not_there_was_not_asked(book):
    assert not book.is_asked(target_key(INGRESS, ObjectKey("edge", "none")))
    book.target(SHOP, wanted(), NOW)
    assert book.is_asked(SHOP)
    book.listed([], NOW)
    assert not book.is_asked(SHOP)


def test_before_the_replicas_are_known_nothing_can_be_probed():
    assert (ProbeBook().probed(PARTNERS).unprobed, ProbeBook().left_out) == (NOT_KNOWN, 0)
    assert ProbeBook().take(ONE, LATER) is None


def test_a_canary_asks_at_a_host_that_was_found_to_be_closed_if_there_is_one(book):
    book.target(SHOP, wanted("a.example", "shop.example"), NOW)
    assert book.a_host_of_each_gate(PARTNERS, ONE, LATER)["edge"].host == "a.example"
    other, shop = sorted(gate for gate, _ in (book.take(ONE, LATER), book.take(ONE, LATER)))
    book.record(ONE, shop, REFUSED, LATER)
    book.record(ONE, other, OPEN, LATER)
    assert book.a_host_of_each_gate(PARTNERS, ONE, LATER)["edge"].host == "shop.example"
    assert book.a_host_of_each_gate(PARTNERS, TWO, LATER)["edge"].host == "a.example"
    assert book.a_host_of_each_gate(OTHERS, ONE, LATER) == {}
