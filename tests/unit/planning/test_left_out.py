"""Which CA generations no gate may trust."""

import pytest

from doorward.planning import left_out
from tests.unit import given

KEYS = {1: "K", 2: "K", 3: "L"}
IDS = {1: "K one", 2: "K two", 3: "L"}


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    ("named", "out"),
    [
        pytest.param([], set(), id="none"),
        pytest.param([1], {1, 2}, id="one, and another over its key"),
        pytest.param([2], {1, 2}, id="one, and an older one over its key"),
        pytest.param([3], {3}, id="one with a key of its own"),
        pytest.param([7], {7}, id="one that there is not, yet"),
    ],
)
def test_distrusted_are(named, out):
    assert left_out.distrusted(named, KEYS) == out


@pytest.mark.parametrize(
    ("before", "identities", "overflowing", "closed"),
    [
        pytest.param({}, {}, {1}, {1: "K"}, id="one that overflows, and no other over its key"),
        pytest.param({1: "K"}, {1: "K one"}, {}, {1: "K"}, id="one that was closed, and no other over its key"),
        pytest.param({9: "K"}, {9: "K two"}, {}, {9: "K", 2: "K"}, id="the same CA under another number"),
        pytest.param({9: "K"}, {}, {}, {9: "K", 1: "K", 2: "K"}, id="each over a key of which no more is known"),
        pytest.param({9: "M"}, {9: "M"}, {}, {}, id="not one whose key is gone and whose certificates have expired"),
    ],
)
def test_closed_are(before, identities, overflowing, closed):
    o = given.trust_domain(closed=before, identities=identities)
    assert left_out.closed(o, KEYS, IDS, {}, frozenset(overflowing)) == closed


def test_one_that_was_closed_stays_closed_while_its_certificates_have_not_expired():
    o = given.trust_domain(closed={9: "M"})
    assert left_out.closed(o, KEYS, IDS, {9}, frozenset()) == {9: "M"}


ONE = given.authority(generation=3, public_key_sha256="K")


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    ("known", "told", "untold"),
    [
        pytest.param({}, {}, set(), id="none, where nothing was published"),
        pytest.param({1: "K", 2: "K"}, {1: "x", 2: "y"}, set(), id="none that was told by its identity"),
        pytest.param({1: "K", 2: "K"}, {2: "y"}, {1}, id="one of which only the key is known"),
        pytest.param({1: "L", 3: "K"}, {}, set(), id="neither one over another key, nor itself"),
    ],
)
def test_generations_whose_certificates_may_name_a_ca_over_their_key_are(known, told, untold):
    o = given.trust_domain(known=known, identities=told)
    assert left_out.untold(o, ONE, {7: "K"}) == untold


def test_a_generation_that_an_older_version_published_is_not_told_by_its_identity_later():
    o = given.trust_domain(known={1: "K", 2: "K"}, identities={2: "two"})
    assert left_out.told_apart(o, {1: "one", 2: "two", 3: "three"}) == {2: "two", 3: "three"}
