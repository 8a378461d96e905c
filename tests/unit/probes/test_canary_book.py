"""Which canaries are out, and which is the next that a CRL revokes."""

from datetime import timedelta

import pytest

from doorward.planning.canary import TURN_EVERY, Access, Place, Seen
from doorward.probes.canary_book import ENOUGH, CanaryBook, pair
from tests.unit import given
from tests.unit.given import CA_ENDS, ISSUER, NOW, SECOND

PLACE = Place("edge", "192.0.2.7")


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
