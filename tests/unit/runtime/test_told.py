"""The issuer's status and the metrics follow what its Ingresses are told."""

import pytest

from doorward.cluster.gateway import INGRESS, ISSUER, NAMESPACE
from doorward.objects.meta import ObjectKey
from doorward.planning import targets_told
from doorward.planning.targets_told import Told
from doorward.runtime.metric_names import INGRESSES
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, PEOPLE, OperatorBed, host_spec
from tests.unit.given import NOW

LABELS = {"issuer_namespace": ISSUER_AT.namespace, "issuer": ISSUER_AT.name}
OPTED_IN = {"doorward.io/issuer": str(ISSUER_AT)}
REASONS = ("Protected", "PlainHTTP", "SameServiceElsewhere")


@pytest.fixture
def bed():
    with OperatorBed(NOW) as made:
        made.cluster.create(NAMESPACE, "", {"metadata": {"name": "other"}}, PEOPLE)
        made.issuer(gates={"allowedNamespaces": {"from": "All"}})
        made.settle()
        made.ingress()
        made.settle()
        yield made


def condition(bed):
    conditions = bed.find(ISSUER, ISSUER_AT.name)["status"]["conditions"]
    return next((c for c in conditions if c["type"] == "HostsProtected"), None)


def figures(bed):
    shown = bed.scrape()
    return {reason: shown.value("doorward_ingresses", reason=reason, **LABELS) for reason in REASONS}


def put_up(bed, name, namespace="other", **fields):
    body = {"metadata": {"name": name, "annotations": OPTED_IN}, "spec": host_spec(f"{name}.example") | fields}
    bed.cluster.create(INGRESS, namespace, body, PEOPLE)
    bed.settle()


def test_while_all_are_protected_nothing_is_said_and_they_are_counted(bed):
    assert condition(bed) is None
    assert figures(bed)["Protected"] == 1


def test_those_that_are_not_are_named_until_they_are(bed):
    for number in range(5):
        put_up(bed, f"n{number}", tls=[])
    said = condition(bed)
    assert (said["status"], said["reason"]) == ("False", "SomeNotProtected")
    assert "5 Ingresses are not protected" in said["message"]
    assert "other/n0: PlainHTTP; other/n1: PlainHTTP; other/n2: PlainHTTP; and 2 more" in said["message"]
    assert (figures(bed)["PlainHTTP"], figures(bed)["Protected"]) == (5, 1)
    for number in range(5):
        bed.cluster.delete(INGRESS, ObjectKey("other", f"n{number}"), PEOPLE)
    bed.settle()
    assert condition(bed) is None
    assert not figures(bed)["PlainHTTP"]


@pytest.mark.parametrize("reason", ["ListNotRead", "ListedNotSelectable"])
def test_an_access_list_that_refuses_too_many_opens_no_host(reason):
    told = Told(counts={reason: 2, "Protected": 1})
    assert targets_told.condition(told, 3, None) is None
    assert reason in INGRESSES.help, "and the metric says the same"


def test_one_that_another_opens_is_named(bed):
    bed.cluster.create(
        INGRESS, NAMESPACE_NAME, {"metadata": {"name": "open"}, "spec": host_spec("open.example")}, PEOPLE
    )
    bed.settle()
    assert "edge/shop: SameServiceElsewhere" in condition(bed)["message"]


def test_one_that_opts_out_is_no_longer_counted(bed):
    put_up(bed, "plain", tls=[])
    bed.cluster.merge_patch(
        INGRESS, ObjectKey("other", "plain"), {"metadata": {"annotations": {"doorward.io/issuer": None}}}, PEOPLE, ""
    )
    bed.settle()
    assert condition(bed) is None


def test_a_restart_changes_nothing(bed):
    put_up(bed, "plain", tls=[])
    before = condition(bed)
    bed.restart()
    assert [write.kind for write in bed.writes_of(lambda: None)] == []
    assert condition(bed) == before
