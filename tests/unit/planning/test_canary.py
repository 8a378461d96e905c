"""What the answers to canaries show."""

from dataclasses import replace
from datetime import timedelta

import pytest

from doorward.objects.meta import ObjectKey
from doorward.pki import canaries
from doorward.planning import canary, crl
from doorward.planning.canary import LOADS_WITHIN, OFTEN_FOR, Access, Asker, Flown, Place, found, judge
from doorward.planning.canary_status import KEEPS_BEFORE, condition, listed, must_repeat
from doorward.planning.enforcement import Asked, Heard
from tests.unit import given
from tests.unit.given import HOUR, NOW, SECOND

from .test_crl import snapshot, terms

ADMITTED, REFUSED, UNCLEAR = (Access.ADMITTED, ""), (Access.REFUSED, ""), (Access.UNCLEAR, "why")
OURS, ERROR_PAGE = b"ours", "https://help.example/refused"
ASKED = Asked(
    target=ObjectKey("edge", "shop"), host="shop.example", issuer=given.ISSUER, anchors={OURS}, error_page=ERROR_PAGE
)
SHOP, MARKET = Place("edge", "192.0.2.7"), Place("market", "192.0.2.7")
SPEC = given.issuer_spec(enforcement={"canary": True})
LATER = NOW + LOADS_WITHIN


def heard(status, named=OURS, **more):
    return Heard(status=status, authorities={named} if named else frozenset(), **more)


@pytest.mark.parametrize(
    ("answer", "access"),
    [
        pytest.param(heard(413), Access.ADMITTED, id="nginx takes the certificate and not the body"),
        pytest.param(heard(403), Access.ADMITTED, id="the gate service refuses who was verified"),
        pytest.param(heard(400), Access.REFUSED, id="nginx refuses the certificate"),
        pytest.param(heard(302, location=ERROR_PAGE), Access.REFUSED, id="it sends who is refused to the error page"),
        pytest.param(heard(302, location="https://shop.example/"), Access.UNCLEAR, id="it sends everybody elsewhere"),
        pytest.param(heard(200), Access.UNCLEAR, id="an answer that was not asked for"),
        pytest.param(heard(200, location=ERROR_PAGE), Access.UNCLEAR, id="though it names the error page"),
        pytest.param(heard(502), Access.UNCLEAR, id="an error of its own"),
        pytest.param(heard(413, named=b"theirs"), Access.UNCLEAR, id="the host is another issuer's"),
        pytest.param(heard(413, named=None), Access.UNCLEAR, id="the host asks nobody for a certificate"),
        pytest.param(heard(403, named=None), Access.UNCLEAR, id="the host is closed to all"),
        pytest.param(heard(0, alert="tlsv1 alert unknown ca"), Access.REFUSED, id="the handshake refuses it"),
        pytest.param(
            heard(0, alert="tlsv13 alert certificate required"), Access.REFUSED, id="it names the certificate"
        ),
        pytest.param(heard(0, alert="internal error"), Access.UNCLEAR, id="the handshake fails"),
        pytest.param(Heard(trouble="no answer"), Access.UNCLEAR, id="nothing"),
    ],
)
@pytest.mark.promise(1)
def test_an_answer_shows(answer, access):
    assert judge(ASKED, Asker.REVOKED, answer)[0] is access
    assert bool(judge(ASKED, Asker.REVOKED, answer)[1]) is (access is Access.UNCLEAR)


def test_nobody_is_asked_for_a_certificate_when_a_session_is_resumed():
    assert judge(ASKED, Asker.RESUMED, heard(413, named=None)) == ADMITTED
    assert judge(ASKED, Asker.RESUMED, heard(400)) == REFUSED


def seen(revoked, live=UNCLEAR, resumed=UNCLEAR, before=None, at=NOW, unnamed=REFUSED):
    answers = {Asker.REVOKED: revoked, Asker.LIVE: live, Asker.RESUMED: resumed, Asker.UNNAMED: unnamed}
    return found(answers, before, at)


@pytest.mark.promise(1)
def test_a_refusal_counts_only_where_the_live_one_is_admitted():
    assert seen(REFUSED, ADMITTED).refused_at == NOW
    closed = seen(REFUSED, REFUSED)
    assert (closed.refused_at, closed.detail) == (None, "the live one is refused as well")
    assert seen(REFUSED, UNCLEAR).refused_at is None
    assert seen(ADMITTED).refused_at is None
    assert seen(ADMITTED, ADMITTED).refused_at is None
    unclear = seen(UNCLEAR, ADMITTED)
    assert (unclear.refused_at, unclear.detail) == (None, "why")
    assert seen(REFUSED, UNCLEAR).detail == seen(UNCLEAR, REFUSED).detail == "why"
    assert seen(ADMITTED, REFUSED).detail == "why"


def test_it_is_remembered_when_it_was_refused_first_until_it_is_admitted_again():
    first = seen(REFUSED, ADMITTED)
    assert seen(REFUSED, ADMITTED, REFUSED, before=first, at=LATER).refused_at == NOW
    assert seen(UNCLEAR, before=first, at=LATER).refused_at == NOW
    assert seen(ADMITTED, before=first, at=LATER).refused_at is None, "an old worker of nginx, or another configuration"
    assert seen(REFUSED, ADMITTED, before=seen(ADMITTED), at=LATER).refused_at == LATER
    assert seen(UNCLEAR, ADMITTED, before=seen(ADMITTED), at=LATER).refused_at is None


def test_a_place_is_asked_often_for_a_while_after_the_crl_and_seldom_later():
    assert canary.due(None, NOW) == NOW
    last = NOW + OFTEN_FOR
    assert canary.due(seen(ADMITTED, at=last - SECOND), NOW) == last - SECOND + canary.OFTEN
    assert canary.due(seen(ADMITTED, at=last), NOW) == last + canary.SELDOM


def test_a_crl_has_a_canary_only_some_time_after_the_last_one():
    assert canary.may_fly(None, NOW)
    assert not canary.may_fly(NOW, NOW + canary.TURN_EVERY - SECOND)
    assert canary.may_fly(NOW, NOW + canary.TURN_EVERY)


def test_a_place_is_settled_when_all_were_answered():
    assert not seen(REFUSED, ADMITTED).settled
    assert not seen(REFUSED, REFUSED, REFUSED).settled
    assert seen(REFUSED, ADMITTED, ADMITTED).settled
    assert found({}, None, NOW).detail == ""


def flown(**at):
    places = {"shop": SHOP, "market": MARKET}
    what = {places[name]: what for name, what in at.items() if what is not None}
    until = NOW + 10 * 60 * SECOND
    return Flown(generation=1, number=7, published=NOW, until=until, places=[places[name] for name in at], seen=what)


def test_the_seconds_of_a_replica_are_those_of_its_slowest_gate():
    fast, slow = seen(REFUSED, ADMITTED, at=NOW + SECOND), seen(REFUSED, ADMITTED, at=NOW + 4 * SECOND)
    assert flown(shop=fast, market=slow).seconds(SHOP.replica) == 4
    assert flown(shop=fast, market=None).seconds(SHOP.replica) is None
    assert flown(shop=fast, market=seen(ADMITTED)).seconds(SHOP.replica) is None
    assert flown(shop=fast).seconds("192.0.2.8") is None


def test_a_gate_that_was_put_up_after_the_crl_has_no_seconds():
    late = seen(REFUSED, ADMITTED, at=NOW + OFTEN_FOR + SECOND)
    assert flown(shop=late).seconds(SHOP.replica) is None
    assert flown(shop=late, market=seen(REFUSED, ADMITTED, at=NOW + SECOND)).seconds(SHOP.replica) == 1


def said(of=None, spec=SPEC, before=None, at=LATER, **more):
    return condition(spec, canary.Canaries(flown=of, **more), before, at)


UNTRIED = seen(REFUSED, UNCLEAR)
GOOD, RESUMED, IN = seen(REFUSED, ADMITTED, REFUSED), seen(REFUSED, ADMITTED, ADMITTED), seen(ADMITTED)
CLOSED = seen(REFUSED, REFUSED)
HANDSHAKE = given.issuer_spec(enforcement={"canary": True, "mode": "Handshake"})


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    ("found", "status", "reason"),
    [
        pytest.param(said(flown(shop=GOOD)), "True", "CanaryRefused", id="refused"),
        pytest.param(said(flown(shop=GOOD, market=IN)), "False", "RevokedCanaryAdmitted", id="admitted at one gate"),
        pytest.param(said(flown(shop=IN), HANDSHAKE), "False", "RevokedCanaryAdmitted", id="though little is expected"),
        pytest.param(said(flown(shop=IN), at=LATER - SECOND), "Unknown", "CutOffNotVerified", id="it has time to load"),
        pytest.param(said(flown(shop=GOOD), HANDSHAKE), "False", "HandshakeOnly", id="by choice"),
        pytest.param(said(flown(shop=RESUMED)), "False", "SessionsResumed", id="sessions are resumed"),
        pytest.param(said(flown(shop=RESUMED), gate_service=True), "True", "CanaryRefused", id="which are asked about"),
        pytest.param(
            said(flown(shop=replace(RESUMED, waiting=Access.ADMITTED)), gate_service=True),
            "False",
            "SessionsResumed",
            id="and really nobody is asked",
        ),
        pytest.param(
            said(flown(shop=seen(REFUSED, ADMITTED))), "Unknown", "CutOffNotVerified", id="no session was tried"
        ),
        pytest.param(
            said(flown(shop=seen(REFUSED, ADMITTED)), gate_service=True),
            "True",
            "CanaryRefused",
            id="which need not be tried where each request is asked about",
        ),
        pytest.param(said(flown(shop=CLOSED), gate_service=True), "Unknown", "CutOffNotVerified", id="all are refused"),
        pytest.param(
            said(flown(shop=seen(REFUSED, REFUSED, REFUSED))), "Unknown", "CutOffNotVerified", id="and every session"
        ),
        pytest.param(said(flown(shop=GOOD, market=None)), "Unknown", "CutOffNotVerified", id="one gate was not tried"),
        pytest.param(said(flown()), "Unknown", "CutOffNotVerified", id="there is no gate"),
        pytest.param(said(None), "Unknown", "CutOffNotVerified", id="there was no CRL"),
        pytest.param(said(flown(shop=GOOD), unprobed="off"), "Unknown", "CutOffNotVerified", id="nothing is probed"),
    ],
)
def test_cut_off_holds_is(found, status, reason):
    assert (found.reason.status, found.reason.name) == (status, reason)


def test_nothing_is_said_of_an_issuer_without_a_canary():
    assert said(flown(shop=GOOD), given.issuer_spec()) is None
    assert said(spec=given.issuer_spec(enforcement={"mode": "Handshake"})).reason.name == "HandshakeOnly"


def test_what_was_said_stays_while_the_next_canary_asks_and_after_a_restart():
    before = said(flown(shop=GOOD))
    assert said(flown(shop=IN), before=before, at=NOW + SECOND).message == before.message
    assert said(None, before=before) == before
    assert said(flown(shop=None), before=before, at=NOW + 61 * SECOND).reason.name == "CutOffNotVerified"
    deaf = said(flown(shop=IN))
    assert said(flown(shop=None), before=deaf, at=NOW + SECOND).reason.name == "CutOffNotVerified"
    assert said(None, before=said(spec=HANDSHAKE)).reason.name == "CutOffNotVerified", "it is asked for now"


def test_the_message_says_why_it_is_not_verified_and_where():
    at = "gate edge at replica 192.0.2.7: "
    for shown, why in (
        (None, "not tried yet"),
        (IN, "the revoked canary is still admitted"),
        (CLOSED, "the live one is refused as well"),
        (replace(UNTRIED, detail=""), "not tried to its end"),
    ):
        assert at + why in said(flown(shop=shown), at=NOW + SECOND).message


def test_of_many_places_three_are_named():
    assert canary.where((SHOP,) * 5).endswith("gate edge at replica 192.0.2.7 and 2 more")
    assert "more" not in canary.where((SHOP,) * 3)


def test_the_seconds_that_are_said_are_those_of_the_slowest_replica():
    other = Place("edge", "192.0.2.8")
    fast, slow = (replace(GOOD, refused_at=NOW + timedelta(seconds=n)) for n in (1, 6.5))
    of = flown(shop=fast)
    assert " 7 s" in said(replace(of, places=(SHOP, other), seen={SHOP: fast, other: slow})).message


def test_the_issuer_is_looked_at_when_the_time_to_load_is_over():
    assert said(flown(shop=IN), at=NOW + SECOND).ends == LATER
    assert said(flown(shop=IN), HANDSHAKE, at=NOW + SECOND).ends == LATER
    assert said(flown(shop=IN)).ends == flown(shop=IN).until
    assert said(flown(shop=None)).ends == NOW + KEEPS_BEFORE
    assert said(flown(shop=None), at=NOW + KEEPS_BEFORE).ends is None


def test_the_seconds_are_listed_by_replica_and_stay_until_there_are_others():
    of = canary.Canaries(flown=flown(shop=seen(REFUSED, ADMITTED, at=NOW + timedelta(seconds=2.2))))
    entry = {
        "crlNumber": 7,
        "publishedAt": "2026-09-01T12:00:00Z",
        "replicas": [{"replica": "192.0.2.7", "seconds": 3}],
    }
    assert listed(SPEC, of, None) == entry
    assert listed(SPEC, canary.NONE, entry) == entry
    assert listed(SPEC, canary.Canaries(flown=flown(shop=IN)), entry) == entry
    assert listed(given.issuer_spec(), of, entry) is None


def test_a_crl_is_published_for_a_canary_only_where_the_last_was_admitted_for_its_whole_life():
    end = flown().until

    def repeats(of, spec=SPEC, at=end, waits=False):
        return must_repeat(spec, canary.Canaries(flown=of), at, next_ca_waits=waits)

    assert repeats(flown(shop=IN))
    assert not repeats(flown(shop=IN), at=end - SECOND)
    assert not repeats(flown(shop=IN), given.issuer_spec())
    assert not repeats(flown(shop=GOOD, market=None))
    assert not repeats(flown(shop=CLOSED))
    assert repeats(flown(shop=CLOSED), waits=True), "the next CA would lock its clients out"
    assert not repeats(flown(shop=GOOD), waits=True)
    assert not repeats(None, waits=True)


@pytest.mark.parametrize(
    ("of", "loaded"),
    [
        pytest.param(flown(shop=GOOD), True, id="refused where the live one is admitted"),
        pytest.param(flown(shop=IN), False, id="the CRL is not loaded"),
        pytest.param(flown(shop=CLOSED), False, id="the CA is not loaded"),
        pytest.param(flown(shop=None), False, id="not tried yet"),
        pytest.param(flown(shop=seen(UNCLEAR)), None, id="it cannot be tried"),
        pytest.param(flown(market=GOOD), None, id="no host of it is known"),
    ],
)
def test_a_gate_has_taken_the_anchors_when_a_canary_shows_it(of, loaded):
    assumed = NOW + 30 * SECOND
    at, late = NOW + 5 * SECOND, NOW + 60 * SECOND
    assert of.loaded("edge", at) is loaded
    assert canary.taken(of, "edge", assumed, 1, at) == {True: at, False: assumed, None: assumed}[loaded]
    assert (canary.taken(of, "edge", assumed, 1, late) <= late) is (loaded is not False)
    assert canary.taken(of, "edge", assumed, 2, at) == assumed, "of another generation it shows nothing"
    ended = canary.taken(of, "edge", assumed, 1, of.until)
    assert (ended <= of.until) is (of not in (flown(shop=IN), flown(shop=CLOSED))), "the next canary shows it"


# In the CRL

SERIAL = canaries.made(given.ca(), NOW, HOUR, bytes(7)).serial
ENTRY = given.entry(SERIAL, None)
OVER = NOW + timedelta(minutes=15)


def test_the_crl_of_the_generation_that_signs_revokes_the_canary():
    both = {1: (given.crl(),), 2: (given.crl(),)}
    decided = crl.decide(snapshot(bases=both, canary=ENTRY), terms(1, 2, canary=2))
    assert [set(decided[g].entries) for g in (1, 2)] == [set(), {SERIAL}]


def test_a_canary_stays_until_no_clock_takes_it_for_valid():
    assert crl.expired_canaries({SERIAL, 0xA1, 1 << 158}, OVER - SECOND) == set()
    assert crl.expired_canaries({SERIAL, 0xA1, 1 << 158}, OVER) == {SERIAL}


@pytest.mark.promise(1)
def test_an_expired_canary_leaves_with_the_next_crl_and_nobody_else_does():
    published = (ENTRY, given.entry(0xA1))
    content = crl.decide(snapshot(published=published, expired_canaries=frozenset({SERIAL})), terms())[1]
    assert (set(content.entries), content.leaving) == ({0xA1}, {SERIAL})
    assert set(crl.decide(snapshot(published=published), terms())[1].entries) == {SERIAL, 0xA1}


@pytest.mark.promise(1)
def test_a_record_with_the_serial_of_a_canary_is_a_record():
    record = given.record(SERIAL, revocation=given.revocation())
    world = {"published": (ENTRY,), "expired_canaries": frozenset({SERIAL})}
    assert SERIAL in crl.decide(snapshot(records=[record], **world), terms())[1].entries
    live = given.record(SERIAL)
    assert SERIAL in crl.decide(snapshot(records=[live], **world), terms())[1].entries, "what is published stays"
