"""Which clients of an issuer an Ingress admits: known from its `doorward.io/allow` as it is now, and from the clients' labels."""

import pytest

from doorward.cluster.errors import Forbidden
from doorward.cluster.gateway import CLIENT_CERTIFICATE, INGRESS, ISSUER
from doorward.objects.meta import ObjectKey
from doorward.objects.proxy_requests.question import Gate
from tests.unit import given as rules
from tests.unit.given import ALICE, NOW

from . import given
from .given import GATE, World, question

TILL = ObjectKey(GATE.namespace, "till")
ALICE_BY_NAME = str(ALICE)


def asked(world: World, ingress: str | None = "till") -> str:
    return world.answer(question(ingress=ingress))


def allow(world: World, text: str | None) -> None:
    world.patch(INGRESS, TILL, {"metadata": {"annotations": {"doorward.io/allow": text}}})


def label(world: World, **labels: str | None) -> None:
    world.patch(CLIENT_CERTIFICATE, ALICE, {"metadata": {"labels": labels}})


def select_from(world: World, *namespaces: str) -> None:
    world.patch(ISSUER, rules.ISSUER, {"spec": {"gates": {"selectableNamespaces": list(namespaces)}}})


@pytest.fixture
def till(world: World) -> World:
    """An Ingress without a list; the issuer lists Alice's namespace."""
    select_from(world, ALICE.namespace)
    world.add(given.ingress())
    world.advance()
    assert asked(world) == "admitted"
    return world


def test_a_list_and_its_changes_are_in_force_at_the_next_request(till: World):
    allow(till, "bob")
    assert asked(till) == "not_selected"
    allow(till, f"bob {ALICE_BY_NAME}")
    assert asked(till) == "admitted"
    allow(till, "role=ops")
    assert asked(till) == "not_selected"
    allow(till, None)
    assert asked(till) == "admitted"


def test_labels_and_their_changes_are_in_force_at_the_next_request(till: World):
    allow(till, "role=ops,team=a")
    label(till, role="ops")
    assert asked(till) == "not_selected"
    label(till, team="a")
    assert asked(till) == "admitted"
    label(till, role="dev")
    assert asked(till) == "not_selected"
    label(till, role="ops")
    assert asked(till) == "admitted"
    label(till, role=None)
    assert asked(till) == "not_selected"


@pytest.mark.parametrize(
    "text", ["", " ", "*", "role=", f"{ALICE_BY_NAME},bob", f"{ALICE_BY_NAME} *", "a " * 65, "a" * 9000]
)
def test_a_list_that_cannot_be_read_refuses_everybody(till: World, text):
    allow(till, text)
    assert asked(till) == "list_not_read"


def test_a_name_without_a_namespace_is_of_the_ingress_namespace(till: World):
    allow(till, ALICE.name)
    assert asked(till) == "not_selected"


@pytest.mark.parametrize("text", [ALICE_BY_NAME, "role=ops"])
def test_only_clients_of_namespaces_that_the_issuer_lists_are_selected(till: World, text):
    allow(till, text)
    label(till, role="ops")
    assert asked(till) == "admitted"
    select_from(till, "elsewhere")
    assert asked(till) == "not_selected"
    select_from(till)
    own = ALICE.namespace == rules.ISSUER.namespace
    assert asked(till) == ("admitted" if own else "not_selected")


def test_a_client_with_too_many_labels_is_selected_by_none(till: World):
    allow(till, "role=ops")
    label(till, role="ops", **{f"l{number}": "x" for number in range(63)})
    assert asked(till) == "admitted"
    label(till, one="more")
    assert asked(till) == "not_selected"
    allow(till, ALICE_BY_NAME)
    assert asked(till) == "admitted"


def test_each_ingress_has_a_list_of_its_own(till: World):
    till.add(given.ingress("desk", "bob"), given.ingress("till", "bob", "elsewhere"))
    till.advance()
    assert (asked(till), asked(till, "desk")) == ("admitted", "not_selected")
    elsewhere = question(gate=Gate("elsewhere", rules.ISSUER), ingress="till")
    assert till.answer(elsewhere) == "not_selected"


def test_an_ingress_that_is_not_there_admits_nobody(till: World):
    assert asked(till, "other") == "no_ingress"
    till.delete(INGRESS, TILL)
    assert asked(till) == "no_ingress"


def test_whoever_is_refused_without_a_list_is_refused_with_one(till: World):
    allow(till, ALICE_BY_NAME)
    till.patch(CLIENT_CERTIFICATE, ALICE, {"spec": {"suspended": True}})
    assert asked(till) == "client_suspended"


def test_a_question_from_before_access_lists_is_answered_only_where_no_ingress_of_the_namespace_has_one(till: World):
    assert asked(till, "") == "admitted"
    allow(till, ALICE_BY_NAME)
    assert asked(till, "") == "ingress_not_said"
    till.add(given.ingress("desk", "bob"))
    till.advance()
    allow(till, None)
    assert asked(till, "") == "ingress_not_said"
    till.delete(INGRESS, ObjectKey(GATE.namespace, "desk"))
    assert asked(till, "") == "admitted"


def test_a_proxy_that_knows_no_ingresses_asks_about_the_issuers_clients(till: World):
    allow(till, "bob")
    assert asked(till, None) == "admitted"


def test_before_the_ingresses_are_listed_everybody_is_refused(empty: World):
    empty.add(given.issuer(), given.client(), given.record(), given.ingress())
    empty.gateway.refuse_reads = lambda kind, _: Forbidden("no") if kind == INGRESS else None
    empty.start()
    assert {asked(empty), asked(empty, ""), asked(empty, None)} == {"not_synced"}
    assert not empty.service.readiness().ready
    empty.mend_the_line()
    assert asked(empty) == "admitted"


def test_while_the_api_server_is_away_the_last_list_holds_and_then_nobody_gets_in(till: World):
    allow(till, "bob")
    till.cut_the_line()
    till.clock.advance(days=1)
    assert asked(till) == "not_selected"
    till.mend_the_line()
    allow(till, ALICE_BY_NAME)
    till.cut_the_line()
    till.clock.advance(days=1)
    assert asked(till) == "admitted"
    till.clock.advance(days=7)
    assert asked(till) == "stale"


def test_a_list_that_was_changed_while_the_api_server_was_away_is_in_force_when_it_is_back(till: World):
    till.add(given.ingress("desk", "bob"))
    till.advance()
    till.cut_the_line()
    till.cluster.merge_patch(INGRESS, TILL, {"metadata": {"annotations": {"doorward.io/allow": "bob"}}}, "kubectl", "")
    till.cluster.delete(INGRESS, ObjectKey(GATE.namespace, "desk"), "kubectl")
    assert asked(till) == "admitted"
    till.mend_the_line()
    assert asked(till) == "not_selected"
    assert asked(till, "desk") == "no_ingress"
    assert till.clock.now() > NOW


def test_refusals_are_counted_by_gate(till: World):
    allow(till, "bob")
    for _ in range(2):
        till.metrics.answered(till.service.answer(question(ingress="till")))
    gate = {"gate_namespace": GATE.namespace, "issuer_namespace": rules.ISSUER.namespace, "issuer": rules.ISSUER.name}
    scraped = till.scrape()
    assert scraped.value("doorward_gate_requests_total", **gate, answer="not_selected") == 2
    assert scraped.value("doorward_gate_objects", kind="Ingress") == 1
