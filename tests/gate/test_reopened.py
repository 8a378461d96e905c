"""A gate that was closed opens again to its clients, whatever ingress-nginx believes to have loaded."""

from tests.support.home import Home
from tests.support.kube import INGRESSES, ISSUERS, SECRETS, eventually

from .doors import IN, REFUSED, Street


def allow(home: Home, namespaces: str) -> None:
    home.respec(ISSUERS, "partners", gates={"allowedNamespaces": {"from": namespaces}})


def test_a_client_gets_in_where_the_ingress_is_created_again_before_its_gate_is_opened(
    admin, running_operator, home, ingress_nginx, tmp_path
):
    home.partners("alice", gates={"allowedNamespaces": {"from": "All"}})
    other = Home.found(admin, tmp_path)
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
    try:
        assert other.get(SECRETS, home.gate).ok
        allow(home, "All")
        street.door("shop", issuer=issuer)
        shop.comes_to_tell(alice, REFUSED)
    finally:
        running_operator.start()
    shop.comes_to_tell(alice, IN)
    assert other.data(home.gate)["ca.crt"] == opened["ca.crt"]
    other.abandon()
