"""Names that would make the operator, or ingress-nginx, take one object for another: refused, whoever writes them."""

from collections.abc import Iterator

import pytest

from tests.support.home import Home, client, issuer
from tests.support.kube import CERTIFICATES, INGRESSES, ISSUERS, SECRETS, Answer, Object, Person, bind, eventually

from .policies_support import ISSUER, Place, ingress, secret

ISSUER_NAMES = (
    "doorward.edge.partners",
    "edge-doorward.edge.partners",
    "partners.1",
    "a.b",
    "p\u0430rtners",
    "Partners",
)


@pytest.fixture
def erin(home: Home) -> Iterator[Person]:
    """Somebody with `admin` in the namespace: issuers too are hers to make."""
    person = home.admin.alias(f"erin.{home.namespace}")
    bind(home.admin, home.namespace, person.name, "admin")
    eventually(lambda: person.may("create", ISSUERS, home.namespace), "admin includes doorward-issuer-admin")
    eventually(lambda: person.may("create", SECRETS, home.namespace), "admin is bound")
    return person


def named(body: Object, **name: str) -> Object:
    return body | {"metadata": {k: v for k, v in body["metadata"].items() if k != "name"} | name}


@pytest.mark.parametrize("name", ISSUER_NAMES)
def test_an_issuer_is_refused_whose_name_no_reference_can_say(home: Home, erin: Person, name: str):
    answer = erin.create(ISSUERS, home.here(named(issuer(), name=name)))
    made = [s["metadata"]["name"] for s in home.admin.ask("GET", SECRETS.path(home.namespace)).body["items"]]
    assert (answer.status, answer.message != "", made) == (422, True, []), answer.message


GENERATED = ("doorward.edge.partners", "doorward.", "edge-doorward.edge.p", "doorward.edge.partners-")


@pytest.mark.parametrize("prefix", GENERATED)
def test_no_secret_gets_a_gates_name_from_the_api_server(home: Home, erin: Person, prefix: str):
    answer = erin.create(SECRETS, home.here(named(secret(home.namespace, ""), generateName=prefix)))
    assert answer.status in (403, 422), answer.body


@pytest.mark.parametrize("prefix", GENERATED)
def test_no_client_gets_a_name_from_the_api_server_whose_secret_is_a_gates(home: Home, erin: Person, prefix: str):
    answer = erin.create(CERTIFICATES, home.here(named(client(), generateName=prefix)))
    assert answer.status == 422, answer.body


REFERENCES = {
    "another alphabet": "p\u0430rtners",
    "a full-width letter": "\uff50artners",
    "a slash of another kind": "edge\u2215partners",
    "a space that is not seen": "partners\u200b",
    "a line's end": "partners\n",
    "a space": " partners",
    "a capital letter": "Partners",
    "two slashes": "edge/partners/x",
    "a way up": "../edge/partners",
    "nothing before the slash": "/partners",
    "nothing behind it": "edge/",
    "a dot": "edge.partners",
    "nothing": "",
    "a name of 64": "p" * 64,
}


@pytest.mark.parametrize("reference", REFERENCES.values(), ids=REFERENCES)
def test_a_host_is_refused_whose_reference_only_looks_like_one(edge: Place, reference: str):
    answer: Answer = edge.person.create(INGRESSES, ingress(edge.namespace, {ISSUER: reference}))
    assert (answer.status, "write doorward.io/issuer as" in answer.message) == (422, True), answer.body
