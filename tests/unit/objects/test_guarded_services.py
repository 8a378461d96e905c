"""The ConfigMap of guarded Services: what the admission policy reads, whatever the namespace holds."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.objects.guarded_services import ALL, MOST_BYTES, NAME, ROLE, data_of, parse, render
from doorward.objects.meta import is_ours

NAMES = st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
LIMIT = 1024 * 1024
"""Bytes that a ConfigMap takes."""


@pytest.mark.parametrize(
    ("targets", "value"),
    [(["web"], "web"), (["web", "api"], "api,web"), (["c", "b", "a"], "a,b")],
    ids=["one", "two", "three: a third one changes nothing"],
)
def test_a_service_names_the_targets_in_front_of_it(targets, value):
    assert data_of({"app": targets}) == {"app": value}


@given(st.dictionaries(NAMES, st.lists(NAMES, min_size=1, max_size=4, unique=True), max_size=20), st.randoms())
def test_it_depends_on_no_order_and_is_read_as_it_was_written(guarded, random):
    shuffled = {
        name: random.sample(guarded[name], len(guarded[name])) for name in random.sample(sorted(guarded), len(guarded))
    }
    assert list(data_of(shuffled).items()) == list(data_of(guarded).items())
    body = render("edge", data_of(guarded), version="7")
    assert parse(json.loads(json.dumps(body))) == data_of(guarded)
    assert is_ours(body, ROLE)
    assert (body["metadata"]["name"], body["metadata"]["resourceVersion"]) == (NAME, "7")


@pytest.mark.parametrize(
    ("services", "length", "named"),
    [(3_000, 100, True), (10_000, 253, False), (14_000, 253, False)],
    ids=["thousands", "too many for the names of their targets", "as many as there is room for"],
)
def test_thousands_of_services_fit(services, length, named):
    guarded = {f"s{number:060}": ["i" * length] for number in range(services)}
    data = data_of(guarded)
    assert data.keys() == guarded.keys()
    assert set(data.values()) == ({"i" * length} if named else {""})
    assert len(json.dumps(render("edge", data, version=None)["data"])) < LIMIT + 100_000
    assert sum(len(key) + len(value) for key, value in data.items()) <= MOST_BYTES


def test_where_not_even_the_services_fit_all_are_guarded():
    assert data_of({f"s{number:060}": ["i"] for number in range(20_000)}) == {ALL: ""}


@pytest.mark.parametrize("ours", [{"binaryData": {"a": "YQ=="}}, {"immutable": True}], ids=["binary data", "immutable"])
def test_one_that_is_not_as_it_is_written_is_never_taken_for_it(ours):
    assert parse(render("edge", {"app": "web"}, version=None) | ours) is None
    assert parse({"metadata": {"name": NAME}}) == {}
