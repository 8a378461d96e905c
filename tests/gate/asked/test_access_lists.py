"""Which clients of an issuer an application admits: `doorward.io/allow` on its Ingress, at the real controller."""

import pytest

from doorward.objects.access_list import LONGEST, MOST, AccessList, parse
from tests.gate.doors import CLOSED, IN, Door, Files, Street
from tests.support.home import Home, client
from tests.support.kube import CERTIFICATES, INGRESSES, ISSUERS, MERGE, eventually

from .asking import AT_ONCE, AUTH_URL, annotations, question, without_operator

ALLOW = "doorward.io/allow"


@pytest.fixture
def two(home: Home) -> dict[str, Files]:
    """Two clients of one issuer; bob has a label."""
    home.partners("alice")
    body = client("bob")
    home.make(CERTIFICATES, body | {"metadata": body["metadata"] | {"labels": {"role": "ops"}}})
    home.issued("bob")
    return {name: home.files(name) for name in ("alice", "bob")}


def allow(home: Home, text: str | None, name: str = "shop") -> None:
    home.change(INGRESSES, name, {"metadata": {"annotations": {ALLOW: text}}})


def at_once(door: Door, files: Files, wanted: str) -> None:
    eventually(lambda: door.tells(files) == wanted, f"the client is told: {wanted}", seconds=AT_ONCE)


def test_exactly_the_clients_of_the_list_get_in_and_each_change_holds_at_the_next_request(
    home, street, two, running_operator, gate_service
):
    shop = street.door("shop", **{ALLOW: "alice"})
    shop.comes_to_tell(two["alice"], IN)
    assert shop.tells(two["bob"]) == CLOSED
    protected = f"Protected: clients of {home.namespace}/partners that {ALLOW} selects have access"
    eventually(lambda: annotations(home).get("doorward.io/gate") == protected, "the Ingress is told")
    with without_operator(running_operator):
        allow(home, "bob")
        at_once(shop, two["alice"], CLOSED)
        at_once(shop, two["bob"], IN)
        allow(home, "role=ops,team=a")
        at_once(shop, two["bob"], CLOSED)
        home.change(CERTIFICATES, "bob", {"metadata": {"labels": {"team": "a"}}})
        at_once(shop, two["bob"], IN)
        home.change(CERTIFICATES, "bob", {"metadata": {"labels": {"role": None}}})
        at_once(shop, two["bob"], CLOSED)
        allow(home, None)
        at_once(shop, two["bob"], IN)
        at_once(shop, two["alice"], IN)
        allow(home, f"{home.namespace}/bob")
        at_once(shop, two["alice"], CLOSED)
    gate = {"gate_namespace": home.namespace, "issuer_namespace": home.namespace, "issuer": "partners"}
    assert gate_service.metrics().total("doorward_gate_requests_total", **gate, answer="not_selected") > 0


@pytest.mark.usefixtures("running_operator")
def test_two_ingresses_of_one_host_have_lists_of_their_own(home, street, two):
    """ingress-nginx says by itself which of them a path belongs to, also of one whose name the API server chose."""
    shop = street.door("shop")
    body = street.manifest("admin", **{ALLOW: "bob"})
    body["metadata"].pop("name")
    body["metadata"]["generateName"] = "admin-"
    path = body["spec"]["rules"][0]["http"]["paths"][0] | {"path": "/admin", "pathType": "Prefix"}
    body["spec"]["rules"] = [{"host": shop.host, "http": {"paths": [path]}}]
    body["spec"]["tls"] = [{"hosts": [shop.host]}]
    home.make(INGRESSES, body)
    shop.comes_to_tell(two["alice"], IN)

    def statuses(name: str) -> list[int]:
        given = {"cert": two[name]["tls.crt"], "key": two[name]["tls.key"]}
        return [shop.ingress.hosts.ask(shop.host, path, **given).status for path in ("/", "/admin", "/admin/x")]

    eventually(lambda: statuses("alice") == [200, 403, 403], "alice is not admitted at /admin")
    # Who asks for an Ingress that the gate service has not heard of yet is refused, whoever it is.
    eventually(lambda: statuses("bob") == [200, 200, 200], "bob is admitted everywhere")
    assert statuses("alice") == [200, 403, 403]


def at_root(street: Street, name: str, host: str, **annotations: str) -> dict[str, object]:
    """An Ingress of another name for the root of that host."""
    body = street.manifest(name, **annotations)
    body["spec"]["rules"][0]["host"] = host
    body["spec"]["tls"] = [{"hosts": [host]}]
    return body


@pytest.mark.promise(3)
@pytest.mark.usefixtures("running_operator", "gate_service")
def test_of_two_ingresses_at_one_path_the_older_ones_list_decides_and_the_younger_is_told(home, street, two):
    """Creation times have whole seconds, and of two from one second ingress-nginx takes the one whose name comes last."""
    shop = street.door("zz-older")
    shop.comes_to_tell(two["alice"], IN)
    home.make(INGRESSES, at_root(street, "aa-younger", shop.host, **{ALLOW: "bob"}))
    beside = street.door("beside")
    beside.comes_to_tell(two["alice"], IN)  # so it has loaded what came before
    assert shop.tells(two["alice"]) == IN, "the list of the younger one is not used"

    def told(name: str) -> str:
        return annotations(home, name).get("doorward.io/gate", "")

    eventually(lambda: told("aa-younger").startswith("PathShared: "), "the younger one is told")
    assert f"{shop.host}/ is served from the older Ingress {home.namespace}/zz-older" in told("aa-younger")
    home.remove(INGRESSES, "zz-older")
    shop.comes_to_tell(two["alice"], CLOSED)
    # ingress-nginx sees no difference between the two, and asks in the name of the one that is gone until it reloads.
    street.door("reloads")
    shop.comes_to_tell(two["bob"], IN)
    assert shop.tells(two["alice"]) == CLOSED
    eventually(lambda: told("aa-younger").startswith("Protected: "), "it is told that its list decides")


@pytest.mark.usefixtures("gate_service")
def test_an_ingress_from_before_access_lists_is_answered_until_it_is_written_anew(home, street, two, running_operator):
    earlier = question(home.namespace).removesuffix("&ingress=$ingress_name")
    with without_operator(running_operator):
        made = home.make(INGRESSES, street.manifest("shop", **{AUTH_URL: earlier}))
        assert made["metadata"]["annotations"][AUTH_URL] == question(home.namespace), "the policy writes it anew"
    shop = Door(street.ingress, street.host("shop"))
    shop.comes_to_tell(two["alice"], IN)


GOOD = [
    "alice",
    "edge/alice",
    "a.b",
    "role=ops",
    "x.io/role=ops,Team=A_b",
    "alice\n bob\tcarol\r\nrole=ops\n",
    "a " * MOST,
]
BAD = [
    "",
    " \n",
    "*",
    "alice,bob",
    "alice; bob",
    "Alice",
    "a/b/c",
    "/alice",
    "role=",
    "=ops",
    "role!=ops",
    "role in (ops)",
    "role=ops, team=a",
    "alice bob*",
    "alice\u00a0bob",
    "al\u0131ce",
    "a" * (LONGEST + 1),
    "a " * (MOST + 1),
]


@pytest.mark.usefixtures("gate_service")
def test_the_policy_refuses_every_list_that_the_code_cannot_read_and_says_how_to_write_it(home: Home, street: Street):
    answers = {
        text: home.admin.create(INGRESSES, home.here(street.manifest("shop", **{ALLOW: text})), dry_run=True)
        for text in GOOD + BAD
    }
    assert {text: answer.ok for text, answer in answers.items()} == dict.fromkeys(GOOD, True) | dict.fromkeys(
        BAD, False
    )
    assert all(isinstance(parse(text, "edge"), AccessList) is answer.ok for text, answer in answers.items())
    assert all(ALLOW in answers[text].message for text in BAD)


@pytest.mark.usefixtures("gate_service")
def test_the_policy_refuses_such_a_list_on_an_ingress_that_exists_too(home: Home, street: Street):
    home.make(INGRESSES, street.manifest("shop"))
    for path in (INGRESSES.path(home.namespace, "shop"), INGRESSES.path(home.namespace, "shop") + "/status"):
        answer = home.admin.ask("PATCH", path, {"metadata": {"annotations": {ALLOW: "*"}}}, content=MERGE)
        assert answer.status == 422
        assert f"write {ALLOW} as" in answer.message


@pytest.mark.usefixtures("running_operator")
def test_where_the_handshake_decides_nobody_is_told_that_a_list_holds(home: Home, street: Street):
    home.partners()
    home.respec(ISSUERS, "partners", enforcement={"mode": "Handshake"})
    street.door("shop", **{ALLOW: "alice"})
    eventually(
        lambda: annotations(home).get("doorward.io/gate", "").startswith("ListNotEnforced: all clients of"),
        "the Ingress is told that its list does not hold",
    )
