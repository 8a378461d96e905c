"""Namespaces join with the first object that takes part and leave with the last, or when they are deleted."""

import pytest

from doorward.cluster.errors import Forbidden, Transient
from doorward.cluster.gateway import CLIENT_CERTIFICATE, CONFIG_MAP, INGRESS, ISSUER, NAMESPACE, SECRET
from doorward.objects.meta import ObjectKey
from doorward.planning.timing import IDLE_GATE
from doorward.view import subscriptions
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, PEOPLE, OperatorBed, host_spec
from tests.unit.given import NOW, reasons

SHOP = "shop"
FOR_ALL = {"from": "All"}
LEFT = 2 * subscriptions.SWEEP + subscriptions.LINGERS


def namespace(bed, name):
    bed.cluster.create(NAMESPACE, "", {"metadata": {"name": name}}, PEOPLE)


def client(bed, where, name="alice"):
    spec = {"issuerRef": {"name": ISSUER_AT.name, "namespace": NAMESPACE_NAME}, "commonName": name}
    bed.cluster.create(CLIENT_CERTIFICATE, where, {"metadata": {"name": name}, "spec": spec}, PEOPLE)


def ingress(bed, where, name="app"):
    marks = {"doorward.io/issuer": str(ISSUER_AT)}
    body = {"metadata": {"name": name, "annotations": marks}, "spec": host_spec(f"{name}.{where}.example")}
    bed.cluster.create(INGRESS, where, body, PEOPLE)


def delete(bed, kind, where, name):
    bed.cluster.delete(kind, ObjectKey(where, name), PEOPLE)


def watches(bed, where):
    return sum(count for (_, at), count in bed.gateway.watching.items() if at == where)


def lists(bed, where):
    return sum(at == where for _, at in bed.gateway.lists)


def held(bed, where):
    view = bed.operator.view
    stores = {"secrets": view.secrets, "configmaps": view.configmaps}
    return {name: len(list(store.keys(where))) for name, store in stores.items()} | {
        "opted_in": where in view.opted_in,
        "unsynced": [u for u in view.unsynced() if u.namespace == where],
    }


NOTHING = {"secrets": 0, "configmaps": 0, "opted_in": False, "unsynced": []}


@pytest.fixture
def bed():
    """An issuer that serves all namespaces, and one beside its own."""
    with OperatorBed(NOW, finalizer_at_creation=True) as made:
        made.issuer(
            issuance={"allowedNamespaces": FOR_ALL, "allowedSubjects": [{"commonName": "*"}]},
            gates={"allowedNamespaces": FOR_ALL},
        )
        namespace(made, SHOP)
        made.settle()
        yield made


def test_a_namespace_leaves_with_its_last_object_and_nothing_of_it_is_held(bed):
    client(bed, SHOP)
    bed.settle()
    assert (watches(bed, SHOP), held(bed, SHOP)["opted_in"]) == (2, True)
    delete(bed, CLIENT_CERTIFICATE, SHOP, "alice")
    bed.settle()
    bed.advance(LEFT)
    assert (watches(bed, SHOP), held(bed, SHOP)) == (0, NOTHING)
    asked = lists(bed, SHOP)
    bed.advance(3600)
    assert lists(bed, SHOP) == asked


def test_a_namespace_stays_while_one_object_of_several_is_left(bed):
    client(bed, SHOP)
    ingress(bed, SHOP)
    bed.settle()
    delete(bed, CLIENT_CERTIFICATE, SHOP, "alice")
    bed.advance(LEFT)
    assert watches(bed, SHOP) == 2


@pytest.mark.parametrize("end", ["its issuer is deleted", "no target names it for a while"])
def test_a_gate_that_is_left_keeps_its_namespace_until_it_is_closed(bed, end):
    ingress(bed, SHOP)
    bed.settle()
    delete(bed, INGRESS, SHOP, "app")
    bed.advance(IDLE_GATE.total_seconds() / 2)
    gate = ObjectKey(SHOP, f"doorward.{NAMESPACE_NAME}.{ISSUER_AT.name}")
    assert (watches(bed, SHOP), bed.cluster.find(SECRET, gate) is not None) == (2, True)
    if end == "its issuer is deleted":
        delete(bed, ISSUER, NAMESPACE_NAME, ISSUER_AT.name)
        bed.settle()
    else:
        bed.advance(IDLE_GATE.total_seconds())
    assert bed.cluster.find(SECRET, gate) is None
    bed.advance(LEFT)
    assert (watches(bed, SHOP), held(bed, SHOP)) == (0, NOTHING)


def test_a_namespace_leaves_with_its_issuer(bed):
    body = {"metadata": {"name": "own"}, "spec": {"ca": {"generate": {"commonName": "Own CA"}}}}
    bed.cluster.create(ISSUER, SHOP, body, PEOPLE)
    bed.settle()
    assert held(bed, SHOP)["configmaps"] == 1
    delete(bed, ISSUER, SHOP, "own")
    bed.settle()
    bed.advance(LEFT)
    assert held(bed, SHOP) == NOTHING


def test_a_list_that_fails_is_forgotten_with_its_namespace(bed):
    client(bed, SHOP)
    bed.settle()
    bed.gateway.refuse_reads = lambda kind, where: Transient("reset") if (kind, where) == (SECRET, SHOP) else None
    bed.gateway.end_watches()
    bed.advance(10)
    assert held(bed, SHOP)["unsynced"] != []
    delete(bed, CLIENT_CERTIFICATE, SHOP, "alice")
    bed.advance(LEFT)
    assert held(bed, SHOP) == NOTHING


def test_an_ingress_that_names_no_issuer_keeps_no_namespace(bed):
    client(bed, SHOP)
    bed.cluster.create(INGRESS, SHOP, {"metadata": {"name": "plain"}, "spec": {}}, PEOPLE)
    bed.settle()
    delete(bed, CLIENT_CERTIFICATE, SHOP, "alice")
    bed.settle()
    bed.advance(LEFT)
    assert watches(bed, SHOP) == 0


def test_what_comes_back_soon_costs_no_list(bed):
    client(bed, SHOP)
    bed.settle()
    asked = lists(bed, SHOP)
    for _ in range(20):
        delete(bed, CLIENT_CERTIFICATE, SHOP, "alice")
        bed.advance(45)
        client(bed, SHOP)
        bed.advance(45)
    assert (watches(bed, SHOP), lists(bed, SHOP)) == (2, asked)


def test_a_namespace_that_left_joins_again_with_the_next_object(bed):
    client(bed, SHOP)
    bed.settle()
    delete(bed, CLIENT_CERTIFICATE, SHOP, "alice")
    bed.settle()
    bed.advance(LEFT)
    client(bed, SHOP, "bob")
    bed.settle()
    status = bed.cluster.find(CLIENT_CERTIFICATE, ObjectKey(SHOP, "bob"))["status"]
    assert reasons(status)["Ready"] == "Issued"


def test_of_a_deleted_namespace_nothing_is_asked_any_more(bed):
    client(bed, SHOP)
    ingress(bed, SHOP)
    bed.settle()
    asked = lists(bed, SHOP)
    delete(bed, NAMESPACE, "", SHOP)  # what was in it went unheard
    bed.advance(1)
    assert (watches(bed, SHOP), held(bed, SHOP)) == (0, NOTHING)
    bed.advance(3600)
    assert lists(bed, SHOP) == asked


def test_a_namespace_that_is_created_again_is_served(bed):
    client(bed, SHOP)
    bed.settle()
    delete(bed, NAMESPACE, "", SHOP)
    bed.advance(1)
    namespace(bed, SHOP)
    bed.advance(1)
    assert watches(bed, SHOP) == 2
    client(bed, SHOP, "bob")
    bed.settle()
    status = bed.cluster.find(CLIENT_CERTIFICATE, ObjectKey(SHOP, "bob"))["status"]
    assert reasons(status)["Ready"] == "Issued"


# Many


MANY = [f"team-{number}" for number in range(8)]


@pytest.fixture
def crowd(bed, monkeypatch):
    """More namespaces than are watched one by one."""
    monkeypatch.setattr(subscriptions, "MANY", 6)
    bed.kill()
    for name in MANY:
        namespace(bed, name)
        client(bed, name)
    namespace(bed, "bystander")
    bed.cluster.create(SECRET, "bystander", {"metadata": {"name": "theirs"}, "type": "Opaque"}, PEOPLE)
    return bed


def open_watches(bed):
    return sum(
        bed.gateway.watching[kind, where] for kind, where in bed.gateway.watching if kind in (SECRET, CONFIG_MAP)
    )


def _ready(bed, where, name="alice"):
    status = bed.cluster.find(CLIENT_CERTIFICATE, ObjectKey(where, name)).get("status") or {}
    return reasons(status).get("Ready")


def test_many_namespaces_are_watched_at_once_where_the_operator_may_read_all(crowd):
    crowd.start()
    crowd.settle()
    crowd.advance(60)
    assert open_watches(crowd) == 2
    assert {_ready(crowd, name) for name in MANY} == {"Issued"}


def test_of_namespaces_that_do_not_take_part_nothing_is_held(crowd):
    crowd.start()
    crowd.settle()
    crowd.advance(60)
    assert held(crowd, "bystander") == NOTHING


def test_a_namespace_that_joins_later_is_served_as_well(crowd):
    crowd.start()
    crowd.settle()
    crowd.advance(60)
    client(crowd, "bystander", "bob")
    crowd.settle()
    assert (_ready(crowd, "bystander", "bob"), open_watches(crowd)) == ("Issued", 2)
    crowd.cluster.merge_patch(
        SECRET, ObjectKey("bystander", "bob-mtls"), {"metadata": {"labels": {"doorward.io/role": None}}}, PEOPLE, ""
    )
    crowd.advance(5)
    marks = crowd.operator.view.secrets.get(ObjectKey("bystander", "bob-mtls"))["metadata"]["labels"]
    assert "doorward.io/role" not in marks  # the one watch tells of it


def test_a_namespace_leaves_the_one_watch_too(crowd):
    crowd.start()
    crowd.settle()
    crowd.advance(60)
    delete(crowd, CLIENT_CERTIFICATE, MANY[0], "alice")
    crowd.settle()
    crowd.advance(LEFT)
    assert held(crowd, MANY[0]) == NOTHING


def test_where_the_operator_may_not_read_all_each_namespace_is_watched_by_itself(crowd):
    crowd.start(
        refuse_reads=lambda kind, where: Forbidden("no", status=403) if (kind, where) == (SECRET, None) else None
    )
    crowd.settle()
    crowd.advance(3600)
    assert open_watches(crowd) == 2 * (len(MANY) + 1)
    everything = [at for at in crowd.gateway.lists if at in ((SECRET, None), (CONFIG_MAP, None))]
    assert len(everything) <= 2 * 7


def test_when_the_right_to_read_all_is_taken_away_each_namespace_is_followed_by_itself_again(crowd):
    crowd.start()
    crowd.settle()
    crowd.advance(60)
    crowd.gateway.refuse_reads = lambda kind, where: (
        Forbidden("no", status=403) if kind in (SECRET, CONFIG_MAP) and where in (None, MANY[0]) else None
    )
    first = len(crowd.gateway.writes)
    crowd.gateway.end_watches()
    crowd.advance(120)
    assert open_watches(crowd) == 2 * len(MANY)
    assert crowd.operator.view.opted_in[MANY[0]] is False
    assert {write.namespace for write in crowd.gateway.writes[first:]} <= {MANY[0], NAMESPACE_NAME}
    client(crowd, MANY[1], "bob")
    crowd.settle()
    assert _ready(crowd, MANY[1], "bob") == "Issued"


def test_a_new_leader_lists_all_of_them_again(crowd):
    crowd.start()
    crowd.settle()
    crowd.advance(60)
    crowd.with_gateway(lambda _: crowd.operator._start_over(crowd.operator._subscriptions))
    crowd.settle()
    assert open_watches(crowd) == 2
    assert {crowd.operator.view.opted_in[name] for name in MANY} == {True}


@pytest.mark.parametrize(("most", "warned"), [(120, True), (1000, False), (0, False)])
def test_a_limit_of_open_files_that_is_near_is_said_once(bed, monkeypatch, caplog, most, warned):
    monkeypatch.setattr(subscriptions, "FILES_BESIDE", 100)
    bed.operator._subscriptions._most_files = most
    bed.advance(3 * subscriptions.SWEEP)
    assert caplog.text.count("open files: about") == warned
