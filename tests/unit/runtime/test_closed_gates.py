"""A gate that must admit nobody does so at once, whoever holds on to its Secret: a DELETE that succeeds is not the end of it."""

import base64
from datetime import timedelta

import pytest

from doorward.cluster.errors import Forbidden, Invalid, Transient
from doorward.cluster.gateway import CONFIG_MAP, INGRESS, ISSUER, NAMESPACE, SECRET
from doorward.gates.apply import LONGEST_RETRY
from doorward.gates.ingress_nginx.plane import SETTLES
from doorward.objects.meta import ObjectKey
from doorward.pki import crls
from doorward.pki.pem import load_certificates
from tests.support.operator_bed import ISSUER_AT, PEOPLE, host_spec
from tests.unit import given
from tests.unit.runtime.looks import CRL, GATE, issuer_said

FAR = ObjectKey("far", GATE)
KEEP = {"metadata": {"finalizers": ["example.com/keep"]}}
DISALLOWED = {"spec": {"gates": {"allowedNamespaces": {"from": "Same"}}}}
pytestmark = pytest.mark.promise(3)


@pytest.fixture
def far(served):
    """The gate of another namespace, which is allowed, with a host."""
    served.cluster.create(NAMESPACE, "", {"metadata": {"name": "far"}}, PEOPLE)
    served.edit(ISSUER, ISSUER_AT.name, {"spec": {"gates": {"allowedNamespaces": {"from": "All"}}}})
    host = {"name": "shop", "annotations": {"doorward.io/issuer": str(ISSUER_AT)}}
    served.cluster.create(INGRESS, "far", {"metadata": host, "spec": host_spec("shop.example")}, PEOPLE)
    served.settle()
    assert admits(served)
    return served


def gate(bed):
    return bed.cluster.find(SECRET, FAR)


def attack(bed, patch):
    bed.cluster.merge_patch(SECRET, FAR, patch, PEOPLE, "")
    bed.settle()


def anchors(bed):
    return base64.b64decode(gate(bed)["data"]["ca.crt"])


def admits(bed):
    """Whether the gate trusts the CA that signs."""
    return gate(bed) is not None and anchors(bed).decode() == bed.find(CONFIG_MAP, CRL)["data"]["ca.crt"]


def admits_nobody(bed):
    """Whether it holds one CA and its empty CRL, and that CA is none of the issuer's."""
    (anchor,) = load_certificates(anchors(bed))
    crl = crls.read_crl(base64.b64decode(gate(bed)["data"]["ca.crl"]), anchor)
    return crl.entries == {} and anchor.subject.rfc4514_string() == "CN=closed by Doorward"


def told(bed, condition="GatesCurrent"):
    conditions = bed.find(ISSUER, ISSUER_AT.name)["status"]["conditions"]
    return next(item["message"] for item in conditions if item["type"] == condition)


def host_says(bed):
    annotations = bed.cluster.find(INGRESS, ObjectKey("far", "shop"))["metadata"]["annotations"]
    return annotations["doorward.io/gate"].split(":")[0]


def changes(bed):
    return [change for change in bed.cluster.history if (change.kind, change.at) == (SECRET, FAR)]


def asked(bed, seconds):
    """How often the operator asked to write that gate within so much time."""
    first = len(bed.gateway.writes)
    bed.advance(seconds)
    return sum((w.namespace, w.kind) == ("far", "Secret") for w in bed.gateway.writes[first:])


def disallow(bed):
    bed.edit(ISSUER, ISSUER_AT.name, DISALLOWED)


def distrust(bed):
    bed.edit(ISSUER, ISSUER_AT.name, {"spec": {"ca": {"distrust": [1]}}})


def delete_issuer(bed):
    bed.delete(ISSUER, ISSUER_AT.name)


REASONS = pytest.mark.parametrize(
    "reason",
    [
        pytest.param(disallow, id="its namespace is not allowed any more"),
        pytest.param(distrust, id="its CA is distrusted"),
        pytest.param(delete_issuer, id="its issuer is deleted"),
    ],
)
HELD = pytest.mark.parametrize(
    "held",
    [
        pytest.param({}, id="nobody holds it"),
        pytest.param(KEEP, id="a finalizer holds it"),
        pytest.param(
            {"metadata": {"finalizers": [f"example.com/{n}" for n in range(40)]}}, id="forty finalizers hold it"
        ),
        pytest.param({"metadata": {"annotations": {"a": "b"}, "labels": {"a": "b"}}}, id="it was edited"),
    ],
)


@REASONS
@HELD
def test_within_seconds_it_trusts_no_ca_of_the_issuers_where(far, reason, held):
    attack(far, held)
    distrusted = anchors(far)
    reason(far)
    far.advance(2)
    assert distrusted not in anchors(far)
    far.settle()
    far.advance(SETTLES.total_seconds())
    assert gate(far) is None or distrusted not in anchors(far)


@pytest.mark.parametrize("reason", [disallow, delete_issuer])
@HELD
@pytest.mark.parametrize("restart", [False, True], ids=["it runs", "it is restarted"])
def test_it_admits_nobody_first_and_is_deleted_when_its_data_plane_has_taken_that(far, reason, held, restart):
    attack(far, held)
    reason(far)
    far.advance(SETTLES.total_seconds() - 2)
    assert admits_nobody(far)
    if restart:
        far.restart()
    far.settle()
    assert gate(far) is None
    gone = changes(far)[-1]
    closed = next(change for change in changes(far) if change.becomes["data"] == gone.was["data"])
    assert gone.time - closed.time >= SETTLES


def test_a_gate_that_was_deleted_and_is_still_there_is_neither_absent_nor_current(far):
    attack(far, KEEP)
    far.cluster.delete(SECRET, FAR, PEOPLE)
    far.settle()
    assert admits(far)
    assert "deletionTimestamp" not in gate(far)["metadata"]


def test_one_that_is_allowed_again_opens_at_once(far):
    disallow(far)
    far.advance(5)
    assert admits_nobody(far)
    far.edit(ISSUER, ISSUER_AT.name, {"spec": {"gates": {"allowedNamespaces": {"from": "All"}}}})
    far.advance(2)
    assert admits(far)
    far.settle()
    assert (host_says(far), issuer_said(far)["GatesCurrent"]) == ("Protected", "AllCurrent")


def test_the_host_is_not_called_closed_before_the_secret_is_gone(far):
    disallow(far)
    far.advance(10)
    assert host_says(far) == "GateClosing"
    far.settle()
    assert (gate(far), host_says(far)) == (None, "NotAllowedHere")


# What cannot be closed, or not be deleted


def _keeps_finalizers(kind, before, after):
    held = [body is not None and bool(body["metadata"].get("finalizers")) for body in (before, after)]
    if kind == SECRET and held == [True, False]:
        raise Forbidden("a webhook keeps finalizers", status=403)


def test_finalizers_that_nobody_may_take_off_are_told_and_the_gate_admits_nobody(far):
    attack(far, KEEP)
    far.cluster.admit = _keeps_finalizers
    disallow(far)
    far.advance(90)
    assert admits_nobody(far)
    assert issuer_said(far)["GatesCurrent"] == "GatesNotClosed"
    assert "namespace far" in told(far)
    assert "it admits nobody" in told(far)
    assert asked(far, 3600) < 3600 / LONGEST_RETRY.total_seconds() * 2
    far.cluster.admit = lambda *_: None
    attack(far, {"metadata": {"finalizers": None}})
    assert (gate(far), issuer_said(far)["GatesCurrent"]) == (None, "AllCurrent")


@pytest.mark.parametrize(
    ("verbs", "closed"),
    [
        pytest.param({"replace"}, True, id="updates are refused: it is deleted at once"),
        pytest.param({"delete"}, False, id="deletions are refused: it admits nobody"),
        pytest.param({"replace", "delete"}, False, id="both are refused"),
    ],
)
@pytest.mark.parametrize(
    "error", [Forbidden("no", status=403), Invalid("immutable", status=422), Transient("webhook is down", status=500)]
)
def test_what_is_refused_is_told_and_tried_again_ever_more_seldom(far, verbs, closed, error):
    far.gateway.refuse = lambda write: error if write.verb in verbs and write.namespace == "far" else None
    disallow(far)
    far.advance(90)
    assert (gate(far) is None) == closed
    if closed:
        return
    assert issuer_said(far)["GatesCurrent"] == "GatesNotClosed"
    assert ("cannot be closed" in told(far)) == ("replace" in verbs)
    assert admits_nobody(far) == ("replace" not in verbs)
    assert asked(far, 3600) <= 3600 / LONGEST_RETRY.total_seconds() * 2
    far.gateway.refuse = lambda _: None
    far.advance(LONGEST_RETRY.total_seconds() + 60)
    far.settle()
    assert (gate(far), issuer_said(far)["GatesCurrent"]) == (None, "AllCurrent")


@pytest.mark.parametrize("reason", [disallow, delete_issuer])
def test_a_gate_that_cannot_be_read_is_closed_all_the_same(far, reason):
    far.gateway.refuse_reads = lambda kind, namespace: (
        Forbidden("may not get", status=403) if (kind, namespace) == (SECRET, "far") else None
    )
    reason(far)
    far.advance(5)
    assert admits_nobody(far)
    far.advance(300)
    assert gate(far) is None


def test_one_that_somebody_edits_all_the_time_stays_closed_and_goes_in_the_end(far):
    disallow(far)
    for number in range(40):
        far.cluster.merge_patch(SECRET, FAR, {"metadata": {"labels": {"a": str(number)}}}, PEOPLE, "")
        far.advance(1)
        if gate(far) is None:
            break
        assert number == 0 or admits_nobody(far)
    assert gate(far) is None


def test_a_planted_secret_of_a_gates_name_is_closed_and_deleted_too(far):
    attack(far, {"metadata": {"labels": {"app.kubernetes.io/managed-by": "mallory"}}})
    far.kill()
    far.cluster.delete(SECRET, FAR, PEOPLE)
    planted = {"metadata": {"name": GATE}, "type": "kubernetes.io/tls", "data": {"tls.crt": "YQ==", "tls.key": "YQ=="}}
    far.cluster.create(SECRET, "far", planted, PEOPLE)
    disallow(far)
    far.start()
    far.settle()
    assert gate(far) is None


def test_a_clock_that_is_wrong_keeps_no_gate_open(far):
    disallow(far)
    far.set_wrong(timedelta(hours=3))
    far.advance(5)
    assert admits_nobody(far)
    assert given.reasons(far.find(ISSUER, ISSUER_AT.name)["status"])["Ready"] in {"Signing", "ClockSkewed"}


def test_somebody_elses_secret_under_a_gates_name_protects_no_host(far):
    far.kill()
    far.cluster.delete(SECRET, FAR, PEOPLE)
    planted = {"metadata": {"name": GATE}, "type": "kubernetes.io/tls", "data": {"tls.crt": "YQ==", "tls.key": "YQ=="}}
    far.cluster.create(SECRET, "far", planted, PEOPLE)
    far.start()
    refused = Invalid("type: field is immutable", status=422)
    far.gateway.refuse = lambda write: refused if write.verb == "replace" and write.namespace == "far" else None
    far.advance(120)
    assert host_says(far) == "GateUnmanaged"
    assert issuer_said(far)["GatesCurrent"] != "AllCurrent"
    far.cluster.delete(SECRET, FAR, PEOPLE)
    far.settle()
    assert host_says(far) == "Protected"
