"""The labels by which people find Secrets: any name makes one that the API server takes, and no two names make the same."""

import re

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from doorward.objects import finding
from doorward.objects.meta import ObjectKey

LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
"""As Kubernetes takes it, at most 63 characters."""
PART = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)
NAMES = st.lists(PART, min_size=1, max_size=5).map(".".join).filter(lambda name: len(name) <= 253)
"""A name of Kubernetes: labels of DNS, joined by dots."""


@for_any(name=NAMES)
def test_every_name_makes_a_value_that_a_label_can_have(name):
    assert LABEL_VALUE.fullmatch(finding.label_value(name))


@for_any(name=NAMES)
def test_a_name_that_fits_is_its_own_label(name):
    assert (finding.label_value(name) == name) == (len(name) <= 63)


@for_any(beginning=PART, ends=st.lists(NAMES, min_size=2, max_size=2, unique=True))
def test_no_two_names_make_the_same_label(beginning, ends):
    first, second = (finding.label_value(f"{beginning}.{end}") for end in ends)
    assert first != second


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("alice", "alice", id="a short name"),
        pytest.param("alice.edge.example", "alice.edge.example", id="a name with dots"),
        pytest.param("a" * 63, "a" * 63, id="the longest name that fits"),
        pytest.param("a" * 64, f"{'a' * 42}_ffe054fe7ae0cb6dc65c", id="a name that is longer by one"),
        pytest.param(f"{'a' * 41}.{'b' * 40}", f"{'a' * 41}._f73bb96a32892e119d3c", id="a name that is cut at a dot"),
    ],
)
def test_the_rule_is_that_of_the_documentation(name, value):
    assert finding.label_value(name) == value


def test_a_secret_says_whose_it_is():
    issuer, client = ObjectKey("issuers", "partners"), ObjectKey("edge", "alice.example")
    assert finding.of_secret(issuer, client) == {
        "doorward.io/issuer": "partners",
        "doorward.io/issuer-namespace": "issuers",
        "doorward.io/client": "alice.example",
    }
