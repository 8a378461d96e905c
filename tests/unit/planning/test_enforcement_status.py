"""What an MTLSIssuer says of its gates from what probes show."""

from dataclasses import replace
from datetime import timedelta

import pytest

from doorward.api.conditions import instant
from doorward.objects.meta import ObjectKey
from doorward.planning.enforcement import HANGS_AFTER, NOT_KNOWN, Finding, Gate, Probed, Verdict
from doorward.planning.enforcement_status import FIRST_ROUND, MOST_LISTED, condition, listed
from tests.unit.given import NOW, SECOND

SHOP = ObjectKey("edge", "shop")
REPLICA = "192.0.2.7"


def probed(*verdicts, replicas=(REPLICA,), since=NOW - FIRST_ROUND, detail="answers 200", known_for=0.0, **more):
    """An issuer with a gate for each verdict; None: it was not probed yet."""
    seen = NOW - timedelta(seconds=known_for)
    gates = [
        Gate(
            target=SHOP,
            host=f"host-{n:03}.example",
            findings={} if v is None else {REPLICA: Finding(verdict=v, detail=detail, at=NOW, since=seen)},
        )
        for n, v in enumerate(verdicts)
    ]
    return Probed(gates=gates, replicas=replicas, since=since, **more)


@pytest.mark.parametrize(
    ("seen", "status", "reason"),
    [
        pytest.param(probed(Verdict.REFUSED), "True", "ProbesRefused", id="all refuse"),
        pytest.param(probed(Verdict.REFUSED, Verdict.OPEN), "False", "Open", id="one is open"),
        pytest.param(probed(Verdict.UNREACHABLE, Verdict.OPEN), "False", "Open", id="one is open and one is away"),
        pytest.param(probed(Verdict.SILENT), "Unknown", "NotReachable", id="one does not answer"),
        pytest.param(probed(Verdict.SILENT, known_for=30), "False", "ControllerHangs", id="one hangs"),
        pytest.param(probed(Verdict.UNREACHABLE, known_for=9e6), "Unknown", "NotReachable", id="one is away for ever"),
        pytest.param(probed(Verdict.UNCLEAR), "Unknown", "NotVerified", id="one says nothing clear"),
        pytest.param(probed(Verdict.REFUSED, None), "Unknown", "NotVerified", id="one was not probed yet"),
        pytest.param(probed(Verdict.REFUSED, replicas=(REPLICA, "b")), "Unknown", "NotVerified", id="a new replica"),
        pytest.param(
            probed(Verdict.REFUSED, left_out=1), "Unknown", "NotVerified", id="one replica more than is probed"
        ),
        pytest.param(probed(Verdict.OPEN, left_out=1), "False", "Open", id="one of those that are probed is open"),
        pytest.param(
            probed(Verdict.REFUSED, unprobed="no Service"), "Unknown", "NotVerified", id="no replica is known"
        ),
    ],
)
def test_enforced_is(seen, status, reason):
    found = condition(seen, None, NOW)
    assert (found.reason.status, found.reason.name) == (status, reason)


def test_nothing_is_said_of_an_issuer_without_a_gate():
    assert condition(probed(), None, NOW) is None


def test_it_is_said_which_host_is_open_where_and_how():
    message = condition(probed(Verdict.OPEN), None, NOW).message
    assert "host host-000.example of edge/shop answers 200 at replica 192.0.2.7" in message


def test_a_replica_that_does_not_answer_is_looked_at_again_when_it_hangs():
    assert condition(probed(Verdict.SILENT), None, NOW).ends == NOW + HANGS_AFTER
    both = probed(Verdict.SILENT, known_for=9).gates[0], probed(Verdict.SILENT).gates[0]
    assert condition(Probed(gates=both, replicas=(REPLICA,)), None, NOW).ends == NOW + HANGS_AFTER - 9 * SECOND
    assert condition(probed(Verdict.UNREACHABLE), None, NOW).ends is None


def test_of_many_hosts_three_are_named_and_of_many_replicas_eight():
    message = condition(probed(*[Verdict.OPEN] * 5), None, NOW).message
    assert message.count("host host-") == 3
    assert "; and 2 more" in message
    assert "more" not in condition(probed(*[Verdict.OPEN] * 3), None, NOW).message
    many = tuple(f"192.0.2.{n}" for n in range(10))
    (gate,) = probed(Verdict.REFUSED).gates
    gate = replace(gate, findings=dict.fromkeys(many, gate.findings[REPLICA]))
    message = condition(Probed(gates=(gate,), replicas=many), None, NOW).message
    assert message.count("192.0.2.") == 8
    assert "192.0.2.7 and 2 more" in message


def test_which_replicas_refuse_is_said_and_the_message_does_not_change_by_itself():
    message = condition(probed(Verdict.REFUSED), None, NOW).message
    assert REPLICA in message
    assert condition(probed(Verdict.REFUSED, known_for=99), None, NOW + SECOND).message == message


def test_a_process_that_was_just_started_keeps_what_was_said_until_it_has_probed_once():
    before = condition(probed(Verdict.REFUSED), None, NOW)
    starting = probed(None, since=NOW - SECOND)
    kept = condition(starting, before, NOW)
    assert (kept.reason.name, kept.message) == ("ProbesRefused", before.message)
    assert kept.ends == NOW - SECOND + FIRST_ROUND
    assert condition(starting, before, kept.ends).reason.name == "NotVerified"
    assert condition(probed(Verdict.OPEN, since=NOW), before, NOW).reason.name == "Open", (
        "what was found is said at once"
    )
    assert condition(probed(None, since=NOW), None, NOW).reason.name == "NotVerified", "nothing was said"


def test_one_host_that_says_nothing_clear_or_cannot_be_probed_is_said_while_others_are_waited_for():
    before = condition(probed(Verdict.REFUSED), None, NOW)
    assert condition(probed(Verdict.UNCLEAR, None, since=NOW), before, NOW).reason.name == "NotVerified"
    waiting, other = probed(None, None, since=NOW).gates
    barred = Probed(gates=(waiting, replace(other, unprobed="it has no host")), replicas=(REPLICA,), since=NOW)
    found = condition(barred, before, NOW)
    assert (found.reason.name, found.ends) == ("NotVerified", None)


def test_a_process_that_was_just_started_says_at_once_why_it_cannot_probe():
    denied, waiting = (probed(None, since=NOW, unprobed=why) for why in ("not allowed", NOT_KNOWN))
    unverified, verified = condition(denied, None, NOW), condition(probed(Verdict.REFUSED), None, NOW)
    nobody = probed(None, since=NOW, unprobed="no endpoints")
    assert "no endpoints" in condition(nobody, unverified, NOW).message
    assert condition(waiting, unverified, NOW).message == unverified.message
    assert condition(probed(None, since=NOW), unverified, NOW).message == unverified.message
    assert "answers 200" in condition(probed(Verdict.UNCLEAR, since=NOW), unverified, NOW).message
    assert "no endpoints" in condition(nobody, verified, NOW).message
    assert condition(waiting, verified, NOW).message == verified.message


def test_without_probes_nothing_is_kept():
    before = condition(probed(Verdict.REFUSED), None, NOW)
    assert condition(probed(None, since=None, unprobed="off"), before, NOW).reason.name == "NotVerified"


def test_the_hosts_that_are_not_enforced_are_listed_first_and_no_more_than_fit():
    found = listed(probed(*[Verdict.REFUSED] * 60, Verdict.UNREACHABLE, Verdict.OPEN), (), NOW)
    assert [(entry["enforced"], entry["reason"]) for entry in found] == [
        ("False", "Open"),
        ("Unknown", "NotReachable"),
        *[("True", "ProbesRefused")] * (MOST_LISTED - 2),
    ]
    assert found[0] == {
        "namespace": "edge",
        "target": "shop",
        "host": "host-061.example",
        "enforced": "False",
        "reason": "Open",
        "since": instant(NOW),
        "detail": "answers 200 at replica 192.0.2.7",
    }


def test_it_is_listed_since_when_a_host_is_enforced():
    before = listed(probed(Verdict.REFUSED), (), NOW)
    later = NOW + timedelta(hours=1)
    assert listed(probed(Verdict.REFUSED), before, later) == before
    assert listed(probed(Verdict.OPEN), before, later)[0]["since"] == instant(later)


def test_what_was_listed_stays_while_a_process_starts():
    before = listed(probed(Verdict.REFUSED), (), NOW)
    assert listed(probed(None, since=NOW), before, NOW) == before
    unknown = probed(None, since=NOW, unprobed=NOT_KNOWN)
    assert listed(unknown, before, NOW) == before
    assert listed(probed(None, since=NOW, unprobed="no endpoints"), before, NOW) == []
    assert listed(unknown, before, NOW + FIRST_ROUND) == []
    assert listed(probed(since=NOW), before, NOW) == [], "no gate is left"
    assert listed(probed(since=NOW, unprobed=NOT_KNOWN), before, NOW) == [], "nor is one"


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        pytest.param(probed(None), "NotVerified", id="the process was not just started"),
        pytest.param(probed(None, since=None), "NotVerified", id="it has probed all once"),
        pytest.param(probed(Verdict.UNREACHABLE, since=NOW), "NotReachable", id="a probe found nobody"),
        pytest.param(probed(Verdict.UNCLEAR, since=NOW), "NotVerified", id="a probe found nothing clear"),
    ],
)
def test_what_was_listed_does_not_stay_where(seen, reason):
    before = listed(probed(Verdict.REFUSED), (), NOW)
    (entry,) = listed(seen, before, NOW)
    assert (entry["enforced"], entry["reason"]) == ("Unknown", reason)


def test_a_host_that_was_not_listed_yet_is_listed_while_a_process_starts():
    (entry,) = listed(probed(None, since=NOW), (), NOW)
    assert (entry["enforced"], entry["reason"], entry["since"]) == ("Unknown", "NotVerified", instant(NOW))


def test_the_same_host_of_another_target_is_listed_by_itself():
    (gate,) = probed(Verdict.REFUSED).gates
    targets = [ObjectKey("edge", "cafe"), SHOP, ObjectKey("market", "shop")]
    gates = [replace(gate, target=target) for target in reversed(targets)]
    seen = Probed(gates=[*gates, replace(gate, host="a.example")], replicas=(REPLICA,))
    before = listed(seen, (), NOW)
    assert [ObjectKey(entry["namespace"], entry["target"]) for entry in before] == [targets[0], SHOP, *targets[1:]]
    assert [entry["host"] for entry in before[1:3]] == ["a.example", "host-000.example"]
    since = [{**entry, "since": instant(NOW - n * SECOND)} for n, entry in enumerate(before)]
    assert listed(seen, since, NOW) == since


@pytest.mark.promise(3)
def test_more_replicas_than_are_probed_are_said_though_the_process_was_just_started():
    enforced = condition(probed(Verdict.REFUSED), None, NOW)
    found = condition(probed(Verdict.REFUSED, left_out=8, since=NOW), enforced, NOW)
    assert found.message == "Not verified: the ingress controller has 9 replicas, of which the operator probes 1"
    (entry,) = listed(probed(Verdict.REFUSED, left_out=8), [], NOW)
    assert (entry["enforced"], entry["reason"]) == ("Unknown", "NotVerified")
    assert entry["detail"] == found.message.removeprefix("Not verified: ")
    (entry,) = listed(probed(Verdict.OPEN, left_out=8), [], NOW)
    assert (entry["enforced"], entry["reason"]) == ("False", "Open")
