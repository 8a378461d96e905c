"""How often the whole operator issues, hour after hour, whatever a spec says; and that nobody loses access over a limit."""

import pytest

from doorward.cluster.gateway import CLIENT_CERTIFICATE, CONFIG_MAP, ISSUED_CERTIFICATE, ISSUER
from doorward.objects.ledger_record import render_again
from doorward.objects.meta import ObjectKey
from doorward.planning import budget, issuance
from doorward.view.ledger import Ledger
from tests.support.operator_bed import ISSUER_AT, PEOPLE
from tests.unit import given
from tests.unit.given import DAY, NOW
from tests.unit.runtime.looks import CRL, issuer_said, live, said, serial

MINUTE = 60
HOUR = 60 * MINUTE


def issued(bed):
    """How many certificates were ever signed."""
    return len(bed.cluster.all(ISSUED_CERTIFICATE))


def least_live(bed, seconds, every):
    """The least number of serials that would get a client in, looked at again and again for so long."""
    least = len(live(bed))
    for _ in range(seconds // every):
        bed.advance(every)
        least = min(least, len(live(bed)))
    return least


# Objects that an older CRD let in: the cluster in memory has no rules of its own


@pytest.mark.promise(7)
@pytest.mark.parametrize(
    ("spec", "reason", "most"),
    [
        pytest.param(
            {"duration": "720h", "renewBefore": "719h59m59s"}, "RenewBeforeTooLong", 1, id="is renewed each second"
        ),
        pytest.param({"duration": "1s"}, "DurationTooShort", 3, id="lasts a second"),
        pytest.param({"duration": "1s", "renewBefore": "1s"}, "DurationTooShort", 3, id="lasts no time at all"),
    ],
)
def test_a_client_older_than_the_limits_does_not_spin_though_its_certificate(bed, spec, reason, most):
    bed.apply("alice", **spec)
    bed.settle()
    assert least_live(bed, HOUR, 15) == 1
    assert issued(bed) <= most
    assert said(bed, "alice") == {"Ready": reason, "Admitted": "Live"}


def test_a_client_older_than_the_limits_is_ready_as_soon_as_its_spec_is_right(bed):
    bed.apply("alice", duration="720h", renewBefore="719h59m59s")
    bed.settle()
    bed.apply("alice", renewBefore="240h")
    bed.settle()
    assert (said(bed, "alice")["Ready"], issued(bed)) == ("Issued", 1)


@pytest.mark.promise(4)
def test_an_issuer_older_than_the_limits_publishes_no_crl_a_second(bed):
    bed.edit(ISSUER, ISSUER_AT.name, {"spec": {"crl": {"validity": "1s", "renewEvery": "1s"}}})
    bed.advance(MINUTE)
    before = len(crls(bed))
    bed.advance(HOUR)
    assert 30 <= len(crls(bed)) - before <= 61
    assert issuer_said(bed)["DurationsInRange"] == "DurationOutOfRange"
    bed.edit(ISSUER, ISSUER_AT.name, {"spec": {"crl": {"validity": "168h", "renewEvery": "24h"}}})
    bed.settle()
    assert "DurationsInRange" not in issuer_said(bed)


def crls(bed):
    """The versions of the CRL ConfigMap."""
    return [change for change in bed.cluster.history if (change.kind, change.at.name) == (CONFIG_MAP, CRL)]


def test_a_condition_that_an_older_version_wrote_goes_at_the_next_start(served):
    conditions = served.find(ISSUER, ISSUER_AT.name)["status"]["conditions"]
    old = [conditions[0] | {"type": name, "status": "Unknown"} for name in ("CutOffHolds", "HostsSeparated")]
    patch = {"status": {"conditions": [*conditions, *old]}}
    served.kill()
    served.cluster.merge_patch(ISSUER, ISSUER_AT, patch, PEOPLE, "status")
    assert "CutOffHolds" in issuer_said(served)
    served.start()
    served.settle()
    assert served.find(ISSUER, ISSUER_AT.name)["status"]["conditions"] == conditions


# What the API server takes


@pytest.mark.parametrize(
    ("spec", "least", "most"),
    [
        pytest.param({"duration": "1h"}, 45, 49, id="lasts an hour"),
        pytest.param(
            {"duration": "1h", "renewBefore": "55m"}, 45, 90, id="lasts an hour and is renewed every five minutes"
        ),
        pytest.param(
            {"duration": "720h", "renewBefore": "719h55m"}, 8, 20, id="lasts a month and is renewed every five minutes"
        ),
    ],
)
def test_a_client_always_has_access_and_costs_so_many_certificates_a_day_if_its_certificate(bed, spec, least, most):
    bed.apply("alice", **spec)
    bed.settle()
    assert least_live(bed, 24 * HOUR, 5 * MINUTE) >= 1
    assert least <= issued(bed) <= most


def test_a_client_whose_certificate_lasts_an_hour_is_ready_all_day(bed):
    bed.apply("alice", duration="1h")
    bed.settle()
    bed.advance(24 * HOUR)
    told = [c.becomes for c in bed.cluster.history if c.kind == CLIENT_CERTIFICATE and c.becomes]
    reasons = [given.reasons(body["status"])["Ready"] for body in told if "conditions" in body["status"]]
    assert set(reasons) == {"Issued"}


def test_a_certificate_that_never_says_what_its_spec_says_is_issued_in_no_loop(bed, monkeypatch):
    monkeypatch.setattr(issuance, "_names_differ", lambda *_: "an alternative name that nobody can read back")
    bed.apply("alice")
    bed.advance(HOUR)
    assert 2 < issued(bed) <= 8
    assert said(bed, "alice") == {"Ready": "NotSettling", "Admitted": "Live"}


# Unexpired serials


@pytest.mark.parametrize("limit", ["MOST_IN_NAMESPACE", "MOST_OF_ISSUER"])
def test_a_client_beyond_a_limit_waits_until_others_have_expired(served, monkeypatch, limit):
    monkeypatch.setattr(budget, limit, 2)
    served.apply("carol")
    served.settle()
    assert said(served, "carol") == {"Ready": "CertificateLimitReached", "Admitted": "NotIssued"}
    served.apply("alice", suspended=True)
    served.settle()
    served.jump(days=91)
    served.settle()
    assert said(served, "carol")["Ready"] == "Issued"
    assert live(served) == {serial(served, "bob"), serial(served, "carol")}


def test_records_are_counted_by_their_issuer_and_by_the_namespace_of_their_client():
    ledger = Ledger()
    elsewhere = given.record(1, holder=ObjectKey("edge", "alice"))
    for number, each in enumerate((elsewhere, given.record(2), given.expired(3, since=DAY))):
        body = render_again(each)
        body["metadata"] |= {"resourceVersion": str(number + 1), "creationTimestamp": "2026-09-01T12:00:00Z"}
        ledger.put(body)
    counted = {name: ledger.unexpired_in_namespace(name, NOW) for name in ("edge", "issuers")}
    assert (counted, ledger.unexpired_of_issuer(given.ISSUER, NOW)) == ({"edge": 1, "issuers": 1}, 2)
