"""An Ingress is called protected only while nothing that the operator sees opens its host, wherever in the cluster it is."""

from unittest import mock

import pytest
from hypothesis import given as given_that
from hypothesis import settings
from hypothesis import strategies as st

from doorward.cluster.gateway import INGRESS, INGRESS_CLASS, ISSUER, NAMESPACE
from doorward.gates.ingress_nginx import annotations as ingress_nginx
from doorward.gates.registry import planes
from doorward.objects.meta import ObjectKey
from doorward.view.keys import target_key
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, PEOPLE, OperatorBed, host_spec
from tests.unit.given import NOW

NGINX = "nginx.ingress.kubernetes.io/"
HOST = "shop.example"
OTHER = "other"
SERVICE = "http://doorward-gate.doorward-system.svc.cluster.local"
OPTED_IN = {"doorward.io/issuer": str(ISSUER_AT)}
OWN_CA = {f"{NGINX}auth-tls-secret": "other/ca"}


def started(made):
    made.cluster.create(NAMESPACE, "", {"metadata": {"name": OTHER}}, PEOPLE)
    made.issuer(gates={"allowedNamespaces": {"from": "All"}, "allowOptional": True})
    made.settle()
    made.ingress()
    made.advance(60)
    return made


@pytest.fixture
def bed():
    """The handshake decides."""
    with OperatorBed(NOW) as made:
        yield started(made)


@pytest.fixture
def asked():
    """The gate service is installed."""
    with OperatorBed(NOW, planes=planes(SERVICE)) as made:
        yield started(made)


def text(bed, namespace=NAMESPACE_NAME, name="shop"):
    marks = bed.cluster.find(INGRESS, ObjectKey(namespace, name))["metadata"]["annotations"]
    return marks.get(ingress_nginx.GATE, "")


def told(bed, **at):
    return text(bed, **at).partition(":")[0]


def put_up(bed, namespace=NAMESPACE_NAME, name="rival", host="rival.example", spec=None, **marks):
    body = {"metadata": {"name": name, "annotations": marks}, "spec": spec or host_spec(host)}
    bed.cluster.create(INGRESS, namespace, body, PEOPLE)
    bed.advance(60)


def without_host():
    made = host_spec("x")
    made["rules"] = [{"http": made["rules"][0]["http"]}]
    return made


def with_service(name, host="rival.example", **fields):
    made = host_spec(host)
    made["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"] = name
    return made | fields


# --- the issuer


def test_one_that_names_an_issuer_that_is_not_there_or_cannot_be_read_is_closed_and_not_called_protected(bed):
    put_up(bed, name="none", **{"doorward.io/issuer": "issuers/none"})
    assert told(bed, name="none") == "NoSuchIssuer"
    assert told(bed) == "Protected"
    spec = bed.find(ISSUER, ISSUER_AT.name)["spec"]
    bed.edit(ISSUER, ISSUER_AT.name, {"spec": {"ca": None}})
    put_up(bed, name="late", host="late.example", **OPTED_IN)
    assert {told(bed), told(bed, name="late")} == {"IssuerNotRead"}
    for name, secret in (
        ("none", "doorward.issuers.none"),
        ("late", f"doorward.{ISSUER_AT.namespace}.{ISSUER_AT.name}"),
    ):
        marks = bed.find(INGRESS, name)["metadata"]["annotations"]
        assert marks[f"{NGINX}auth-tls-secret"] == f"{NAMESPACE_NAME}/{secret}"
        assert marks[f"{NGINX}auth-tls-verify-client"] == "on"
    bed.edit(ISSUER, ISSUER_AT.name, {"spec": {"ca": spec["ca"]}})
    bed.advance(5)
    assert {told(bed), told(bed, name="late")} == {"Protected"}


# --- the same Service


@pytest.mark.promise(3)
@pytest.mark.parametrize(
    ("spec", "marks"),
    [
        pytest.param(host_spec("rival.example"), {}, id="at another host"),
        pytest.param(without_host(), {}, id="at every host"),
        pytest.param({"defaultBackend": {"service": {"name": "app", "port": {"number": 80}}}}, {}, id="by default"),
        pytest.param(with_service("else"), {f"{NGINX}default-backend": "app"}, id="where another has no endpoint"),
        pytest.param(
            with_service("else", defaultBackend={"service": {"name": "app", "port": {"number": 80}}}),
            {},
            id="beside rules",
        ),
        pytest.param(host_spec("rival.example"), {"doorward.io/issuer": "no/such/issuer"}, id="with a bad reference"),
        pytest.param(with_service("app", tls=[]), OPTED_IN, id="protected, and over plain HTTP"),
        pytest.param(
            host_spec("rival.example"), OPTED_IN | {f"{NGINX}server-snippet": "x"}, id="protected, and with a snippet"
        ),
    ],
)
def test_another_that_leads_to_its_service_is_reported_until_it_goes(bed, spec, marks):
    put_up(bed, spec=spec, **marks)
    assert text(bed).startswith("SameServiceElsewhere: Ingress edge/rival routes to the same Service app ")
    bed.cluster.delete(INGRESS, ObjectKey(NAMESPACE_NAME, "rival"), PEOPLE)
    bed.advance(60)
    assert told(bed) == "Protected"


@pytest.mark.parametrize(
    ("namespace", "spec", "marks"),
    [
        pytest.param(OTHER, host_spec("rival.example"), {}, id="of that name in another namespace"),
        pytest.param(NAMESPACE_NAME, with_service("else"), {}, id="that is another"),
        pytest.param(NAMESPACE_NAME, host_spec("rival.example"), OPTED_IN, id="protected as well"),
        pytest.param(NAMESPACE_NAME, host_spec(HOST), {}, id="at its own host, where the handshake decides"),
    ],
)
def test_another_is_of_no_account_with_a_service(bed, namespace, spec, marks):
    put_up(bed, namespace, spec=spec, **marks)
    assert told(bed) == "Protected"


def test_at_its_own_host_another_is_reported_where_each_request_is_asked_about(asked):
    assert told(asked) == "Protected"
    put_up(asked, host=HOST)
    assert told(asked) == "SameServiceElsewhere"
    asked.edit(ISSUER, ISSUER_AT.name, {"spec": {"enforcement": {"mode": "Handshake"}}})
    asked.advance(60)
    assert told(asked) == "Protected"


def test_one_whose_host_another_gives_a_tls_section_leaves_no_service_open(bed):
    """Three Ingresses: the second is redirected to HTTPS because of the third, and that matters to the first."""
    put_up(bed, spec=with_service("app", tls=[]), **OPTED_IN)
    assert (told(bed), told(bed, name="rival")) == ("SameServiceElsewhere", "PlainHTTP")
    put_up(bed, OTHER, "third", host="rival.example")
    assert (told(bed), told(bed, name="rival")) == ("Protected", "Protected")
    bed.cluster.delete(INGRESS, ObjectKey(OTHER, "third"), PEOPLE)
    bed.advance(60)
    assert (told(bed), told(bed, name="rival")) == ("SameServiceElsewhere", "PlainHTTP")


# --- clients that name no host


@pytest.mark.promise(3)
@pytest.mark.parametrize("namespace", [OTHER, NAMESPACE_NAME])
@pytest.mark.parametrize("rules", [without_host()["rules"], [{}], [*host_spec("x.example")["rules"], {"host": ""}]])
def test_one_without_a_host_that_sets_a_trust_bundle_is_reported_at_every_host(bed, namespace, rules):
    put_up(bed, name="second", **OPTED_IN)
    put_up(bed, namespace, spec=with_service("else", rules=rules), **OWN_CA)
    for name in ("shop", "second"):
        assert text(bed, name=name).startswith(f"HostlessAuthTLS: Ingress {namespace}/rival has a rule without a host")
    bed.cluster.delete(INGRESS, ObjectKey(namespace, "rival"), PEOPLE)
    bed.advance(60)
    assert [told(bed, name=name) for name in ("shop", "second")] == ["Protected"] * 2


def test_one_without_a_host_and_trust_bundle_is_of_no_account(bed):
    put_up(bed, OTHER, spec=without_host())
    assert told(bed) == "Protected"


# --- plain HTTP, and paths that are passed over


def test_the_tls_section_of_another_at_the_host_counts_as_long_as_it_is_there(bed):
    bed.edit(INGRESS, "shop", {"spec": {"tls": None}})
    bed.advance(60)
    assert told(bed) == "PlainHTTP"
    put_up(bed, OTHER, host=HOST)
    assert told(bed) == "Protected"
    bed.cluster.merge_patch(INGRESS, ObjectKey(OTHER, "rival"), {"spec": {"tls": None}}, PEOPLE, "")
    bed.advance(60)
    assert told(bed) == "PlainHTTP"


def challenge():
    made = host_spec("acme.example")
    path = made["rules"][0]["http"]["paths"][0] | {"path": "/.well-known/acme-challenge/x"}
    made["rules"][0]["http"]["paths"] = [path]
    return made


def test_a_path_of_challenges_is_reported(bed, asked):
    for made, reason in ((bed, "PlainHTTP"), (asked, "NoAuthLocation")):
        put_up(made, name="acme", spec=challenge(), **OPTED_IN)
        assert told(made, name="acme") == reason
        assert told(made) == "Protected"


# --- one path in two Ingresses


def at_path(path, kind="Prefix", host=HOST, service="else", **fields):
    made = with_service(service, host, **fields)
    made["rules"][0]["http"]["paths"][0] |= {"path": path, "pathType": kind}
    return made


ALLOW = "doorward.io/allow"


@pytest.mark.promise(3)
@pytest.mark.parametrize(
    ("spec", "marks", "reason"),
    [
        pytest.param(at_path("/"), OPTED_IN | {ALLOW: "alice"}, "PathShared", id="the younger one has a list"),
        pytest.param(
            at_path("/", "ImplementationSpecific"), OPTED_IN | {ALLOW: "alice"}, "PathShared", id="of any type"
        ),
        pytest.param(at_path("/"), OPTED_IN, "Protected", id="the same list"),
        pytest.param(at_path("/", "Exact"), OPTED_IN | {ALLOW: "alice"}, "Protected", id="nginx prefers an exact path"),
        pytest.param(at_path("/a"), OPTED_IN | {ALLOW: "alice"}, "Protected", id="another path"),
        pytest.param(at_path("/", host="b.example"), OPTED_IN | {ALLOW: "alice"}, "Protected", id="another host"),
    ],
)
def test_of_two_at_one_path_the_younger_is_told_that_the_older_decides(asked, spec, marks, reason):
    put_up(asked, spec=spec, **marks)
    assert told(asked, name="rival") == reason
    assert told(asked) == "Protected", "its own list holds"


def test_an_older_one_of_another_controller_does_not_matter(asked):
    served = {"metadata": {"name": "inside"}, "spec": {"controller": "k8s.io/ingress-nginx"}}
    asked.cluster.create(INGRESS_CLASS, "", served, PEOPLE)
    put_up(asked, spec=at_path("/", ingressClassName="inside"), **OPTED_IN, **{ALLOW: "alice"})
    assert told(asked, name="rival") == "Protected"


@pytest.mark.promise(3)
def test_an_older_one_that_did_not_opt_in_decides_at_its_path_too(asked):
    put_up(asked, name="older", spec=at_path("/a/", service="another"))
    put_up(asked, name="younger", spec=at_path("/a"), **OPTED_IN)
    assert "shop.example/a is served from the older Ingress edge/older" in text(asked, name="younger")
    asked.cluster.delete(INGRESS, ObjectKey(NAMESPACE_NAME, "older"), PEOPLE)
    asked.advance(60)
    assert told(asked, name="younger") == "Protected"


def test_the_same_list_in_both_is_enough(asked):
    put_up(asked, spec=at_path("/"), **OPTED_IN, **{ALLOW: "alice"})
    for name in ("shop", "rival"):
        marks = {"metadata": {"annotations": {ALLOW: "  alice"}}}
        asked.cluster.merge_patch(INGRESS, ObjectKey(NAMESPACE_NAME, name), marks, PEOPLE, "")
        asked.advance(60)
    assert (told(asked), told(asked, name="rival")) == ("Protected", "Protected")


@pytest.mark.promise(3)
def test_of_two_from_one_second_both_are_told(asked):
    body = {"metadata": {"annotations": OPTED_IN}, "spec": at_path("/b")}
    for name, marks in (("one", {}), ("two", {ALLOW: "alice"})):
        made = {**body, "metadata": {"name": name, "annotations": OPTED_IN | marks}}
        asked.cluster.create(INGRESS, NAMESPACE_NAME, made, PEOPLE)
    asked.advance(60)
    assert {told(asked, name="one"), told(asked, name="two")} == {"PathShared"}


def test_where_the_handshake_decides_a_path_in_two_ingresses_does_not_matter(bed):
    put_up(bed, name="older", spec=at_path("/a"))
    put_up(bed, name="younger", spec=at_path("/a"), **OPTED_IN)
    assert told(bed, name="younger") == "Protected"


# --- all of it together

AT = [
    ObjectKey(NAMESPACE_NAME, "a"),
    ObjectKey(NAMESPACE_NAME, "b"),
    ObjectKey(NAMESPACE_NAME, "c"),
    ObjectKey(OTHER, "d"),
]
MARKS = ({}, OPTED_IN, OWN_CA, OPTED_IN | {f"{NGINX}ssl-redirect": "false"})
SPECS = (
    host_spec(HOST),
    host_spec("b.example"),
    with_service("else", HOST),
    without_host(),
    with_service("app", tls=[]),
    with_service("app", HOST, tls=[]),
    with_service("app", "b.example", tls=[]),
)


@settings(max_examples=25, deadline=None)
@given_that(
    st.lists(st.tuples(st.sampled_from(AT), st.sampled_from(MARKS), st.sampled_from([None, *SPECS])), max_size=10)
)
def test_whatever_comes_and_goes_an_ingress_is_told_what_a_new_process_would_tell_it(changes):
    """Nothing is missed: who has seen every change says what one says that sees the end alone, and writes nothing."""
    with OperatorBed(NOW) as bed:
        started(bed)
        for at, marks, spec in changes:
            if bed.cluster.find(INGRESS, at) is not None:
                bed.cluster.delete(INGRESS, at, PEOPLE)
            if spec is not None:
                body = {"metadata": {"name": at.name, "annotations": dict(marks)}, "spec": spec}
                bed.cluster.create(INGRESS, at.namespace, body, PEOPLE)
            bed.advance(3)
        bed.settle()
        bed.restart()
        assert [write for write in bed.writes_of(lambda: None) if write.kind == INGRESS.name] == []


def test_hundreds_at_one_service_cost_each_other_a_few_looks(bed):
    """One more that leaves the Service open wakes those that look at it; many at once wake them a few times, not many times."""
    for number in range(100):
        body = {
            "metadata": {"name": f"n{number:03}", "annotations": OPTED_IN},
            "spec": host_spec(f"n{number:03}.example"),
        }
        bed.cluster.create(INGRESS, NAMESPACE_NAME, body, PEOPLE)
    bed.settle()
    looks = []
    targets = bed.operator._reconciler._targets
    with mock.patch.object(
        targets, "look", side_effect=lambda key, look=targets.look: (looks.append(key), look(key))[1]
    ):
        for number in range(100):
            body = {"metadata": {"name": f"open{number:03}"}, "spec": host_spec(f"open{number:03}.example")}
            bed.cluster.create(INGRESS, NAMESPACE_NAME, body, PEOPLE)
        bed.advance(60)
    assert told(bed, name="n099") == "SameServiceElsewhere"
    mine = [key for key in looks if key == target_key(INGRESS, ObjectKey(NAMESPACE_NAME, "n099"))]
    assert len(mine) <= 5, "of 100 changes"
