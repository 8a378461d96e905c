"""Which key is an issuer's, and as which CA generation."""

from dataclasses import replace

import pytest

from doorward.objects import ca_proof, trust_bundle
from doorward.objects.crl_configmap import TrustBundle
from tests.unit import given

ONE, TWO = (trust_bundle.anchor_of(given.ca(number, name).anchor) for number, name in ((101, "One"), (102, "Two")))
KEY_1, KEY_2 = ONE.public_key_sha256, TWO.public_key_sha256
ALL = [(1, KEY_1), (2, KEY_2)]
BUNDLE = trust_bundle.bundle_of({1: ONE, 2: TWO}, {1: given.crl(), 2: given.crl()})
NO_NUMBERS = replace(BUNDLE, generations={}, known={})
EMPTY = TrustBundle(anchors=b"", crl=b"")


def proof(bundle=BUNDLE, *, remembered=None, made=None, signed=()):
    return ca_proof.of(bundle, remembered or {}, made or {}, signed)


@pytest.mark.parametrize(
    ("known", "generation", "key", "is_accepted"),
    [
        pytest.param(proof(), 1, KEY_1, True, id="it is published"),
        pytest.param(proof(), 2, "another", False, id="another key is published as that generation"),
        pytest.param(proof(), 3, "another", False, id="nothing is published as that generation"),
        pytest.param(proof(signed=[3]), 3, "another", False, id="the ledger's word is not enough beside a bundle"),
        pytest.param(proof(made={3: "mine"}), 3, "mine", True, id="this process made it"),
        pytest.param(proof(made={3: "mine"}), 3, "another", False, id="this process made another"),
        pytest.param(proof(replace(BUNDLE, known={7: "old"})), 7, "old", True, id="it was published once"),
        pytest.param(proof(replace(BUNDLE, closed={7: "old"})), 7, "old", True, id="it was closed"),
        pytest.param(proof(NO_NUMBERS), 2, KEY_2, True, id="an older version wrote no numbers"),
        pytest.param(
            proof(replace(BUNDLE, generations={9: "x"}, known={})), 1, KEY_1, True, id="the numbers were edited"
        ),
        pytest.param(proof(None, signed=[1]), 1, "any", True, id="all is lost, and the ledger knows the generation"),
        pytest.param(proof(None, signed=[1]), 2, "any", False, id="all is lost, and the ledger does not know it"),
        pytest.param(proof(EMPTY, signed=[1]), 1, "any", True, id="the ConfigMap was emptied"),
        pytest.param(proof(None), 1, "any", False, id="nothing is known at all"),
        pytest.param(
            proof(None, remembered={1: KEY_1}, signed=[1]), 1, KEY_1, True, id="this process saw it published"
        ),
        pytest.param(proof(None, remembered={1: KEY_1}, signed=[1]), 1, "any", False, id="this process saw another"),
        pytest.param(proof(replace(EMPTY, anchors=b"junk"), signed=[1]), 1, "any", True, id="the anchors are no PEM"),
    ],
)
def test_a_key_is_the_issuers(known, generation, key, is_accepted):
    assert known.accepts(generation, key, [*ALL, (generation, key)]) is is_accepted


BORN = given.ca(101, "One").anchor.not_valid_before_utc
OLD, YOUNG = BORN - given.DAY, BORN + given.DAY


@pytest.mark.parametrize(
    ("known", "generation", "begins", "oldest", "is_restored"),
    [
        pytest.param(proof(), 1, OLD, OLD, True, id="the ledger is older than the CA that is published"),
        pytest.param(proof(), 1, OLD, YOUNG, False, id="the published CA may have signed all of it"),
        pytest.param(proof(), 1, OLD, None, False, id="nothing that was signed is valid"),
        pytest.param(proof(), 1, BORN, OLD, False, id="it is younger than what it should have signed"),
        pytest.param(proof(), 7, OLD, YOUNG, True, id="no CRL names the generation, and the ledger does"),
        pytest.param(proof(), 7, YOUNG, OLD, False, id="nor does it fit then"),
        pytest.param(proof(replace(BUNDLE, known={7: "old"})), 7, OLD, OLD, False, id="another key was published once"),
        pytest.param(proof(made={7: "mine"}), 7, OLD, OLD, False, id="this process made another a moment ago"),
    ],
)
def test_a_ca_of_a_backup_takes_the_place_of_another_where(known, generation, begins, oldest, is_restored):
    assert known.restores(generation, begins, oldest) is is_restored


def test_of_two_secrets_with_one_key_that_with_its_number_counts():
    both = [(1, KEY_1), (2, KEY_1)]
    assert [proof().accepts(number, KEY_1, both) for number in (1, 2)] == [True, False]


def test_where_neither_has_its_number_the_first_counts():
    both = [(3, KEY_1), (4, KEY_1)]
    edited = proof(replace(BUNDLE, generations={9: "x"}, known={}))
    assert [edited.accepts(number, KEY_1, both) for number in (3, 4)] == [True, False]


@pytest.mark.parametrize(
    ("known", "same"),
    [
        pytest.param(proof(), {ONE.identity}, id="its own"),
        pytest.param(proof(replace(BUNDLE, identities={})), {ONE.identity}, id="its own, by its anchor alone"),
        pytest.param(
            proof(replace(BUNDLE, identities={1: "x"})), {ONE.identity}, id="its anchor's, whatever else is said"
        ),
        pytest.param(
            proof(replace(EMPTY, known={1: KEY_1}, identities={1: "x"})), {"x"}, id="the one that it was published with"
        ),
        pytest.param(
            proof(replace(EMPTY, known={1: KEY_1})), {ONE.identity, "x"}, id="any, where only the key is known"
        ),
        pytest.param(proof(None, made={1: KEY_1}), {ONE.identity, "x"}, id="any, of one that was just made"),
    ],
)
def test_the_name_and_identifier_of_a_key_are(known, same):
    assert {each for each in (ONE.identity, "x") if known.is_same(KEY_1, each)} == same


@pytest.mark.parametrize(
    ("known", "numbers"),
    [
        pytest.param(proof(), {1, 2}, id="what is published"),
        pytest.param(proof(made={3: "x"}, signed=[7]), {1, 2, 3, 7}, id="what was made, and what signed"),
        pytest.param(
            proof(NO_NUMBERS, signed=[5]), {4, 5}, id="in the order of the anchors, up to the last that signed"
        ),
        pytest.param(proof(None), set(), id="nothing"),
    ],
)
def test_only_secrets_with_these_numbers_are_looked_into(known, numbers):
    assert known.numbers == numbers


@pytest.mark.parametrize(
    ("generation", "subject"), [pytest.param(2, "CN=Two", id="its own"), pytest.param(9, "CN=One", id="else the first")]
)
def test_the_subject_that_the_gates_trust(generation, subject):
    assert proof().subject(generation) == subject


def test_there_may_be_none():
    assert proof(None).subject(1) == "unknown"
