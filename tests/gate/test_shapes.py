"""Somebody with `edit` shapes an Ingress, and a stranger without a certificate asks its hosts: on the real controller."""

import pytest

from tests.cluster.policies_support import unbound
from tests.support.ingress_shapes import KNOWN, UNKNOWN, changed, setting
from tests.support.kube import INGRESSES, Person, bind, eventually

from .doors import CLOSED, IN, NO_CERTIFICATE, NOBODY, Door, Street

OPEN = (
    "a host without http, and a defaultBackend",
    "a second host without http, and a defaultBackend",
    "a first host without http, and a defaultBackend",
)
"""Shapes of which a host lets a stranger in."""
CHALLENGE = "a challenge of ACME"
"""A path that is never redirected to HTTPS."""


@pytest.fixture
def mallory(street: Street) -> Person:
    """Somebody who may edit the namespace, and no more."""
    who = street.home.admin.alias(f"mallory.{street.home.namespace}")
    bind(street.home.admin, street.home.namespace, who.name, "edit")
    eventually(lambda: who.may("create", INGRESSES, street.home.namespace), "edit is bound")
    return who


def said(street: Street, name: str) -> str:
    """What the operator says of an Ingress."""
    annotations = street.home.body(INGRESSES, name)["metadata"].get("annotations") or {}
    return str(annotations.get("doorward.io/gate", ""))


def hosts(body) -> list[str]:
    return sorted({rule["host"] for rule in body["spec"].get("rules", ()) if rule.get("host")})


def asked(host: str) -> str:
    """A name that a wildcard stands for."""
    return host.replace("*", "any")


def shaped(street: Street, name: str, change, **annotations: str):
    """An Ingress with a host of its own and the change; its service is the street's."""
    body = street.home.here(street.manifest(name, **annotations))
    body = changed(body, change)
    body["spec"]["rules"] = [
        rule | ({"host": f"{name}-{rule['host']}"} if rule.get("host") == "bare.example" else {})
        for rule in body["spec"].get("rules", ())
    ]
    return body


@pytest.mark.promise(3)
def test_what_opens_a_host_is_refused_and_called_open_where_it_got_in(street, mallory):
    home = street.home
    home.partners("alice")
    bodies = {name: shaped(street, f"open{n}", UNKNOWN[name]) for n, name in enumerate(OPEN)}
    for name, body in bodies.items():
        assert mallory.create(INGRESSES, body).status == 422, name
    probe = home.here(street.manifest("probe", issuer="No!"))
    with unbound(home.admin, "ingress.doorward.io", lambda: home.admin.create(INGRESSES, probe, dry_run=True)):
        for body in bodies.values():
            answer = mallory.create(INGRESSES, body)
            assert answer.ok, answer.message
        for n, (name, body) in enumerate(bodies.items()):
            eventually(lambda n=n: said(street, f"open{n}"), f"{name} is told")
            told = {host: Door(street.ingress, asked(host)) for host in hosts(body)}
            eventually(
                lambda told=told: IN in {door.tells(NOBODY) for door in told.values()}, f"{name}: a stranger gets in"
            )
    for n, name in enumerate(OPEN):
        assert said(street, f"open{n}").startswith("NotEnforced: anybody may have access: add http.paths"), name


@pytest.mark.promise(3)
def test_a_protected_ingress_cannot_be_edited_into_an_open_one(street, mallory):
    home = street.home
    home.partners("alice")
    door = street.door("shop")
    door.comes_to_tell(home.files(), IN)
    for name in OPEN:
        body = home.body(INGRESSES, "shop")
        path = INGRESSES.path(home.namespace, "shop")
        assert mallory.ask("PUT", path, changed(body, UNKNOWN[name])).status == 422, name
    for value in ("true", "True", "1", "t"):
        change = {"metadata": {"annotations": {"nginx.ingress.kubernetes.io/ssl-passthrough": value}}}
        assert mallory.patch(INGRESSES, body, change).status == 422
    assert door.tells(NOBODY) == NO_CERTIFICATE
    eventually(lambda: said(street, "shop").startswith("Protected: "), "it is called protected")


def is_loaded(door: Door) -> bool:
    """Whether the controller knows the host, and its gate."""
    told = door.tells(NOBODY)
    return told != CLOSED and not told.startswith("404: ")


@pytest.mark.promise(3)
def test_no_host_of_a_known_shape_lets_a_stranger_in(street, mallory):
    home = street.home
    home.partners("alice")
    doors: dict[str, Door] = {}
    for n, (name, change) in enumerate(KNOWN.items()):
        body = shaped(street, f"known{n}", change)
        if (alias := body["metadata"]["annotations"].get("nginx.ingress.kubernetes.io/server-alias")) is not None:
            aliases = [f"n{n}.{each.strip().removeprefix('*.')}" for each in alias.split(",")]
            body = changed(body, setting("server-alias", ", ".join(aliases)))
            body = changed(body, setting("force-ssl-redirect", "true"))
            doors |= {f"{name}, alias {each}": Door(street.ingress, each) for each in aliases}
        answer = mallory.create(INGRESSES, body)
        assert answer.ok, (name, answer.message)
        doors |= {f"{name}, host {host}": Door(street.ingress, asked(host)) for host in hosts(body)}
    reasons = ["PlainHTTP: " if name == CHALLENGE else "Protected: " for name in KNOWN]
    eventually(
        lambda: all(said(street, f"known{n}").startswith(reason) for n, reason in enumerate(reasons)), "all are told"
    )
    # All in one round: by the time that the last is asked, no old worker answers for the first.
    eventually(lambda: all(map(is_loaded, doors.values())), "all hosts are loaded")
    told = {name: door.tells(NOBODY) for name, door in doors.items()}
    assert {name: words for name, words in told.items() if words != NO_CERTIFICATE and not words.startswith("30")} == {}


def test_a_host_without_tls_is_open_over_plain_http_and_said_to_be(street, mallory):
    home = street.home
    home.partners("alice")
    with_tls = home.here(street.manifest("tls"))
    without = home.here(street.manifest("plain"))
    del without["spec"]["tls"]
    elsewhere = home.here(street.manifest("elsewhere"))
    elsewhere["spec"]["tls"] = [{"hosts": ["other.example"]}]
    for body in (with_tls, without, elsewhere):
        assert mallory.create(INGRESSES, body).ok

    def plain(name: str) -> int:
        answer = street.ingress.hosts.try_once(street.host(name), scheme="http")
        return answer.status if answer is not None else 0

    eventually(lambda: plain("plain") == 200, "a stranger gets in over plain HTTP")
    eventually(lambda: plain("tls") in range(300, 400), "the other is redirected")
    eventually(lambda: plain("elsewhere") in range(300, 400), "any TLS section redirects")
    eventually(lambda: said(street, "plain").startswith("PlainHTTP: "), "it is said of the one")
    eventually(
        lambda: said(street, "tls").startswith("SameServiceElsewhere: "), "and of the other, whose Service it is"
    )
    assert mallory.delete(INGRESSES, without).ok
    eventually(lambda: said(street, "tls").startswith("Protected: "), "alone, that one is protected")


def test_an_error_page_that_the_controller_refuses_is_not_written(street):
    home = street.home
    home.partners("alice", ingress={"errorPage": "https://help.example/a/b?c=d"})
    door = street.door("shop")
    door.comes_to_tell(home.files(), IN)
    assert door.tells(NOBODY) == NO_CERTIFICATE
    assert "auth-tls-error-page" not in str(home.body(INGRESSES, "shop"))
