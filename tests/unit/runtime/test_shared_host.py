"""An Ingress is called protected only while no other one decides who gets in at its host, in whatever namespace it is."""

import pytest

from doorward.cluster.gateway import INGRESS, ISSUER, NAMESPACE
from doorward.gates.ingress_nginx import annotations as ingress_nginx
from doorward.objects.meta import ObjectKey
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, PEOPLE, OperatorBed, host_spec
from tests.unit.given import NOW

NGINX = "nginx.ingress.kubernetes.io/"
HOST = "shop.example"
OTHER = "other"
OWN_CA = {f"{NGINX}auth-tls-secret": "other/ca", f"{NGINX}auth-tls-verify-client": "off"}


@pytest.fixture
def bed():
    with OperatorBed(NOW) as made:
        made.cluster.create(NAMESPACE, "", {"metadata": {"name": OTHER}}, PEOPLE)
        made.issuer(gates={"allowedNamespaces": {"from": "All"}, "allowOptional": True})
        made.settle()
        made.ingress()
        made.advance(60)
        yield made


def told(bed, namespace=NAMESPACE_NAME, name="shop"):
    marks = bed.cluster.find(INGRESS, ObjectKey(namespace, name))["metadata"]["annotations"]
    return marks.get(ingress_nginx.GATE, "").partition(":")[0]


def put_up(bed, namespace=OTHER, name="rival", host=HOST, **marks):
    body = {"metadata": {"name": name, "annotations": marks}, "spec": host_spec(host)}
    bed.cluster.create(INGRESS, namespace, body, PEOPLE)
    bed.advance(60)


def test_alone_it_is_protected(bed):
    assert told(bed) == "Protected"


@pytest.mark.promise(3)
@pytest.mark.parametrize("namespace", [OTHER, NAMESPACE_NAME])
@pytest.mark.parametrize(
    "marks",
    [
        pytest.param(OWN_CA, id="a CA of its own"),
        pytest.param({f"{NGINX}auth-tls-secret": ""}, id="an empty one"),
        pytest.param({f"{NGINX}ssl-passthrough": "T"}, id="TLS that passes by"),
        pytest.param({f"{NGINX}ssl-redirect": "0"}, id="plain HTTP"),
        pytest.param({f"{NGINX}server-snippet": "ssl_verify_client off;"}, id="a snippet"),
        pytest.param({"doorward.io/issuer": "other/issuer"}, id="another issuer"),
        pytest.param({"doorward.io/issuer": str(ISSUER_AT), "doorward.io/verify-client": "optional"}, id="optional"),
    ],
)
def test_another_that_decides_at_its_host_is_reported_until_it_goes(bed, namespace, marks):
    put_up(bed, namespace, **marks)
    assert told(bed) == "HostShared"
    bed.cluster.delete(INGRESS, ObjectKey(namespace, "rival"), PEOPLE)
    bed.advance(60)
    assert told(bed) == "Protected"


@pytest.mark.parametrize(
    ("host", "marks"),
    [
        pytest.param(HOST, {}, id="that overrides nothing"),
        pytest.param(HOST, {f"{NGINX}proxy-body-size": "8m"}, id="with a harmless annotation"),
        pytest.param("another.example", OWN_CA, id="at another host"),
        pytest.param("*.example", OWN_CA, id="at a wildcard, which comes after the host"),
    ],
)
def test_another_is_of_no_account(bed, host, marks):
    put_up(bed, host=host, **marks)
    assert told(bed) == "Protected"


def test_a_wildcard_is_told_of_a_name_below_it(bed):
    put_up(bed, NAMESPACE_NAME, "wild", "*.wild.example", **{"doorward.io/issuer": str(ISSUER_AT)})
    assert told(bed, name="wild") == "Protected"
    put_up(bed, host="a.wild.example", **OWN_CA)
    assert told(bed, name="wild") == "HostShared"


def test_an_alias_is_a_host(bed):
    put_up(bed, host="another.example", **OWN_CA | {f"{NGINX}server-alias": f"a.example, {HOST}"})
    assert told(bed) == "HostShared"


def test_one_of_the_same_issuer_is_of_no_account_once_its_namespace_has_a_gate(bed):
    put_up(bed, **{"doorward.io/issuer": str(ISSUER_AT)})
    assert (told(bed), told(bed, OTHER, "rival")) == ("Protected", "Protected")
    bed.edit(ISSUER, ISSUER_AT.name, {"spec": {"gates": {"allowedNamespaces": {"from": "Same"}}}})
    bed.advance(60)
    assert (told(bed), told(bed, OTHER, "rival")) == ("HostShared", "NotAllowedHere")


def test_a_restart_beside_another_writes_nothing(bed):
    put_up(bed, **OWN_CA)
    bed.kill()
    bed.start()
    first = len(bed.gateway.writes)
    bed.advance(120)
    assert bed.gateway.writes[first:] == []


def test_many_others_cost_a_few_writes(bed):
    first = len(bed.gateway.writes)
    for number in range(200):
        body = {"metadata": {"name": f"n{number:03}", "annotations": OWN_CA}, "spec": host_spec(HOST)}
        bed.cluster.create(INGRESS, OTHER, body, PEOPLE)
    bed.advance(120)
    assert told(bed) == "HostShared"
    assert len(bed.gateway.writes) - first <= 5, "with an Event of the Ingress, and one of its issuer"
