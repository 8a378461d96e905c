"""Which CA generation signs, which are shown to the gates, and when the next is made."""

from dataclasses import replace
from functools import lru_cache

import pytest

from doorward.api.conditions import said
from doorward.objects.crl_configmap import MAX_BYTES
from doorward.objects.ledger_record import record_name
from doorward.objects.meta import ObjectKey
from doorward.pki.ca_identity import identity
from doorward.pki.certificates import build_ca
from doorward.pki.keys import public_key_sha256
from doorward.pki.pem import certificate_pem, fingerprint_sha256
from doorward.pki.subjects import Subject
from doorward.planning import issuer, lineage
from doorward.planning.observed import GateState, Unseen
from tests.unit import given
from tests.unit.given import DAY, HOUR, ISSUER, NOW, SECOND


@lru_cache
def authority(number, *, generated=True, **override):
    """A CA generation with a key of its own, made a day ago for a year."""
    key = given.key(300 + number)
    born, ends = NOW - DAY - HOUR, NOW + 364 * DAY
    certificate = build_ca(
        subject=Subject(common_name="Partners CA"), key=key, serial=number, not_before=born, not_after=ends
    )
    pem = certificate_pem(certificate)
    made = given.authority(
        generation=number,
        serial=number,
        sha256=fingerprint_sha256(certificate),
        public_key_sha256=public_key_sha256(key.public_key()),
        identity=identity(certificate),
        not_before=born,
        not_after=ends,
        anchor_pem=pem,
        chain_pem=pem,
        generated=generated,
    )
    return replace(made, **override)


def record(serial, generation, **override):
    key = ObjectKey(ISSUER.namespace, record_name(ISSUER.name, generation, serial))
    return given.record(serial, key=key, generation=generation, **override)


ONE, TWO, THREE = authority(1), authority(2), authority(3)
OLD, NEW = record(1, 1), record(2, 2)
BOTH = given.trust({1: (ONE, given.crl()), 2: (TWO, given.crl())})
OWN = given.issuer_spec(ca={"secretRef": {"name": "mine"}})
OWN_TWO = authority(2, generated=False)


def world(**override):
    """Generation 1 has signed, 2 is in the gates and has not."""
    given_ = {
        "authority": TWO,
        "older": (ONE,),
        "ca_names_taken": frozenset({1, 2}),
        "records": (OLD,),
        "published": BOTH,
        "spec": given.issuer_spec(),
    }
    return given.trust_domain(**given_ | override)


def line(now=NOW, **override):
    o = world(**override)
    return lineage.of(o, o.spec, o.records, now)


def why(now=NOW, **override):
    o = world(**override)
    return lineage.why_next(o, o.spec, lineage.of(o, o.spec, o.records, now), now)


def generate(**fields):
    return given.issuer_spec(ca={"generate": {"commonName": "Partners CA"} | fields})


def distrust(*numbers):
    return given.issuer_spec(ca={"generate": {"commonName": "Partners CA"}, "distrust": numbers})


NO_CA = said("CaSecretInvalid", secret="mine", detail="junk")
OWN_BACK = {"spec": OWN, "authority": replace(ONE, generated=False), "older": (replace(OWN_TWO, crl_only=True),)}
JUST_NOW = given.gate(anchors_taken=NOW + SECOND)
LONG_AGO = given.gate(anchors_taken=NOW)
UNREACHED = given.gate(state=GateState.DENIED)
SOON_OVER = authority(1, not_after=NOW + 6 * HOUR)


@pytest.mark.parametrize(
    ("override", "signs"),
    [
        pytest.param({}, 2, id="where there are no gates, as soon as it is published"),
        pytest.param({"published": given.trust({1: (ONE, given.crl())})}, 1, id="not before it is published"),
        pytest.param({"gates": (JUST_NOW,)}, 1, id="not while a gate has only just got it"),
        pytest.param({"gates": (LONG_AGO,)}, 2, id="when its gate has had it for a while"),
        pytest.param({"gates": (LONG_AGO, given.gate("two", anchors_taken=NOW + SECOND))}, 1, id="when all gates have"),
        pytest.param({"gates": (UNREACHED,)}, 1, id="not while a gate cannot be reached"),
        pytest.param({"gates": (replace(UNREACHED, targets=()),)}, 2, id="whatever a gate says that nobody uses"),
        pytest.param({"gates": (replace(UNREACHED, allowed=False),)}, 2, id="whatever a gate says that is closed"),
        pytest.param({"gates": (JUST_NOW,), "records": (OLD, NEW)}, 2, id="once it has signed, come what may"),
        pytest.param({"gates": (UNREACHED,), "older": (SOON_OVER,)}, 2, id="at last though a gate cannot be reached"),
        pytest.param({"gates": (UNREACHED,), "older": ()}, 2, id="at once where it is the first"),
        pytest.param({"gates": (UNREACHED,), "spec": distrust(1)}, 2, id="at once where the one before is distrusted"),
        pytest.param({"spec": distrust(2), "records": (OLD, NEW)}, 1, id="the one before, where it is distrusted"),
    ],
)
def test_the_newest_generation_signs(override, signs):
    assert line(**override).signing.generation == signs


@pytest.mark.parametrize(
    ("override", "trusted"),
    [
        pytest.param({}, {1, 2}, id="the one that signs, and the next"),
        pytest.param({"records": (OLD, NEW)}, {1, 2}, id="an older one with a certificate that is good"),
        pytest.param({"records": (NEW, record(1, 1, revocation=given.hold()))}, {1, 2}, id="or held"),
        pytest.param({"records": (NEW, record(1, 1, revocation=given.revocation()))}, {2}, id="not if all are revoked"),
        pytest.param({"records": (NEW, record(1, 1, issued_at=NOW - 91 * DAY))}, {2}, id="not if all are over"),
        pytest.param({"records": (OLD, NEW), "spec": distrust(1)}, {2}, id="none that is distrusted"),
        pytest.param({"records": (OLD, NEW), "older": (authority(1, not_after=NOW),)}, {2}, id="none that expired"),
    ],
)
def test_the_gates_are_shown(override, trusted):
    assert line(**override).trusted == trusted


CARRIED = {"spec": OWN, "authority": OWN_TWO, "older": (), "records": (OLD, NEW)}


@pytest.mark.parametrize(
    ("override", "carried"),
    [
        pytest.param({}, {1}, id="while its certificates are good"),
        pytest.param({"records": (NEW,)}, set(), id="not when none is left"),
        pytest.param(
            {"records": (OLD, NEW, record(3, 1, revocation=given.revocation()))}, set(), id="not with one to refuse"
        ),
        pytest.param(
            {
                "records": (OLD, NEW, record(3, 1, revocation=given.revocation())),
                "published": given.trust({1: (ONE, given.crl(given.entry(3))), 2: (OWN_TWO, given.crl())}),
            },
            {1},
            id="with one to refuse that its CRL names",
        ),
        pytest.param(
            {"published": given.trust({1: (ONE, given.crl(next_update=NOW)), 2: (OWN_TWO, given.crl())})},
            set(),
            id="not when its CRL has lapsed",
        ),
        pytest.param(
            {"spec": given.issuer_spec(ca={"secretRef": {"name": "mine"}, "distrust": [1]})}, set(), id="not distrusted"
        ),
    ],
)
def test_a_generation_whose_key_is_gone_stays_as_it_is_published(override, carried):
    assert line(**CARRIED | override).carried == carried


def test_nothing_is_signed_until_the_gates_have_the_ca_that_replaced_another():
    just_now = given.trust({1: (ONE, given.crl()), 2: (OWN_TWO, given.crl(signed=NOW))})
    waiting = line(**CARRIED | {"records": (OLD,), "gates": (JUST_NOW,), "published": just_now})
    assert (waiting.signing, waiting.announced) == (None, OWN_TWO)


def test_a_gate_that_cannot_be_reached_holds_up_nobody_for_long_where_nothing_can_be_signed_meanwhile():
    long_ago = given.trust({1: (ONE, given.crl()), 2: (OWN_TWO, given.crl(signed=NOW - 10 * 60 * SECOND))})
    world = CARRIED | {"records": (OLD,), "gates": (UNREACHED,)}
    assert line(**world | {"published": long_ago}).signing == OWN_TWO
    assert line(NOW - SECOND, **world | {"published": long_ago}).signing is None


def test_a_person_may_put_the_ca_back_that_signed_before():
    back = line(**CARRIED | {"authority": replace(OWN_TWO, generation=1), "records": (OLD, NEW)})
    assert back.signing.generation == 1


@pytest.mark.parametrize(
    "override",
    [
        pytest.param(
            {"authority": said("CaSecretInvalid", secret="partners-ca-2", detail="junk"), "ca_generation": 2},
            id="is junk",
        ),
        pytest.param({"authority": ONE, "older": ()}, id="is gone"),
    ],
)
def test_nothing_is_signed_while_the_key_that_signs(override):
    broken = line(**{"records": (OLD, NEW)} | override)
    assert (broken.signing, broken.lost, broken.trusted) == (None, 2, {1, 2})


def crl_only(authority):
    return replace(authority, crl_only=True)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        pytest.param({"authority": NO_CA, "older": (crl_only(ONE), crl_only(TWO))}, (0, {1, 2}), id="none is left"),
        pytest.param({"authority": ONE, "older": (crl_only(TWO),)}, (0, {1, 2}), id="the one that signed last is one"),
        pytest.param({"older": (crl_only(ONE),)}, (2, {1, 2}), id="an older one is one"),
        pytest.param({"older": (crl_only(ONE),), "records": (NEW,)}, (2, {2}), id="nobody has a certificate of it"),
        pytest.param(
            {"authority": NO_CA, "older": (crl_only(ONE), crl_only(TWO)), "records": (NEW,)},
            (0, {1, 2}),
            id="none is left, whoever has certificates",
        ),
        pytest.param(OWN_BACK, (1, {1, 2}), id="the one after the one that a person put back"),
        pytest.param(OWN_BACK | {"records": (OLD,)}, (1, {1}), id="the same, and nobody has a certificate of it"),
    ],
)
def test_a_key_that_signs_crls_only_signs_no_certificate_and_is_shown_while_it_is_needed(override, expected):
    found = line(**{"records": (OLD, NEW)} | override)
    assert (found.signing.generation if found.signing else 0, found.trusted) == expected
    assert found.carried == frozenset()


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    ("override", "adopting"),
    [
        pytest.param(OWN_BACK, 1, id="that signs, though a later one signs CRLs only"),
        pytest.param(
            {"spec": OWN, "authority": NO_CA, "older": (crl_only(ONE), crl_only(TWO))}, 2, id="that is newest"
        ),
        pytest.param({}, None, id="of none, of Doorward's making"),
    ],
)
def test_whom_generations_refused_that_left_lists_the_crl_of_the_one(override, adopting):
    o = world(**{"records": (OLD, NEW)} | override)
    assert lineage.terms(o.spec, lineage.of(o, o.spec, o.records, NOW), NOW).adopting == adopting


def test_nothing_is_signed_until_the_gates_have_the_ca_after_one_that_signs_crls_only():
    just_now = given.trust({1: (ONE, given.crl()), 2: (OWN_TWO, given.crl(signed=NOW))})
    kept = {"older": (crl_only(ONE),), "records": (OLD,), "published": just_now}
    waiting = line(**CARRIED | kept | {"gates": (JUST_NOW,)})
    assert (waiting.signing, waiting.announced) == (None, OWN_TWO)
    assert line(**CARRIED | kept | {"gates": (LONG_AGO,)}).signing == OWN_TWO


def test_the_clients_of_a_generation_that_signs_crls_only_change_to_the_next():
    found = line(records=(OLD, NEW), older=(crl_only(ONE),))
    assert (dict(found.staying), found.moving) == ({}, {1})


SETTLED = {"records": (OLD, NEW)}


@pytest.mark.parametrize(
    ("override", "because"),
    [
        pytest.param({}, None, id="nothing is asked"),
        pytest.param({"spec": generate(rotate="now")}, "spec.ca.generate.rotate changed", id="it is asked for"),
        pytest.param(
            {"spec": generate(rotate="x"), "authority": replace(TWO, rotate="x")}, None, id="it was asked for"
        ),
        pytest.param({"authority": replace(TWO, rotate="x")}, None, id="nobody asks any more"),
        pytest.param(
            {"spec": generate(subject={"organizations": ["A"]})}, "spec.ca.generate names another subject", id="subject"
        ),
        pytest.param(
            {"spec": generate(privateKey={"size": 384})}, "spec.ca.generate asks for another kind of key", id="key"
        ),
        pytest.param({"spec": generate(renewBefore="8735h")}, None, id="an hour before its renewal"),
        pytest.param({"spec": generate(renewBefore="8736h")}, "its renewal is due", id="its renewal"),
        pytest.param(
            {"spec": generate(renewBefore="8736h1s")}, None, id="one that would be due within a day each time"
        ),
        pytest.param(
            {"records": (OLD,), "gates": (JUST_NOW,), "spec": generate(rotate="now")}, None, id="one is on its way"
        ),
        pytest.param(
            {"spec": distrust(1, 2)}, "every CA before it is distrusted, or was closed", id="all are distrusted"
        ),
        pytest.param({"spec": OWN, "authority": OWN_TWO, "older": ()}, None, id="a person's own"),
    ],
)
def test_the_next_generation_is_made_where(override, because):
    assert why(**SETTLED | override) == because


def crowded(own, other):
    def crl(share):
        return given.crl(pem=b"x" * int(share * MAX_BYTES))

    return {"published": given.trust({1: (ONE, crl(other)), 2: (TWO, crl(own))})}


@pytest.mark.parametrize(
    ("own", "other", "because"),
    [
        pytest.param(0.401, 0.401, "its CRL is nearly full", id="its own CRL is large"),
        pytest.param(0.79, 0.0, None, id="there is room"),
        pytest.param(0.1, 0.75, None, id="the large one is another's: a successor would help nobody"),
    ],
)
def test_the_next_generation_begins_an_empty_crl_before_this_one_is_full(own, other, because):
    assert why(**SETTLED | crowded(own, other)) == because


def serials(generation, count, **override):
    return tuple(record(1000 * generation + n, generation, **override) for n in range(count))


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    ("records", "because"),
    [
        pytest.param(serials(2, 15), None, id="it signed few"),
        pytest.param(
            serials(2, 16), "its CRL could hardly list more certificates than it has signed", id="it signed many"
        ),
        pytest.param(
            serials(2, 16, revocation=given.revocation()),
            "its CRL could hardly list more certificates than it has signed",
            id="revoked ones count",
        ),
        pytest.param((*serials(2, 15), *serials(1, 15)), None, id="another's do not"),
        pytest.param((*serials(2, 15), record(1, 2, not_after=NOW)), None, id="expired ones do not"),
    ],
)
def test_the_next_generation_is_made_before_this_one_signed_more_than_its_crl_lists(monkeypatch, records, because):
    monkeypatch.setattr(lineage.room, "CRL_ENTRIES", 20)
    assert why(**SETTLED | {"records": records}) == because


@pytest.mark.parametrize(
    ("override", "stays"),
    [
        pytest.param({}, True, id="only the number of its serials was too high"),
        pytest.param({"spec": generate(rotate="now")}, False, id="a person asks for another"),
        pytest.param({"spec": generate(privateKey={"algorithm": "RSA", "size": 2048})}, False, id="with another key"),
        pytest.param({"spec": distrust(1)}, False, id="it is distrusted"),
        pytest.param({"older": (SOON_OVER,)}, False, id="its renewal is due"),
        pytest.param({"older": ()}, False, id="its key is gone"),
        pytest.param(
            {"published": given.trust({1: (ONE, given.crl(pem=b"x" * int(0.41 * MAX_BYTES))), 2: (TWO, given.crl())})},
            False,
            id="its CRL takes the room of others",
        ),
        pytest.param({"spec": OWN, "authority": OWN_TWO, "older": (authority(1, generated=False),)}, False, id="own"),
    ],
)
def test_the_clients_of_an_older_generation_keep_their_certificates_where(override, stays):
    found = line(records=(OLD, NEW), **override)
    assert (1 in found.staying) is stays
    if stays:
        assert found.moving == frozenset()
        assert found.due <= lineage._renewal(ONE, world().spec.ca.generate)


def test_no_more_generations_are_made_than_a_bundle_can_hold():
    many = [authority(number) for number in range(1, 9)]
    records = tuple(record(a.generation, a.generation) for a in many)
    published = given.trust({a.generation: (a, given.crl()) for a in many})
    full = {"authority": many[-1], "older": tuple(many[:-1]), "records": records, "published": published}
    assert why(**full, spec=generate(rotate="now")) is None
    assert why(**full | {"older": tuple(many[1:-1]), "records": records[1:]}, spec=generate(rotate="now")) is not None


@pytest.mark.parametrize(
    ("override", "number"),
    [
        pytest.param({}, 3, id="above the newest"),
        pytest.param({"records": (record(1, 7),)}, 8, id="above every one that ever signed"),
        pytest.param({"closed": {7: "a key"}}, 8, id="above one that was closed, though its records are gone"),
        pytest.param({"known": {7: "a key"}}, 8, id="above one that was published, though its records are gone"),
        pytest.param({"spec": distrust(1, 2, 3)}, 4, id="none that is distrusted already"),
        pytest.param({"ca_names_taken": frozenset({1, 2, 3, 4, 9})}, 5, id="none whose name somebody has taken"),
    ],
)
def test_the_next_generations_number_is(override, number):
    o = world(**override)
    assert lineage.next_number(o, o.spec, o.records) == number


def test_the_crl_of_a_ca_that_came_back_names_whom_it_refused_under_another_number():
    three = authority(3, generated=False)
    refused = record(1, 1, revocation=given.revocation())
    published = given.trust({3: (three, given.crl())})
    o = world(spec=OWN, authority=three, older=(), records=(refused,), published=published)
    (action,) = issuer.decide(o, NOW).plan.actions
    assert (action.terms.adopting, action.entries) == (3, {3: 1})


def test_a_generated_ca_lists_no_serial_of_a_generation_that_left():
    refused = record(1, 1, revocation=given.revocation())
    (action,) = issuer.decide(world(older=(), records=(refused,), published=Unseen.ABSENT), NOW).plan.actions
    assert (action.terms.adopting, action.entries) == (None, {2: 0})


@pytest.mark.promise(7)
@pytest.mark.parametrize(
    "newest",
    [
        pytest.param(record(2, 2), id="is good"),
        pytest.param(record(2, 2, revocation=given.revocation()), id="is refused"),
    ],
)
def test_nothing_is_published_where_the_one_key_left_is_over_and_the_newest_certificate(newest):
    over = record(1, 1, revocation=given.revocation())
    o = world(authority=ONE, older=(), records=(over, newest), published=Unseen.ABSENT)
    (action,) = issuer.decide(o, NOW).plan.actions
    (ready,) = (c for c in action.status["conditions"] if c["type"] == "Ready")
    assert (ready["reason"], "partners-ca-2" in ready["message"]) == ("CaSecretMissing", True)


NEW_CRL = given.crl(signed=NOW)


@pytest.mark.parametrize(
    "older",
    [
        pytest.param((authority(1, not_after=NOW + 30 * DAY),), id="its key is there"),
        pytest.param((), id="the key before is gone"),
    ],
)
def test_a_next_ca_that_waits_for_a_gate_is_due_when_it_waits_no_longer(older):
    """A gate that cannot be reached makes nobody look again, and neither does a CRL that is renewed each month."""
    both = given.trust({1: (older[0] if older else ONE, NEW_CRL), 2: (TWO, NEW_CRL)})
    waiting = {"older": older, "published": both, "gates": (UNREACHED,)}
    found = line(**waiting)
    assert (found.announced, found.signing) == (TWO, older[0] if older else None)
    assert line(now=found.due - SECOND, **waiting).signing != TWO
    assert line(now=found.due, **waiting).signing == TWO
