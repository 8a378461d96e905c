"""An Ingress is called protected only where an ingress-nginx serves it, with settings that keep its host closed."""

import pytest

from doorward.cluster.errors import Forbidden, Transient
from doorward.cluster.gateway import CONFIG_MAP, INGRESS, INGRESS_CLASS, NAMESPACE
from doorward.gates.ingress_nginx import annotations as ingress_nginx
from doorward.gates.registry import planes
from doorward.objects.meta import ObjectKey
from tests.support.operator_bed import PEOPLE, OperatorBed
from tests.unit.given import NOW
from tests.unit.runtime.looks import issuer_said

SETTINGS = ObjectKey("ingress-nginx", "ingress-nginx-controller")


@pytest.fixture
def bed():
    with OperatorBed(NOW) as made:
        made.cluster.create(NAMESPACE, "", {"metadata": {"name": SETTINGS.namespace}}, PEOPLE)
        made.issuer()
        made.settle()
        made.ingress()
        made.advance(60)
        assert told(made) == "Protected"
        yield made


def told(bed):
    marks = bed.find(INGRESS, "shop")["metadata"]["annotations"]
    return marks.get(ingress_nginx.GATE, "").partition(":")[0]


def serve(bed, name, controller):
    if bed.cluster.find(INGRESS_CLASS, ObjectKey("", name)) is not None:
        bed.cluster.delete(INGRESS_CLASS, ObjectKey("", name), PEOPLE)
    if controller is not None:
        bed.cluster.create(INGRESS_CLASS, "", {"metadata": {"name": name}, "spec": {"controller": controller}}, PEOPLE)
    bed.advance(30)


def configure(bed, **data):
    if bed.cluster.find(CONFIG_MAP, SETTINGS) is not None:
        bed.cluster.delete(CONFIG_MAP, SETTINGS, PEOPLE)
    if data:
        data = {name.replace("_", "-"): value for name, value in data.items()}
        bed.cluster.create(CONFIG_MAP, SETTINGS.namespace, {"metadata": {"name": SETTINGS.name}, "data": data}, PEOPLE)
    bed.advance(30)


def test_a_class_that_goes_or_becomes_another_controllers_is_reported_until_it_is_back(bed):
    serve(bed, "nginx", None)
    assert told(bed) == "NotServed"
    serve(bed, "nginx", "traefik.io/ingress-controller")
    assert told(bed) == "NotServed"
    serve(bed, "nginx", "k8s.io/ingress-nginx")
    assert told(bed) == "Protected"


def test_an_ingress_that_changes_its_class_is_told(bed):
    serve(bed, "inner", "example.com/inner")
    bed.edit(INGRESS, "shop", {"spec": {"ingressClassName": "inner"}})
    bed.advance(30)
    assert told(bed) == "NotServed"
    bed.kill()
    bed.planes = planes(None, ("k8s.io/ingress-nginx", "example.com/inner"))
    bed.start()
    bed.advance(30)
    assert told(bed) == "Protected"


@pytest.mark.promise(3)
def test_a_redirect_that_the_controller_switches_off_is_reported_until_it_is_on(bed):
    configure(bed, ssl_redirect="false")
    assert told(bed) == "PlainHTTP"
    configure(bed, ssl_redirect="true")
    assert told(bed) == "Protected"
    configure(bed, ssl_redirect="false")
    configure(bed)
    assert told(bed) == "Protected"


def test_other_settings_wake_nobody(bed):
    assert bed.writes_of(lambda: configure(bed, ssl_protocols="TLSv1.3", hsts="false")) == []
    assert told(bed) == "Protected"


def test_a_configmap_of_another_name_is_read(bed):
    bed.kill()
    bed.planes = planes(None, (), ObjectKey("edge", "nginx"))
    bed.cluster.create(CONFIG_MAP, "edge", {"metadata": {"name": "nginx"}, "data": {"ssl-redirect": "false"}}, PEOPLE)
    bed.start()
    bed.advance(60)
    assert told(bed) == "PlainHTTP"


@pytest.mark.parametrize("error", [Forbidden("no", status=403), Transient("later")])
def test_what_may_not_be_read_is_taken_for_the_default_and_what_cannot_be_read_changes_nothing(bed, error):
    configure(bed, ssl_redirect="false")
    bed.gateway.refuse_reads = lambda kind, namespace: (
        error if (kind, namespace) == (CONFIG_MAP, "ingress-nginx") else None
    )
    bed.advance(60)
    assert told(bed) == ("Protected" if isinstance(error, Forbidden) else "PlainHTTP")


def test_classes_that_may_not_be_listed_are_not_judged_and_the_issuer_says_so(bed):
    bed.kill()
    serve(bed, "nginx", None)
    bed.start(refuse_reads=lambda kind, _: Forbidden("no", status=403) if kind == INGRESS_CLASS else None)
    bed.advance(300)
    assert told(bed) == "Protected"
    assert issuer_said(bed)["Synced"] == "SourceNotSynced"


def test_a_restart_writes_nothing_and_says_nothing_before_it_knows(bed):
    serve(bed, "nginx", None)
    assert told(bed) == "NotServed"
    bed.settle()
    bed.kill()
    bed.start(slow_lists=lambda kind, _: 20.0 if kind == INGRESS_CLASS else 0.0)
    first = len(bed.gateway.writes)
    bed.advance(120)
    assert bed.gateway.writes[first:] == []
