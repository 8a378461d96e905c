"""Somebody in another namespace has an older Ingress at a protected host, with a CA of his own: on the real controller."""

import time

import pytest

from tests.cluster.policies_support import SECRET, VERIFY
from tests.support.ca import OpensslCa
from tests.support.home import Home
from tests.support.kube import INGRESSES, SECRETS, bind, eventually

from .doors import IN, NO_CERTIFICATE, NOBODY, Door, Street, read_again


def said(home: Home) -> str:
    """What the operator says of the Ingress."""
    annotations = home.body(INGRESSES, "shop")["metadata"].get("annotations") or {}
    return str(annotations.get("doorward.io/gate", ""))


@pytest.mark.promise(3)
def test_an_older_ingress_of_another_namespace_that_opens_the_host_is_reported(street, admin, tmp_path):
    home = street.home
    away = Home.found(admin, tmp_path / "away", prefix="away-")
    mallory = admin.alias(f"mallory.{away.namespace}")
    bind(admin, away.namespace, mallory.name, "edit")
    eventually(lambda: mallory.may("create", SECRETS, away.namespace), "edit is bound")
    theirs = OpensslCa(tmp_path / "theirs")
    theirs.create("/CN=theirs")
    away.secret("theirs", {"ca.crt": theirs.certificate.read_bytes()})
    theirs_street = Street.build(street.ingress, away)
    own = {SECRET: f"{away.namespace}/theirs", VERIFY: "off"}
    older = away.here(theirs_street.manifest("older", issuer=None, **own))
    older["spec"]["rules"][0]["host"] = street.host("shop")
    older["spec"]["tls"] = [{"hosts": [street.host("shop")]}]
    assert mallory.create(INGRESSES, older).ok
    since = time.time()
    read_again(away, "older")
    shop = Door(street.ingress, street.host("shop"))
    shop.comes_to_tell(NOBODY, IN)
    home.partners("alice")
    eventually(lambda: time.time() > since + 1, "the next second: creation times have whole ones")
    street.door("shop")
    eventually(lambda: said(home).startswith("HostShared: "), "the Ingress is told")
    assert f"Ingress {away.namespace}/older has the same host" in said(home)
    assert shop.tells(NOBODY) == IN, "it is as it is said: the older Ingress decides"
    assert mallory.delete(INGRESSES, older).ok
    eventually(lambda: said(home).startswith("Protected: "), "the host is the Ingress's own again")
    shop.comes_to_tell(NOBODY, NO_CERTIFICATE)
    assert mallory.create(INGRESSES, older).ok
    eventually(lambda: said(home).startswith("HostShared: "), "a younger one is reported too")
    away.abandon()
