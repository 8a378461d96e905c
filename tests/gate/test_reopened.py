"""A gate that was closed opens again to its clients, whatever ingress-nginx believes to have loaded."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.support.home import Home
from tests.support.kube import BINDINGS, INGRESSES, ISSUERS, MERGE, SECRETS, VALIDATING, Object, eventually

from .doors import IN, REFUSED, Street

REFUSAL = "no Ingress changes here"


@contextmanager
def unchanged_ingresses(home: Home, name: str) -> Iterator[None]:
    """Nobody changes an Ingress there, as that of this name shows.

    ingress-nginx looks at Ingresses and Secrets once for each reload, every three seconds where nothing else is configured. What
    the operator writes onto an Ingress between two looks makes no difference; here it writes nothing, so that none comes in between.
    """
    policy, here = f"unchanged-{home.namespace}", {"matchLabels": {"kubernetes.io/metadata.name": home.namespace}}
    resources = {"apiGroups": ["networking.k8s.io"], "apiVersions": ["*"], "resources": ["ingresses"]}
    constraints = {"resourceRules": [resources | {"operations": ["UPDATE"]}], "namespaceSelector": here}
    validations = [{"expression": "false", "message": REFUSAL}]
    spec: Object = {"failurePolicy": "Fail", "matchConstraints": constraints, "validations": validations}
    binding = {"policyName": policy, "validationActions": ["Deny"]}
    path, change = INGRESSES.path(home.namespace, name), {"metadata": {"labels": {"is": "changed"}}}
    try:
        for kind, body in ((VALIDATING, spec), (BINDINGS, binding)):
            assert home.admin.create(kind, {"metadata": {"name": policy}, "spec": body}).ok
        eventually(
            lambda: REFUSAL in home.admin.ask("PATCH", path, change, content=MERGE, query="dryRun=All").message,
            "the policy holds",
        )
        yield
    finally:
        for kind in (BINDINGS, VALIDATING):
            home.admin.ask("DELETE", kind.path(None, policy))


@pytest.fixture
def other(admin, tmp_path) -> Iterator[Home]:
    """Another namespace than the issuer's."""
    made = Home.found(admin, tmp_path)
    yield made
    made.abandon()


def allow(home: Home, namespaces: str) -> None:
    home.respec(ISSUERS, "partners", gates={"allowedNamespaces": {"from": namespaces}})


def test_a_client_gets_in_where_the_ingress_is_created_again_before_its_gate_is_opened(
    running_operator, home, other, ingress_nginx
):
    home.partners("alice", gates={"allowedNamespaces": {"from": "All"}})
    street, issuer = Street.build(ingress_nginx, other), f"{home.namespace}/partners"
    alice, shop = home.files(), street.door("shop", issuer=issuer)
    shop.comes_to_tell(alice, IN)
    opened = other.data(home.gate)
    other.remove(INGRESSES, "shop")
    # No Ingress refers to the Secret from now on: ingress-nginx does not read what is written into it.
    eventually(lambda: shop.ask().status == 404, "ingress-nginx serves the host no more")
    allow(home, "Same")
    eventually(lambda: other.data(home.gate)["ca.crt"] != opened["ca.crt"], "the gate is closed")
    running_operator.stop()
    with ExitStack() as policies:
        try:
            assert other.get(SECRETS, home.gate).ok
            allow(home, "All")
            street.door("shop", issuer=issuer)
            shop.comes_to_tell(alice, REFUSED)
            policies.enter_context(unchanged_ingresses(other, "shop"))
        finally:
            running_operator.start()
        shop.comes_to_tell(alice, IN)
    assert other.data(home.gate)["ca.crt"] == opened["ca.crt"]
    assert other.data(home.gate)["ca.crl"] != opened["ca.crl"]
