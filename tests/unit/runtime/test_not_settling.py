"""Another controller, or an admission policy, changes what the operator writes: it is told, and it is not fought."""

import pytest

from doorward.cluster.gateway import CLIENT_CERTIFICATE, INGRESS, ISSUED_CERTIFICATE, ISSUER, SECRET
from doorward.gates.ingress_nginx import annotations as ingress_nginx
from doorward.objects.meta import ObjectKey
from doorward.planning import issuance
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, OperatorBed, immutable
from tests.unit.given import NOW

HOUR = 3600


def policy(bed, kind, change):
    """A mutating admission policy on one kind; `change` is given the object, and changes it."""

    def admit(of, before, after):
        immutable(of, before, after)
        if of == kind:
            change(after)

    bed.cluster.admit = admit


def mark(name, value):
    """Set an annotation that is there already."""

    def change(body):
        marks = body["metadata"].get("annotations") or {}
        if name in marks:
            marks[name] = value

    return change


def ready(bed, name="alice", kind=CLIENT_CERTIFICATE):
    conditions = bed.find(kind, name)["status"]["conditions"]
    return next((c["status"], c["reason"], c["message"]) for c in conditions if c["type"] == "Ready")


def writes_of(bed, kind, seconds):
    first = len(bed.gateway.writes)
    bed.advance(seconds)
    return [w for w in bed.gateway.writes[first:] if w.kind == kind.name]


def test_a_policy_that_changes_an_annotation_of_the_secret_is_told_and_costs_one_rewrite_a_minute(served):
    bed = served
    policy(bed, SECRET, mark("team", "none"))
    first = len(bed.gateway.writes)
    bed.apply("alice", secretTemplate={"annotations": {"team": "shop"}})
    bed.advance(59)
    assert len([w for w in bed.gateway.writes[first:] if w.kind == "Secret"]) == 1
    status, reason, message = ready(bed)
    assert (status, reason) == ("False", "NotSettling")
    assert "metadata.annotations.team" in message
    assert f"Secret {NAMESPACE_NAME}/alice-mtls" in message
    assert len(writes_of(bed, SECRET, HOUR)) <= 7


def test_what_was_changed_settles_when_the_policy_is_gone(served):
    bed = served
    policy(bed, SECRET, mark("team", "none"))
    bed.apply("alice", secretTemplate={"annotations": {"team": "shop"}})
    bed.advance(100)
    policy(bed, SECRET, lambda _: None)
    bed.advance(400)
    assert ready(bed)[:2] == ("True", "Issued")


def test_a_change_of_marks_keeps_the_key_the_keystore_and_its_password(served):
    bed = served
    before = bed.find(SECRET, "alice-mtls")["data"]
    bed.apply("alice", secretTemplate={"annotations": {"team": "shop"}, "labels": {"a": "b"}})
    bed.settle()
    after = bed.find(SECRET, "alice-mtls")
    assert after["data"] == before
    assert after["metadata"]["annotations"]["team"] == "shop"
    assert ready(bed)[:2] == ("True", "Issued")


def test_another_controller_that_sets_a_mark_of_the_secret_is_not_fought(served):
    bed = served
    bed.apply("alice", secretTemplate={"labels": {"team": "shop"}})
    bed.settle()
    first = len(bed.gateway.writes)
    for _ in range(60):
        bed.edit(SECRET, "alice-mtls", {"metadata": {"labels": {"team": "theirs"}}})
        bed.advance(5)
    rewrites = [w for w in bed.gateway.writes[first:] if (w.verb, w.kind) == ("replace", "Secret")]
    assert len(rewrites) <= 4
    assert ready(bed)[1] == "NotSettling"


def depth_three(body):
    """It changes what is there: what a policy adds to the write of somebody else is theirs, and is left alone."""
    if ingress_nginx.VERIFY_DEPTH in (body["metadata"].get("annotations") or {}):
        mark(ingress_nginx.VERIFY_DEPTH, "3")(body)


def test_a_policy_that_changes_an_annotation_of_the_ingress_is_told_on_it_and_by_its_issuer(bed):
    policy(bed, INGRESS, depth_three)
    first = len(bed.gateway.writes)
    bed.ingress("other")
    bed.advance(50)
    assert len([w for w in bed.gateway.writes[first:] if w.kind == "Ingress"]) <= 4
    told = bed.find(INGRESS, "other")["metadata"]["annotations"]
    assert told[ingress_nginx.GATE].startswith("FieldConflict: ")
    assert ingress_nginx.VERIFY_DEPTH in told[ingress_nginx.GATE]
    assert told[ingress_nginx.SECRET] == f"{NAMESPACE_NAME}/doorward.{NAMESPACE_NAME}.{ISSUER_AT.name}"
    conditions = {c["type"]: c for c in bed.find(ISSUER, ISSUER_AT.name)["status"]["conditions"]}
    assert conditions["GatesCurrent"]["reason"] == "TargetsNotWritten"
    assert len(writes_of(bed, INGRESS, HOUR)) <= 16


def test_a_manager_that_sets_an_annotation_of_the_ingress_again_and_again_is_named_and_not_fought(bed):
    """As `kubectl apply` of a Git repository does, every eight seconds."""
    first = len(bed.gateway.writes)
    for _ in range(75):
        bed.edit(INGRESS, "shop", {"metadata": {"annotations": {ingress_nginx.VERIFY_DEPTH: "2"}}})
        bed.advance(8)
    written = [w for w in bed.gateway.writes[first:] if w.kind == "Ingress"]
    assert len(written) == 1, "it is said, once"
    told = bed.find(INGRESS, "shop")["metadata"]["annotations"]
    assert told[ingress_nginx.VERIFY_DEPTH] == "2"
    assert told[ingress_nginx.GATE].startswith(
        f"FieldConflict: {ingress_nginx.VERIFY_DEPTH} is 2, set by field manager kubectl"
    )


def test_an_ingress_that_is_created_again_and_again_is_protected_each_time(bed):
    """As by a GitOps tool that replaces it: what is written onto each of them is the same, and is no repetition."""
    for _ in range(6):
        bed.delete(INGRESS, "shop")
        bed.advance(2)
        bed.ingress()
        bed.advance(5)
        assert bed.find(INGRESS, "shop")["metadata"]["annotations"][ingress_nginx.GATE].startswith("Protected: ")


@pytest.mark.parametrize("end", ["the annotation is removed", "the issuer agrees"])
def test_a_conflict_over_an_annotation_ends_when(bed, end):
    bed.edit(INGRESS, "shop", {"metadata": {"annotations": {ingress_nginx.VERIFY_DEPTH: "2"}}})
    bed.advance(10)
    if end == "the issuer agrees":
        bed.edit(ISSUER, ISSUER_AT.name, {"spec": {"ingress": {"verifyDepth": 2}}})
    else:
        bed.edit(INGRESS, "shop", {"metadata": {"annotations": {ingress_nginx.VERIFY_DEPTH: None}}})
    bed.advance(10)
    told = bed.find(INGRESS, "shop")["metadata"]["annotations"]
    assert told[ingress_nginx.GATE].startswith("Protected: ")
    assert told[ingress_nginx.VERIFY_DEPTH] == ("2" if end == "the issuer agrees" else "1")


@pytest.mark.promise(3)
def test_whether_a_certificate_is_asked_for_is_left_to_nobody(bed):
    bed.edit(INGRESS, "shop", {"metadata": {"annotations": {ingress_nginx.VERIFY_CLIENT: "off"}}})
    bed.advance(2)
    assert bed.find(INGRESS, "shop")["metadata"]["annotations"][ingress_nginx.VERIFY_CLIENT] == "on"


def test_a_certificate_that_never_says_what_the_spec_says_is_issued_once_a_minute_and_then_more_seldom(
    bed, monkeypatch
):
    """As where the parser of a new kind of alternative name is missing."""
    monkeypatch.setattr(issuance, "_names_differ", lambda *_: "the certificate does not say what the spec says")
    bed.apply("alice")
    bed.advance(59)
    assert len(bed.cluster.all(ISSUED_CERTIFICATE)) <= 2
    assert ready(bed)[:2] == ("False", "NotSettling")
    bed.advance(HOUR)
    assert len(bed.cluster.all(ISSUED_CERTIFICATE)) <= 9


def test_a_status_that_another_controller_changes_is_not_fought(served):
    bed = served
    first = len(bed.gateway.writes)
    for _ in range(60):
        bed.cluster.merge_patch(
            CLIENT_CERTIFICATE,
            ObjectKey(NAMESPACE_NAME, "alice"),
            {"status": {"secretName": "theirs"}},
            "other",
            "status",
        )
        bed.advance(5)
    patches = [w for w in bed.gateway.writes[first:] if w.subresource == "status"]
    assert len(patches) <= 12


@pytest.mark.parametrize("kind", [INGRESS, SECRET], ids=lambda kind: kind.name)
def test_what_is_done_in_vain_never_reaches_the_event_loop_as_a_storm(kind):
    """Fewer than a hundred writes in ten minutes, with a policy on everything of that kind from the first moment."""
    with OperatorBed(NOW, finalizer_at_creation=True) as bed:

        def change(body):
            for name in list(body["metadata"].get("annotations") or {}):
                if name.startswith(ingress_nginx.PREFIX + "auth-tls-verify") or name == "team":
                    body["metadata"]["annotations"][name] = "odd"

        policy(bed, kind, change)
        bed.issuer()
        bed.ingress()
        bed.apply("alice", secretTemplate={"annotations": {"team": "shop"}})
        bed.advance(600)
        assert len(bed.gateway.writes) < 100


@pytest.mark.promise(3)
def test_who_names_another_issuer_while_the_ingress_is_written_in_vain_is_heard(bed, monkeypatch):
    policy(bed, INGRESS, depth_three)
    patch, done = bed.gateway.patch, []

    async def meanwhile(kind, namespace, name, body, **options):
        if kind == INGRESS and ingress_nginx.SECRET in body["metadata"].get("annotations", {}) and not done:
            done.append(name)
            bed.edit(INGRESS, "other", {"metadata": {"annotations": {"doorward.io/issuer": "edge/nobody"}}})
        return await patch(kind, namespace, name, body, **options)

    monkeypatch.setattr(bed.gateway, "patch", meanwhile)
    bed.gateway.lag = 1.0
    bed.ingress("other")
    bed.advance(20)
    assert done
    told = bed.find(INGRESS, "other")["metadata"]["annotations"]
    assert told[ingress_nginx.SECRET] == f"{NAMESPACE_NAME}/doorward.edge.nobody"
