"""What else opens a protected host: a stranger gets in where the operator says why, and no longer where it says Protected."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.policies_support import NGINX, SECRET, unbound
from tests.support.ca import OpensslCa
from tests.support.home import Home
from tests.support.kube import INGRESSES, eventually
from tests.testbed.ingress_nginx import IngressNginx

from .doors import IN, NO_CERTIFICATE, NOBODY, Door, Files, Street, read_again, verdict


def said(home: Home, name: str = "shop") -> str:
    """What the operator says of an Ingress."""
    annotations = home.body(INGRESSES, name)["metadata"].get("annotations") or {}
    return str(annotations.get("doorward.io/gate", ""))


def comes_to_say(home: Home, reason: str, name: str = "shop") -> None:
    eventually(lambda: said(home, name).startswith(f"{reason}: "), f"it says {reason}")


def plain(door: Door) -> int:
    """The status of a stranger's request over plain HTTP."""
    return door.ingress.hosts.ask(door.host, scheme="http").status


@pytest.fixture
def closed(street: Street, shop: Door) -> Door:
    """A protected host, and a client of it."""
    street.home.partners("alice")
    shop.comes_to_tell(street.home.files(), IN)
    comes_to_say(street.home, "Protected")
    assert shop.tells(NOBODY) == NO_CERTIFICATE
    return shop


@pytest.mark.promise(3)
def test_another_host_in_front_of_the_same_service(street: Street, closed: Door):
    open_door = street.door("preview", issuer=None, **{"doorward.io/unprotected": "a preview"})
    open_door.comes_to_tell(NOBODY, IN)
    comes_to_say(street.home, "SameServiceElsewhere")
    assert f"Ingress {street.home.namespace}/preview routes to the same Service app" in said(street.home)
    opts_in = {"doorward.io/issuer": "partners", "doorward.io/unprotected": None}
    street.home.change(INGRESSES, "preview", {"metadata": {"annotations": opts_in}})
    comes_to_say(street.home, "Protected")
    comes_to_say(street.home, "Protected", "preview")
    open_door.comes_to_tell(NOBODY, NO_CERTIFICATE)
    assert closed.tells(NOBODY) == NO_CERTIFICATE


def without_sni(door: Door, client: Files) -> str:
    """What the host tells a client that sends no server name."""
    options = ("--header", f"Host: {door.host}")
    return verdict(
        door.ingress.hosts.ask("127.0.0.1", cert=client.get("tls.crt"), key=client.get("tls.key"), options=options)
    )


@pytest.mark.promise(3)
def test_a_rule_without_a_host_and_with_another_trust_bundle(street: Street, closed: Door, admin, tmp_path: Path):
    away = Home.found(admin, tmp_path / "away", prefix="away-")
    theirs = OpensslCa(tmp_path / "theirs")
    theirs.create("/CN=theirs")
    stranger = theirs.client("mallory")
    away.secret("theirs", {"ca.crt": theirs.certificate.read_bytes()})
    body = Street.build(street.ingress, away).manifest("any", issuer=None, **{SECRET: f"{away.namespace}/theirs"})
    del body["spec"]["rules"][0]["host"], body["spec"]["tls"]
    away.make(INGRESSES, body)
    read_again(away, "any")
    eventually(lambda: without_sni(closed, stranger) == IN, "a stranger gets in without SNI")
    comes_to_say(street.home, "HostlessAuthTLS")
    assert f"Ingress {away.namespace}/any has a rule without a host" in said(street.home)
    away.remove(INGRESSES, "any")
    comes_to_say(street.home, "Protected")
    eventually(lambda: without_sni(closed, stranger) != IN, "no stranger gets in")
    away.abandon()


@pytest.fixture
def configured(ingress_nginx: IngressNginx) -> Iterator[Callable[..., None]]:
    """Sets the controller's ConfigMap; at the end it is as it was."""
    yield lambda **settings: ingress_nginx.configure({k.replace("_", "-"): v for k, v in settings.items()})
    ingress_nginx.configure({})


@pytest.mark.promise(3)
def test_the_redirect_to_https_switched_off_in_the_controllers_configmap(street: Street, closed: Door, configured):
    assert plain(closed) in range(300, 400)
    configured(ssl_redirect="false")
    eventually(lambda: plain(closed) == 200, "a stranger gets in over plain HTTP")
    comes_to_say(street.home, "PlainHTTP")
    assert "set ssl-redirect to" in said(street.home)
    configured(ssl_redirect="true")
    comes_to_say(street.home, "Protected")
    eventually(lambda: plain(closed) in range(300, 400), "nobody gets in over plain HTTP")


def test_the_redirect_to_https_switched_off_on_the_ingress(street: Street, closed: Door):
    home = street.home
    off = {"metadata": {"annotations": {f"{NGINX}ssl-redirect": "false"}}}
    body = home.body(INGRESSES, "shop")
    probe = home.here(street.manifest("probe", issuer="No!"))
    with unbound(home.admin, "ingress.doorward.io", lambda: home.admin.create(INGRESSES, probe, dry_run=True)):
        assert home.admin.patch(INGRESSES, body, off).ok
    eventually(lambda: plain(closed) == 200, "a stranger gets in over plain HTTP")
    comes_to_say(home, "PlainHTTP")
    assert f"remove the annotation {NGINX}ssl-redirect" in said(home)
    off["metadata"]["annotations"][f"{NGINX}ssl-redirect"] = None
    home.change(INGRESSES, "shop", off)
    comes_to_say(home, "Protected")
    eventually(lambda: plain(closed) in range(300, 400), "nobody gets in over plain HTTP")


def test_a_class_that_nobody_serves(street: Street, closed: Door):
    home = street.home
    for name, fix in (("nobodys", "there is no IngressClass nobodys"), (None, "it has no Ingress class")):
        home.change(INGRESSES, "shop", {"spec": {"ingressClassName": name}})
        comes_to_say(home, "NotServed")
        eventually(lambda fix=fix: fix in said(home), fix)
    eventually(lambda: closed.tells(NOBODY).startswith("404"), "ingress-nginx does not serve it")
    home.change(INGRESSES, "shop", {"spec": {"ingressClassName": street.ingress.ingress_class}})
    comes_to_say(home, "Protected")
    closed.comes_to_tell(NOBODY, NO_CERTIFICATE)
