"""One budget for every reason to issue: who waits, until when, and who never does; how many unexpired serials there may be."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given as given_that
from hypothesis import strategies as st

from doorward.objects.ledger_record import record_name
from doorward.objects.meta import ObjectKey
from doorward.planning import budget, room, timing
from doorward.planning.observed import Unseen
from tests.unit import given
from tests.unit.given import DAY, HOUR, NOW, SECOND
from tests.unit.planning.plans import asked, planned, settled, status_of, told

MINUTE = timedelta(minutes=1)
LEAF = given.leaf(issued=NOW - SECOND)
TWO = given.issuer(authority=given.authority(generation=2))
"""An issuer that signs with another CA than the one all records are from."""


def often(count, *, until=NOW - SECOND, **override):
    """Records of that many certificates, one a second before the instant."""
    return tuple(given.record(0x1000 + n, issued_at=until - n * SECOND, **override) for n in range(1, count + 1))


def lost(count):
    """The same, of a client whose Secrets were lost: their serials are revoked."""
    return often(count, until=NOW, revocation=given.revocation())


def holding(leaf, count=0, **world):
    """A client with that certificate in its Secret, and so many before it."""
    before = often(count, until=leaf.not_before + HOUR)
    return {"secret": given.secret(leaf), "records": (given.record(of=leaf), *before)} | world


BARRED = given.issuer(barred_keys=frozenset([LEAF.public_key_sha256]))
REVOKED = given.record(of=LEAF, revocation=given.revocation())
WITHOUT_KEY = given.secret(LEAF, has_key=False)
OFTEN_DUE = holding(given.leaf(issued=NOW - 5 * MINUTE), 10, spec=given.spec(renewBefore="2159h55m"))
REASONS = {
    "its renewal is due": (OFTEN_DUE, 3 * MINUTE),
    "the names differ": (holding(LEAF, 7, spec=given.spec(commonName="bob")), 59 * SECOND),
    "another kind of key": (holding(LEAF, 7, spec=given.spec(privateKey={"algorithm": "Ed25519"})), 59 * SECOND),
    "spec.reissue asks": (holding(LEAF, 7, spec=given.spec(reissue="again")), 59 * SECOND),
    "its key is barred": (holding(LEAF, 7, issuer=BARRED), 59 * SECOND),
    "the CSR was replaced": (
        holding(LEAF, 7, spec=given.spec(request=given.csr())) | {"secret": WITHOUT_KEY},
        59 * SECOND,
    ),
    "the Secret is lost": ({"secret": Unseen.ABSENT, "records": lost(8)}, 59 * SECOND),
    "its serial is revoked": (
        {"secret": given.secret(LEAF), "records": (REVOKED, *often(7, revocation=given.revocation()))},
        59 * SECOND,
    ),
}
EVERY = pytest.mark.parametrize(("world", "rest"), REASONS.values(), ids=REASONS)


@EVERY
def test_who_was_issued_to_too_often_waits_though(world, rest):
    assert told(**world)["Ready"] == "ReissueBudgetSpent"
    assert settled(**world).due == NOW + rest


@EVERY
def test_who_has_waited_is_issued_to_as(world, rest):
    assert "Issue" in asked(NOW + rest, **world)
    assert "Issue" not in asked(NOW + rest - SECOND, **world)


def test_seven_in_a_day_make_nobody_wait():
    assert asked(secret=Unseen.ABSENT, records=lost(7)) == ["Issue"]


def test_a_client_that_waits_with_a_certificate_has_access_and_its_secret_is_repaired():
    world, _ = REASONS["the names differ"]
    assert told(**world)["Admitted"] == "Live"
    assert asked(**world | {"secret": given.secret(LEAF, keystore_profile=None)}) == ["RewriteSecret"]


def test_a_client_that_waits_loses_its_superseded_serials_in_time():
    grace = given.issuer(spec=given.issuer_spec(certificates={"supersededGracePeriod": "1h"}))
    held = given.leaf(issued=NOW - HOUR)
    world = holding(held, 15, spec=given.spec(commonName="bob"), issuer=grace)
    plan = planned(**world)
    assert [action.record for action in plan.actions] == list(world["records"][1:])


# Who never waits


def test_the_first_certificate_waits_for_nothing():
    assert asked(secret=Unseen.ABSENT) == ["Issue"]


@pytest.mark.parametrize(
    "world",
    [
        pytest.param(holding(LEAF, 300), id="has its certificate"),
        pytest.param({"secret": Unseen.ABSENT, "records": lost(300)}, id="lost it in a loop"),
    ],
)
def test_a_new_ca_issues_at_once_to_a_client_that(world):
    full = replace(TWO, unexpired=10**6)
    assert asked(**world, issuer=full, unexpired_in_namespace=10**6) == ["Issue"]


def test_the_second_certificate_from_a_new_ca_waits_as_any_other():
    from_two = given.record(
        0xC1,
        generation=2,
        key=ObjectKey(given.ISSUER.namespace, record_name("partners", 2, 0xC1)),
        issued_at=NOW - HOUR,
        revocation=given.revocation(),
    )
    world = {"secret": Unseen.ABSENT, "records": (*lost(8), from_two), "issuer": TWO}
    assert told(**world)["Ready"] == "ReissueBudgetSpent"


# A certificate in use does not expire over a limit

SHORT = given.leaf(issued=NOW - HOUR, lasts=2 * HOUR)
CALL = NOW + 40 * MINUTE
"""A sixth of its two hours before its end."""
SPENT = holding(SHORT, 60, spec=given.spec(duration="2h"))


def test_a_renewal_waits_no_longer_than_until_shortly_before_the_end():
    assert told(**SPENT)["Ready"] == "ReissueBudgetSpent"
    assert settled(**SPENT).due == CALL
    assert asked(CALL, **SPENT) == ["Issue"]
    assert "Issue" not in asked(CALL - SECOND, **SPENT)


def test_no_limit_lets_a_certificate_in_use_expire():
    world = holding(SHORT, 300, issuer=given.issuer(unexpired=10**6), unexpired_in_namespace=10**6)
    assert asked(CALL, **world) == ["Issue"]


def test_a_secret_that_is_set_back_to_an_expiring_certificate_is_issued_for_once():
    records = (*SPENT["records"], given.record(0xC1, issued_at=CALL, revocation=given.revocation()))
    assert "Issue" not in asked(CALL + SECOND, **SPENT | {"records": records})


@pytest.mark.parametrize(
    "world",
    [
        pytest.param({"records": (given.record(of=SHORT, revocation=given.revocation()), *lost(60))}, id="was revoked"),
        pytest.param({"records": lost(60), "leaf_is_ours": False}, id="somebody else signed"),
    ],
)
def test_a_client_waits_its_whole_time_with_a_certificate_that(world):
    assert settled(secret=given.secret(SHORT), **world).due == NOW - SECOND + 6 * HOUR


@given_that(hours=st.integers(1, 2160), issued=st.lists(st.integers(0, 24 * 3600), max_size=40))
def test_the_last_call_comes_while_the_certificate_is_good(hours, issued):
    leaf = given.leaf(issued=NOW, lasts=hours * HOUR)
    call = timing.last_call(leaf.not_before, leaf.not_after)
    before = tuple(given.record(n + 1, issued_at=NOW - s * SECOND) for n, s in enumerate(issued))
    o = given.certificate(secret=given.secret(leaf), records=(given.record(of=leaf), *before))
    for now in (NOW, call - SECOND):
        wait = budget.wait(o, o.issuer, o.issuer.authority, o.records, hours * HOUR, now)
        assert wait is None or now < wait.until <= call < leaf.not_after
    assert budget.wait(o, o.issuer, o.issuer.authority, o.records, hours * HOUR, call) is None


# Unexpired serials


def days_apart(count):
    """Records of a client that was issued to every 21 hours."""
    return tuple(
        given.record(n, issued_at=NOW - n * 21 * HOUR, not_after=NOW + DAY, revocation=given.revocation())
        for n in range(1, count + 1)
    )


FULL = given.issuer(unexpired=budget.MOST_OF_ISSUER)
AT_LIMIT = {
    "the client": ({"records": days_apart(100)}, "ClientCertificate issuers/alice has 100 unexpired certificates"),
    "the namespace": (
        {"records": (), "unexpired_in_namespace": budget.MOST_IN_NAMESPACE},
        f"Namespace issuers has {budget.MOST_IN_NAMESPACE} unexpired certificates",
    ),
    "the issuer": (
        {"records": (), "issuer": FULL},
        f"MTLSIssuer issuers/partners has {budget.MOST_OF_ISSUER} unexpired certificates",
    ),
}


@pytest.mark.parametrize(("world", "says"), AT_LIMIT.values(), ids=AT_LIMIT)
def test_nothing_is_issued_where_as_many_serials_are_unexpired_as_may_be_of(world, says):
    (ready, _) = status_of(secret=Unseen.ABSENT, **world)["conditions"]
    assert (ready["reason"], says in ready["message"]) == ("CertificateLimitReached", True)
    assert settled(secret=Unseen.ABSENT, **world).due == NOW + 10 * MINUTE


@pytest.mark.parametrize(
    "world",
    [
        pytest.param({"records": days_apart(99)}, id="the client has one less"),
        pytest.param(
            {"records": (*days_apart(99), given.expired(0xE1, since=timedelta(0)))},
            id="one of the client's expired now",
        ),
        pytest.param({"unexpired_in_namespace": budget.MOST_IN_NAMESPACE - 1}, id="the namespace has one less"),
        pytest.param({"issuer": given.issuer(unexpired=budget.MOST_OF_ISSUER - 1)}, id="the issuer has one less"),
    ],
)
def test_a_certificate_is_issued_where(world):
    assert asked(secret=Unseen.ABSENT, **{"records": ()} | world) == ["Issue"]


def test_a_client_at_a_limit_keeps_its_access_and_is_looked_at_again_before_its_certificate_expires():
    world = holding(SHORT, issuer=FULL, spec=given.spec(duration="2h"))
    assert told(**world) == {"Ready": "CertificateLimitReached", "Admitted": "Live"}
    near = CALL - 5 * MINUTE
    assert planned(near, **world).due == CALL


SHARED = given.issuer_spec(issuance={"allowedNamespaces": {"from": "All"}, "allowedSubjects": [{"commonName": "*"}]})
ORDINARY, SHARE = int(room.CRL_ENTRIES * 0.9), room.CRL_ENTRIES // 2
FIRST = {"secret": Unseen.ABSENT, "records": ()}


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    ("issuer", "world", "issues"),
    [
        pytest.param({"unexpired_of_authority": ORDINARY - 1}, FIRST, True, id="it has room"),
        pytest.param({"unexpired_of_authority": ORDINARY}, FIRST, False, id="the rest is kept"),
        pytest.param(
            {"unexpired_of_authority": ORDINARY}, {"secret": given.secret(SHORT)}, True, id="for what expires"
        ),
        pytest.param(
            {"unexpired_of_authority": room.CRL_ENTRIES}, {"secret": given.secret(SHORT)}, False, id="to its end"
        ),
        pytest.param({"unexpired_of_namespace": SHARE}, FIRST, True, id="the namespace is the only one"),
        pytest.param({"unexpired_of_namespace": SHARE, "spec": SHARED}, FIRST, False, id="the namespace has its share"),
        pytest.param({"unexpired_of_namespace": SHARE - 1, "spec": SHARED}, FIRST, True, id="it has one less"),
    ],
)
def test_no_more_is_signed_in_a_generation_than_its_crl_lists(issuer, world, issues):
    names = asked(CALL, issuer=given.issuer(**issuer), **world)
    assert ("Issue" in names) is issues


@pytest.mark.parametrize(
    ("generated", "says"),
    [(True, "The next CA generation signs as soon as"), (False, "Put another CA into its Secret")],
)
def test_who_waits_for_another_generation_is_told_what_to_do(generated, says):
    full = given.issuer(unexpired_of_authority=ORDINARY, authority=given.authority(generated=generated))
    (ready, _) = status_of(issuer=full, **FIRST)["conditions"]
    assert (ready["reason"], says in ready["message"]) == ("CertificateLimitReached", True)
    assert settled(issuer=full, **FIRST).due == NOW + MINUTE


def test_ten_thousand_clients_that_move_to_another_ca_are_below_every_limit():
    renewing, moving = 15_000, 10_000
    assert renewing + moving < budget.MOST_IN_NAMESPACE < budget.MOST_OF_ISSUER


# What is said of access while nothing is issued

PUBLISHED = given.issuer(published=given.published(*(given.entry(record.serial) for record in lost(8))))


def access(**world):
    """The condition Admitted."""
    (found,) = (c for c in status_of(**{"secret": Unseen.ABSENT} | world)["conditions"] if c["type"] == "Admitted")
    return found["reason"], found["message"]


@pytest.mark.parametrize(
    ("world", "reason"),
    [
        pytest.param({"records": lost(8), "issuer": PUBLISHED}, "NoneValid", id="all it had is refused"),
        pytest.param({"records": lost(8)}, "CuttingOff", id="no CRL says so yet"),
        pytest.param({"records": (given.expired(since=HOUR),)}, "Expired", id="all it had has expired"),
    ],
)
def test_a_client_that_used_up_its_budget_is_told_what_became_of_its_certificates(world, reason):
    waiting = {"spec": given.spec(commonName="system:x")} if reason == "Expired" else {}
    assert access(**waiting, **world)[0] == reason


def test_the_last_certificate_is_named_and_why_it_is_refused():
    message = access(records=lost(8), issuer=PUBLISHED)[1]
    assert "serial 1001, the last one, is refused since" in message
    assert "(superseded)" in message


def test_a_certificate_that_nobody_was_handed_is_none():
    records = (given.record(0xB2),)
    pending = given.pending(serial=0xB2)
    assert access(spec=given.spec(commonName="system:x"), records=records, pending=pending)[0] == "NotIssued"
