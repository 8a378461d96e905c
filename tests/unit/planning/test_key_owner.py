"""Within one issuer a public key belongs to the first who was certified for it, while a certificate of theirs is unexpired."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given as generated
from hypothesis import strategies as st

from doorward.objects.meta import ObjectKey
from doorward.planning import key_owner, permission
from doorward.planning.observed import Unseen
from tests.unit import given

KEY = "a" * 64
ALICE, ALICIA, MALLORY = ObjectKey("edge", "alice"), ObjectKey("edge", "alicia"), ObjectKey("dark", "mallory")
OLDER, YOUNGER = ("2026-01-01T00:00:00Z", "u1"), ("2026-06-01T00:00:00Z", "u2")
NOW = given.NOW


def signed(
    serial: int, holder: ObjectKey, *, ago: timedelta = given.DAY, lasts: timedelta = 90 * given.DAY, reason: str = ""
):
    """The record of a certificate for KEY; `reason`: it was revoked for that."""
    issued = NOW - ago
    revoked = {"revocation": given.revocation(reason)} if reason else {}
    return given.record(
        serial, holder=holder, public_key_sha256=KEY, issued_at=issued, not_after=issued + lasts, **revoked
    )


FIRST = signed(1, ALICE, ago=5 * given.DAY)
LATER = signed(2, MALLORY, ago=4 * given.DAY)


def taken(records, claimant, *, asking=None, there=(), now: datetime = NOW):
    """When the claimant is to look again; `there`: who else exists."""
    ages = {claimant: YOUNGER} | (asking or {})
    return key_owner.taken_until(records, claimant, asking=ages, there=there, age=ages.__getitem__, now=now)


# Whose it is


def test_a_key_that_was_never_certified_is_free():
    assert taken([], ALICE) is None


def test_a_key_is_its_first_owners_until_the_last_of_their_certificates_expires():
    longest = signed(3, ALICE, ago=given.DAY, lasts=200 * given.DAY)
    assert taken([FIRST, longest], ALICE) is None
    assert taken([FIRST, longest], MALLORY) == longest.not_after
    assert taken([FIRST, longest], MALLORY, now=longest.not_after) is None


def test_it_is_theirs_though_their_client_is_gone_or_revoked():
    assert taken([signed(1, ALICE, reason="cessationOfOperation")], MALLORY)


def test_a_stranger_who_was_certified_once_is_not_certified_again():
    assert taken([FIRST, LATER], MALLORY, there=[ALICE, MALLORY])
    assert taken([FIRST, LATER], ALICE, there=[ALICE, MALLORY]) is None


def test_a_stranger_does_not_inherit_by_renewing_before_the_first_certificate_expires():
    renewed = signed(3, ALICE, ago=given.DAY)
    short = signed(1, ALICE, ago=5 * given.DAY, lasts=4 * given.DAY + given.HOUR)
    assert taken([short, LATER, renewed], ALICE) is None
    assert taken([short, LATER, renewed], MALLORY) == renewed.not_after


def test_a_key_passes_on_when_all_certificates_of_its_owner_have_expired():
    over = signed(1, ALICE, ago=100 * given.DAY)
    assert taken([over], MALLORY) is None
    assert taken([over, LATER], ALICE) == LATER.not_after


def test_it_passes_on_at_the_very_moment_of_the_expiry():
    over = signed(1, ALICE, ago=5 * given.DAY, lasts=given.DAY)
    assert key_owner.ownership([over, LATER]).rightful == (over, LATER)


def test_an_owner_whose_certificate_expired_goes_before_others_who_ask():
    over = signed(1, ALICE, ago=100 * given.DAY)
    assert taken([over], MALLORY, asking={ALICE: YOUNGER, MALLORY: OLDER})
    assert taken([over], ALICE, asking={ALICE: YOUNGER, MALLORY: OLDER}) is None


def test_of_two_who_ask_for_a_new_key_the_older_gets_it():
    both = {ALICE: OLDER, MALLORY: YOUNGER}
    assert taken([], ALICE, asking=both) is None
    assert taken([], MALLORY, asking=both) == NOW + key_owner.LOOK_AGAIN


def test_of_thousands_who_ask_the_age_of_few_is_looked_at():
    """Each of them is worked on, so it would be millions."""
    askers = [ObjectKey("dark", f"mallory-{number}") for number in range(5_000)]
    looked = []

    def age(client):
        looked.append(client)
        return (f"{askers.index(client):05}", "")

    for claimant in (askers[-1], askers[2_500]):
        assert key_owner.taken_until([], claimant, asking=askers, there=(), age=age, now=NOW)
    assert len(looked) < 10


# In one namespace


def test_a_client_that_was_created_again_is_the_same():
    again = given.record(9, holder=ALICE, holder_uid="another", public_key_sha256=KEY)
    assert taken([again], ALICE) is None


def test_a_client_may_be_created_under_another_name_once_the_first_is_gone():
    assert taken([FIRST], ALICIA, there=[ALICE])
    assert taken([FIRST], ALICIA) is None


def test_a_stranger_who_asks_first_does_not_get_before_it():
    assert taken([FIRST], ALICIA, asking={MALLORY: OLDER, ALICIA: YOUNGER}) is None


def test_a_client_that_has_had_the_key_and_asks_no_more_holds_nobody_up():
    over = signed(1, ALICE, ago=100 * given.DAY)
    assert taken([over], MALLORY, there=[ALICE]) is None


def test_of_two_that_have_certificates_already_the_first_goes_on():
    second = signed(3, ALICIA)
    assert taken([FIRST, second], ALICIA, there=[ALICE, ALICIA])
    assert taken([FIRST, second], ALICE, there=[ALICE, ALICIA]) is None


def test_of_two_who_come_after_a_client_that_is_gone_the_first_gets_its_key():
    mine = signed(3, ALICIA)
    eve = ObjectKey("edge", "eve")
    assert taken([FIRST, mine], eve, there=[ALICIA])
    assert taken([FIRST, mine], ALICIA, asking={ALICIA: YOUNGER, eve: OLDER}, there=[ALICIA]) is None


def test_a_client_with_a_key_that_doorward_made_owns_it_too():
    """Whoever stole it can make a CSR for it."""
    assert taken([FIRST], MALLORY, there=[ALICE])
    assert taken([FIRST], ALICIA, there=[ALICE])


# keyCompromise


@pytest.mark.parametrize(
    ("records", "who"),
    [
        pytest.param([signed(1, ALICE, reason="keyCompromise")], {ALICE, ALICIA, MALLORY}, id="its owner"),
        pytest.param(
            [FIRST, signed(3, ALICE, reason="keyCompromise")],
            {ALICE, ALICIA, MALLORY},
            id="its owner, by a later certificate",
        ),
        pytest.param([FIRST, signed(2, MALLORY, reason="keyCompromise")], set(), id="a stranger"),
        pytest.param(
            [signed(1, ALICE, ago=5 * given.DAY, lasts=3 * given.DAY), signed(2, MALLORY, reason="keyCompromise")],
            {ALICIA, MALLORY},
            id="whom it passed on to",
        ),
        pytest.param(
            [FIRST, signed(2, ALICIA, reason="keyCompromise")], {ALICIA, MALLORY}, id="the next of its namespace"
        ),
        pytest.param([signed(1, ALICE, reason="superseded"), LATER], set(), id="nobody"),
        pytest.param([], set(), id="nobody, of a key that nobody had"),
    ],
)
def test_a_key_is_barred_for_whoever_comes_after_the_owner_that_called_it_compromised(records, who):
    assert {client for client in (ALICE, ALICIA, MALLORY) if key_owner.is_barred(records, client)} == who


# What is archived


def test_a_record_stays_as_long_as_a_strangers_would_seem_to_be_the_first():
    other = given.record(7)
    assert key_owner.kept([LATER, FIRST, other]) == {FIRST.key}
    assert key_owner.kept([FIRST, signed(3, ALICE), other]) == set()


def test_the_word_of_a_later_owner_stays_until_the_records_of_the_first_are_gone():
    word = signed(2, ALICIA, reason="keyCompromise")
    assert key_owner.kept([FIRST, word]) == {word.key}
    assert key_owner.kept([word]) == set()
    assert [key_owner.is_barred_for_all(records) for records in ([FIRST, word], [word], [])] == [False, True, False]


RECORDS = st.lists(
    st.builds(
        lambda number, holder, ago, lasts, reason: (holder, ago, lasts, reason, number),
        st.integers(1, 10_000),
        st.sampled_from([ALICE, ALICIA, MALLORY, ObjectKey("other", "olga")]),
        st.integers(0, 100),
        st.integers(1, 60),
        st.sampled_from(["", "keyCompromise"]),
    ),
    max_size=6,
    unique_by=lambda made: made[4],
).map(
    lambda made: [
        signed(n, h, ago=ago * given.DAY, lasts=lasts * given.DAY, reason=reason) for h, ago, lasts, reason, n in made
    ]
)


@pytest.mark.promise(8)
@generated(records=RECORDS)
def test_at_most_one_namespace_may_have_a_key_while_its_owner_has_a_certificate(records):
    owned = any(record.not_after > NOW for record in key_owner.ownership(records).rightful)
    free = {holder for holder in {record.holder for record in records} if taken(records, holder) is None}
    if owned:
        assert len({holder.namespace for holder in free}) == 1


@generated(records=RECORDS)
def test_what_is_archived_changes_no_owner_and_no_word_of_an_owner(records):
    """One after the other, each that is over and may go; the index bars what the first owner says."""
    before = key_owner.ownership(records)
    left, barred = list(records), False
    clients = {record.holder for record in records}
    for record in sorted(records, key=lambda r: (r.not_after, r.serial)):
        if record.not_after < NOW and record.key not in key_owner.kept(left):
            known = {client for client in clients if barred or key_owner.is_barred(left, client)}
            barred = barred or (record.revocation is not None and key_owner.is_barred_for_all(left))
            left.remove(record)
            assert {client for client in clients if barred or key_owner.is_barred(left, client)} >= known
            assert set(key_owner.ownership(left).rightful) == set(before.rightful) & set(left)


# What is said


def test_whose_key_it_is_is_not_said():
    world = {"spec": given.spec(request=given.csr()), "key_taken_until": NOW + given.HOUR}
    said = permission.first_problem(given.certificate(**world))
    assert said.reason.name == "KeyTaken"
    assert "create a key that no other client uses" in said.message
    assert given.ALICE.name not in said.message


def test_while_it_is_unknown_who_else_is_there_nothing_is_decided():
    assert permission.undecided(given.certificate(spec=given.spec(request=given.csr()), key_taken_until=Unseen.UNKNOWN))
