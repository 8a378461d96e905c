"""`doorward.io/allow`: what it selects exactly, and that whatever cannot be read selects nobody."""

import re
import time

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from doorward.objects.access_list import LABELS, LONGEST, MOST, NAME, SHOWN, AccessList, Unreadable, parse
from doorward.objects.meta import ObjectKey

ALICE, BOB = ObjectKey("edge", "alice"), ObjectKey("partners", "bob")


def listed(*names: ObjectKey, labels: tuple[set[str], ...] = ()) -> AccessList:
    return AccessList(names=frozenset(names), labels=tuple(map(frozenset, labels)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("alice", listed(ALICE), id="a name is of the Ingress's own namespace"),
        pytest.param("partners/bob", listed(BOB), id="a namespace goes before a slash"),
        pytest.param("alice partners/bob", listed(ALICE, BOB), id="two names"),
        pytest.param("\n  alice\r\n\tpartners/bob\n", listed(ALICE, BOB), id="lines, as YAML has them"),
        pytest.param("alice edge/alice", listed(ALICE), id="a name twice"),
        pytest.param("a.b-c", listed(ObjectKey("edge", "a.b-c")), id="a name with dots"),
        pytest.param("role=ops", listed(labels=({"role=ops"},)), id="a label"),
        pytest.param("example.com/role=ops", listed(labels=({"example.com/role=ops"},)), id="a label with a prefix"),
        pytest.param("role=ops,team=a", listed(labels=({"role=ops", "team=a"},)), id="two labels of one client"),
        pytest.param("role=ops team=a", listed(labels=({"role=ops"}, {"team=a"})), id="one label or another"),
        pytest.param("alice Role=Ops_1.x", listed(ALICE, labels=({"Role=Ops_1.x"},)), id="a name and a label"),
    ],
)
def test_a_list_is_read(text, expected):
    assert parse(text, "edge") == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t",
        "*",
        "edge/*",
        "alice,bob",
        "alice, bob",
        "alice;bob",
        "Alice",
        "edge/partners/alice",
        "/alice",
        "edge/",
        "a.b/alice",
        "role=",
        "=ops",
        "role==ops",
        "role!=ops",
        "role in (ops)",
        "!role",
        "role=ops,",
        ",role=ops",
        "role=ops,,team=a",
        "role=ops,alice",
        "alice,role=ops",
        "role=*",
        "role=-ops",
        "a/b/role=ops",
        "/role=ops",
        "alice\0",
        "alice\x0bbob",
        "alice\u00a0bob",
        "alice\u2028bob",
        "alıce",
        "role=óps",
        "{}",
        '["alice"]',
        "$ssl_client_verify",
        "alice bob*",
        "a" * (LONGEST + 1),
        "a " * (MOST + 1),
    ],
)
def test_what_cannot_be_read_selects_nobody_and_says_what_to_do(text):
    found = parse(text, "edge")
    assert isinstance(found, Unreadable)
    assert "doorward.io/allow" in found.fix
    assert found.fix.isprintable()
    assert found.fix.isascii()
    assert len(found.fix) < 6 * SHOWN + 200


@pytest.mark.parametrize(
    ("text", "client", "labels", "selected"),
    [
        pytest.param("alice", ALICE, [], True, id="by name"),
        pytest.param("alice", ObjectKey("other", "alice"), [], False, id="that name in another namespace"),
        pytest.param("alice", ObjectKey("edge", "alice2"), [], False, id="a name that begins so"),
        pytest.param("alice2", ALICE, [], False, id="the beginning of a name"),
        pytest.param("a.ice", ALICE, [], False, id="a dot is a dot"),
        pytest.param("role=ops", ALICE, ["role=ops", "team=a"], True, id="by label"),
        pytest.param("role=ops", ALICE, ["role=opsx"], False, id="a value that begins so"),
        pytest.param("role=ops", ALICE, ["Role=ops"], False, id="a key in another case"),
        pytest.param("role=ops", ALICE, ["role=Ops"], False, id="a value in another case"),
        pytest.param("role=ops", ALICE, ["x/role=ops"], False, id="a key with a prefix"),
        pytest.param("role=ops", ObjectKey("edge", "role"), [], False, id="a name like a key"),
        pytest.param("role=ops,team=a", ALICE, ["role=ops"], False, id="one label of two"),
        pytest.param("role=ops,team=a", ALICE, ["team=a", "x=y", "role=ops"], True, id="both labels"),
        pytest.param("role=ops team=a", ALICE, ["team=a"], True, id="the second entry"),
        pytest.param("bob role=ops", ALICE, [], False, id="neither"),
    ],
)
def test_everything_is_compared_exactly(text, client, labels, selected):
    found = parse(text, "edge")
    assert isinstance(found, AccessList)
    assert found.selects(client, tuple(labels)) is selected


words = st.sampled_from(["alice", "edge/bob", "role=ops", "a=b,c=d", "Alice", "role=", ",", "/", "=", "\0", "é", "*"])


@for_any(st.lists(st.one_of(words, st.text(max_size=6)), max_size=6), st.sampled_from([" ", "\n", "\t ", "\r\n"]))
def test_a_list_is_read_only_where_each_of_its_entries_is(entries, between):
    """As the admission policy says it, with RE2."""
    text = between.join(entries)
    split = [entry for entry in re.split("[ \t\r\n]", text) if entry]
    good = bool(split) and all(re.fullmatch(f"{NAME}|{LABELS}", entry) for entry in split)
    assert isinstance(parse(text, "edge"), AccessList) is good


@pytest.mark.parametrize("text", ["a." * 4095 + "_", "a-" * 4095 + "_", "a=b," * 2047 + "_", "a/" * 4095, "a=" * 4095])
def test_no_text_takes_long(text):
    since = time.perf_counter()
    parse(text, "edge")
    assert time.perf_counter() - since < 1.0
