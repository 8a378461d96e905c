"""What an Ingress is told: closed rather than open, and nothing where it did not ask."""

from dataclasses import replace

import pytest

from doorward.objects.meta import ObjectKey
from doorward.planning import gate
from doorward.planning.observed import Unseen
from doorward.planning.openings import Openings
from tests.unit import given

PLAIN = Openings(plain="add spec.tls with the host")
OPTIONAL = {"verifyClient": "optional"}
ALLOWED = {"allowOptional": True}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("partners", ObjectKey("edge", "partners"), id="a name is of the Ingress's own namespace"),
        pytest.param("issuers/partners", ObjectKey("issuers", "partners"), id="a namespace goes before a slash"),
        pytest.param("", None, id="nothing"),
        pytest.param("/partners", None, id="an empty namespace"),
        pytest.param("issuers/", None, id="an empty name"),
        pytest.param("a/b/c", None, id="three parts"),
        pytest.param("Partners", None, id="capitals"),
        pytest.param("part ners", None, id="a space"),
        pytest.param("partners\n", None, id="a line break"),
        pytest.param("..", None, id="dots"),
        pytest.param("a.b", None, id="a dot, which parts a gate's name"),
        pytest.param("a" * 63, ObjectKey("edge", "a" * 63), id="63 characters"),
        pytest.param("a" * 64, None, id="64 characters"),
        pytest.param("-a", None, id="a hyphen in front"),
        pytest.param("pärtners", None, id="letters beyond ASCII"),
    ],
)
def test_a_reference_is_an_issuer_or_namespace_and_issuer(text, expected):
    assert gate.parse_reference(text, "edge") == expected


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        pytest.param(given.target(), "Protected", id="the issuer is there and allows it"),
        pytest.param(
            given.target(issuer=Unseen.ABSENT, allowed=None, gate=Unseen.ABSENT),
            "NoSuchIssuer",
            id="there is no such issuer",
        ),
        pytest.param(
            given.target(issuer=Unseen.ABSENT, issuer_unread=True, allowed=None),
            "IssuerNotRead",
            id="the issuer cannot be read, and its gate is there",
        ),
        pytest.param(
            given.target(issuer=Unseen.ABSENT, issuer_unread=True, allowed=None, gate=Unseen.ABSENT),
            "IssuerNotRead",
            id="the issuer cannot be read, and its gate is not there",
        ),
        pytest.param(
            given.target(issuer=Unseen.ABSENT, allowed=None),
            "GateClosing",
            id="the issuer is gone, and its gate is there",
        ),
        pytest.param(
            given.target(issuer=Unseen.ABSENT, allowed=None, gate=Unseen.DENIED),
            "GateOutOfReach",
            id="the issuer is gone, and whether its gate is cannot be seen",
        ),
        pytest.param(
            given.target(allowed=False), "GateClosing", id="the namespace is not allowed, and the gate is there"
        ),
        pytest.param(
            given.target(allowed=False, gate=Unseen.DENIED),
            "GateOutOfReach",
            id="the namespace is not allowed, and whether the gate is there cannot be seen",
        ),
        pytest.param(
            given.target(allowed=False, gate=Unseen.ABSENT),
            "NotAllowedHere",
            id="the issuer does not allow the namespace",
        ),
        pytest.param(given.target(gate=Unseen.ABSENT), "GateMissing", id="its gate is not there"),
        pytest.param(given.target(foreign=True), "GateUnmanaged", id="the gate is somebody else's Secret"),
        pytest.param(
            given.target(foreign=True, issuer=Unseen.ABSENT), "GateUnmanaged", id="that, and there is no such issuer"
        ),
        pytest.param(given.target(gate=Unseen.DENIED), "GateOutOfReach", id="the namespace has not consented"),
        pytest.param(given.target(wants_optional=True), "OptionalNotAllowed", id="optional without leave"),
        pytest.param(given.target(fault="add a host"), "NotEnforced", id="the data plane may admit anybody"),
        pytest.param(
            given.target(fault="add a host", issuer=Unseen.ABSENT, allowed=None),
            "NotEnforced",
            id="the data plane may admit anybody, without an issuer too",
        ),
        pytest.param(
            given.target(fault="add a host", gate=Unseen.ABSENT),
            "NotEnforced",
            id="it may, though the gate is not there",
        ),
        pytest.param(
            given.target(fault="add a host", allowed=False, gate=Unseen.ABSENT),
            "NotEnforced",
            id="it may, though the namespace is not allowed",
        ),
        pytest.param(given.target(openings=PLAIN), "PlainHTTP", id="its host answers over plain HTTP"),
        pytest.param(
            given.target(openings=PLAIN, wants_optional=True),
            "PlainHTTP",
            id="over plain HTTP, and optional without leave",
        ),
        pytest.param(
            given.target(openings=PLAIN, gate=Unseen.ABSENT), "GateMissing", id="closed over plain HTTP as well"
        ),
    ],
)
@pytest.mark.promise(3)
def test_a_target_that_opted_in_asks_for_a_certificate_where(target, reason):
    decision = gate.decide(target, given.NOW)
    assert decision.said.reason.name == reason
    assert decision.protection.issuer == given.ISSUER
    assert decision.protection.optional is False


@pytest.mark.promise(3)
def test_while_it_is_unknown_whether_the_issuer_allows_it_a_target_is_protected_and_nothing_is_said():
    decision = gate.decide(given.target(allowed=None), given.NOW)
    assert (decision.protection.issuer, decision.said) == (given.ISSUER, None)
    assert decision.due > given.NOW


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        pytest.param(given.target(reference="a/b/c"), "BadReference", id="the reference is none"),
        pytest.param(given.target(other_secret=True), "OtherSecret", id="a person set another Secret"),
    ],
)
def test_a_target_is_left_alone_and_told_why_where(target, reason):
    decision = gate.decide(target, given.NOW)
    assert (decision.protection, decision.said.reason.name) == (None, reason)


def test_of_a_target_that_did_not_opt_in_nothing_is_said():
    assert gate.decide(given.target(reference=None), given.NOW) == gate.Decision(protection=None, said=None)


@pytest.mark.parametrize(
    ("issuer", "wants", "optional"),
    [
        pytest.param({"gates": ALLOWED}, False, False, id="nobody asks for it"),
        pytest.param({"gates": ALLOWED}, True, True, id="the Ingress asks, and may"),
        pytest.param({"gates": ALLOWED, "ingress": OPTIONAL}, False, True, id="the issuer says it of all"),
        pytest.param({"ingress": OPTIONAL}, False, False, id="the issuer says it and allows it nowhere"),
    ],
)
def test_a_certificate_is_optional_only_with_leave(issuer, wants, optional):
    target = given.target(issuer=given.issuer_spec(**issuer), wants_optional=wants)
    assert gate.decide(target, given.NOW).protection.optional is optional


def test_a_target_is_told_the_issuers_settings():
    issuer = given.issuer_spec(ingress={"verifyDepth": 3, "errorPage": "https://help.example/"})
    assert gate.decide(given.target(issuer=issuer), given.NOW).protection.settings == issuer.ingress


# --- hosts that several targets have

OTHER = ObjectKey("other", "door")
ASKS = {"gates": ALLOWED}


def neighbour(**override):
    """Another target with the same host and issuer, in another namespace."""
    return given.target(**{"key": OTHER, "reference": str(given.ISSUER)} | override)


@pytest.mark.parametrize(
    ("other", "rival"),
    [
        pytest.param(neighbour(), None, id="of the same issuer, and protected"),
        pytest.param(neighbour(reference=None), None, id="that has not opted in and overrides nothing"),
        pytest.param(neighbour(reference=None, overrides=True), OTHER, id="that has not opted in, with its own bundle"),
        pytest.param(neighbour(reference="staff"), OTHER, id="of another issuer"),
        pytest.param(neighbour(reference="partners"), OTHER, id="of another issuer of the same name"),
        pytest.param(neighbour(reference="a/b/c"), OTHER, id="whose reference is none"),
        pytest.param(neighbour(other_secret=True), OTHER, id="with another Secret"),
        pytest.param(neighbour(fault="add a host"), OTHER, id="that the data plane does not protect"),
        pytest.param(neighbour(foreign=True), OTHER, id="whose gate is somebody else's Secret"),
        pytest.param(neighbour(allowed=False), OTHER, id="in a namespace that is not allowed"),
        pytest.param(neighbour(allowed=None), None, id="in a namespace of which that is unknown"),
        pytest.param(neighbour(gate=Unseen.ABSENT), OTHER, id="whose gate is not there"),
        pytest.param(neighbour(gate=Unseen.DENIED), OTHER, id="whose namespace has not opted in"),
        pytest.param(neighbour(gate=Unseen.UNKNOWN), None, id="whose gate was not looked at yet"),
        pytest.param(neighbour(wants_optional=True), None, id="that wants optional, and does not get it"),
        pytest.param(
            neighbour(key=ObjectKey("edge", "door"), gate=Unseen.ABSENT),
            None,
            id="of the same namespace, with the same gate",
        ),
    ],
)
@pytest.mark.promise(3)
def test_a_host_is_shared_with_a_target(other, rival):
    assert gate.rival_of(given.target(), [neighbour(), other]) == rival


def test_a_host_is_not_shared_with_one_that_is_less_strict():
    mine, other = (given.target(issuer=given.issuer_spec(**ASKS)), neighbour(wants_optional=True))
    assert gate.rival_of(mine, [other]) == OTHER
    assert gate.rival_of(replace(mine, wants_optional=True), [other]) is None


def test_without_an_issuer_targets_that_name_the_same_one_share_a_host():
    assert gate.rival_of(given.target(issuer=Unseen.ABSENT), [neighbour(issuer=Unseen.ABSENT)]) is None


def test_of_several_the_first_by_name_is_named():
    others = [neighbour(key=ObjectKey(name, "x"), reference="staff") for name in ("c", "a", "b")]
    assert gate.rival_of(given.target(), others) == ObjectKey("a", "x")


@pytest.mark.promise(3)
def test_whoever_shares_a_host_is_never_called_protected_and_asks_for_a_certificate():
    for issuer in (given.issuer_spec(), Unseen.ABSENT):
        decision = gate.decide(given.target(rival=OTHER, issuer=issuer), given.NOW)
        assert (decision.said.reason.name, decision.protection.optional) == ("HostShared", False)
        assert "Ingress other/door has the same host" in decision.said.message


def test_while_not_all_targets_were_heard_of_nothing_is_said():
    decision = gate.decide(given.target(rival=Unseen.UNKNOWN), given.NOW)
    assert (decision.said, decision.protection.issuer) == (None, given.ISSUER)
    assert decision.due > given.NOW


@pytest.mark.parametrize(
    ("found", "owned", "differs"),
    [
        pytest.param({"a": "1", "b": "2"}, {"a", "b"}, False, id="all stand as they should and are ours"),
        pytest.param({"a": "1", "b": "3"}, {"a", "b"}, True, id="a value differs"),
        pytest.param({"a": "1"}, {"a"}, True, id="one is missing"),
        pytest.param({"a": "1", "b": "2"}, {"a"}, True, id="one is not ours, so nobody would clean it up"),
        pytest.param({"a": "1", "b": "2", "c": "3"}, {"a", "b", "c"}, True, id="one of ours is left over"),
        pytest.param({"a": "1", "b": "2", "c": "3"}, {"a", "b"}, False, id="another's does not matter"),
    ],
)
def test_annotations_are_applied_only_where_something_differs(found, owned, differs):
    assert gate.differences({"a": "1", "b": "2"}, found, frozenset(owned)) is differs


@pytest.mark.parametrize(
    ("target", "seconds"),
    [
        pytest.param(given.target(gate=given.NOW), 2, id="its gate is new"),
        pytest.param(given.target(gate=Unseen.ABSENT, made_at=given.NOW), 5, id="it is new, and its gate to come"),
        pytest.param(given.target(gate=Unseen.UNKNOWN), 5, id="its gate was not looked at yet"),
    ],
)
@pytest.mark.promise(3)
def test_a_target_is_protected_at_once_and_told_later_where(target, seconds):
    decision = gate.decide(target, given.NOW)
    assert decision.protection.issuer == given.ISSUER
    assert (decision.said, decision.due) == (None, given.NOW + seconds * given.SECOND)


def test_one_that_a_probe_found_open_is_not_called_protected():
    said = gate.decide(given.target(found_open="host shop.example answers 200"), given.NOW).said
    assert (said.reason.name, said.reason.status) == ("FoundOpen", "False")
    assert "host shop.example answers 200" in said.message


def test_one_that_was_open_before_a_start_is_told_nothing_until_it_was_probed_and_is_looked_at_again():
    decision = gate.decide(given.target(was_open=True), given.NOW)
    assert (decision.said, decision.due) == (None, given.NOW + gate.GATE_AWAITED)
    assert decision.protection.issuer == given.ISSUER
    assert decision.opted_in
    assert gate.decide(given.target(), given.NOW).due is None


def test_one_has_opted_in_where_it_is_protected_or_told_anything():
    assert gate.decide(given.target(reference="a/b/c"), given.NOW).opted_in
    assert gate.decide(given.target(issuer=Unseen.ABSENT), given.NOW).opted_in
    assert not gate.decide(given.target(reference=None), given.NOW).opted_in


def test_one_that_is_not_allowed_is_told_at_once():
    decision = gate.decide(given.target(allowed=False, gate=Unseen.ABSENT, made_at=given.NOW), given.NOW)
    assert decision.said.reason.name == "NotAllowedHere"


def test_where_the_issuer_is_not_there_nobody_is_let_in_by_the_handshake_alone():
    assert not gate.handshake_alone(given.target(issuer=Unseen.ABSENT), asks=False)
