"""An issuer that comes to allow less, as after an upgrade: nobody is cut off silently, nothing is renewed, and it heals."""

import pytest

from doorward.cluster.gateway import CLIENT_CERTIFICATE, ISSUER
from tests.support.operator_bed import ISSUER_AT
from tests.unit.runtime.looks import live, said, serial

OPS = {"subject": {"organizationalUnits": ["ops"]}}


def allow(bed, **entry):
    bed.edit(ISSUER, ISSUER_AT.name, {"spec": {"issuance": {"allowedSubjects": [{"commonName": "*"} | entry]}}})
    bed.settle()


def message(bed, name):
    (ready,) = [c for c in bed.find(CLIENT_CERTIFICATE, name)["status"]["conditions"] if c["type"] == "Ready"]
    return ready["message"]


@pytest.fixture
def refused(bed):
    """Alice has a unit that her issuer allowed as long as it named no subjects; bob has none."""
    bed.apply("alice", **OPS)
    bed.apply("bob")
    bed.settle()
    allow(bed)
    return bed


def test_a_client_whose_names_are_allowed_no_more_keeps_its_access_and_is_told_how_to_keep_it(refused):
    assert said(refused, "alice") == {"Ready": "SubjectNotAllowed", "Admitted": "Live"}
    assert "subject.organizationalUnits 'ops'" in message(refused, "alice")
    assert "issuance.allowedSubjects[].organizationalUnits" in message(refused, "alice")
    assert serial(refused, "alice") in live(refused)
    assert said(refused, "bob")["Ready"] == "Issued"


def test_it_is_not_renewed_and_ends_with_its_certificate(refused):
    before = {name: serial(refused, name) for name in ("alice", "bob")}
    refused.jump(days=61)
    refused.settle()
    assert serial(refused, "alice") == before["alice"]
    assert serial(refused, "bob") != before["bob"]
    refused.jump(days=31)
    refused.settle()
    assert before["alice"] not in live(refused)


@pytest.mark.parametrize("who", ["the issuer allows it", "the client leaves it out"])
def test_it_is_renewed_as_soon_as(refused, who):
    refused.jump(days=61)
    refused.settle()
    before = serial(refused, "alice")
    if who == "the issuer allows it":
        allow(refused, organizationalUnits=["o*"])
    else:
        refused.apply("alice", subject={"organizationalUnits": None})
        refused.settle()
    assert serial(refused, "alice") != before
    assert said(refused, "alice") == {"Ready": "Issued", "Admitted": "Live"}


def test_a_client_that_is_refused_is_cut_off_like_any_other(refused):
    number = serial(refused, "alice")
    refused.apply("alice", revoked=True)
    refused.settle()
    assert number not in live(refused)
