"""What is published of an issuer, read back from a trust bundle: row by row, whatever somebody made of the bundle."""

from dataclasses import replace

import pytest

from doorward.objects import trust_bundle
from doorward.objects.crl_configmap import TrustBundle
from doorward.objects.trust_bundle import PublishedTrust
from doorward.pki.ca_identity import identity
from doorward.pki.crls import build_crl, read_crl
from doorward.pki.pem import certificate_pem
from tests.unit import given
from tests.unit.given import DAY, HOUR, NOW

NAME = "partners-crl"
CAS = {
    "one": given.ca(101),
    "two": given.ca(102),
    "three": given.ca(103),
    "same name": given.ca(104),
    "stranger": given.ca(105, "Strangers CA"),
}
JUNK_CERTIFICATE = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
JUNK_CRL = b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"


def ca(name):
    return CAS[name].certificate


def key(name):
    return trust_bundle.anchor_of(ca(name)).public_key_sha256


def anchor(name):
    return JUNK_CERTIFICATE if name == "junk" else trust_bundle.anchor_of(ca(name)).pem


def crl(name, *serials, number=5):
    return build_crl(
        ca=CAS[name],
        entries=map(given.entry, serials),
        number=number,
        this_update=NOW - HOUR,
        next_update=NOW + 7 * DAY,
    )


CRLS = {"one": crl("one", 1), "two": crl("two", 2), "three": crl("three", 3), "junk": JUNK_CRL}
CRLS |= {"stranger": crl("stranger", 9), "same name": crl("same name", 9), "newer one": crl("one", 1, 7, number=6)}


def bundle(anchors=("one", "two"), crls=("one", "two"), says=None):
    """`says`: the annotation, by number the CA whose key it names; None: as it should be; empty: there is none."""
    said = {n: key(name) for n, name in ({1: "one", 2: "two"} if says is None else says).items()}
    return TrustBundle(
        anchors=b"".join(map(anchor, anchors)), crl=b"".join(CRLS[name] for name in crls), generations=said
    )


def held(**names):
    """By generation, `_1` for 1, the CA whose key is held."""
    return {int(number[1:]): ca(name) for number, name in names.items()}


BOTH = held(_1="one", _2="two")


def verified(of, cas=None, recorded=(1, 2)):
    return trust_bundle.verify(of, BOTH if cas is None else cas, recorded, NAME)


def trusted(published):
    """By generation, whose anchor it has, and whom its CRL names."""
    assert isinstance(published, PublishedTrust), published
    owners = {key(name): name for name in CAS}
    return {
        g: (owners[each.public_key_sha256], sorted(published.crls[g].entries)) for g, each in published.anchors.items()
    }


ONE, TWO = {1: ("one", [1])}, {2: ("two", [2])}


@pytest.mark.parametrize(
    ("of", "world", "expected", "sound"),
    [
        pytest.param(bundle(), {}, ONE | TWO, True, id="as it was written"),
        pytest.param(bundle(("one",), ("one",), {1: "one"}), {}, ONE, True, id="one generation of two that are held"),
        pytest.param(bundle(says={}), {}, ONE | TWO, False, id="without the annotation"),
        pytest.param(
            bundle(says={}),
            {"cas": held(_4="one", _5="two"), "recorded": (4, 5)},
            {4: ("one", [1]), 5: ("two", [2])},
            False,
            id="without it: the keys that are held say which is which",
        ),
        pytest.param(
            bundle(says={}),
            {"cas": held(_5="two"), "recorded": (4, 5)},
            {4: ("one", [1]), 5: ("two", [2])},
            False,
            id="without it: the order says which one a missing key is",
        ),
        pytest.param(
            bundle(says={}), {"cas": held(_5="two"), "recorded": ()}, {5: ("two", [2])}, False, id="without any record"
        ),
        pytest.param(bundle(says={1: "one"}), {}, ONE | TWO, False, id="the annotation lacks one that is held"),
        pytest.param(
            bundle(says={1: "one"}), {"cas": held(_1="one")}, ONE, False, id="the annotation lacks one that is not held"
        ),
        pytest.param(
            bundle(says={1: "two", 2: "one"}),
            {},
            {1: ("two", [2]), 2: ("one", [1])},
            False,
            id="the annotation was turned round: planned again, since each anchor is another one than is held",
        ),
        pytest.param(
            bundle(says={7: "one", 2: "two"}), {}, TWO, False, id="the annotation gives a number that nobody knows"
        ),
        pytest.param(
            bundle(says={1: "one", 2: "two", 3: "three"}), {}, ONE | TWO, False, id="the annotation names one too many"
        ),
        pytest.param(bundle(("two", "one")), {}, ONE | TWO, False, id="the anchors were turned round"),
        pytest.param(bundle(crls=("two", "one")), {}, ONE | TWO, False, id="the CRLs were turned round"),
        pytest.param(
            bundle(("two", "one"), says={}), {}, ONE | TWO, False, id="the anchors were turned round, nothing says so"
        ),
        pytest.param(
            bundle(("one", "two", "stranger"), ("one", "two", "stranger")),
            {},
            ONE | TWO,
            False,
            id="a stranger's anchor and CRL beside ours",
        ),
        pytest.param(
            bundle(("one", "stranger"), ("one", "stranger"), {}),
            {"cas": held(_1="one"), "recorded": (1,)},
            ONE,
            False,
            id="a stranger's anchor without the annotation has a number that nobody knows",
        ),
        pytest.param(bundle(crls=("one", "two", "stranger")), {}, ONE | TWO, False, id="a stranger's CRL beside ours"),
        pytest.param(
            bundle(crls=("one", "two", "same name")), {}, ONE | TWO, False, id="a CRL in our name by another's key"
        ),
        pytest.param(
            bundle(crls=("one", "newer one", "two")),
            {},
            {1: ("one", [1, 7]), **TWO},
            False,
            id="two CRLs of one CA: the newer one counts",
        ),
        pytest.param(
            bundle(crls=("newer one", "one", "two")),
            {},
            {1: ("one", [1, 7]), **TWO},
            False,
            id="two CRLs of one CA: the newer one counts, also where it comes first",
        ),
        pytest.param(bundle(crls=("one",)), {}, ONE, False, id="an anchor without a CRL"),
        pytest.param(bundle(("one",)), {}, ONE, False, id="a CRL without an anchor"),
        pytest.param(bundle(("one", "one", "two")), {}, ONE | TWO, False, id="an anchor that stands there twice"),
        pytest.param(bundle(crls=("one", "junk")), {}, ONE, False, id="a second CRL that cannot be read"),
        pytest.param(bundle(crls=("junk", "two")), {}, TWO, False, id="a first CRL that cannot be read"),
        pytest.param(
            bundle(),
            {"cas": held(_2="two")},
            ONE | TWO,
            True,
            id="a key is missing, and the ledger knows its generation",
        ),
        pytest.param(
            bundle(), {"cas": held(_2="two"), "recorded": (2,)}, TWO, False, id="a key is missing that never signed"
        ),
        pytest.param(
            bundle(), {"cas": {}, "recorded": (1, 2)}, ONE | TWO, True, id="all keys are missing, the ledger knows them"
        ),
    ],
)
def test_a_bundle_says(of, world, expected, sound):
    found = verified(of, **world)
    assert trusted(found.published) == expected
    assert (found.published.sound, found.published.size, found.replaced) == (sound, of.size, "")


@pytest.mark.parametrize(
    ("of", "world", "why"),
    [
        pytest.param(TrustBundle(anchors=b"", crl=b""), {}, "no PEM block", id="it is empty"),
        pytest.param(replace(bundle(), anchors=b""), {}, "no PEM block", id="the anchors are missing"),
        pytest.param(bundle(crls=()), {}, "no CRL of the issuer's", id="the CRLs are missing"),
        pytest.param(bundle(("one", "junk")), {}, "certificate", id="a second anchor cannot be read"),
        pytest.param(bundle(("junk", "one")), {}, "certificate", id="a first anchor cannot be read"),
        pytest.param(bundle(crls=("junk",)), {}, "no CRL of the issuer's", id="the one CRL cannot be read"),
        pytest.param(
            bundle(("one",), ("same name",), {1: "one"}), {}, "not signed by this CA", id="another key signed the CRL"
        ),
        pytest.param(bundle(("one",), ("two",), {1: "one"}), {}, "not signed by this CA", id="another CA's CRL"),
        pytest.param(
            bundle(("stranger",), ("stranger",), {7: "stranger"}), {}, "not the issuer's", id="a stranger's anchor"
        ),
        pytest.param(bundle(says={7: "one", 8: "two"}), {}, "not the issuer's", id="numbers that nobody knows"),
        pytest.param(bundle(says={9: "three"}), {"cas": {}}, "not the issuer's", id="an annotation of others alone"),
        pytest.param(bundle(), {"cas": {}, "recorded": ()}, "not the issuer's", id="nothing is held or recorded"),
    ],
)
def test_nothing_can_be_built_on_a_bundle_where(of, world, why):
    published = verified(of, **world).published
    assert not isinstance(published, PublishedTrust)
    assert (published.type, published.reason.name) == ("CRLCurrent", "NotPublished")
    assert why in published.message
    assert NAME in published.message


@pytest.mark.parametrize(
    ("of", "replaced"),
    [
        pytest.param(bundle(), "", id="all keys are those that are held"),
        pytest.param(
            bundle(("stranger", "two"), ("stranger", "two"), {1: "stranger", 2: "two"}),
            "CN=Strangers CA",
            id="the first one has another key",
        ),
        pytest.param(
            bundle(("one", "same name"), ("one", "same name"), {1: "one", 2: "same name"}),
            "CN=Partners CA",
            id="the last one has another key",
        ),
        pytest.param(
            bundle(("stranger", "same name"), ("stranger",), {1: "stranger", 2: "same name"}),
            "CN=Strangers CA",
            id="both do: the first is told",
        ),
        pytest.param(
            bundle(("one", "two", "stranger"), ("one",), {1: "one", 2: "two", 3: "stranger"}),
            "",
            id="one does whose generation is not held",
        ),
    ],
)
def test_a_generation_is_published_with_another_key_than_is_held_where(of, replaced):
    assert verified(of, recorded=(1, 2, 3)).replaced == replaced


def test_a_strangers_bundle_without_the_annotation_is_told_as_another_key():
    assert verified(bundle(("stranger",), ("stranger",), {}), recorded=()).replaced == "CN=Strangers CA"


# Which anchor is which generation


@pytest.mark.parametrize(
    ("says", "recorded", "expected"),
    [
        pytest.param({4: "one", 7: "two"}, (), {"one": 4, "two": 7}, id="as the annotation says"),
        pytest.param({4: "one"}, (1, 2), {"one": 4}, id="not what it does not say"),
        pytest.param({4: "three"}, (1, 2), {}, id="nothing, where it says nothing of these"),
        pytest.param({}, (), {"one": 1, "two": 2}, id="from one on, without records"),
        pytest.param({}, (5,), {"one": 4, "two": 5}, id="up to the last one that signed"),
        pytest.param({}, (1,), {"one": 1, "two": 2}, id="from one on, where fewer signed"),
    ],
)
def test_anchors_have_the_numbers(says, recorded, expected):
    found = trust_bundle.numbers_of(bundle(says=says), [ca("one"), ca("two")], recorded)
    assert found == {identity(ca(name)): number for name, number in expected.items()}


def test_no_anchor_has_no_number():
    assert trust_bundle.numbers_of(bundle(says={}), [], (1, 2)) == {}


@pytest.mark.parametrize(
    ("of", "recorded", "number"),
    [
        pytest.param(None, (), 1, id="the first, where nothing is known"),
        pytest.param(None, (1, 3), 3, id="the last that signed, where nothing is published"),
        pytest.param(bundle(says={3: "one", 4: "two"}), (3, 4), 3, id="as it is published"),
        pytest.param(bundle(says={3: "two"}), (1,), 4, id="above what is published"),
        pytest.param(bundle(says={3: "two"}), (7,), 8, id="above all that signed"),
        pytest.param(bundle(says={}), (1, 2), 1, id="by the order, without the annotation"),
        pytest.param(bundle(("two",), says={}), (2,), 3, id="above those, without the annotation"),
        pytest.param(bundle((), says={}), (2,), 2, id="the last that signed, where no anchor is there"),
        pytest.param(bundle(("junk",), says={}), (2,), 2, id="the last that signed, where no anchor can be read"),
        pytest.param(
            bundle(("junk",), says={5: "one"}), (2,), 5, id="as the annotation says, though no anchor is read"
        ),
    ],
)
def test_a_persons_own_ca_is_generation(of, recorded, number):
    assert trust_bundle.number_of(ca("one"), of, recorded) == number


# Two CAs over one key


TWICE = ca("one"), given.ca(101, "One again").certificate
IDS, KEYS = [identity(each) for each in TWICE], {1: key("one"), 2: key("one")}


@pytest.mark.parametrize(
    ("generations", "identities", "numbers"),
    [
        pytest.param(KEYS, {1: IDS[0], 2: IDS[1]}, [1, 2], id="as the annotations say"),
        pytest.param(KEYS, {1: IDS[1], 2: IDS[0]}, [2, 1], id="also where the newer one is first"),
        pytest.param(KEYS, {}, [1, 2], id="in their order, where only the key is known"),
        pytest.param(KEYS, {1: IDS[1]}, [2, 1], id="where one is known, the other is the other"),
        pytest.param(KEYS, {1: "junk", 2: "junk"}, [1, 2], id="in their order, where neither is known"),
        pytest.param({4: key("one")}, {4: IDS[1]}, [None, 4], id="only what the annotations name"),
        pytest.param({4: key("one")}, {}, [4, None], id="the first, where an older version named one"),
        pytest.param({4: key("two")}, {4: IDS[0]}, [None, None], id="none that is said to have another key"),
        pytest.param({}, {}, [1, 2], id="in their order, where nothing is said"),
    ],
)
def test_of_two_cas_over_one_key_the_numbers_are(generations, identities, numbers):
    of = TrustBundle(anchors=b"", crl=b"", generations=generations, identities=identities)
    found = trust_bundle.numbers_of(of, TWICE, ())
    assert [found.get(each) for each in IDS] == numbers


def twice(*anchors, **override):
    return TrustBundle(anchors=b"".join(map(certificate_pem, anchors)), crl=b"", **override)


OLD, NEW = TWICE


@pytest.mark.parametrize(
    ("of", "recorded", "number"),
    [
        pytest.param(twice(OLD, generations={1: KEYS[1]}), (1,), 2, id="a new one beside the other over its key"),
        pytest.param(twice(OLD), (1,), 2, id="the same, where nothing says numbers"),
        pytest.param(twice(OLD, NEW, generations=KEYS), (1, 2), 2, id="the one that it is published as"),
        pytest.param(twice(closed={1: KEYS[1]}, identities={1: IDS[0]}), (), 2, id="not another that was closed"),
        pytest.param(twice(closed={1: KEYS[1]}, identities={1: IDS[1]}), (), 1, id="the one that it was closed as"),
        pytest.param(twice(closed={1: KEYS[1]}), (), 1, id="one that was closed, where only the key is known"),
        pytest.param(twice(generations={1: KEYS[1]}), (), 1, id="the one of its key, where no anchor is read"),
        pytest.param(
            twice(generations={1: KEYS[1]}, identities={1: IDS[0]}), (), 2, id="not that, where it is another CA's"
        ),
        pytest.param(twice(OLD, known={7: "a key"}), (1,), 8, id="above one that was published once"),
    ],
)
def test_a_persons_own_ca_over_the_key_of_another_is_generation(of, recorded, number):
    assert trust_bundle.number_of(NEW, of, recorded) == number


# The CRLs in a text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(b"", {}, id="none"),
        pytest.param(b"whatever", {}, id="what is no PEM"),
        pytest.param(b"-" * (9 << 20), {}, id="too much"),
        pytest.param(CRLS["one"] + JUNK_CRL + CRLS["two"], {1: 5, 2: 5}, id="what can be read"),
        pytest.param(CRLS["newer one"] + CRLS["one"], {1: 6}, id="the newest of each"),
        pytest.param(CRLS["same name"] + CRLS["stranger"], {}, id="none that another key signed"),
    ],
)
def test_of_a_text_count(text, expected):
    found = trust_bundle.crls_of(text, BOTH)
    assert {g: each.number for g, each in found.items()} == expected
    of = TrustBundle(anchors=b"", crl=text)
    assert trust_bundle.newest_number(of, BOTH) == max(expected.values(), default=0)


# Whole bundles


def made(*names):
    """The trust of these CAs, in this order of generations."""
    lists = {n: read_crl(CRLS[name], ca(name)) for n, name in enumerate(names, 1)}
    anchors = {n: trust_bundle.anchor_of(ca(name)) for n, name in enumerate(names, 1)}
    return PublishedTrust(anchors=anchors, crls=lists, size=0)


def test_a_bundle_is_written_by_generation_whatever_the_order():
    trust = made("one", "two")
    turned = trust_bundle.bundle_of(dict(reversed(trust.anchors.items())), dict(reversed(trust.crls.items())))
    assert (
        turned
        == trust_bundle.bundle_of(trust.anchors, trust.crls)
        == replace(bundle(), known=turned.generations, identities=turned.identities)
    )
    assert list(turned.generations) == [1, 2]


def test_what_is_written_is_read_back():
    assert replace(verified(bundle()).published, size=0) == made("one", "two")


def test_bundles_that_differ_have_another_digest():
    bundles = [bundle(), bundle(("one",)), bundle(crls=("one",)), TrustBundle(anchors=b"", crl=b"")]
    bundles += [TrustBundle(anchors=b"a", crl=b""), TrustBundle(anchors=b"", crl=b"a")]
    assert len({trust_bundle.digest(each) for each in bundles}) == len(bundles)
    assert trust_bundle.digest(bundle(says={})) == trust_bundle.digest(bundle())


def test_of_several_crls_the_highest_number_and_the_first_end_count():
    one = replace(made("one").crls[1], number=7, this_update=NOW - DAY, next_update=NOW + 2 * DAY)
    trust = replace(made("one", "two"), crls={1: one, 2: made("one", "two").crls[2]})
    assert (trust.number, trust.this_update, trust.next_update) == (7, NOW - DAY, NOW + 2 * DAY)
    assert sorted(trust.entries) == [1, 2]


def test_where_two_crls_name_a_serial_the_newest_generation_says_why():
    first, second = (
        replace(each, entries={1: given.entry(1, reason)})
        for each, reason in zip(made("one", "two").crls.values(), ("superseded", "keyCompromise"), strict=True)
    )
    trust = replace(made("one", "two"), crls={2: second, 1: first})
    assert trust.entries == {1: given.entry(1, "keyCompromise")}
