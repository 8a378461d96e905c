"""A webhook, a policy or a quota refuses one kind of write for an hour: the object says so within half a minute, nothing
spins, and all goes on when the writes are taken again.
"""

import pytest

from doorward.cluster.errors import Forbidden, Invalid, Transient
from doorward.cluster.gateway import CLIENT_CERTIFICATE, CONFIG_MAP, EVENT, ISSUER, SECRET
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, OperatorBed
from tests.unit.given import NOW

POLICY = "ValidatingAdmissionPolicy 'no-writes' with binding 'no-writes' denied request"
REFUSALS = {
    "a policy": Forbidden(f"denied: {POLICY}", status=403),
    "a rule of validation": Invalid(f"denied: {POLICY}", status=422),
    "a server that asks to wait": Transient(f"too many requests: {POLICY}", status=429, retry_after=300),
    "a webhook that is down": Transient(f'failed calling webhook "x": {POLICY}', status=500),
}
HOUR = 3600
MOST_TRIES = 80
"""In an hour, for one kind of write on one object: backoff up to five minutes, capped at 15 s for a cut-off."""
GATE_NAME = f"doorward.{NAMESPACE_NAME}.{ISSUER_AT.name}"


def conditions(bed, kind, name):
    found = bed.find(kind, name).get("status", {}).get("conditions", ())
    return {c["type"]: (c["status"], c["reason"], c["message"]) for c in found}


def issuer_says(bed):
    return conditions(bed, ISSUER, ISSUER_AT.name)


def alice_says(bed):
    return conditions(bed, CLIENT_CERTIFICATE, "alice")


def refuse(bed, error, matches):
    """Refuse every write that matches, from now on; the list of what was refused."""
    refused = []

    def judge(write):
        if matches(write):
            refused.append(write)
            return error
        return None

    bed.gateway.refuse = judge
    return refused


def is_write(verb, kind, *, name="", subresource=""):
    def matches(write):
        named = name in ("", write.name)
        return (write.verb, write.kind, write.subresource) == (verb, kind.name, subresource) and named

    return matches


@pytest.fixture
def empty():
    """An operator, and nothing else."""
    with OperatorBed(NOW, finalizer_at_creation=True) as bed:
        bed.settle()
        yield bed


def taken_again(bed):
    bed.gateway.refuse = lambda _: None
    bed.advance(400)
    bed.settle()


@pytest.mark.parametrize("error", REFUSALS.values(), ids=REFUSALS)
def test_a_refused_crl_is_told_by_its_issuer_and_never_called_current(empty, error):
    bed = empty
    refused = refuse(bed, error, is_write("create", CONFIG_MAP))
    bed.issuer()
    bed.advance(30)
    said = issuer_says(bed)
    assert said["Ready"][:2] == ("False", "WriteRefused")
    assert "no-writes" in said["Ready"][2]
    assert f"ConfigMap {NAMESPACE_NAME}/{ISSUER_AT.name}-crl" in said["Ready"][2]
    assert said["CRLCurrent"][0] == "False"
    bed.advance(HOUR)
    assert issuer_says(bed)["CRLCurrent"][0] == "False"
    assert len(refused) < MOST_TRIES
    taken_again(bed)
    assert {c: s for c, (s, *_) in issuer_says(bed).items()}.items() >= {"Ready": "True", "CRLCurrent": "True"}.items()


@pytest.mark.parametrize("error", REFUSALS.values(), ids=REFUSALS)
def test_a_refused_update_of_the_crl_is_told_while_a_client_is_not_cut_off(served, error):
    bed = served
    refused = refuse(bed, error, lambda write: write.kind == "ConfigMap")
    bed.apply("alice", revoked=True)
    bed.advance(30)
    assert issuer_says(bed)["CRLCurrent"][0] == "False"
    assert "no-writes" in issuer_says(bed)["CRLCurrent"][2]
    assert alice_says(bed)["Admitted"][0] != "False"
    bed.advance(HOUR)
    assert len(refused) < 4 * MOST_TRIES
    taken_again(bed)
    assert alice_says(bed)["Admitted"][0] == "False"
    assert issuer_says(bed)["CRLCurrent"][0] == "True"


@pytest.mark.parametrize("error", REFUSALS.values(), ids=REFUSALS)
def test_a_refused_ca_secret_is_told_by_its_issuer(empty, error):
    bed = empty
    refused = refuse(bed, error, is_write("create", SECRET))
    bed.issuer()
    bed.advance(30)
    status, reason, message = issuer_says(bed)["Ready"]
    assert (status, reason) == ("False", "WriteRefused")
    assert f"create Secret {NAMESPACE_NAME}/{ISSUER_AT.name}-ca-1" in message
    bed.advance(HOUR)
    assert len(refused) < MOST_TRIES
    taken_again(bed)
    assert issuer_says(bed)["Ready"][0] == "True"


@pytest.mark.parametrize("error", REFUSALS.values(), ids=REFUSALS)
def test_a_refused_ledger_record_is_told_by_its_client_and_no_second_certificate_is_signed(bed, error):
    refused = refuse(bed, error, lambda write: write.verb == "create" and write.kind == "IssuedCertificate")
    bed.apply("alice")
    bed.advance(30)
    status, reason, message = alice_says(bed)["Ready"]
    assert (status, reason) == ("False", "WriteRefused")
    assert "no-writes" in message
    bed.advance(HOUR)
    assert len(refused) < MOST_TRIES
    taken_again(bed)
    assert alice_says(bed)["Ready"][:2] == ("True", "Issued")
    assert len({write.name for write in refused}) == 1


@pytest.mark.parametrize("error", REFUSALS.values(), ids=REFUSALS)
@pytest.mark.parametrize("spec", [{"revoked": True}, {"suspended": True}], ids=str)
def test_a_refused_revocation_is_told_by_its_client_who_still_has_access(served, error, spec):
    bed = served
    refused = refuse(bed, error, lambda write: write.verb == "patch" and write.kind == "IssuedCertificate")
    bed.apply("alice", **spec)
    bed.advance(30)
    said = alice_says(bed)
    assert said["Ready"][:2] == ("False", "WriteRefused")
    assert said["Admitted"][0] == "True"
    bed.advance(HOUR)
    assert 10 < len(refused) < 5 * MOST_TRIES
    bed.gateway.refuse = lambda _: None
    bed.advance(300)
    assert alice_says(bed)["Admitted"][0] == "False"


@pytest.mark.parametrize("error", REFUSALS.values(), ids=REFUSALS)
def test_a_refused_hold_keeps_the_deleted_client_and_tells_of_it(served, error):
    bed = served
    refuse(bed, error, lambda write: write.verb == "patch" and write.kind == "IssuedCertificate")
    bed.delete(CLIENT_CERTIFICATE, "alice")
    bed.advance(30)
    assert alice_says(bed)["Ready"][:2] == ("False", "WriteRefused")
    bed.advance(HOUR)
    taken_again(bed)
    assert bed.find(CLIENT_CERTIFICATE, "alice") is None


@pytest.mark.parametrize("error", REFUSALS.values(), ids=REFUSALS)
def test_a_refused_gate_is_told_by_its_issuer(served, error):
    bed = served
    refused = refuse(bed, error, lambda write: write.kind == "Secret" and write.name == GATE_NAME)
    bed.apply("alice", revoked=True)
    bed.advance(30)
    assert issuer_says(bed)["GatesCurrent"][0] == "False"
    assert "no-writes" in issuer_says(bed)["GatesCurrent"][2]
    bed.advance(HOUR)
    assert len(refused) < 5 * MOST_TRIES
    taken_again(bed)
    assert issuer_says(bed)["GatesCurrent"][0] == "True"


@pytest.mark.parametrize("error", REFUSALS.values(), ids=REFUSALS)
def test_a_refused_rewrite_of_a_secret_is_told_by_its_client(served, error):
    bed = served
    refused = refuse(bed, error, is_write("replace", SECRET, name="alice-mtls"))
    bed.apply("alice", secretTemplate={"labels": {"team": "shop"}})
    bed.advance(30)
    status, reason, message = alice_says(bed)["Ready"]
    assert (status, reason) == ("False", "WriteRefused")
    assert f"update Secret {NAMESPACE_NAME}/alice-mtls" in message
    assert alice_says(bed)["Admitted"][0] == "True"
    bed.advance(HOUR)
    assert len(refused) < MOST_TRIES
    taken_again(bed)
    assert alice_says(bed)["Ready"][:2] == ("True", "Issued")
    assert bed.find(SECRET, "alice-mtls")["metadata"]["labels"]["team"] == "shop"


@pytest.mark.parametrize("error", REFUSALS.values(), ids=REFUSALS)
@pytest.mark.parametrize(("kind", "name"), [(ISSUER, ISSUER_AT.name), (CLIENT_CERTIFICATE, "alice")], ids=str)
def test_a_refused_status_is_told_by_an_event(served, error, kind, name):
    bed = served
    refused = refuse(bed, error, is_write("patch", kind, name=name, subresource="status"))
    if kind == ISSUER:
        bed.edit(ISSUER, name, {"spec": {"crl": {"renewEvery": "12h"}}})
    else:
        bed.apply("alice", suspended=True)
    bed.advance(60)
    told = [e for e in bed.cluster.all(EVENT) if e["involvedObject"]["name"] == name and e["type"] == "Warning"]
    assert [event["reason"] for event in told] == ["WriteRefused"]
    assert "no-writes" in told[0]["message"]
    bed.advance(HOUR)
    assert len(refused) < 5 * MOST_TRIES
    warnings = (e for e in bed.cluster.all(EVENT) if e["involvedObject"]["name"] == name and e["type"] == "Warning")
    assert len(list(warnings)) <= 8


@pytest.mark.parametrize("error", REFUSALS.values(), ids=REFUSALS)
def test_a_refused_finalizer_is_told_by_its_client(error):
    with OperatorBed(NOW) as bed:
        bed.issuer()
        bed.settle()
        refuse(bed, error, is_write("patch", CLIENT_CERTIFICATE))
        bed.apply("alice")
        bed.advance(30)
        assert alice_says(bed)["Ready"][:2] == ("False", "WriteRefused")
        assert bed.find(SECRET, "alice-mtls") is None
        taken_again(bed)
        assert alice_says(bed)["Ready"][:2] == ("True", "Issued")


@pytest.mark.parametrize("error", REFUSALS.values(), ids=REFUSALS)
def test_an_ingress_that_cannot_be_written_is_told_by_its_issuer(served, error):
    bed = served
    refused = refuse(bed, error, lambda write: write.kind == "Ingress")
    bed.ingress("other")
    bed.advance(30)
    status, reason, message = issuer_says(bed)["GatesCurrent"]
    assert (status, reason) == ("False", "TargetsNotWritten")
    assert f"ingresses {NAMESPACE_NAME}/other" in message
    bed.advance(HOUR)
    assert len(refused) < MOST_TRIES
    taken_again(bed)
    assert issuer_says(bed)["GatesCurrent"][0] == "True"
