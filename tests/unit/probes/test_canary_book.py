"""Which canaries are out, and which is the next that a CRL revokes."""

from datetime import timedelta

import pytest

from doorward.planning.canary import OFTEN, TURN_EVERY, Access, Asker, Place, Seen, found
from doorward.probes.canary_book import ENOUGH, CanaryBook, pair
from tests.unit import given
from tests.unit.given import CA_ENDS, ISSUER, NOW, SECOND

PLACE = Place("edge", "192.0.2.7")
SETTLED = found(
    {
        Asker.REVOKED: (Access.REFUSED, ""),
        Asker.LIVE: (Access.ADMITTED, ""),
        Asker.RESUMED: (Access.REFUSED, ""),
        Asker.UNNAMED: (Access.REFUSED, ""),
    },
    None,
    NOW,
)


def made(generation=1, revoked=None, at=NOW):
    return pair(generation, given.ca(), revoked, at)


@pytest.fixture
def book():
    """One pair is out, which settled at its one place."""
    book = CanaryBook()
    book.published(ISSUER, 7, made(), NOW)
    book.session(ISSUER, PLACE).context = "of the live one"
    return book


def test_the_live_one_is_revoked_next_while_it_is_valid_for_long_enough(book):
    out = book.pair(ISSUER)
    assert book.next_revoked(ISSUER, 1, NOW) is out.live
    assert book.next_revoked(ISSUER, 1, out.live.not_after - ENOUGH) is out.live
    assert book.next_revoked(ISSUER, 1, out.live.not_after - ENOUGH + SECOND) is None


@pytest.mark.promise(1)
def test_no_crl_revokes_the_canary_of_another_generation(book):
    assert book.next_revoked(ISSUER, 2, NOW) is None
    assert book.wanted(ISSUER, 2, NOW)
    assert not book.wanted(ISSUER, 1, NOW)
    assert book.wanted(ISSUER, 1, NOW + TURN_EVERY)


def test_tls_sessions_are_kept_of_the_one_that_becomes_revoked(book):
    live = book.pair(ISSUER).live
    book.published(ISSUER, 8, made(revoked=live), NOW)
    assert book.session(ISSUER, PLACE).context == "of the live one"
    book.published(ISSUER, 9, made(), NOW)
    assert book.session(ISSUER, PLACE).context != "of the live one"


def test_what_a_canary_found_is_not_said_of_the_next(book):
    serial = book.pair(ISSUER).revoked.serial
    book.published(ISSUER, 8, made(), NOW)
    book.record(ISSUER, serial, PLACE, Seen(first=NOW, at=NOW, revoked=Access.ADMITTED))
    assert book.seen(ISSUER, PLACE) is None


def test_nobody_asks_with_a_certificate_that_has_expired(book):
    end = book.flown(ISSUER, [PLACE]).until
    assert book.is_due(ISSUER, PLACE, end - SECOND)
    assert not book.is_due(ISSUER, PLACE, end)


def test_a_ca_that_has_no_time_left_has_no_canary():
    assert made(at=CA_ENDS + timedelta(hours=2)) is None


def test_an_issuer_that_is_deleted_has_none(book):
    book.drop(ISSUER)
    assert (book.issuers(), book.pair(ISSUER), book.flown(ISSUER, [])) == ((), None, None)
    assert not book.is_due(ISSUER, PLACE, NOW)


def test_an_issuer_without_a_canary_gets_one_with_its_next_crl():
    empty = CanaryBook()
    assert empty.wanted(ISSUER, 1, NOW)
    assert empty.next_revoked(ISSUER, 1, NOW) is None
    assert empty.seen(ISSUER, PLACE) is None
    empty.record(ISSUER, 1, PLACE, SETTLED)
    assert empty.seen(ISSUER, PLACE) is None


def test_a_canary_asks_again_until_a_place_is_settled(book):
    serial = book.pair(ISSUER).revoked.serial
    assert book.is_due(ISSUER, PLACE, NOW)
    book.record(ISSUER, serial, PLACE, Seen(first=NOW, at=NOW, revoked=Access.ADMITTED))
    assert not book.is_due(ISSUER, PLACE, NOW)
    assert book.is_due(ISSUER, PLACE, NOW + OFTEN)
    book.record(ISSUER, serial, PLACE, SETTLED)
    assert book.seen(ISSUER, PLACE) == SETTLED
    assert book.flown(ISSUER, [PLACE]).seen == {PLACE: SETTLED}
    assert not book.is_due(ISSUER, PLACE, NOW + timedelta(minutes=1))


def test_both_are_valid_until_the_first_of_them_has_expired(book):
    later = made(at=NOW + timedelta(minutes=1))
    book.published(ISSUER, 8, later._replace(revoked=book.pair(ISSUER).live), NOW)
    until = book.flown(ISSUER, []).until
    assert until == book.pair(ISSUER).revoked.not_after < later.live.not_after
