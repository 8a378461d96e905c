"""The ledger outgrows a ConfigMap: the operator says so on the issuer, and neither forgets anyone nor goes on writing."""

from datetime import UTC, datetime

import pytest

from doorward.cluster.gateway import CLIENT_CERTIFICATE, CONFIG_MAP, ISSUER, SECRET
from doorward.issuers import publish
from tests.support.operator_bed import ISSUER_AT, OperatorBed

CLIENTS = ("alice", "bob", "carol")


def condition(bed, kind):
    conditions = bed.find(ISSUER, ISSUER_AT.name)["status"]["conditions"]
    (found,) = [c for c in conditions if c["type"] == kind]
    return found


@pytest.fixture
def full(monkeypatch):
    """Three clients are issued and then revoked, and a ConfigMap takes no more than the empty CRL."""
    with OperatorBed(datetime(2026, 9, 1, 12, 0, tzinfo=UTC)) as bed:
        bed.issuer()
        for name in CLIENTS:
            bed.apply(name)
        bed.settle()
        data = bed.find(CONFIG_MAP, "partners-crl")["data"]
        monkeypatch.setattr(publish, "MAX_BYTES", sum(map(len, data.values())) + 16)
        for name in CLIENTS:
            bed.apply(name, revoked=True)
        bed.settle()
        yield bed


def test_the_issuer_says_that_its_crl_is_full(full):
    ready = condition(full, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "CrlFull")
    assert "the next CRL must name 3 serials" in ready["message"]


def test_nothing_is_written_again_by_a_restart(full):
    full.restart()
    full.settle()
    assert full.gateway.writes == []


def test_nobody_is_issued_a_certificate_that_could_not_be_revoked(full):
    full.apply("dave")
    full.settle()
    assert full.find(SECRET, "dave-mtls") is None
    (ready,) = [c for c in full.find(CLIENT_CERTIFICATE, "dave")["status"]["conditions"] if c["type"] == "Ready"]
    assert ready["reason"] == "IssuerNotReady"
    assert "end clients that nobody needs" in ready["message"]


@pytest.mark.promise(1)
def test_all_are_published_as_soon_as_they_fit(full, monkeypatch):
    monkeypatch.undo()
    full.restart()
    full.settle()
    assert condition(full, "Ready")["reason"] == "Signing"
    assert "lists 3 serials" in condition(full, "CRLCurrent")["message"]
