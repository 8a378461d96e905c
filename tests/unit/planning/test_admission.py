"""Who gets in at a gate that is asked at every request."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from doorward.objects.ledger_record import Record
from doorward.objects.meta import ObjectKey
from doorward.planning.admission import FRESH, Verdict, verdict
from doorward.planning.entitlement import CutOff, cut_off_by, stands_behind
from doorward.view.parsed import CertificateObject
from tests.unit import given
from tests.unit.given import ALICE, DAY, HOUR, ISSUER, NOW, SECOND

OTHER = ObjectKey("issuers", "employees")
WEEK = 7 * DAY


@dataclass(frozen=True)
class AnIssuer:
    distrusted: frozenset[int] = frozenset()
    next_update: datetime | None = NOW + WEEK
    max_staleness: timedelta | None = None


@dataclass(frozen=True)
class AClient:
    issuer: ObjectKey = ISSUER
    cut_off: CutOff | None = None


@dataclass(frozen=True)
class ASerial:
    issuer: ObjectKey
    generation: int
    not_after: datetime
    refused: bool
    is_hold: bool


def serial(record: Record) -> ASerial:
    is_hold = record.revocation is not None and record.revocation.is_hold
    return ASerial(record.issuer, record.generation, record.not_after, record.refused, is_hold)


LIVE = serial(given.record())


def told(issuer=AnIssuer(), of=LIVE, client=AClient(), *, silence=timedelta(0), now=NOW) -> str:
    return verdict(issuer, of, client, silence=silence, now=now).value


def test_a_live_client_is_admitted():
    assert told() == "admitted"


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        pytest.param(given.record(revocation=given.revocation("keyCompromise")), "revoked", id="revoked for good"),
        pytest.param(given.record(revocation=given.hold()), "held", id="held since its client was deleted"),
        pytest.param(given.record(revocation=given.suspension()), "held", id="held by a suspension"),
        pytest.param(given.record(revocation=given.own_hold()), "held", id="held by a person"),
        pytest.param(given.record(revocation=given.hold(lifted=True)), "admitted", id="a hold that was lifted"),
        pytest.param(given.record(revocation=given.revocation(dated=False)), "revoked", id="revoked without a time"),
        pytest.param(given.expired(since=timedelta(0)), "expired", id="expired now"),
        pytest.param(given.expired(since=-SECOND), "admitted", id="expires in a second"),
    ],
)
def test_the_record_decides(record, expected):
    assert told(of=serial(record)) == expected


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        pytest.param(None, "client_gone", id="it is not there"),
        pytest.param(AClient(issuer=OTHER), "client_gone", id="it names another issuer now"),
        pytest.param(AClient(cut_off=CutOff.DELETED), "client_deleted", id="it is being deleted"),
        pytest.param(AClient(cut_off=CutOff.REVOKED), "client_revoked", id="it is revoked"),
        pytest.param(AClient(cut_off=CutOff.SUSPENDED), "client_suspended", id="it is suspended"),
    ],
)
def test_the_client_certificate_decides_whatever_the_ledger_says(client, expected):
    assert told(client=client) == expected


def test_without_the_issuer_nobody_is_admitted():
    assert told(issuer=None) == "no_issuer"


def test_a_certificate_without_a_record_is_refused_whoever_signed_it():
    assert told(of=None) == "not_issued"


def test_a_ca_generation_that_is_distrusted_takes_its_certificates_with_it():
    assert told(issuer=AnIssuer(distrusted=frozenset({1}))) == "distrusted"
    assert told(issuer=AnIssuer(distrusted=frozenset({2}))) == "admitted"


@pytest.mark.parametrize(
    ("silence", "issuer", "now", "expected"),
    [
        pytest.param(FRESH, AnIssuer(next_update=None), NOW, "admitted", id="fresh, whatever the CRL"),
        pytest.param(FRESH, AnIssuer(next_update=NOW), NOW, "admitted", id="fresh, with a CRL that has lapsed"),
        pytest.param(FRESH + SECOND, AnIssuer(next_update=None), NOW, "stale", id="silent, without a CRL"),
        pytest.param(5 * DAY, AnIssuer(), NOW, "admitted", id="silent for days, within the CRL"),
        pytest.param(WEEK, AnIssuer(), NOW + WEEK - SECOND, "admitted", id="silent, a second before nextUpdate"),
        pytest.param(WEEK, AnIssuer(), NOW + WEEK, "stale", id="silent, at nextUpdate"),
        pytest.param(HOUR, AnIssuer(max_staleness=HOUR), NOW, "admitted", id="silent for maxStaleness"),
        pytest.param(HOUR + SECOND, AnIssuer(max_staleness=HOUR), NOW, "stale", id="silent for longer"),
        pytest.param(FRESH, AnIssuer(max_staleness=SECOND), NOW, "admitted", id="no maxStaleness is below a bookmark"),
        pytest.param(
            WEEK, AnIssuer(max_staleness=2 * WEEK), NOW + WEEK, "stale", id="maxStaleness makes it stricter only"
        ),
    ],
)
def test_while_the_api_server_is_away_the_last_known_state_holds_as_long_as_the_crl(silence, issuer, now, expected):
    assert told(issuer, silence=silence, now=now) == expected


clients = st.builds(
    AClient,
    issuer=st.sampled_from([ISSUER, OTHER]),
    cut_off=st.sampled_from([None, *CutOff]),
)
serials = st.builds(
    ASerial,
    issuer=st.just(ISSUER),
    generation=st.integers(1, 3),
    not_after=st.sampled_from([NOW - DAY, NOW, NOW + DAY]),
    refused=st.booleans(),
    is_hold=st.booleans(),
)
issuers = st.builds(
    AnIssuer,
    distrusted=st.frozensets(st.integers(1, 3)),
    next_update=st.sampled_from([None, NOW - DAY, NOW, NOW + DAY]),
    max_staleness=st.sampled_from([None, HOUR, DAY]),
)
silences = st.sampled_from([timedelta(0), FRESH, FRESH + SECOND, HOUR, HOUR + SECOND, WEEK])


@for_any(st.none() | issuers, st.none() | serials, st.none() | clients, silences)
def test_whoever_is_admitted_has_a_live_record_of_this_issuer_and_a_live_client_of_it(issuer, of, client, silence):
    if told(issuer, of, client, silence=silence) != "admitted":
        return
    assert issuer is not None
    assert of is not None
    assert client is not None
    assert not of.refused
    assert of.not_after > NOW
    assert of.generation not in issuer.distrusted
    assert client.issuer == of.issuer
    assert client.cut_off is None
    assert silence <= FRESH or (issuer.next_update is not None and issuer.next_update > NOW)


@for_any(issuers, serials, clients, st.lists(silences, min_size=2).map(sorted))
def test_longer_silence_admits_nobody_who_was_refused(issuer, of, client, silence):
    answers = [told(issuer, of, client, silence=each) for each in silence]
    assert all(after != "admitted" or before == "admitted" for before, after in pairwise(answers))


@for_any(deleting=st.booleans(), revoked=st.booleans(), suspended=st.booleans())
def test_a_client_is_cut_off_by_its_deletion_its_revocation_or_its_suspension(deleting, revoked, suspended):
    found = cut_off_by(deleting=deleting, revoked=revoked, suspended=suspended)
    assert (found is None) == (not (deleting or revoked or suspended))


# The operator's own rule: restored and recreated clients


def test_a_client_that_was_restored_with_another_uid_is_the_same_client():
    restored = given.record(holder_uid="99999999-2222-3333-4444-555555555555")
    assert told(of=serial(restored)) == "admitted"
    assert stands_behind(ISSUER, ISSUER)


def test_a_client_that_was_created_again_gets_nothing_back():
    """Its serials are held since the deletion; a new object of that name lifts nothing."""
    record = given.record(revocation=given.hold())
    assert told(of=serial(record), client=AClient()) == "held"
    assert told(of=serial(replace(record, holder_uid="another")), client=AClient()) == "held"


@pytest.mark.parametrize("field", ["revoked", "suspended"])
def test_the_operator_says_the_same_of_who_is_out(field):
    body = {"metadata": {"namespace": ALICE.namespace, "name": ALICE.name}, "spec": {"commonName": "alice"}}
    body["spec"] |= {"issuerRef": {"name": ISSUER.name}, field: True}
    assert CertificateObject.parse(body).out
    del body["spec"][field]
    assert not CertificateObject.parse(body).out
    body["metadata"]["deletionTimestamp"] = "2026-09-01T12:00:00Z"
    assert CertificateObject.parse(body).out


def test_every_reason_to_cut_a_client_off_is_a_verdict():
    assert {each.value for each in CutOff} <= {each.value for each in Verdict}
