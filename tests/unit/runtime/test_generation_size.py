"""No more certificates are signed in a CA generation than its CRL can list: then the next one signs, and nobody has to change."""

import pytest

from doorward.cluster.gateway import CLIENT_CERTIFICATE, ISSUED_CERTIFICATE, ISSUER, SECRET
from doorward.planning import room
from tests.support import gate_clients
from tests.support.gate_clients import held
from tests.support.operator_bed import ISSUER_AT
from tests.unit.runtime.looks import GATE, issuer_said, said

LISTS = 20
"""So many serials fit into one CRL here: 18 are signed, and from 16 on the next generation is made."""


@pytest.fixture
def small(bed, monkeypatch):
    monkeypatch.setattr(room, "CRL_ENTRIES", LISTS)
    return bed


def clients(bed, first, last):
    """Two at a time: what is in work at one instant is counted only when it is recorded."""
    names = [f"client-{number}" for number in range(first, last)]
    for number, name in enumerate(names):
        bed.apply(name)
        if number % 2:
            bed.advance(15)
    return names


def by_generation(bed):
    """How many serials each generation signed."""
    signed: dict[int, int] = {}
    for body in bed.cluster.all(ISSUED_CERTIFICATE):
        signed[body["spec"]["generation"]] = signed.get(body["spec"]["generation"], 0) + 1
    return signed


def admitted(bed, names):
    gate = bed.find(SECRET, GATE)
    return [name for name in names if gate_clients.admits(gate, held(bed.find(SECRET, f"{name}-mtls")))]


@pytest.mark.promise(1)
def test_generations_follow_one_another_and_every_client_has_one_certificate(small):
    names = clients(small, 0, 50)
    small.settle()
    small.jump(minutes=2)
    small.settle()
    assert {said(small, name)["Ready"] for name in names} == {"Issued"}
    signed = by_generation(small)
    assert max(signed.values()) <= LISTS
    assert sum(signed.values()) == 50
    assert admitted(small, names) == names
    assert issuer_said(small)["Ready"] == "Signing"
    assert "CASettled" not in issuer_said(small)


def test_who_waits_for_the_next_generation_is_told_so(small):
    names = [*clients(small, 0, 16), "x", "y", "z"]
    for name in names[16:]:
        small.apply(name)
        small.advance(0.2)
    waiting = [name for name in names if said(small, name)["Ready"] == "CertificateLimitReached"]
    assert len(waiting) == 1
    conditions = small.find(CLIENT_CERTIFICATE, waiting[0])["status"]["conditions"]
    (ready,) = (c for c in conditions if c["type"] == "Ready")
    assert (
        "CA generation 1 of MTLSIssuer edge/partners has 18 unexpired certificates, and the limit is 18"
        in ready["message"]
    )
    small.settle()
    assert said(small, waiting[0])["Ready"] == "Issued"


@pytest.mark.promise(6)
def test_a_restart_moves_nobody(small):
    clients(small, 0, 30)
    small.settle()
    before = by_generation(small)
    small.restart()
    small.settle()
    assert (by_generation(small), small.gateway.writes) == (before, [])


def test_a_renewal_comes_from_the_generation_that_signs(small):
    names = clients(small, 0, 18)
    small.settle()
    small.jump(days=61)
    small.settle()
    assert {said(small, name)["Ready"] for name in names} == {"Issued"}
    assert by_generation(small)[1] == 18
    assert admitted(small, names) == names


@pytest.mark.parametrize(
    "change",
    [pytest.param({"rotate": "now"}, id="on demand"), pytest.param({"commonName": "Another"}, id="for a name")],
)
def test_all_change_when_a_person_asks_for_another_ca(small, change):
    names = clients(small, 0, 10)
    small.settle()
    small.edit(ISSUER, ISSUER_AT.name, {"spec": {"ca": {"generate": change}}})
    small.settle()
    assert by_generation(small) == {1: 10, 2: 10}
    assert admitted(small, names) == names


@pytest.mark.promise(1)
def test_all_can_be_revoked_at_once(small):
    names = clients(small, 0, 50)
    small.settle()
    small.jump(minutes=2)
    small.settle()
    for name in names:
        small.apply(name, revoked=True)
    small.settle()
    assert admitted(small, names) == []
    assert {said(small, name)["Admitted"] for name in names} == {"Revoked"}


# Shares


def test_a_namespace_has_half_of_what_a_crl_lists_of_an_issuer_that_serves_others(small):
    small.edit(ISSUER, ISSUER_AT.name, {"spec": {"issuance": SHARED}})
    names = clients(small, 0, 12)
    small.settle()
    reasons = [said(small, name)["Ready"] for name in names]
    assert (reasons.count("Issued"), reasons.count("CertificateLimitReached")) == (10, 2)
    small.edit(ISSUER, ISSUER_AT.name, {"spec": {"issuance": {"allowedNamespaces": {"from": "Same"}}}})
    small.jump(minutes=11)
    small.settle()
    assert {said(small, name)["Ready"] for name in names} == {"Issued"}


SHARED = {"allowedNamespaces": {"from": "All"}, "allowedSubjects": [{"commonName": "*"}]}


def test_who_has_a_certificate_changes_to_another_ca_beyond_the_share(small):
    names = clients(small, 0, 10)
    small.settle()
    small.edit(ISSUER, ISSUER_AT.name, {"spec": {"issuance": SHARED}})
    small.edit(ISSUER, ISSUER_AT.name, {"spec": {"ca": {"generate": {"rotate": "now"}}}})
    small.settle()
    assert by_generation(small) == {1: 10, 2: 10}
    assert admitted(small, names) == names
