"""More certificates of a CA generation are revoked than its CRL lists: it is closed, and whoever was revoked is refused."""

from dataclasses import replace

import pytest

from doorward.api.conditions import said
from doorward.planning import issuer, room
from doorward.planning.observed import GateState, Unseen
from doorward.planning.plan import CloseGate, CreateCa, PublishCrl, WriteGate
from tests.unit import given
from tests.unit.given import NOW
from tests.unit.planning.test_lineage import ONE, OWN, TWO, authority, record

OWN_ONE = authority(1, generated=False)
FULL = tuple(record(serial, 1, revocation=given.revocation()) for serial in range(1, 300))
ONE_MORE = record(300, 2, revocation=given.revocation())


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Room for two generations with sixty entries together."""
    monkeypatch.setattr(room, "ROOM", 2 * room.size_of(_empty(), ONE.anchor_pem) + 60 * 47)


def _empty():
    return room.CrlContent(entries={}, leaving=frozenset(), number=1, previous=None)


def alone(**override):
    """One generation, whose CRL was published when it was empty; one gate."""
    world = {"authority": ONE, "records": FULL, "published": given.trust({1: (ONE, given.crl())})}
    return given.trust_domain(**world | {"gates": (given.gate(),)} | override)


def two(**override):
    """Generation 2 signs, and 1 is still trusted."""
    world = {
        "authority": TWO,
        "older": (ONE,),
        "records": (*FULL, ONE_MORE, record(401, 1), record(402, 2)),
        "published": given.trust({1: (ONE, given.crl()), 2: (TWO, given.crl())}),
    }
    return given.trust_domain(**world | override)


def actions(o):
    return list(issuer.decide(o, NOW).plan.actions)


@pytest.mark.promise(1)
def test_gates_are_closed_first_where_the_only_generation_overflows():
    assert actions(alone()) == [CloseGate(namespace="edge")]


def test_the_next_generation_is_made_when_they_are_closed():
    (action,) = actions(alone(gates=(given.gate(state=GateState.ABSENT),)))
    assert isinstance(action, CreateCa)
    assert action.generation == 2


def test_the_next_one_signs_at_once_and_the_commit_says_which_was_closed():
    decision = issuer.decide(alone(authority=TWO, older=(ONE,), gates=()), NOW)
    (publish,) = decision.plan.actions
    assert isinstance(publish, PublishCrl)
    assert (publish.terms.generations, publish.terms.closed) == ({2}, {1: ONE.public_key_sha256})
    assert decision.signing == TWO


@pytest.mark.promise(1)
def test_a_client_of_another_generation_is_revoked_as_ever():
    (publish,) = actions(two())
    assert (publish.terms.generations, publish.entries) == ({2}, {2: 1})


CLOSED = {1: ONE.public_key_sha256}
AFTER = given.trust({2: (TWO, given.crl(given.entry(300)))})


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    "records",
    [
        pytest.param((record(401, 1), ONE_MORE, record(402, 2)), id="most of its records were deleted"),
        pytest.param(
            (*(replace(r, revocation=given.own_hold(lifted=True)) for r in FULL), ONE_MORE, record(402, 2)),
            id="their holds were lifted",
        ),
    ],
)
def test_a_closed_generation_stays_closed_though_it_would_fit_again(records):
    decision = issuer.decide(two(records=records, published=AFTER, closed=CLOSED), NOW)
    assert given.names(decision.plan.actions) == ["WriteStatus"]
    assert given.reasons(decision.plan.actions[0].status)["CRLRoom"] == "CaGenerationClosed"


def test_it_is_forgotten_when_its_certificates_have_expired_and_its_key_is_gone():
    over = two(older=(), records=(ONE_MORE, record(402, 2)), published=AFTER, closed=CLOSED)
    (publish,) = actions(over)
    assert publish.terms.closed == {}
    assert issuer.decide(two(older=(), published=AFTER, closed=CLOSED), NOW).plan.actions[0] != publish


def test_a_closed_key_signs_under_no_other_number():
    again = replace(ONE, generation=3)
    decision = issuer.decide(two(authority=again, older=(TWO,), published=AFTER, closed=CLOSED), NOW)
    assert decision.signing == TWO
    assert all(3 not in action.terms.generations for action in decision.plan.actions)


@pytest.mark.promise(3)
def test_gates_are_closed_where_the_generation_that_is_left_cannot_be_used():
    broken = said("CaSecretInvalid", secret="partners-ca-2", detail="it is broken")
    o = alone(authority=broken, older=(ONE,), ca_generation=2)
    assert actions(o) == [CloseGate(namespace="edge")]
    assert actions(
        replace(o, records=(), spec=given.issuer_spec(ca={"generate": {"commonName": "Partners CA"}, "distrust": [1]}))
    ) == [CloseGate(namespace="edge")]


# A person's own CA


def test_a_persons_own_ca_is_closed_and_the_issuer_says_what_to_do():
    o = alone(spec=OWN, authority=OWN_ONE)
    assert actions(o) == [CloseGate(namespace="edge")]
    decision = issuer.decide(replace(o, gates=()), NOW)
    (write,) = decision.plan.actions
    assert given.reasons(write.status)["Ready"] == "CrlFull"
    assert decision.signing.reason.name == "CrlFull"


def test_the_next_ca_of_a_person_lists_nobody_of_the_closed_one():
    own_two = authority(2, generated=False)
    (publish,) = actions(alone(spec=OWN, authority=own_two, gates=()))
    assert (publish.terms.closed, publish.entries, publish.terms.adopting) == ({1: ONE.public_key_sha256}, {2: 0}, 2)


# What only a commit can see


@pytest.mark.parametrize(
    ("overflow", "expected"),
    [
        pytest.param({}, ["PublishCrl"], id="it fits"),
        pytest.param({1: 3}, ["CloseGate"], id="a commit found more than the plan sees"),
        pytest.param({1: 4}, ["PublishCrl"], id="fewer are to be listed since"),
    ],
)
def test_a_generation_is_closed_too_where_the_commit_did_not_fit(overflow, expected):
    assert given.names(actions(alone(records=FULL[:3], overflow=overflow))) == expected


@pytest.mark.promise(1)
def test_a_generation_whose_key_is_gone_leaves_where_its_crl_takes_the_room_of_another():
    large = given.crl(pem=b"x" * room.ROOM)
    o = two(
        older=(),
        records=(record(401, 1), ONE_MORE, record(402, 2)),
        published=given.trust({1: (ONE, large), 2: (TWO, given.crl())}),
    )
    (publish,) = actions(o)
    assert (publish.terms.generations, publish.terms.retained) == ({2}, frozenset())


def test_gates_get_what_fits():
    published = given.trust({1: (ONE, given.crl(*(given.entry(n) for n in range(1, 11))))})
    o = alone(records=FULL[:10], published=published, gates=(given.gate(state=GateState.STALE),))
    assert actions(o) == [WriteGate(namespace="edge")]


def test_where_nothing_is_published_yet_no_exception_is_raised():
    assert given.names(actions(alone(published=Unseen.ABSENT))) == ["CloseGate"]
