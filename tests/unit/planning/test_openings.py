"""What is said of a host that something else leaves open, and through whom clients get to its Service."""

from dataclasses import replace

import pytest
from hypothesis import given as given_that
from hypothesis import strategies as st

from doorward.objects.meta import ObjectKey
from doorward.planning import gate, openings
from doorward.planning.openings import Neighbour, Openings
from tests.unit import given

OTHER = ObjectKey("other", "door")
HOSTS = frozenset({"a.example", "b.example"})
ALLOWED = {"gates": {"allowOptional": True}}


@pytest.mark.promise(3)
@pytest.mark.parametrize(
    ("found", "reason", "words"),
    [
        (Openings(plain="add spec.tls"), "PlainHTTP", "over plain HTTP: add spec.tls"),
        (Openings(catches_all=OTHER), "HostlessAuthTLS", "Ingress other/door has a rule without a host"),
        (
            Openings(elsewhere=("app", OTHER)),
            "SameServiceElsewhere",
            "Ingress other/door routes to the same Service app",
        ),
        (Openings(path_taken=("shop.example/a", OTHER)), "PathShared", "shop.example/a is served"),
        (Openings(unasked_path="/a"), "NoAuthLocation", "not asked at /a"),
        (Openings(plain_path="/a"), "PlainHTTP", "remove the path /a"),
        (Openings(unserved="it has no Ingress class: set it"), "NotServed", "it has no Ingress class: set it"),
    ],
)
def test_what_opens_the_host_is_said_with_the_fix(found, reason, words):
    decision = gate.decide(given.target(openings=found, asks=True), given.NOW)
    assert decision.said.reason.name == reason
    assert words in decision.said.message
    assert decision.protection.issuer == given.ISSUER


FIELDS = {
    "plain": st.sampled_from(["", "add"]),
    "plain_path": st.sampled_from(["", "/a"]),
    "unasked_path": st.sampled_from(["", "/a"]),
    "path_taken": st.sampled_from([None, ("shop.example/a", OTHER)]),
    "unserved": st.sampled_from(["", "no class"]),
    "catches_all": st.sampled_from([None, OTHER]),
    "elsewhere": st.sampled_from([None, ("app", OTHER)]),
}


@pytest.mark.promise(3)
@given_that(st.builds(Openings, **FIELDS))
def test_protected_is_said_only_where_nothing_opens_the_host(found):
    said = gate.decide(given.target(openings=found, asks=True), given.NOW).said.reason.name
    assert (said == "Protected") is (found == openings.NONE)


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(Openings(unasked_path="/a"), id="where nobody is asked"),
        pytest.param(Openings(path_taken=("shop.example/a", OTHER)), id="of another target"),
    ],
)
def test_where_nobody_is_asked_at_each_request_a_path_does_not_matter(found):
    for target in (
        given.target(openings=found, asks=False),
        given.target(openings=found, asks=True, issuer=given.issuer_spec(enforcement={"mode": "Handshake"})),
    ):
        assert gate.decide(target, given.NOW).said.reason.name == "Protected"


@pytest.mark.parametrize(
    ("spec", "wants", "asks", "alone"),
    [
        ({}, False, False, True),
        ({}, False, True, False),
        ({"enforcement": {"mode": "Handshake"}}, False, True, True),
        (ALLOWED, True, False, False),
        ({}, True, False, True),
    ],
)
def test_the_handshake_alone_decides(spec, wants, asks, alone):
    target = given.target(issuer=given.issuer_spec(**spec), wants_optional=wants)
    assert gate.handshake_alone(target, asks=asks) is alone


NEIGHBOUR = Neighbour(key=OTHER, hosts=frozenset({"a.example"}), opted_in=False, overrides=False)


@pytest.mark.promise(3)
@pytest.mark.parametrize(
    ("change", "alone", "covered"),
    [
        pytest.param({}, True, True, id="at a host of it, where the handshake decides"),
        pytest.param({"hosts": HOSTS}, True, True, id="at all hosts of it"),
        pytest.param({}, False, False, id="at a host of it, where each request is asked about"),
        pytest.param({"hosts": frozenset({"a.example", "c.example"})}, True, False, id="at another host too"),
        pytest.param({"hosts": frozenset({""})}, True, False, id="at every host"),
        pytest.param({"hosts": frozenset()}, True, False, id="with a defaultBackend alone"),
        pytest.param({"overrides": True}, True, False, id="with settings of its own"),
        pytest.param({"opted_in": True}, True, False, id="that opted in, and is not protected"),
    ],
)
def test_a_neighbour_is_under_the_protection_of_the_host(change, alone, covered):
    other = replace(NEIGHBOUR, **change)
    assert (openings.elsewhere(HOSTS, [other], handshake_alone=alone) is None) is covered
    first = replace(NEIGHBOUR, key=ObjectKey("other", "a"))
    found = openings.elsewhere(HOSTS, [first, other], handshake_alone=alone)
    assert found == (None if covered else OTHER if alone else first.key)
