"""What an issuer and an Ingress may choose, as the application and the client see it; and the Ingresses that chose nothing."""

import urllib.parse

from tests.cluster.policies_support import CHOICE, ISSUER, SECRET
from tests.support.ca import OpensslCa
from tests.support.home import Home
from tests.support.kube import CERTIFICATES, INGRESSES, ISSUERS, eventually

from .doors import IN, NO_CERTIFICATE, NOBODY, REFUSED, Door, Files, Street, admitted, read_again

OPTIONAL = {"gates": {"allowOptional": True}}
LOGIN = "https://login.example/why"


def annotations(home: Home, name: str = "shop") -> dict[str, str]:
    return dict(home.body(INGRESSES, name)["metadata"].get("annotations") or {})


def sent_to(door: Door, client: Files) -> list[str]:
    """Where the host redirects a client to."""
    answer = door.ask(client, "--include", "--http1.1")
    return [line for line in answer.body.splitlines() if line.startswith("Location: ") and answer.status == 302]


def optional(street: Street) -> Door:
    """A host where clients may come without a certificate."""
    street.home.partners(**OPTIONAL)
    door = street.door("shop", **{CHOICE: "optional"})
    door.comes_to_tell(NOBODY, IN)
    return door


def test_optional_leaves_it_to_the_application_and_tells_it(street):
    assert optional(street).headers(NOBODY)["ssl-client-verify"] == "NONE"


def test_optional_tells_the_application_who_came(street):
    door = optional(street)
    headers = door.headers(admitted(street.home, door, "alice"))
    assert headers["ssl-client-verify"] == "SUCCESS"
    assert headers["ssl-client-subject-dn"] == "CN=alice.example"


def test_optional_refuses_the_revoked(street):
    door = optional(street)
    alice = admitted(street.home, door, "alice")
    street.home.respec(CERTIFICATES, "alice", revoked=True)
    door.comes_to_tell(alice, REFUSED)
    assert door.tells(NOBODY) == IN


def test_optional_without_the_issuers_leave_asks_for_a_certificate(street):
    street.home.partners()
    door = street.door("shop", **{CHOICE: "optional"})
    said = "OptionalNotAllowed: "
    eventually(lambda: annotations(street.home).get("doorward.io/gate", "").startswith(said), "the Ingress is told")
    door.comes_to_tell(NOBODY, NO_CERTIFICATE)


def test_leave_that_is_taken_back_closes_the_host(street):
    door = optional(street)
    street.home.respec(ISSUERS, "partners", gates={"allowOptional": False})
    door.comes_to_tell(NOBODY, NO_CERTIFICATE)


def test_the_application_gets_the_clients_certificate_where_the_issuer_says_so(home, shop):
    home.partners(ingress={"passCertificateToUpstream": True})
    alice = admitted(home, shop, "alice")
    seen = eventually(lambda: shop.headers(alice).get("ssl-client-cert"), "the certificate is passed on")
    assert urllib.parse.unquote(seen) == alice["tls.crt"].read_text()


def test_the_application_gets_no_certificate_unless_the_issuer_says_so(home, shop):
    home.partners()
    assert "ssl-client-cert" not in shop.headers(admitted(home, shop, "alice"))


def test_whoever_is_refused_is_sent_to_the_issuers_error_page(home, shop):
    home.partners(ingress={"errorPage": LOGIN})
    alice = admitted(home, shop, "alice")
    home.respec(CERTIFICATES, "alice", revoked=True)
    for refused in (NOBODY, alice):
        eventually(lambda who=refused: sent_to(shop, who) == [f"Location: {LOGIN}"], "the error page")


def test_opting_out_opens_the_host_and_takes_every_annotation_along(home, shop):
    home.partners(ingress={"errorPage": LOGIN, "passCertificateToUpstream": True})
    shop.comes_to_tell(admitted(home, shop, "alice"), IN)
    eventually(lambda: "doorward.io/gate" in annotations(home), "the Ingress is told")
    home.change(INGRESSES, "shop", {"metadata": {"annotations": {ISSUER: None}}})
    shop.comes_to_tell(NOBODY, IN)
    eventually(lambda: annotations(home) == {}, "no annotation is left")


def test_an_auth_tls_secret_of_ones_own_is_denied_and_the_message_says_what_to_do(home, street):
    body = street.manifest("shop", **{SECRET: f"{home.namespace}/mine"})
    answer = home.admin.create(INGRESSES, home.here(body))
    assert answer.status == 422
    assert "change or remove it" in answer.message
    assert "To keep your own, remove doorward.io/issuer" in answer.message


def test_an_ingress_that_did_not_opt_in_keeps_what_its_owner_wrote(home, street, tmp_path):
    theirs = OpensslCa(tmp_path / "theirs")
    theirs.create("/CN=theirs")
    home.secret("theirs", {"ca.crt": theirs.certificate.read_bytes()})
    door = street.door("theirs", issuer=None, **{SECRET: f"{home.namespace}/theirs"})
    read_again(home, "theirs")
    home.partners("alice")
    street.door("shop").comes_to_tell(home.files(), IN)
    door.comes_to_tell(theirs.client("carol"), IN)
    assert door.tells(home.files()) == REFUSED
    assert annotations(home, "theirs") == {SECRET: f"{home.namespace}/theirs"}


def test_an_ingress_that_did_not_opt_in_is_not_written(home, street):
    street.door("open", issuer=None)
    before = home.body(INGRESSES, "open")
    home.partners("alice")
    street.door("shop").comes_to_tell(home.files(), IN)
    eventually(lambda: "doorward.io/gate" in annotations(home), "its neighbour is told")
    assert home.body(INGRESSES, "open") == before
