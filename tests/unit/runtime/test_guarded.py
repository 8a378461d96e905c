"""The Services behind gates are named to the admission policy: once, only where something differs, and as long as there is a gate."""

import pytest

from doorward.cluster.errors import Forbidden, Transient
from doorward.cluster.gateway import CONFIG_MAP, INGRESS, ISSUER, NAMESPACE
from doorward.objects.guarded_services import NAME
from doorward.objects.meta import ObjectKey
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, PEOPLE, OperatorBed, host_spec
from tests.unit.given import NOW

AT = ObjectKey(NAMESPACE_NAME, NAME)
HOUR = 3600


@pytest.fixture
def bed():
    with OperatorBed(NOW) as made:
        made.issuer()
        made.settle()
        yield made


def spec(host, *services):
    """An Ingress with a path to each Service."""
    backends = [{"service": {"name": name, "port": {"number": 80}}} for name in services]
    paths = [{"path": f"/{n}", "pathType": "Prefix", "backend": backend} for n, backend in enumerate(backends)]
    return {"tls": [{"hosts": [host]}], "rules": [{"host": host, "http": {"paths": paths}}]}


def put_up(bed, name, *services, opts_in=True, **marks):
    annotations = ({"doorward.io/issuer": str(ISSUER_AT)} if opts_in else {}) | marks
    body = {"metadata": {"name": name, "annotations": annotations}, "spec": spec(f"{name}.example", *services)}
    bed.cluster.create(INGRESS, NAMESPACE_NAME, body, PEOPLE)


def guarded(bed):
    """What the policy reads; None: there is no ConfigMap."""
    found = bed.cluster.find(CONFIG_MAP, AT)
    return None if found is None else found.get("data") or {}


def said(bed):
    """What the issuer says of it: reason and message; None: nothing."""
    found = bed.find(ISSUER, ISSUER_AT.name)["status"]["conditions"]
    return next(((c["reason"], c["message"]) for c in found if c["type"] == "ServicesGuarded"), None)


def test_the_services_behind_protected_ingresses_are_named(bed):
    put_up(bed, "web", "app", "assets")
    put_up(bed, "api", "app")
    put_up(bed, "open", "brochure", opts_in=False)
    bed.settle()
    assert guarded(bed) == {"app": "api,web", "assets": "web"}
    labels = bed.cluster.find(CONFIG_MAP, AT)["metadata"]["labels"]
    assert labels == {"app.kubernetes.io/managed-by": "doorward", "doorward.io/role": "guarded"}
    assert said(bed) is None


@pytest.mark.parametrize(
    ("extra", "marks", "services"),
    [
        pytest.param(
            {"defaultBackend": {"service": {"name": "rest", "port": {"number": 80}}}}, {}, {"app", "rest"}, id="default"
        ),
        pytest.param(
            {},
            {"nginx.ingress.kubernetes.io/default-backend": "sorry"},
            {"app", "sorry"},
            id="where it has no endpoint",
        ),
    ],
)
def test_every_service_that_an_ingress_leads_to_counts(bed, extra, marks, services):
    body = {"metadata": {"name": "web", "annotations": {"doorward.io/issuer": "partners"} | marks}}
    bed.cluster.create(INGRESS, NAMESPACE_NAME, body | {"spec": spec("web.example", "app") | extra}, PEOPLE)
    bed.settle()
    assert guarded(bed).keys() == services


def test_it_follows_its_ingresses_and_goes_with_the_last_of_them(bed):
    put_up(bed, "web", "app")
    bed.settle()
    bed.edit(INGRESS, "web", {"spec": spec("web.example", "other")})
    bed.settle()
    assert guarded(bed) == {"other": "web"}
    put_up(bed, "api", "app")
    bed.delete(INGRESS, "web")
    bed.settle()
    assert guarded(bed) == {"app": "api"}
    bed.edit(INGRESS, "api", {"metadata": {"annotations": {"doorward.io/issuer": None}}})
    bed.settle()
    assert guarded(bed) is None


def test_one_whose_last_ingress_goes_while_the_operator_is_down_goes_too(bed):
    put_up(bed, "web", "app")
    bed.settle()
    bed.kill()
    bed.delete(INGRESS, "web")
    bed.start()
    bed.settle()
    assert guarded(bed) is None


def test_a_change_of_something_else_and_a_restart_write_nothing(bed):
    put_up(bed, "web", "app")
    bed.settle()
    bed.edit(INGRESS, "web", {"metadata": {"annotations": {"a": "b"}}})
    bed.settle()
    bed.restart()
    bed.settle()
    assert [write for write in bed.gateway.writes if write.name == NAME] == []


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param({"data": {"app": None}}, id="a Service is taken out"),
        pytest.param({"data": {"more": ""}}, id="one is put in"),
        pytest.param({"data": {"app": "else"}}, id="another target is named"),
        pytest.param({"immutable": True, "data": None}, id="it is frozen"),
    ],
)
def test_an_edit_by_hand_is_repaired(bed, patch):
    put_up(bed, "web", "app")
    bed.settle()
    bed.cluster.merge_patch(CONFIG_MAP, AT, patch, PEOPLE, "")
    bed.settle()
    assert guarded(bed) == {"app": "web"}
    bed.cluster.delete(CONFIG_MAP, AT, PEOPLE)
    bed.settle()
    assert guarded(bed) == {"app": "web"}


@pytest.mark.parametrize("frozen", [{}, {"immutable": True}], ids=["as it is", "immutable"])
def test_what_somebody_planted_under_its_name_is_replaced(bed, frozen):
    bed.cluster.create(CONFIG_MAP, NAMESPACE_NAME, {"metadata": {"name": NAME}, "data": {"x": "y"}} | frozen, PEOPLE)
    put_up(bed, "web", "app")
    bed.settle()
    assert guarded(bed) == {"app": "web"}
    assert "immutable" not in bed.cluster.find(CONFIG_MAP, AT)


def test_a_write_that_is_refused_is_said_by_the_issuer_until_it_is_taken(bed):
    bed.gateway.refuse = lambda write: (
        Forbidden("exceeded quota: configmaps", status=403) if write.name == NAME else None
    )
    put_up(bed, "web", "app")
    bed.advance(60)
    reason, message = said(bed)
    assert reason == "ServicesNotGuarded"
    assert f"namespace {NAMESPACE_NAME}: exceeded quota: configmaps" in message
    tries = len([write for write in bed.gateway.writes if write.name == NAME])
    bed.advance(3600)
    assert len([write for write in bed.gateway.writes if write.name == NAME]) - tries <= 80
    assert said(bed)[0] == "ServicesNotGuarded"
    bed.gateway.refuse = lambda _: None
    bed.advance(600)
    assert guarded(bed) == {"app": "web"}
    assert said(bed) is None


def test_an_answer_that_may_pass_is_tried_again(bed):
    failing = {"left": 3}

    def refuse(write):
        if write.name == NAME and failing["left"]:
            failing["left"] -= 1
            return Transient("etcd is busy", status=500)
        return None

    bed.gateway.refuse = refuse
    put_up(bed, "web", "app")
    bed.settle()
    assert guarded(bed) == {"app": "web"}
    assert said(bed) is None


def test_where_it_may_not_be_deleted_it_is_emptied(bed):
    """A ClusterRole from before this version."""
    bed.gateway.missing = lambda verb, kind, _: (verb, kind) == ("delete", "ConfigMap")
    put_up(bed, "web", "app")
    bed.settle()
    bed.delete(INGRESS, "web")
    bed.settle()
    assert guarded(bed) == {}


def test_one_that_cannot_be_deleted_for_long_goes_all_the_same(bed):
    """By then nothing else of the namespace takes part."""
    put_up(bed, "web", "app")
    bed.settle()
    bed.gateway.refuse = lambda write: Transient("etcd is full", status=500) if write.name == NAME else None
    bed.delete(INGRESS, "web")
    bed.delete(ISSUER, ISSUER_AT.name)
    bed.advance(2 * HOUR)
    assert guarded(bed) == {"app": "web"}
    bed.gateway.refuse = lambda _: None
    bed.advance(HOUR)
    assert guarded(bed) is None


def test_an_exception_is_said_by_the_issuer_with_its_reason(bed):
    put_up(bed, "web", "app")
    put_up(bed, "open", "app", opts_in=False, **{"doorward.io/unprotected": "status page"})
    bed.settle()
    reason, message = said(bed)
    assert reason == "ServicesUnprotected"
    assert f'Ingress {NAMESPACE_NAME}/open serves Service app ("status page")' in message
    bed.edit(INGRESS, "open", {"metadata": {"annotations": {"doorward.io/unprotected": "health checks"}}})
    bed.settle()
    assert "health checks" in said(bed)[1]
    bed.delete(INGRESS, "open")
    bed.settle()
    assert said(bed) is None


@pytest.mark.parametrize(
    ("service", "marks"),
    [
        pytest.param("app", {}, id="that gives no reason"),
        pytest.param("app", {"doorward.io/unprotected": " \n"}, id="whose reason is empty"),
        pytest.param("other", {"doorward.io/unprotected": "status page"}, id="at a Service that nobody guards"),
    ],
)
def test_another_ingress_is_no_exception(bed, service, marks):
    put_up(bed, "web", "app")
    put_up(bed, "open", service, opts_in=False, **marks)
    bed.settle()
    assert said(bed) is None


def test_an_exception_that_was_there_first_is_said_when_the_gate_comes(bed):
    put_up(bed, "open", "app", opts_in=False, **{"doorward.io/unprotected": "status page"})
    bed.settle()
    put_up(bed, "web", "app")
    bed.settle()
    assert said(bed)[0] == "ServicesUnprotected"
    bed.edit(INGRESS, "web", {"spec": spec("web.example", "own")})
    bed.settle()
    assert said(bed) is None


def test_ingresses_that_come_one_after_the_other_are_a_few_writes(bed):
    for number in range(60):
        put_up(bed, f"n{number}", f"s{number}")
        bed.advance(0.5)
    bed.settle()
    assert len(guarded(bed)) == 60
    assert len([write for write in bed.gateway.writes if write.name == NAME]) <= 20  # in 30 s, each 2 s at most


def test_a_namespace_that_did_not_opt_in_gets_none_until_it_does(bed):
    missing = {"other"}
    bed.gateway.missing = lambda _, kind, namespace: kind in ("ConfigMap", "Secret") and namespace in missing
    bed.cluster.create(NAMESPACE, "", {"metadata": {"name": "other"}}, PEOPLE)
    body = {"metadata": {"name": "web", "annotations": {"doorward.io/issuer": str(ISSUER_AT)}}}
    bed.cluster.create(INGRESS, "other", body | {"spec": host_spec("other.example")}, PEOPLE)
    bed.advance(60)
    assert bed.cluster.find(CONFIG_MAP, ObjectKey("other", NAME)) is None
    assert said(bed) is None
    missing.clear()
    bed.advance(120)
    assert bed.cluster.find(CONFIG_MAP, ObjectKey("other", NAME))["data"] == {"app": "web"}
