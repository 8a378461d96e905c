"""What an Ingress with an access list is told: never that it is protected while all clients of the issuer get in."""

import pytest

from doorward.objects.access_list import Unreadable, parse
from doorward.objects.meta import ObjectKey
from doorward.planning import gate, selection
from doorward.planning.observed import Unseen
from doorward.planning.openings import Openings
from tests.unit import given
from tests.unit.given import NOW

HANDSHAKE = {"enforcement": {"mode": "Handshake"}}
LISTS = {"gates": {"selectableNamespaces": ["edge", "partners"]}}
IN_ISSUERS = parse("alice role=ops", given.ISSUER.namespace)


def told(issuer=None, *, text=None, **override):
    wanted = IN_ISSUERS if text is None else parse(text, "edge")
    observed = {"asks": True, "access_list": wanted, "issuer": given.issuer_spec(**(issuer or {}))} | override
    made = gate.decide(given.target(**observed), NOW)
    assert made.said is not None
    assert made.protection is not None, "whatever its list says, its host stays closed to strangers"
    return made.said


def test_where_the_gate_service_is_asked_it_is_protected_and_says_for_whom():
    said = told()
    assert (said.reason.name, said.message) == (
        "Protected",
        f"clients of {given.ISSUER} that doorward.io/allow selects have access",
    )


@pytest.mark.parametrize(
    ("issuer", "override", "fix"),
    [
        pytest.param({}, {"asks": False}, "install the gate service", id="no gate service"),
        pytest.param(HANDSHAKE, {}, "set enforcement.mode: EveryRequest", id="the handshake decides"),
        pytest.param(HANDSHAKE, {"asks": False}, "set enforcement.mode: EveryRequest", id="neither"),
        pytest.param({}, {"unasked": "remove the annotation x"}, "remove the annotation x", id="another auth-url"),
    ],
)
@pytest.mark.parametrize("text", ["alice", "role=ops", "", "*", None])
def test_where_nobody_compares_it_is_never_protected(issuer, override, fix, text):
    said = told(issuer, text=text, **override)
    assert said.reason.name == "ListNotEnforced"
    assert said.message.startswith(f"all clients of {given.ISSUER} have access")
    assert fix in said.message


@pytest.mark.parametrize("optional", [False, True])
def test_what_cannot_be_read_is_told_with_the_fix(optional):
    said = told({"ingress": {"verifyClient": "optional"}}, text="alice,bob", wants_optional=optional)
    assert said.reason.name == "ListNotRead"
    assert said.message.startswith("closed: write the entry 'alice,bob'")


def test_clients_of_a_namespace_that_the_issuer_does_not_list_are_named():
    assert told(LISTS, text="alice partners/bob role=ops").reason.name == "Protected"
    said = told(LISTS, text="alice partners/bob other/carol x/dave y/erin z/frank")
    assert said.reason.name == "ListedNotSelectable"
    assert "namespace other, x, y and 1 more" in said.message


def test_only_the_issuers_own_namespace_is_listed_where_it_lists_none():
    assert told(text=f"{given.ISSUER.namespace}/alice").reason.name == "Protected"
    assert told(text="alice").reason.name == "ListedNotSelectable"


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        pytest.param({"fault": "remove x"}, "NotEnforced", id="anybody gets in"),
        pytest.param({"openings": Openings(plain="x")}, "PlainHTTP", id="anybody gets in over HTTP"),
        pytest.param({"rival": ObjectKey("a", "b")}, "HostShared", id="another Ingress decides"),
        pytest.param({"gate": Unseen.ABSENT}, "GateMissing", id="nobody gets in"),
    ],
)
def test_what_is_worse_is_told_first(override, reason):
    assert told(asks=False, **override).reason.name == reason


# The rule


@pytest.mark.parametrize(
    ("client", "labels", "selected"),
    [
        (ObjectKey("edge", "alice"), (), True),
        (ObjectKey("edge", "bob"), ("role=ops",), True),
        (ObjectKey("edge", "bob"), (), False),
        (ObjectKey("other", "alice"), ("role=ops",), False),
    ],
)
def test_a_client_outside_the_listed_namespaces_is_selected_by_nothing(client, labels, selected):
    wanted = parse("alice other/alice role=ops", "edge")
    assert not isinstance(wanted, Unreadable)
    assert selection.is_selected(wanted, client, labels, {"edge"}) is selected


def test_the_issuers_own_namespace_is_not_listed_where_others_are():
    at = ObjectKey("issuers", "partners")
    assert selection.selectable_namespaces(at, []) == {"issuers"}
    assert selection.selectable_namespaces(at, ["edge"]) == {"edge"}
