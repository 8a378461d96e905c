"""Hundreds of records are put right at once, and nobody who is to be cut off waits for that."""

from datetime import timedelta

import pytest

from doorward.cluster.gateway import CONFIG_MAP, ISSUED_CERTIFICATE, ISSUER
from doorward.objects import ledger_record
from doorward.objects.meta import ObjectKey
from tests.support import promises
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, immutable
from tests.unit import given
from tests.unit.runtime.looks import CRL, RECORDS, issuer_said, record, serial

MANY = 400
SOON = timedelta(seconds=30)


@pytest.fixture
def ending(served):
    """The holds of 400 deleted clients, which end in half a minute, all at once; a request takes 10 ms."""
    now = served.cluster.now().replace(microsecond=0)
    for number in range(1, MANY + 1):
        known = given.record(
            number,
            key=ObjectKey(NAMESPACE_NAME, f"{RECORDS}{number:x}"),
            issuer=ISSUER_AT,
            holder=ObjectKey(NAMESPACE_NAME, f"gone-{number}"),
            revocation=given.hold(final_at=now + SOON),
        )
        served.cluster.create(ISSUED_CERTIFICATE, NAMESPACE_NAME, ledger_record.render_again(known), "doorward")
    served.latency = 0.005
    served.restart()
    served.advance(10)
    assert len(promises.newest_crl(served.cluster)) == MANY
    served.advance((now + SOON - served.cluster.now()).total_seconds() + 0.015)
    return served


def final(bed):
    """How many of the holds are final."""
    records = (record(bed, number) for number in range(1, MANY + 1))
    return sum(each["spec"]["revocation"]["reason"] == "cessationOfOperation" for each in records)


@pytest.mark.promise(1)
def test_a_cut_off_in_the_middle_of_400_holds_that_end_is_published_within_half_a_second(ending):
    assert 0 < final(ending) < MANY
    ending.apply("alice", revoked=True)
    ending.advance(0.5)
    assert serial(ending, "alice") in promises.newest_crl(ending.cluster)


def test_400_holds_that_end_at_once_are_final_within_two_seconds_and_cost_one_crl(ending):
    since = ending.cluster.version
    ending.advance(2)
    assert final(ending) == MANY
    ending.settle()
    crls = [c for c in ending.cluster.history if c.version > since and c.kind == CONFIG_MAP and c.at.name == CRL]
    assert len(crls) == 1
    newest = list(promises.crls(ending.cluster))[-1]
    assert len(newest.bundle.serials) == MANY


def test_a_policy_that_undoes_repairs_is_told_and_not_fought(served):
    def untimed(kind, before, after):
        immutable(kind, before, after)
        if kind == ISSUED_CERTIFICATE:
            (after["spec"].get("revocation") or {}).pop("time", None)

    served.cluster.admit = untimed
    for number in range(1, 41):
        known = given.record(
            number,
            key=ObjectKey(NAMESPACE_NAME, f"{RECORDS}{number:x}"),
            issuer=ISSUER_AT,
            revocation=given.revocation(),
        )
        served.cluster.create(ISSUED_CERTIFICATE, NAMESPACE_NAME, ledger_record.render_again(known), "kubectl")
    first = len(served.gateway.writes)
    served.advance(60)
    assert set(range(1, 41)) <= promises.newest_crl(served.cluster)
    repairs = [write for write in served.gateway.writes[first:] if write.kind == "IssuedCertificate"]
    assert len(repairs) <= 15
    statuses = [write for write in served.gateway.writes[first:] if write.kind == "MTLSIssuer"]
    assert len(statuses) <= len(repairs) + 2
    (ready,) = [c for c in served.find(ISSUER, ISSUER_AT.name)["status"]["conditions"] if c["type"] == "Ready"]
    assert (ready["status"], ready["reason"]) == ("False", "WriteRefused")
    assert "spec.revocation.time is changed by" in ready["message"]
    served.apply("alice", revoked=True)
    served.advance(1)
    assert serial(served, "alice") in promises.newest_crl(served.cluster)
    served.cluster.admit = immutable
    served.advance(400)
    assert issuer_said(served)["Ready"] == "Signing"
