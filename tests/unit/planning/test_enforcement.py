"""What one connection of a probe shows, what all of them do, and when a gate is probed next."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.objects.meta import ObjectKey
from doorward.planning.enforcement import (
    AGAIN,
    FIRST,
    HANGS_AFTER,
    OFTEN,
    SELDOM,
    SOON,
    Asked,
    Finding,
    Gate,
    Heard,
    Verdict,
    Way,
    due,
    found,
    judge,
    state_of,
)
from tests.unit.given import NOW, SECOND

OURS, THEIRS = b"ours", b"theirs"
PAGE = "https://help.example/no-certificate"
ASKED = Asked(
    target=ObjectKey("edge", "shop"), host="shop.example", issuer=ObjectKey("edge", "partners"), anchors={OURS}
)
OPTIONAL = replace(ASKED, optional=True)
WITH_PAGE = replace(ASKED, error_page=PAGE)
ASKS = frozenset({OURS})
TLS = (Way.NOBODY, Way.FOREIGN)


def answer(status, *, authorities=ASKS, **more):
    return Heard(status=status, authorities=authorities, **more)


@pytest.mark.promise(3)
@pytest.mark.parametrize(
    ("asked", "ways", "heard", "verdict"),
    [
        pytest.param(ASKED, TLS, answer(400), Verdict.REFUSED, id="ingress-nginx refuses"),
        pytest.param(ASKED, TLS, answer(403), Verdict.REFUSED, id="another proxy refuses"),
        pytest.param(ASKED, TLS, Heard(alert="tlsv13 alert certificate required"), Verdict.REFUSED, id="the handshake refuses"),
        pytest.param(ASKED, TLS, Heard(alert="tlsv1 alert unknown ca"), Verdict.REFUSED, id="the CA is not known"),
        pytest.param(ASKED, TLS, Heard(alert="tlsv1 unrecognized name"), Verdict.UNCLEAR, id="an alert that says nothing"),
        pytest.param(ASKED, TLS, answer(200), Verdict.OPEN, id="it is answered"),
        pytest.param(ASKED, TLS, answer(404), Verdict.OPEN, id="the application answers that there is nothing"),
        pytest.param(ASKED, TLS, answer(302, location="/login"), Verdict.OPEN, id="the application redirects"),
        pytest.param(ASKED, TLS, answer(400, authorities=frozenset()), Verdict.OPEN, id="a 400 of an application's own"),
        pytest.param(ASKED, TLS, answer(200, authorities=frozenset()), Verdict.OPEN, id="nobody is asked"),
        pytest.param(ASKED, TLS, answer(400, authorities={THEIRS}), Verdict.OPEN, id="another CA is asked for"),
        pytest.param(ASKED, TLS, answer(400, authorities={OURS, THEIRS}), Verdict.OPEN, id="another CA is asked for, too"),
        pytest.param(ASKED, TLS, answer(502), Verdict.UNCLEAR, id="an error says nothing"),
        pytest.param(ASKED, TLS, answer(403, authorities=frozenset()), Verdict.UNCLEAR, id="closed to everybody"),
        pytest.param(WITH_PAGE, TLS, answer(302, location=PAGE), Verdict.REFUSED, id="the error page"),
        pytest.param(WITH_PAGE, TLS, answer(302, location=PAGE + "s"), Verdict.OPEN, id="another page"),
        pytest.param(ASKED, TLS, answer(302, location=PAGE), Verdict.OPEN, id="an error page that nobody asked for"),
        pytest.param(WITH_PAGE, TLS, answer(200, location=PAGE), Verdict.OPEN, id="an answer that names the error page"),
        pytest.param(OPTIONAL, TLS, answer(403), Verdict.REFUSED, id="the gate service refuses"),
        pytest.param(OPTIONAL, (Way.NOBODY,), answer(400), Verdict.OPEN, id="optional, and a 400 of an application's own"),
        pytest.param(OPTIONAL, (Way.FOREIGN,), answer(400), Verdict.REFUSED, id="optional refuses what is presented"),
        pytest.param(OPTIONAL, TLS, answer(200), Verdict.OPEN, id="optional, and nobody refuses"),
        pytest.param(OPTIONAL, TLS, answer(500), Verdict.UNCLEAR, id="optional, and the gate service is away"),
        pytest.param(ASKED, TLS, Heard(trouble="hm"), Verdict.SILENT, id="it does not answer"),
        pytest.param(ASKED, TLS, Heard(trouble="hm", connected=False), Verdict.UNREACHABLE, id="it is not there"),
        pytest.param(ASKED, (Way.PLAIN,), Heard(status=308, location="https://shop.example/"), Verdict.REFUSED, id="port 80 redirects"),
        pytest.param(ASKED, (Way.PLAIN,), Heard(status=308, location="HTTPS://shop.example/"), Verdict.REFUSED, id="port 80 redirects, loudly"),
        pytest.param(ASKED, (Way.PLAIN,), Heard(status=200), Verdict.OPEN, id="port 80 answers"),
        pytest.param(ASKED, (Way.PLAIN,), Heard(status=204), Verdict.OPEN, id="port 80 answers with nothing"),
        pytest.param(ASKED, (Way.PLAIN,), Heard(status=302, location="/login"), Verdict.OPEN, id="port 80 redirects to itself"),
        pytest.param(ASKED, (Way.PLAIN,), Heard(status=403), Verdict.REFUSED, id="port 80 refuses"),
        pytest.param(ASKED, (Way.PLAIN,), Heard(trouble="hm", connected=False), Verdict.REFUSED, id="nothing listens on port 80"),
        pytest.param(ASKED, (Way.PLAIN,), Heard(trouble="hm"), Verdict.SILENT, id="port 80 does not answer"),
    ],
)  # fmt: skip
def test_one_connection_shows(asked, ways, heard, verdict):
    for way in ways:
        shown, why = judge(asked, way, heard)
        assert shown is verdict
        assert (why == "") == (verdict is Verdict.REFUSED)


def test_a_host_that_is_answered_as_one_that_nobody_has_may_not_be_served_at_all():
    heard = answer(404, authorities=frozenset())
    shown, why = judge(ASKED, Way.NOBODY, heard, Heard(status=404))
    assert shown is Verdict.UNCLEAR
    assert why.endswith(", as for a host that the controller does not serve")
    assert judge(ASKED, Way.NOBODY, heard, Heard(status=200))[0] is Verdict.OPEN
    assert judge(ASKED, Way.NOBODY, heard, Heard(alert="tlsv1 unrecognized name"))[0] is Verdict.OPEN
    assert judge(ASKED, Way.NOBODY, answer(404), Heard(status=404))[0] is Verdict.OPEN, "it asks for certificates"


def test_a_host_that_cannot_be_compared_with_one_that_nobody_has_is_not_called_open():
    heard = answer(404, authorities=frozenset())
    shown, why = judge(
        ASKED, Way.NOBODY, heard, Heard(trouble="cannot be reached on port 443 (no answer)", connected=False)
    )
    assert shown is Verdict.UNCLEAR
    assert why.endswith(
        ". Asked for a host that the controller does not serve, it cannot be reached on port 443 (no answer)"
    )


def test_it_is_said_how_an_open_host_was_asked_and_of_how_many_cas_it_asks_for_certificates():
    open_to_all = answer(200, authorities=frozenset())
    assert judge(ASKED, Way.NOBODY, open_to_all)[1] == "answers 200 and asks for no client certificate"
    assert judge(ASKED, Way.FOREIGN, open_to_all)[1].endswith(" with a certificate of another CA")
    assert "of a CA that is not" in judge(ASKED, Way.NOBODY, answer(400, authorities={THEIRS}))[1]
    assert "of 2 CAs, of which one that is" in judge(ASKED, Way.NOBODY, answer(400, authorities={THEIRS, b""}))[1]


def test_that_a_host_is_answered_with_success_is_never_explained_away():
    assert judge(ASKED, Way.NOBODY, answer(200, authorities=frozenset()), Heard(status=200))[0] is Verdict.OPEN
    assert judge(ASKED, Way.NOBODY, answer(200, authorities=frozenset()), Heard(trouble="hm"))[0] is Verdict.OPEN


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_each_redirect_may_lead_to_the_error_page_or_open_a_host(status):
    assert judge(WITH_PAGE, Way.NOBODY, answer(status, location=PAGE))[0] is Verdict.REFUSED
    assert judge(ASKED, Way.PLAIN, Heard(status=status, location="http://shop.example/"))[0] is Verdict.OPEN


HEARD = st.builds(
    Heard,
    status=st.integers(200, 599),
    location=st.sampled_from(["", PAGE, "/", "https://shop.example/"]),
    authorities=st.frozensets(st.sampled_from([OURS, THEIRS, b""])),
)
UNKNOWN = st.one_of(st.none(), HEARD, st.just(Heard(trouble="hm")))


@given(st.sampled_from([ASKED, OPTIONAL, WITH_PAGE]), st.sampled_from(TLS), HEARD, UNKNOWN)
def test_nothing_counts_as_refused_but_a_refusal_by_a_host_that_asks_for_our_certificates_alone(
    asked, way, heard, unknown
):
    if judge(asked, way, heard, unknown)[0] is Verdict.REFUSED:
        assert heard.authorities == ASKS
        assert heard.status in (400, 403) or heard.location == asked.error_page


@given(st.sampled_from([ASKED, OPTIONAL, WITH_PAGE]), st.sampled_from([*TLS, Way.PLAIN]), HEARD, UNKNOWN)
def test_a_success_is_always_open(asked, way, heard, unknown):
    if heard.status < 300:
        assert judge(asked, way, heard, unknown)[0] is Verdict.OPEN


REFUSED = Finding(verdict=Verdict.REFUSED, detail="", at=NOW, since=NOW)


def finding(verdict, *, at=NOW, since=NOW, detail="says so"):
    return Finding(verdict=verdict, detail=detail, at=at, since=since)


def test_the_worst_connection_counts():
    shown = [(Verdict.REFUSED, ""), (Verdict.OPEN, "open"), (Verdict.UNREACHABLE, "away")]
    assert found(shown, None, NOW) == finding(Verdict.OPEN, detail="open")


def test_it_is_known_since_when_a_verdict_lasts():
    later = NOW + SECOND
    assert found([(Verdict.SILENT, "")], finding(Verdict.SILENT), later).since == NOW
    assert found([(Verdict.SILENT, "")], REFUSED, later).since == later


@pytest.mark.parametrize(
    ("last", "gates", "when"),
    [
        pytest.param(None, 1, NOW + FIRST, id="a new gate, when it may be loaded"),
        pytest.param(replace(REFUSED, at=NOW - SECOND), 1, NOW + FIRST, id="a gate that changed"),
        pytest.param(replace(REFUSED, at=NOW + FIRST), 1, NOW + FIRST + OFTEN, id="one of few gates, often"),
        pytest.param(replace(REFUSED, at=NOW + FIRST), 1000, NOW + AGAIN, id="once more after a change"),
        pytest.param(replace(REFUSED, at=NOW + AGAIN), 1000, NOW + AGAIN + SELDOM, id="one of many gates, every few minutes"),
        pytest.param(finding(Verdict.OPEN, at=NOW + FIRST), 1000, NOW + FIRST + SOON, id="an open one, soon"),
        pytest.param(finding(Verdict.SILENT, at=NOW + AGAIN), 1000, NOW + AGAIN + SOON, id="a silent one, soon"),
    ],
)  # fmt: skip
def test_a_gate_is_probed(last, gates, when):
    assert due(last, NOW, gates) == when


def gate(**findings):
    return Gate(target=ASKED.target, host=ASKED.host, findings=findings)


@pytest.mark.parametrize(
    ("given_gate", "state", "reason", "says"),
    [
        pytest.param(gate(a=REFUSED, b=REFUSED), "True", "ProbesRefused", "", id="refused by all"),
        pytest.param(gate(a=REFUSED), "Unknown", "NotVerified", "not probed yet at replica b", id="one was not asked"),
        pytest.param(gate(), "Unknown", "NotVerified", "not probed yet at replica a", id="none was asked"),
        pytest.param(gate(a=REFUSED, b=finding(Verdict.OPEN)), "False", "Open", "says so at replica b", id="one is open"),
        pytest.param(gate(a=finding(Verdict.SILENT), b=finding(Verdict.OPEN)), "False", "Open", "says so at replica b", id="open first"),
        pytest.param(gate(a=REFUSED, b=finding(Verdict.UNREACHABLE)), "Unknown", "NotReachable", "says so at replica b", id="one is away"),
        pytest.param(gate(a=REFUSED, b=finding(Verdict.SILENT)), "Unknown", "NotReachable", "says so at replica b", id="one does not answer"),
        pytest.param(gate(a=REFUSED, b=finding(Verdict.SILENT, since=NOW - HANGS_AFTER)), "False", "ControllerHangs", "replica b hangs: says so", id="one hangs"),
        pytest.param(gate(a=REFUSED, b=finding(Verdict.UNCLEAR)), "Unknown", "NotVerified", "says so at replica b", id="one says nothing clear"),
        pytest.param(gate(a=REFUSED, b=finding(Verdict.UNREACHABLE, since=NOW - timedelta(days=9))), "Unknown", "NotReachable", "says so at replica b", id="one is away for long"),
    ],
)  # fmt: skip
def test_a_gate_at_two_replicas_is(given_gate, state, reason, says):
    found_there = state_of(given_gate, ["a", "b"], NOW)
    assert (found_there.enforced, found_there.reason.name, found_there.detail) == (state, reason, says)


def test_a_gate_that_cannot_be_probed_is_not_verified_whatever_was_found_before():
    found_there = state_of(replace(gate(a=REFUSED, b=REFUSED), unprobed="it has no host"), ["a", "b"], NOW)
    assert (found_there.reason.name, found_there.detail) == ("NotVerified", "it has no host")
