"""Which Events a change gives: each once, and none where nothing changed."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from doorward.api.event_reasons import BY_SUBJECT
from doorward.api.reasons import BY_CONDITION, REASONS
from doorward.objects.ledger_record import Revocation
from doorward.objects.meta import ObjectKey
from doorward.planning import notices
from tests.support import events_page
from tests.unit import given

HOLD = Revocation(reason="certificateHold", time=given.NOW, held_by="Suspension")
DELETED = replace(HOLD, held_by="Deletion", final_at=given.NOW + timedelta(days=7))
BY_HAND = replace(HOLD, held_by=None)
LIFTED = replace(HOLD, lifted=True)
FINAL = Revocation(reason="superseded", time=given.NOW)
LEAKED = replace(FINAL, reason="keyCompromise")
ISSUER = ObjectKey("edge", "partners")


def condition(name, message="m"):
    reason = REASONS[name]
    return {"type": reason.condition, "status": reason.status, "reason": name, "message": message}


def status(*names, **fields):
    return {"observedGeneration": 1, "conditions": [condition(name) for name in names]} | fields


def holds(serial, *names):
    return status(*names, serialNumber=serial, secretName="alice-mtls", notAfter="2026-12-01T00:00:00Z")


NEW = {"observedGeneration": -1}
IN = holds("1a", "Issued", "Live")

CLIENTS = [
    ("the first certificate", NEW, IN, ["Issued"]),
    ("after it waited", status("IssuerNotReady", "NotIssued"), IN, ["Issued"]),
    ("another certificate", IN, holds("2b", "Issued", "Live"), ["Renewed"]),
    ("another after a loss", status("SecretMissing", "Live"), holds("2b", "Issued", "Live"), ["Renewed"]),
    ("a restart", IN, IN, []),
    ("another message of what is right", IN, IN | {"conditions": [condition("Live", "n")]}, []),
    ("it waits for its issuer", NEW, status("IssuerNotReady", "NotIssued"), []),
    ("refused", NEW, status("SubjectNotAllowed", "NotIssued"), ["SubjectNotAllowed"]),
    ("refused in use", IN, holds("1a", "SubjectNotAllowed", "Live"), ["SubjectNotAllowed"]),
    ("refused for another reason", status("SubjectNotAllowed"), status("KeyTaken"), ["KeyTaken"]),
    ("refused, and that is over", holds("1a", "KeyTaken", "Live"), IN, ["ReadyAgain"]),
    ("refused, and issued after all", status("KeyTaken", "NotIssued"), IN, ["Issued"]),
    ("suspended, which the ledger tells", IN, holds("1a", "Suspended", "CuttingOff"), []),
    ("no longer suspended", holds("1a", "Suspended", "OnHold"), IN, []),
    ("revoked, which the ledger tells", IN, status("CutOff", "Revoked"), []),
    ("its CA is not trusted", IN, holds("1a", "Issued", "CaNotTrusted"), ["CaNotTrusted"]),
    ("its CA is trusted again", holds("1a", "Issued", "CaNotTrusted"), IN, []),
    ("it expired", IN, holds("1a", "Issued", "Expired"), ["Expired"]),
    ("it has to wait", IN, holds("1a", "ReissueBudgetSpent", "Live"), ["ReissueBudgetSpent"]),
]


def reasons(told):
    return [each.reason for each in told]


@pytest.mark.parametrize(("before", "after", "wanted"), [c[1:] for c in CLIENTS], ids=[c[0] for c in CLIENTS])
def test_a_client_is_told_of(before, after, wanted):
    assert reasons(notices.of_client(before, after)) == wanted


def test_a_refusal_with_another_message_is_told_where_the_spec_changed():
    before, after = status("SubjectNotAllowed"), status("SubjectNotAllowed")
    after["conditions"] = [condition("SubjectNotAllowed", "other names")]
    assert reasons(notices.of_client(before, after)) == []
    assert reasons(notices.of_client(before, after | {"observedGeneration": 2})) == ["SubjectNotAllowed"]


def ca(generation, *names, gates=(), **fields):
    made = {"ca": {"generation": generation, "notAfter": "2030-01-01T00:00:00Z"}, "gatesTotal": len(gates)}
    listed = [{"namespace": namespace, "state": state} for namespace, state in gates]
    return status(*names, **made, gates=listed, **fields)


UP = ca(1, "Signing", "Published", "AllCurrent")
ISSUERS = [
    ("the first CA", NEW, UP, ["CaActive"]),
    ("the next CA", UP, ca(2, "Signing", "Published", "AllCurrent"), ["CaActive"]),
    ("a restart", UP, UP, []),
    ("no CA", UP, status("CaSecretMissing", "Published"), ["CaSecretMissing"]),
    ("its own CA again", ca(1, "CaSecretMissing"), ca(1, "Signing"), ["Signing"]),
    (
        "a spec that cannot be read names another CA",
        UP,
        ca(2, "InvalidSpec", "NotPublished"),
        ["InvalidSpec", "NotPublished"],
    ),
    ("and is put right", ca(2, "InvalidSpec"), ca(1, "Signing"), ["Signing"]),
    ("a CRL that is not published yet", NEW, status("CaSecretMissing", "NotPublished"), ["CaSecretMissing"]),
    ("a CRL that expired", ca(1, "Signing", "Published"), ca(1, "Signing", "NotPublished"), ["NotPublished"]),
    ("a gate", UP, ca(1, "Signing", gates=[("shop", "Current")]), ["GateReady"]),
    ("a gate that is closed", ca(1, gates=[("shop", "Current")]), ca(1, gates=[("shop", "Closed")]), ["GateClosed"]),
    ("a gate that is gone", ca(1, gates=[("shop", "Current")]), ca(1), ["GateClosed"]),
    ("a gate that cannot be written", ca(1, "AllCurrent"), ca(1, "SomeNotCurrent"), ["SomeNotCurrent"]),
    ("a gate that was behind", ca(1, gates=[("shop", "Refused")]), ca(1, gates=[("shop", "Current")]), []),
    ("probes that are refused", ca(1, "NotVerified"), ca(1, "ProbesRefused"), ["GateEnforced"]),
    ("an open host", ca(1, "ProbesRefused"), ca(1, "Open"), ["Open"]),
    ("a host that is closed again", ca(1, "Open"), ca(1, "ProbesRefused"), ["GateEnforced"]),
    ("what is not verified yet", NEW, status("NotVerified", "CutOffNotVerified", "SharedCA"), []),
    ("a CA that clients leave", ca(1), ca(1, "ClientsMoving"), []),
    ("gates that keep the next CA waiting", ca(1), ca(1, "NextCaAwaitsGates"), ["NextCaAwaitsGates"]),
]


@pytest.mark.parametrize(("before", "after", "wanted"), [c[1:] for c in ISSUERS], ids=[c[0] for c in ISSUERS])
def test_an_issuer_is_told_of(before, after, wanted):
    assert reasons(notices.of_issuer(before, after)) == wanted


def test_of_more_gates_than_a_status_lists_none_is_called_closed():
    before = ca(1, gates=[("shop", "Current")]) | {"gatesTotal": 51}
    assert reasons(notices.of_issuer(before, ca(1))) == []


LEDGER = [
    ("held", None, HOLD, "Held"),
    ("held by a deletion", None, DELETED, "Held"),
    ("held by hand", None, BY_HAND, "Held"),
    ("another holds it", HOLD, DELETED, None),
    ("held again", LIFTED, HOLD, "Held"),
    ("lifted", HOLD, LIFTED, "Released"),
    ("lifted already", LIFTED, replace(LIFTED, held_by="Deletion"), None),
    ("revoked", None, FINAL, "Revoked"),
    ("final", HOLD, FINAL, "Revoked"),
    ("dated", FINAL, replace(FINAL, time=given.NOW - timedelta(days=1)), None),
    ("known to be leaked later", FINAL, LEAKED, "Revoked"),
]


@pytest.mark.parametrize(("before", "now", "wanted"), [c[1:] for c in LEDGER], ids=[c[0] for c in LEDGER])
def test_of_a_record_it_is_told_that_it_is(before, now, wanted):
    record = replace(given.record(), revocation=before)
    told = notices.of_revocation(record, now, by_operator=True)
    assert (told.reason if told is not None else None) == wanted
    assert told is None or f"{record.serial:x}" in told.message


@pytest.mark.parametrize(
    ("hold", "words"),
    [(HOLD, "Set it to false"), (DELETED, "until 2026-"), (BY_HAND, "run `doorward restore`")],
    ids=["suspended", "deleted", "by hand"],
)
def test_who_is_held_is_told_how_to_undo_it(hold, words):
    told = notices.of_revocation(given.record(), hold, by_operator=False)
    assert told.message.startswith("A user put")
    assert words in told.message


INGRESSES = [
    ("", "Protected: x", "Protected"),
    ("GateMissing: x", "Protected: x", "Protected"),
    ("Protected: x", "Protected: y", None),
    ("Protected: x", "OptionalNotAllowed: y", None),
    ("Protected: x", "", None),
    ("", "GateMissing: x", "Closed"),
    ("", "NoSuchIssuer: x", "Closed"),
    ("Protected: x", "FoundOpen: x", "Open"),
    ("Protected: x", "PlainHTTP: x", "NotProtected"),
    ("Protected: x", "GateOutOfReach: x", "NotProtected"),
    ("PlainHTTP: x", "HostShared: x", "NotProtected"),
]


@pytest.mark.parametrize(("before", "after", "wanted"), INGRESSES)
def test_an_ingress_is_told_of_its_annotation(before, after, wanted):
    told = notices.of_annotation(before, after)
    assert (told.reason if told is not None else None) == wanted
    assert told is None or told.message == after


@pytest.mark.parametrize("reason", BY_CONDITION["Gate"])
def test_whatever_an_annotation_says_gives_an_event_that_the_policy_takes(reason):
    told = notices.of_annotation("", f"{reason}: x")
    assert told.reason in BY_SUBJECT["Ingress"]
    manifest = Path(__file__).parents[3] / "deploy" / "manifests" / "fence-operator-writes.yaml"
    names = ", ".join(repr(name) for name in BY_SUBJECT["Ingress"])
    assert f"in [{names}]" in manifest.read_text()


def hosts(**states):
    entries = [
        {"namespace": "shop", "target": name.partition("_")[0], "host": f"{name}.example", "enforced": state}
        for name, state in states.items()
    ]
    return {"enforcement": entries}


ENFORCED = [
    (hosts(), hosts(app="True"), ["app"]),
    (hosts(app="Unknown"), hosts(app="True"), ["app"]),
    (hosts(app="False"), hosts(app="True"), ["app"]),
    (hosts(app="True"), hosts(app="True"), []),
    (hosts(app="True"), hosts(app="False"), []),
    (hosts(app_1="Unknown", app_2="Unknown"), hosts(app_1="True", app_2="Unknown"), []),
    (hosts(app_1="True", app_2="Unknown", web="True"), hosts(app_1="True", app_2="True", web="True"), ["app"]),
]


@pytest.mark.parametrize(("before", "after", "wanted"), ENFORCED)
def test_an_ingress_is_told_when_all_of_its_hosts_are_enforced(before, after, wanted):
    told = notices.of_enforcement(ISSUER, before, after)
    assert [at.name for at, each in told if each.reason == "GateEnforced"] == wanted


def found(reason, **details):
    listed = hosts(**dict.fromkeys(details, REASONS[reason].status))
    for entry, detail in zip(listed["enforcement"], details.values(), strict=True):
        entry |= {"reason": reason, "detail": detail}
    return listed


def opened(**details):
    return found("Open", **details)


ANSWERS, HANGS = "answers 200 over plain HTTP at replica nginx/one", "replica nginx/one hangs: no answer"


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        (hosts(), opened(app=ANSWERS), ["app"]),
        (hosts(app="True"), opened(app=ANSWERS), ["app"]),
        (found("ControllerHangs", app=HANGS), opened(app=ANSWERS), ["app"]),
        (opened(app=ANSWERS), opened(app=ANSWERS), []),
        (opened(app=ANSWERS), opened(app=ANSWERS + " and two"), []),
        (hosts(app="True"), found("ControllerHangs", app=HANGS), []),
        (hosts(app="True"), found("ControllerHangs", app=ANSWERS), []),
        (hosts(app="True"), opened(app=f"replica gone: {ANSWERS}"), ["app"]),
        (hosts(app="True"), hosts(app="Unknown"), []),
        (opened(app_1=ANSWERS), opened(app_1=ANSWERS, app_2=ANSWERS, web=ANSWERS), ["app", "web"]),
    ],
)
def test_an_ingress_is_told_once_of_each_host_that_a_probe_found_open(before, after, wanted):
    told = [(at.name, each) for at, each in notices.of_enforcement(ISSUER, before, after)]
    assert [name for name, _ in told] == wanted
    assert all((each.reason, each.warning) == ("Open", True) and ANSWERS in each.message for _, each in told)


def test_all_open_hosts_of_an_ingress_are_one_event_that_names_them():
    ((_, told),) = notices.of_enforcement(ISSUER, hosts(), opened(app_1=ANSWERS, app_2=ANSWERS))
    assert told.message == f"Host app_1.example is open: it {ANSWERS}. So are app_2.example"


def test_a_host_that_a_full_list_left_out_before_is_no_news():
    full = hosts(**{f"app{n}": "True" for n in range(notices.MOST_LISTED)})
    for state in ("True", "False"):
        more = {"enforcement": full["enforcement"] + hosts(other=state)["enforcement"]}
        assert list(notices.of_enforcement(ISSUER, full, more)) == []


# Any history

_CLIENT = [*BY_CONDITION["Ready"]], [*BY_CONDITION["Admitted"]]
statuses = st.builds(
    lambda ready, admitted, serial, generation: (
        status(ready, admitted, observedGeneration=generation)
        | ({"serialNumber": serial, "secretName": "s", "notAfter": "t"} if serial else {})
    ),
    st.sampled_from(_CLIENT[0]),
    st.sampled_from(_CLIENT[1]),
    st.sampled_from([None, "1a", "2b"]),
    st.integers(1, 3),
)


@drawn(st.lists(statuses, min_size=1, max_size=6))
def test_whatever_happens_to_a_client_a_second_look_tells_nothing_and_no_reason_twice_at_once(history):
    before = NEW
    for after in history:
        told = reasons(notices.of_client(before, after))
        assert len(told) == len(set(told))
        assert list(notices.of_client(after, after)) == []
        before = after


@drawn(st.lists(st.sampled_from([None, HOLD, DELETED, BY_HAND, LIFTED, FINAL, LEAKED]), min_size=2, max_size=6))
def test_whatever_happens_to_a_record_each_step_is_told_once(history):
    for before, now in pairwise(history):
        if now is None:
            continue
        after = replace(given.record(), revocation=now)
        assert notices.of_revocation(after, now, by_operator=True) is None
        told = notices.of_revocation(replace(after, revocation=before), now, by_operator=True)
        refused = before is not None and not before.lifted
        if refused != (not now.lifted):
            assert told is not None, "access is lost or given back"


def test_the_page_lists_what_the_code_tells():
    assert events_page.PAGE.read_text() == events_page.page(), "make docs"
