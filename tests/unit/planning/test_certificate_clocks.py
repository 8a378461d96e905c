"""Clocks that disagree: nothing is signed, nothing has expired by one of them alone, and nobody escapes by it."""

from datetime import timedelta

import pytest

from doorward.planning import certificate, timing
from doorward.planning.observed import Unseen
from tests.unit import given
from tests.unit.given import DAY, HOUR, NOW, SECOND

LEAF = given.leaf()
LIVE = given.record(of=LEAF)
HELD = given.record(of=LEAF, revocation=given.hold())
OLDER = given.record(0xB2, issued_at=NOW - 30 * DAY)
GRACE = given.issuer(spec=given.issuer_spec(certificates={"supersededGracePeriod": "48h"}))


def _plan(now=NOW, **world):
    return certificate.plan(given.certificate(**world), now)


@pytest.mark.parametrize(
    ("skew", "certain"),
    [
        pytest.param(timedelta(0), NOW, id="they agree"),
        pytest.param(timedelta(minutes=5), NOW, id="they agree well enough"),
        pytest.param(HOUR, NOW - HOUR, id="the local one is ahead"),
        pytest.param(-HOUR, NOW, id="the local one is behind"),
    ],
)
def test_an_instant_is_certain_when_it_is_past_by_both_clocks(skew, certain):
    assert timing.certain(NOW, skew) == certain


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    ("now", "skew"),
    [
        pytest.param(NOW + 100 * DAY, 100 * DAY, id="the local clock is ahead, past the certificate's end"),
        pytest.param(NOW, -100 * DAY, id="the API server's clock is ahead"),
    ],
)
def test_a_client_that_is_deleted_meanwhile_is_held(now, skew):
    (action,) = _plan(now, deleting_since=NOW, skew=skew).actions
    assert (action.record, action.revocation.time, action.revocation.final_at) == (LIVE, NOW, NOW + DAY)


@pytest.mark.promise(1)
def test_a_client_that_is_revoked_meanwhile_is_cut_off():
    (action,) = _plan(NOW + 100 * DAY, spec=given.spec(revoked=True), skew=100 * DAY).actions
    assert (action.record, action.revocation.time) == (LIVE, NOW)


@pytest.mark.promise(1)
def test_a_client_whose_certificate_seems_expired_keeps_its_finalizer_until_the_crl_names_it():
    names = given.names(_plan(NOW + 100 * DAY, deleting_since=NOW, records=(HELD,), skew=100 * DAY).actions)
    assert "RemoveFinalizer" not in names


def test_a_grace_period_does_not_end_by_one_clock_alone():
    plan = _plan(NOW + 2 * DAY, issuer=GRACE, records=(LIVE, OLDER), skew=2 * DAY)
    assert "Revoke" not in given.names(plan.actions)


@pytest.mark.parametrize("skew", [100 * DAY, -100 * DAY])
def test_what_waits_is_due_by_the_local_clock(skew):
    assert _plan(NOW, secret=Unseen.ABSENT, skew=skew).due == NOW + 5 * SECOND


def test_a_deletion_that_waited_for_half_a_minute_is_looked_at_again_soon_and_not_at_once():
    assert _plan(deleting_since=NOW - HOUR, records=(HELD,)).due == NOW + 5 * SECOND
