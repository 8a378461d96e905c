"""Which gate is due at which replica, and what is remembered of it."""

from datetime import timedelta

import pytest

from doorward.cluster.gateway import INGRESS
from doorward.objects.endpoints import Replica
from doorward.objects.meta import ObjectKey
from doorward.planning.enforcement import AGAIN, FIRST, Verdict
from doorward.probes.book import MOST_REPLICAS, NOT_PUBLISHED, GateKey, ProbeBook, Wanted
from doorward.view.keys import target_key
from tests.unit.given import NOW, SECOND

PARTNERS, OTHERS = ObjectKey("edge", "partners"), ObjectKey("edge", "others")
SHOP = target_key(INGRESS, ObjectKey("edge", "shop"))
ONE, TWO = Replica("192.0.2.1", 443, 80), Replica("192.0.2.2", 443, 80)
REFUSED, OPEN = [(Verdict.REFUSED, "")], [(Verdict.OPEN, "answers 200")]
LATER = NOW + FIRST


def wanted(*hosts, issuer=PARTNERS, seen=None):
    return Wanted(issuer=issuer, hosts=dict.fromkeys(hosts, "/"), optional=False, error_page=None, seen=seen)


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
