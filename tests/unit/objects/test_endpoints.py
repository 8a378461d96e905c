"""The replicas of a controller, from EndpointSlices that anybody may have written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.objects.endpoints import Replica, parse, replicas
from doorward.objects.endpoints import given as given_by_hand

PORTS = [{"name": "https", "port": 8443, "protocol": "TCP"}, {"name": "http", "port": 8080, "protocol": "TCP"}]


def slice_of(*addresses, ports=PORTS, **conditions):
    return {"endpoints": [{"addresses": [a], "conditions": conditions} for a in addresses], "ports": ports}


@pytest.mark.parametrize(
    ("body", "found"),
    [
        pytest.param(slice_of("192.0.2.7"), {Replica("192.0.2.7", 8443, 8080)}, id="one"),
        pytest.param(slice_of("2001:db8::7"), {Replica("2001:db8::7", 8443, 8080)}, id="IPv6"),
        pytest.param(slice_of("192.0.2.7", ready=False), {Replica("192.0.2.7", 8443, 8080)}, id="one that is not ready may hang"),
        pytest.param(slice_of("192.0.2.7", terminating=True), set(), id="one that ends"),
        pytest.param(slice_of("192.0.2.7", ports=[{"port": 443}]), {Replica("192.0.2.7", 443, 0)}, id="a port without a name"),
        pytest.param(slice_of("192.0.2.7", ports=PORTS[:1]), {Replica("192.0.2.7", 8443, 0)}, id="no plain HTTP"),
        pytest.param(slice_of("192.0.2.7", ports=PORTS[1:]), set(), id="no HTTPS"),
        pytest.param(slice_of("localhost"), set(), id="a name"),
        pytest.param(slice_of("192.0.2.7", ports=[{"name": "https", "port": 99999}]), set(), id="a port that is none"),
        pytest.param({}, set(), id="nothing"),
    ],
)  # fmt: skip
def test_a_slice_has(body, found):
    assert set(parse(body)) == found


NESTED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["addresses", "conditions", "name", "port", "terminating"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


ENDPOINTS = st.lists(st.fixed_dictionaries({}, optional={"addresses": NESTED, "conditions": NESTED}), max_size=3)


@given(st.fixed_dictionaries({}, optional={"endpoints": NESTED | ENDPOINTS, "ports": NESTED | st.just(PORTS)}))
def test_whatever_a_slice_holds_is_no_error(body):
    assert all(isinstance(replica, Replica) for replica in parse(body))


def test_a_replica_in_two_slices_is_one():
    many = [parse(slice_of(*(f"192.0.2.{n}" for n in range(200))))] * 2
    assert len(replicas(many)) == 200


@pytest.mark.parametrize(
    ("text", "replica"),
    [
        pytest.param("192.0.2.7:443:80", Replica("192.0.2.7", 443, 80), id="IPv4"),
        pytest.param("[2001:db8::7]:443:0", Replica("2001:db8::7", 443, 0), id="IPv6, no plain HTTP"),
    ],
)
def test_a_replica_is_given_by_hand(text, replica):
    assert given_by_hand(text) == replica


@pytest.mark.parametrize("text", ["", "192.0.2.7", "192.0.2.7:443", "shop.example:443:80", "192.0.2.7:a:b"])
def test_what_is_no_address_with_two_ports_is_refused(text):
    with pytest.raises(ValueError):
        given_by_hand(text)
