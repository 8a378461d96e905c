"""Clocks that are turned: the operator's, the API server's, or both at once, and back again."""

from datetime import timedelta

import pytest

from doorward.cluster.gateway import CLIENT_CERTIFICATE, ISSUER
from tests.support import promises
from tests.support.operator_bed import ISSUER_AT, OperatorBed
from tests.unit.runtime.looks import issuer_said, record, said, serial

HOUR = 3600.0
DAYS = [1, 50, 100, 190, 250, 400, 4000]
"""Within a certificate's life, after it, after its record was archived, and after the CA's end."""


def refused(bed: OperatorBed, number: int) -> bool:
    """Whether no gate admits a serial of the first CA generation."""
    lists = promises.newest_bundle(bed.cluster).lists
    return 1 not in lists or number in lists[1]


def turn_all(bed: OperatorBed, by: timedelta) -> None:
    bed.cluster.set_clock(by)
    bed.clock.set(bed.cluster.now())


@pytest.mark.parametrize("days", [1, 100, 400, 4000, -1, -100, -400, -4000])
def test_an_operator_whose_clock_was_turned_for_an_hour_ends_no_hold_and_reissues_nothing(served, days):
    lost, kept = serial(served, "alice"), serial(served, "bob")
    served.delete(CLIENT_CERTIFICATE, "alice")
    served.settle()
    served.set_wrong(timedelta(days=days))
    served.advance(HOUR)
    served.set_wrong(timedelta(0))
    served.settle()
    assert promises.newest_crl(served.cluster) == {lost}
    assert record(served, lost)["spec"]["revocation"]["reason"] == "certificateHold"
    assert serial(served, "bob") == kept
    assert promises.broken(served.cluster) == []


def test_a_clock_that_jumps_within_what_is_tolerated_changes_nothing(served):
    lost = serial(served, "alice")
    served.delete(CLIENT_CERTIFICATE, "alice")
    served.settle()
    for off in (299, -299) * 10:
        served.set_wrong(timedelta(seconds=off))
        served.advance(60)
    served.set_wrong(timedelta(0))
    served.settle()
    assert promises.newest_crl(served.cluster) == {lost}
    assert promises.broken(served.cluster) == []


@pytest.mark.parametrize("days", [1, 100, 4000])
def test_an_api_server_whose_clock_was_turned_delays_a_cut_off_until_it_is_right(served, days):
    lost = {serial(served, name) for name in ("alice", "bob")}
    served.apply("alice", revoked=True)
    served.settle()
    served.cluster.set_clock(timedelta(days=days))
    served.apply("bob", revoked=True)
    served.advance(HOUR)
    assert (issuer_said(served)["Ready"], said(served, "bob")["Admitted"]) == ("ClockSkewed", "CuttingOff")
    served.cluster.set_clock(-timedelta(days=days))
    served.settle()
    assert promises.newest_crl(served.cluster) == lost


@pytest.mark.parametrize("restarts", [pytest.param(False, id="it runs on"), pytest.param(True, id="a new process")])
@pytest.mark.parametrize("days", DAYS)
def test_nobody_who_was_revoked_comes_back_with_the_time_when_all_clocks_were_ahead(served, days, restarts):
    """Where the first CA ended in the meantime, its generation is trusted no more, and nobody of it gets in."""
    lost = serial(served, "alice")
    served.apply("alice", revoked=True)
    served.settle()
    turn_all(served, timedelta(days=days))
    served.advance(HOUR)
    if restarts:
        served.kill()
    turn_all(served, -timedelta(days=days))
    if restarts:
        served.start()
    served.advance(HOUR)
    assert refused(served, lost)


@pytest.mark.parametrize("days", [d for d in DAYS if d < 365])
def test_no_crl_is_left_that_was_signed_while_all_clocks_were_ahead(served, days):
    """A data plane takes none whose thisUpdate is to come: everybody would be refused until then."""
    turn_all(served, timedelta(days=days))
    served.advance(2 * HOUR)
    turn_all(served, -timedelta(days=days))
    served.advance(HOUR)
    crl = served.find(ISSUER, ISSUER_AT.name)["status"]["crl"]
    assert crl["thisUpdate"] < served.cluster.now().isoformat()
    assert list(promises.numbers_that_fall(served.cluster)) == []
