"""The admin of one gate's namespace gives the operator some of the rights that it needs, and not others: that stops nothing
elsewhere, and is told.
"""

from itertools import chain, combinations

import pytest

from doorward.cluster.errors import Conflict, Transient
from doorward.cluster.gateway import CLIENT_CERTIFICATE, CONFIG_MAP, INGRESS, ISSUER, NAMESPACE, SECRET
from doorward.objects.meta import ObjectKey
from doorward.planning.trouble import RACES_TOLD_AFTER
from tests.support import promises
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, PEOPLE
from tests.unit import given
from tests.unit.runtime.looks import CRL, GATE, issuer_said, said, serial

FAR = ObjectKey("far", GATE)
VERBS = ("get", "list", "watch", "create", "update", "delete")
SUBSETS = [*chain.from_iterable(combinations(VERBS, size) for size in range(1, len(VERBS) + 1))]


@pytest.fixture
def far(served):
    """The gate of another namespace, with a host."""
    served.cluster.create(NAMESPACE, "", {"metadata": {"name": "far"}}, PEOPLE)
    served.edit(ISSUER, ISSUER_AT.name, {"spec": {"gates": {"allowedNamespaces": {"from": "All"}}}})
    host = {"name": "shop", "annotations": {"doorward.io/issuer": str(ISSUER_AT)}}
    served.cluster.create(INGRESS, "far", {"metadata": host, "spec": {}}, PEOPLE)
    served.settle()
    assert set(promises.gate_crls(served.cluster)) == {NAMESPACE_NAME, "far"}
    return served


def without(bed, verbs):
    """The role that was bound there lacks these verbs from now on, and the watches are opened anew."""
    bed.gateway.missing = lambda verb, kind, namespace: kind == SECRET.name and namespace == "far" and verb in verbs
    bed.gateway.end_watches()


def reads(bed, seconds):
    """How often Secrets there were listed within so much time."""
    first = len(bed.gateway.lists)
    bed.advance(seconds)
    return sum(listed == (SECRET, "far") for listed in bed.gateway.lists[first:])


@pytest.mark.promise(1)
@pytest.mark.promise(4)
@pytest.mark.parametrize("restart", [False, True], ids=["it runs", "it is restarted"])
@pytest.mark.parametrize("verbs", SUBSETS, ids="+".join)
def test_a_lost_crl_is_published_again_everywhere_else_where_there_lacks(far, verbs, restart):
    missing = lambda verb, kind, namespace: kind == SECRET.name and namespace == "far" and verb in verbs  # noqa: E731
    if restart:
        far.kill()
        far.delete(CONFIG_MAP, CRL)
        far.start()
        far.gateway.missing = missing
    else:
        without(far, verbs)
        far.delete(CONFIG_MAP, CRL)
    alice = serial(far, "alice")
    far.apply("alice", revoked=True)
    far.advance(60)
    assert alice in promises.newest_crl(far.cluster)
    assert alice in promises.gate_crls(far.cluster)[NAMESPACE_NAME]
    current = alice in promises.gate_crls(far.cluster)["far"]
    assert current or issuer_said(far)["GatesCurrent"] == "SomeNotCurrent"
    assert issuer_said(far)["CRLCurrent"] == "Published"
    far.gateway.missing = lambda *_: False
    far.advance(60)
    assert alice in promises.gate_crls(far.cluster)["far"]
    assert issuer_said(far)["GatesCurrent"] == "AllCurrent"


@pytest.mark.promise(3)
@pytest.mark.parametrize("verbs", SUBSETS, ids="+".join)
def test_a_gate_that_is_to_be_closed_is_closed_or_that_is_told_where_there_lacks(far, verbs):
    without(far, verbs)
    before = far.cluster.find(SECRET, FAR)["data"]
    far.advance(30)
    far.edit(ISSUER, ISSUER_AT.name, {"spec": {"gates": {"allowedNamespaces": {"from": "Same"}}}})
    far.advance(90)
    gate = far.cluster.find(SECRET, FAR)
    is_open = gate is not None and gate["data"] == before
    assert is_open == ({"update", "delete"} <= set(verbs))
    assert gate is None or issuer_said(far)["GatesCurrent"] == "GatesNotClosed"


@pytest.mark.parametrize("verbs", [("watch",), ("list",), ("get",)])
def test_a_right_to_read_that_is_missing_costs_few_requests(far, verbs):
    without(far, verbs)
    far.advance(300)
    assert reads(far, 600) <= 600 / 15
    assert issuer_said(far)["GatesCurrent"] in {"SomeNotCurrent", "AllCurrent"}


# Whatever fails is told


def _breaks(monkeypatch, error):
    def broken(*_, **__):
        raise error

    monkeypatch.setattr("doorward.issuers.observe.IssuerObserver._skew", broken)


@pytest.mark.parametrize(
    ("error", "seconds", "detail"),
    [
        pytest.param(KeyError("secret stuff"), 2, "internal error KeyError", id="a bug"),
        pytest.param(Transient("it is down", status=500), 30, "it is down", id="the API server fails for long"),
        pytest.param(Conflict("lost a race"), 90, "lost a race", id="a race is lost again and again"),
    ],
)
def test_what_ends_the_work_on_an_issuer_is_told_by_its_status_and_until_it_is_over(
    far, monkeypatch, error, seconds, detail
):
    with monkeypatch.context() as patch:
        _breaks(patch, error)
        far.apply("alice", revoked=True)
        far.advance(seconds)
        status = far.find(ISSUER, ISSUER_AT.name)["status"]
        assert given.reasons(status) | {"CRLCurrent": "Published"} == given.reasons(status)
        (ready,) = [item for item in status["conditions"] if item["type"] == "Ready"]
        assert (ready["reason"], detail in ready["message"]) == ("ReconcileFailed", True)
        assert "secret stuff" not in ready["message"]
        far.advance(20)  # until the status of the client and the Events, which give way to the cut-off, are written
        writes = len(far.gateway.writes)
        far.advance(60)
        assert len(far.gateway.writes) == writes
    far.settle()
    assert issuer_said(far)["Ready"] == "Signing"


def test_a_race_that_is_lost_once_is_not_worth_telling(far, monkeypatch):
    with monkeypatch.context() as patch:
        _breaks(patch, Conflict("lost a race"))
        far.apply("alice", revoked=True)
        far.advance(RACES_TOLD_AFTER.total_seconds() / 2)
        assert issuer_said(far)["Ready"] == "Signing"
    far.settle()


def test_what_ends_the_work_on_a_client_is_told_by_its_status(far, monkeypatch):
    with monkeypatch.context() as patch:

        def broken(*_):
            raise ZeroDivisionError

        patch.setattr("doorward.planning.certificate.plan", broken)
        far.edit(CLIENT_CERTIFICATE, "alice", {"metadata": {"labels": {"a": "b"}}})
        far.advance(5)
        assert said(far, "alice")["Ready"] == "ReconcileFailed"
    far.settle()
    assert said(far, "alice")["Ready"] == "Issued"
