"""What handshakes and canaries show of whether clients of other hosts are kept from the hosts of an issuer."""

from datetime import timedelta

import pytest

from doorward.objects.meta import ObjectKey
from doorward.planning import canary, separation
from doorward.planning.canary import Access, Asker, Flown, Place, Seen
from doorward.planning.canary_status import KEEPS_BEFORE
from doorward.planning.enforcement import NOT_KNOWN, Asked, Finding, Gate, Heard, Probed, Verdict
from doorward.planning.enforcement_status import FIRST_ROUND
from doorward.planning.separation import Known, Naming, Outcome, Unnamed, judge
from tests.unit import given
from tests.unit.given import NOW, SECOND

OURS, THEIRS = b"ours", b"theirs"
ONE, TWO = "192.0.2.7", "192.0.2.8"
ALERT = Heard(alert="tlsv1 unrecognized name")
ACCEPTED, OTHER = Heard(), Heard(authorities=frozenset({OURS, THEIRS}))
HANDSHAKE = given.issuer_spec(enforcement={"mode": "Handshake"})
CANARY = given.issuer_spec(enforcement={"mode": "Handshake", "canary": True})
PLACE, ELSEWHERE = Place("edge", ONE), Place("market", ONE)


@pytest.mark.parametrize(
    ("heard", "outcome"),
    [
        pytest.param(ALERT, Outcome.REFUSED, id="the name is not recognized"),
        pytest.param(ACCEPTED, Outcome.ACCEPTED, id="no certificate is asked for"),
        pytest.param(Heard(authorities={OURS}), Outcome.ACCEPTED, id="one of the issuer is asked for"),
        pytest.param(OTHER, Outcome.OTHER_CA, id="one of another CA is asked for"),
        pytest.param(Heard(authorities={b""}), Outcome.OTHER_CA, id="one of a CA with a name that is none"),
        pytest.param(
            Heard(authorities={THEIRS}, alert="tlsv13 alert certificate required"), Outcome.OTHER_CA, id="and demanded"
        ),
        pytest.param(Heard(alert="tlsv1 alert internal error"), Outcome.UNCLEAR, id="the server fails"),
        pytest.param(Heard(trouble="cannot be reached"), Outcome.UNCLEAR, id="nothing"),
    ],
)
@pytest.mark.promise(3)
def test_a_handshake_shows(heard, outcome):
    assert judge(heard, {OURS})[0] is outcome
    assert bool(judge(heard, {OURS})[1]) is (outcome is not Outcome.REFUSED)


def gate(verdict=Verdict.REFUSED, *replicas, name="shop"):
    finding = Finding(verdict=verdict, detail="" if verdict is Verdict.REFUSED else "why", at=NOW, since=NOW)
    return Gate(
        target=ObjectKey("edge", name),
        host=f"{name}.example",
        findings=dict.fromkeys(replicas or (ONE,), finding),
    )


def both(heard):
    return dict.fromkeys(Naming, heard)


def flown(what="unnamed", **at):
    places = {"shop": PLACE, "market": ELSEWHERE}
    seen = {
        places[name]: Seen(first=NOW, at=NOW, **{what: access}) for name, access in at.items() if access is not None
    }
    return Flown(
        generation=1,
        number=7,
        published=NOW,
        until=NOW + timedelta(minutes=10),
        places=[places[name] for name in at],
        seen=seen,
    )


def said(
    at=None, spec=HANDSHAKE, of=None, before=None, now=NOW, gate_service=False, protected=True, gates=None, **probed
):
    known = Known(
        spec=spec,
        probed=Probed(**{"gates": (gate(),) if gates is None else gates, "replicas": (ONE,)} | probed),
        unnamed=Unnamed(at={ONE: both(ACCEPTED)} if at is None else at, anchors={OURS}),
        canaries=canary.Canaries(flown=of, gate_service=gate_service),
        targets_protected=protected,
    )
    return separation.condition(known, before, now)


EVERY = {"spec": given.issuer_spec(), "gate_service": True}
TESTED = {"spec": given.issuer_spec(enforcement={"canary": True}), "gate_service": True}


def waiting(**at):
    return flown("waiting", **at)


@pytest.mark.promise(3)
@pytest.mark.parametrize(
    ("found", "status", "reason"),
    [
        # The gate service
        pytest.param(said(**EVERY), "True", "EveryRequestChecked", id="the gate service is asked"),
        pytest.param(said({ONE: both(OTHER)}, **EVERY), "True", "EveryRequestChecked", id="by clients of any CA"),
        pytest.param(
            said(of=flown(shop=Access.ADMITTED), **EVERY), "True", "EveryRequestChecked", id="and of any session"
        ),
        pytest.param(
            said(spec=given.issuer_spec()), "Unknown", "SeparationNotVerified", id="no gate service is installed"
        ),
        pytest.param(
            said(**EVERY | {"spec": HANDSHAKE}), "Unknown", "SeparationNotVerified", id="it is not to be asked"
        ),
        pytest.param(
            said(protected=False, **EVERY), "Unknown", "SeparationNotVerified", id="it is not asked at a target"
        ),
        pytest.param(
            said(gates=(gate(), gate(Verdict.OPEN, name="cafe")), **EVERY),
            "Unknown",
            "SeparationNotVerified",
            id="a host is open whatever its annotations say",
        ),
        pytest.param(
            said(gates=(gate(Verdict.UNCLEAR),), **EVERY), "Unknown", "SeparationNotVerified", id="a host is unclear"
        ),
        pytest.param(
            said(replicas=(ONE, TWO), **EVERY), "Unknown", "SeparationNotVerified", id="a replica was not probed"
        ),
        pytest.param(said(left_out=1, **EVERY), "Unknown", "SeparationNotVerified", id="a replica is not probed"),
        pytest.param(said(unprobed="off", **EVERY), "Unknown", "SeparationNotVerified", id="nothing is probed"),
        pytest.param(
            said(of=waiting(shop=Access.ADMITTED), **TESTED), "False", "GateServiceNotAsked", id="a canary came past it"
        ),
        pytest.param(
            said(of=waiting(shop=Access.REFUSED, market=Access.ADMITTED), **TESTED),
            "False",
            "GateServiceNotAsked",
            id="at one gate",
        ),
        pytest.param(
            said(of=waiting(shop=Access.REFUSED), **TESTED), "True", "EveryRequestChecked", id="it refused a canary"
        ),
        pytest.param(
            said(of=waiting(shop=Access.ADMITTED), **EVERY), "True", "EveryRequestChecked", id="of canaries that ended"
        ),
        pytest.param(
            said(of=waiting(shop=Access.REFUSED, market=None), **TESTED), "True", "EveryRequestChecked", id="so far"
        ),
        # Handshakes that name no host
        pytest.param(said({ONE: both(ALERT)}), "True", "UnknownNamesRefused", id="handshakes are refused"),
        pytest.param(
            said({ONE: both(ALERT)}, CANARY, flown(shop=Access.ADMITTED)),
            "True",
            "UnknownNamesRefused",
            id="since after the last canary",
        ),
        pytest.param(
            said({ONE: {Naming.NOTHING: ALERT, Naming.UNKNOWN: ACCEPTED}}),
            "Unknown",
            "SeparationNotVerified",
            id="an unknown name is not refused",
        ),
        pytest.param(
            said({ONE: {Naming.NOTHING: ACCEPTED, Naming.UNKNOWN: ALERT}}),
            "Unknown",
            "SeparationNotVerified",
            id="no name is not refused",
        ),
        pytest.param(
            said({ONE: {Naming.NOTHING: ALERT}}), "Unknown", "SeparationNotVerified", id="an unknown name was not tried"
        ),
        pytest.param(
            said({ONE: both(ALERT)}, left_out=1), "Unknown", "SeparationNotVerified", id="a replica was not tried"
        ),
        pytest.param(said({ONE: both(ALERT)}, replicas=(ONE, TWO)), "Unknown", "SeparationNotVerified", id="or is new"),
        pytest.param(
            said({ONE: both(ALERT)}, unprobed="off"), "Unknown", "SeparationNotVerified", id="and nothing is probed now"
        ),
        pytest.param(said({}, replicas=()), "Unknown", "SeparationNotVerified", id="there is no replica"),
        pytest.param(
            said({ONE: both(ALERT), TWO: both(OTHER)}, replicas=(ONE, TWO)),
            "False",
            "OtherCAWithoutSNI",
            id="one replica asks for certificates of another CA",
        ),
        pytest.param(
            said({ONE: both(OTHER)}, CANARY, flown(shop=Access.REFUSED)),
            "False",
            "OtherCAWithoutSNI",
            id="of which a canary shows nothing",
        ),
        # Canaries
        pytest.param(
            said(spec=CANARY, of=flown(shop=Access.ADMITTED)), "False", "SessionsOfOtherHosts", id="sessions resume"
        ),
        pytest.param(
            said(spec=CANARY, of=flown(shop=Access.REFUSED, market=Access.ADMITTED)),
            "False",
            "SessionsOfOtherHosts",
            id="at one gate",
        ),
        pytest.param(
            said(spec=CANARY, of=flown(shop=Access.REFUSED)), "True", "SessionsSeparated", id="no session resumes"
        ),
        pytest.param(
            said(spec=CANARY, of=flown(shop=Access.REFUSED, market=None)),
            "Unknown",
            "SeparationNotVerified",
            id="one gate was not tried",
        ),
        pytest.param(said(spec=CANARY, of=flown()), "Unknown", "SeparationNotVerified", id="no gate was tried"),
        pytest.param(
            said({ONE: both(ACCEPTED), TWO: {}}, CANARY, flown(shop=Access.REFUSED), replicas=(ONE, TWO)),
            "Unknown",
            "SeparationNotVerified",
            id="a replica may ask for certificates of another CA",
        ),
        pytest.param(
            said(spec=CANARY, of=flown(shop=Access.REFUSED), left_out=1),
            "Unknown",
            "SeparationNotVerified",
            id="and so may one that is not probed",
        ),
        pytest.param(
            said({ONE: both(ACCEPTED), TWO: {}}, CANARY, flown(shop=Access.ADMITTED), replicas=(ONE, TWO)),
            "False",
            "SessionsOfOtherHosts",
            id="sessions resume, whatever a replica may ask for",
        ),
        pytest.param(said(spec=CANARY), "Unknown", "SeparationNotVerified", id="no CRL had a canary"),
        pytest.param(
            said(of=flown(shop=Access.REFUSED)), "Unknown", "SeparationNotVerified", id="canaries were switched off"
        ),
    ],
)
def test_hosts_are_separated(found, status, reason):
    assert (found.reason.status, found.reason.name) == (status, reason)


def test_without_a_gate_nothing_is_said():
    assert said(gates=()) is None


def test_the_message_says_at_which_replica_and_how_to_fix_it():
    message = said({ONE: both(ALERT), TWO: {Naming.NOTHING: OTHER, Naming.UNKNOWN: ALERT}}, replicas=(ONE, TWO)).message
    assert f"replica {TWO} asks for certificates of a CA that is not the issuer's without SNI" in message
    assert f"replica {ONE}" not in message
    assert 'ssl-reject-handshake: "true"' in message
    assert "enforcement.mode: EveryRequest" in message


def test_of_many_replicas_three_are_named():
    many = tuple(f"192.0.2.{n}" for n in range(32))
    message = said({replica: both(OTHER) for replica in many}, replicas=many).message
    assert message.count("replica 192.") == 3
    assert "and 61 more" in message


def test_a_process_that_was_just_started_keeps_what_was_said():
    before = said({ONE: both(ALERT)})
    starting = {"at": {}, "before": before, "since": NOW}
    assert said(**starting).message == before.message
    assert said(**starting).ends == NOW + FIRST_ROUND
    assert said(**starting, unprobed=NOT_KNOWN).message == before.message
    assert said(**starting, unprobed="off").reason.name == "SeparationNotVerified"
    assert said(**starting, now=NOW + FIRST_ROUND).reason.name == "SeparationNotVerified"
    assert said(at={}, before=before).reason.name == "SeparationNotVerified", "it has probed all once"
    assert said({ONE: both(OTHER)}, before=before, since=NOW).reason.name == "OtherCAWithoutSNI"


@pytest.mark.parametrize("shown", [Access.ADMITTED, Access.REFUSED])
def test_what_a_canary_showed_stays_until_the_next_has_asked(shown):
    before = said(spec=CANARY, of=flown(shop=shown))
    assert said(spec=CANARY, before=before) == before, "after a restart"
    asking = flown(shop=None)
    assert said(spec=CANARY, of=asking, before=before).message == before.message
    assert said(spec=CANARY, of=asking, before=before).ends == NOW + KEEPS_BEFORE
    late = said(spec=CANARY, of=asking, before=before, now=NOW + KEEPS_BEFORE)
    assert late.reason.name == "SeparationNotVerified"
    assert said(before=before).reason.name == "SeparationNotVerified", "canaries were switched off"


def test_that_the_gate_service_was_not_asked_stays_until_the_next_canary_was_refused():
    before = said(of=waiting(shop=Access.ADMITTED), **TESTED)
    assert said(before=before, **TESTED) == before, "after a restart"
    asking = waiting(shop=Access.REFUSED, market=None)
    assert said(of=asking, before=before, **TESTED).message == before.message
    assert said(of=asking, before=before, **TESTED).ends == NOW + KEEPS_BEFORE
    assert said(of=asking, before=before, now=NOW + KEEPS_BEFORE, **TESTED).reason.name == "EveryRequestChecked"
    refused = waiting(shop=Access.REFUSED)
    assert said(of=refused, before=before, **TESTED).reason.name == "EveryRequestChecked"


def test_what_handshakes_showed_does_not_stay_for_a_canary():
    before = said({ONE: both(ALERT)})
    assert said(spec=CANARY, before=before).reason.name == "SeparationNotVerified"
    assert said(before=said({ONE: both(OTHER)}), **TESTED).reason.name == "EveryRequestChecked"


def test_where_nothing_was_said_before_a_process_that_was_just_started_says_that_it_is_not_verified():
    assert said(at={}, since=NOW).reason.name == "SeparationNotVerified"


ASKED = Asked(target=ObjectKey("edge", "shop"), host="shop.example", issuer=given.ISSUER, anchors={OURS})


@pytest.mark.promise(3)
@pytest.mark.parametrize(
    ("heard", "access"),
    [
        pytest.param(Heard(status=413), Access.ADMITTED, id="nginx takes the session"),
        pytest.param(Heard(status=403), Access.ADMITTED, id="and the gate service refuses it"),
        pytest.param(Heard(status=400), Access.REFUSED, id="it wants a certificate"),
        pytest.param(Heard(status=421), Access.REFUSED, id="it compares the names"),
        pytest.param(ALERT, Access.REFUSED, id="it refuses the handshake"),
        pytest.param(Heard(alert="tlsv1 alert internal error"), Access.UNCLEAR, id="it fails"),
        pytest.param(Heard(status=404), Access.UNCLEAR, id="it answers for another host"),
        pytest.param(Heard(trouble="no answer"), Access.UNCLEAR, id="it does not answer"),
    ],
)
def test_a_session_that_is_resumed_without_the_name_of_its_host_shows(heard, access):
    assert canary.judge(ASKED, Asker.UNNAMED, heard)[0] is access


@pytest.mark.parametrize("asker", [Asker.REVOKED, Asker.LIVE, Asker.RESUMED])
def test_what_refuses_a_name_says_nothing_of_those_that_name_the_host(asker):
    misdirected = Heard(status=421, authorities={OURS})
    assert canary.judge(ASKED, asker, ALERT)[0] is canary.judge(ASKED, asker, misdirected)[0] is Access.UNCLEAR


def test_a_place_is_settled_when_that_was_answered_too():
    answers = {
        Asker.REVOKED: (Access.REFUSED, ""),
        Asker.LIVE: (Access.ADMITTED, ""),
        Asker.RESUMED: (Access.REFUSED, ""),
    }
    assert not canary.found(answers, None, NOW).settled
    both_answered = canary.found(answers | {Asker.UNNAMED: (Access.ADMITTED, "")}, None, NOW + SECOND)
    assert (both_answered.settled, both_answered.unnamed) == (True, Access.ADMITTED)


@pytest.mark.promise(3)
@pytest.mark.parametrize(
    ("heard", "access"),
    [
        pytest.param(Heard(status=100, authorities={OURS}), Access.ADMITTED, id="the body is asked for"),
        pytest.param(Heard(status=200, authorities={OURS}), Access.ADMITTED, id="the application answers"),
        pytest.param(Heard(status=403, authorities={OURS}), Access.REFUSED, id="the gate service refuses it"),
        pytest.param(Heard(status=400, authorities={OURS}), Access.UNCLEAR, id="the handshake refuses it"),
        pytest.param(Heard(status=500, authorities={OURS}), Access.UNCLEAR, id="the gate service does not answer"),
        pytest.param(Heard(status=100), Access.UNCLEAR, id="the host asks for no certificate"),
        pytest.param(Heard(trouble="no answer"), Access.UNCLEAR, id="nothing"),
    ],
)
def test_a_canary_that_waits_for_the_application_shows(heard, access):
    assert canary.judge(ASKED, Asker.WAITING, heard)[0] is access


def test_a_place_may_be_settled_without_that():
    answers = dict.fromkeys((Asker.REVOKED, Asker.RESUMED, Asker.UNNAMED), (Access.REFUSED, ""))
    seen = canary.found(answers | {Asker.LIVE: (Access.ADMITTED, ""), Asker.WAITING: (Access.ADMITTED, "")}, None, NOW)
    assert (seen.settled, seen.waiting) == (True, Access.ADMITTED)
