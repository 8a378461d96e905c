"""Durations out of their limits, of objects that are older than the rule: what the operator uses instead, and says."""

import pytest

from doorward.planning import crl, limits, timing
from doorward.planning.observed import Unseen
from tests.unit import given
from tests.unit.given import DAY, HOUR, NOW
from tests.unit.planning.plans import asked, planned, status_of, told

MINUTE = HOUR / 60


@pytest.mark.parametrize(
    ("spec", "reason", "says"),
    [
        pytest.param(
            {"duration": "59m"}, "DurationTooShort", "Set spec.duration to 1h or more", id="shorter than an hour"
        ),
        pytest.param(
            {"duration": "720h", "renewBefore": "719h59m59s"},
            "RenewBeforeTooLong",
            "leaves less than 5m of the lifetime, which is 720h",
            id="renewed after a second",
        ),
        pytest.param(
            {"duration": "720h", "renewBefore": "719h55m1s"},
            "RenewBeforeTooLong",
            "The current certificate is renewed at 2026-10-30T12:04:59Z",
            id="renewed a second too early",
        ),
        pytest.param({"renewBefore": "2160h"}, "RenewBeforeTooLong", "the default of the MTLSIssuer", id="the default"),
        pytest.param({"duration": "59m", "renewBefore": "2h"}, "DurationTooShort", "59m", id="both: the first to fix"),
    ],
)
def test_a_client_is_told_what_the_operator_does_not_follow_where_it_is(spec, reason, says):
    (ready, admitted) = status_of(spec=given.spec(**spec))["conditions"]
    assert (ready["reason"], ready["status"], admitted["reason"]) == (reason, "False", "Live")
    assert says in ready["message"]


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"duration": "1h"}, id="the shortest lifetime"),
        pytest.param({"duration": "1h", "renewBefore": "55m"}, id="the longest renewBefore"),
        pytest.param({"renewBefore": "2159h55m"}, id="the longest one with the issuer's default"),
    ],
)
def test_a_client_within_its_limits_is_told_nothing_of_them(spec):
    assert limits.of_client(given.spec(**spec), given.issuer_spec(), NOW) is None


def test_a_client_whose_renew_before_is_ignored_is_renewed_as_if_it_had_none():
    assert planned(spec=given.spec(renewBefore="2159h59m59s")).due == NOW + 59 * DAY


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        pytest.param(
            {"certificates": {"duration": "10m"}},
            "spec.certificates.duration is 10m, and the operator uses 1h: set it to 1h or more",
            id="certificates of ten minutes",
        ),
        pytest.param(
            {"certificates": {"maxDuration": "10m"}}, "spec.certificates.maxDuration is 10m", id="none longer than that"
        ),
        pytest.param(
            {"crl": {"validity": "1s", "renewEvery": "1s"}}, "the operator uses 120s and 60s", id="a CRL a second"
        ),
        pytest.param({"crl": {"renewEvery": "200h"}}, "uses 604800s and 302400s", id="a CRL that would lapse"),
        pytest.param({"crl": {"validity": "9000h"}}, "uses 31536000s and 86400s", id="a CRL for more than a year"),
        pytest.param(
            {"ca": {"generate": {"commonName": "CA", "duration": "1h"}}},
            "spec.ca.generate.duration is 1h, and the operator uses 48h",
            id="a CA of an hour",
        ),
        pytest.param(
            {"ca": {"generate": {"commonName": "CA", "renewBefore": "8759h"}}},
            "leaves less than 24h of the 8760h of the CA",
            id="a CA an hour",
        ),
    ],
)
def test_an_issuer_is_told_what_the_operator_does_not_follow_where_it_asks_for(spec, says):
    condition = limits.of_issuer(given.issuer_spec(**spec))
    assert (condition.type, condition.reason.name) == ("DurationsInRange", "DurationOutOfRange")
    assert says in condition.message


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({}, id="the defaults"),
        pytest.param({"certificates": {"duration": "1h", "maxDuration": "1h"}}, id="the shortest certificates"),
        pytest.param({"crl": {"validity": "2m", "renewEvery": "1m"}}, id="the fastest CRL"),
        pytest.param({"crl": {"validity": "8760h"}}, id="the longest CRL"),
        pytest.param({"ca": {"generate": {"commonName": "CA", "duration": "48h"}}}, id="the shortest CA"),
        pytest.param({"ca": {"generate": {"commonName": "CA", "renewBefore": "8736h"}}}, id="a CA a day"),
        pytest.param({"ca": {"secretRef": {"name": "own-ca"}}}, id="a CA of one's own"),
    ],
)
def test_an_issuer_within_its_limits_is_told_nothing_of_them(spec):
    assert limits.of_issuer(given.issuer_spec(**spec)) is None


def test_a_client_of_an_issuer_that_is_older_than_its_limits_gets_a_certificate_of_an_hour():
    short = given.issuer(spec=given.issuer_spec(certificates={"duration": "10m", "maxDuration": "10m"}))
    (issue,) = planned(secret=Unseen.ABSENT, issuer=short).actions
    assert issue.not_after == NOW + HOUR
    assert told(issuer=short)["Ready"] == "Issued"


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        pytest.param({}, (7 * DAY, DAY), id="the defaults"),
        pytest.param({"validity": "1s", "renewEvery": "1s"}, (2 * MINUTE, MINUTE), id="no more than one a minute"),
        pytest.param({"validity": "48h", "renewEvery": "48h"}, (2 * DAY, DAY), id="the next one at half of it"),
        pytest.param({"validity": "9000h"}, (365 * DAY, DAY), id="none for more than a year"),
    ],
)
def test_the_pace_of_a_crl_is(policy, expected):
    assert crl.pace(given.issuer_spec(crl=policy).crl) == expected


def test_a_crl_of_a_second_is_signed_for_two_minutes_and_followed_after_one():
    policy = given.issuer_spec(crl={"validity": "1s", "renewEvery": "1s"}).crl
    assert crl.window(policy, NOW) == (NOW - HOUR, NOW + 2 * MINUTE)
    assert crl.renewal_due(given.crl(signed=NOW), policy) == NOW + MINUTE


def test_a_leaf_of_ten_minutes_that_an_older_version_signed_is_followed_by_one_of_an_hour():
    old = given.leaf(issued=NOW - MINUTE, lasts=10 * MINUTE)
    assert asked(spec=given.spec(duration="10m"), secret=given.secret(old)) == ["Issue"]
    assert timing.begin_of(old.not_before, old.not_after) == old.not_after - HOUR
