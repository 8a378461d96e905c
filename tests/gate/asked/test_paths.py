"""Public and protected paths of one host."""

import json
from pathlib import Path

import pytest

from tests.cluster.policies_support import NGINX
from tests.gate.doors import (
    CLOSED,
    ENDPOINTS,
    IN,
    NOBODY,
    REFUSED,
    SERVICES,
    Door,
    Street,
)
from tests.support import pages
from tests.support.ca import OpensslCa
from tests.support.home import Home
from tests.support.kube import CERTIFICATES, INGRESSES, eventually
from tests.testbed import manifests

from .asking import (
    AT_ONCE,
    annotations,
)


@pytest.fixture
def mixed(home: Home, street: Street) -> Door:
    """`/` is protected; `/public`, exactly, is a Service of its own that anybody may use."""
    home.partners("alice", gates={"allowOptional": True})
    shop = street.door("shop", **{"doorward.io/verify-client": "optional"})
    for kind, body in zip((SERVICES, ENDPOINTS), manifests.service(home.namespace, "public"), strict=True):
        home.make(kind, body)
    body = street.manifest("public", issuer=None)
    backend = {"service": {"name": "public", "port": {"name": "http"}}}
    paths = [{"path": "/public", "pathType": "Exact", "backend": backend}]
    body["spec"]["rules"] = [{"host": shop.host, "http": {"paths": paths}}]
    body["spec"]["tls"] = [{"hosts": [shop.host]}]
    home.make(INGRESSES, body)
    eventually(
        lambda: annotations(home).get(NGINX + "auth-tls-verify-client") == "optional", "a certificate is optional"
    )
    shop.comes_to_tell(home.files(), IN)
    shop.comes_to_tell(NOBODY, CLOSED)  # alice got in before nginx took the certificate for optional, too
    eventually(lambda: shop.ingress.hosts.ask(shop.host, "/public").status == 200, "the public path is served")
    return shop


def test_a_public_path_needs_no_certificate_and_all_others_do(home: Home, mixed: Door):
    public = mixed.ingress.hosts.ask(mixed.host, "/public")
    assert json.loads(public.body)["application"] == f"{home.namespace}-public-http"
    assert mixed.ingress.hosts.ask(mixed.host, "/").status == 403
    files = home.files()
    private = mixed.ingress.hosts.ask(mixed.host, "/private", cert=files["tls.crt"], key=files["tls.key"])
    assert private.status == 200
    assert json.loads(private.body)["headers"]["x-doorward-client"] == f"{home.namespace}/alice"


NOT_PUBLIC = (
    "/public/",
    "/public/..;/private",
    "/public/../private",
    "/public/%2e%2e/private",
    "/public/%252e%252e/private",
    "/public;/private",
    "/public%2f..%2fprivate",
    "/public%00/private",
    "/PUBLIC",
    "/private",
    "/PRIVATE",
    "/Public",
    "/public/..%3b/private",
    "/public/..%253b/private",
    "/public/.%252e/private",
    "/public/%25252e%25252e/private",
    "/public%252f..%252fprivate",
    "/public%255c..%255cprivate",
    "/public\\..\\private",
    "/public/./private",
    "/./public/../private",
    "/public//../private",
    "/public%20",
    "/public%09",
    "/public%0a",
    "/public/..;/..;/private",
    "/public;a=b",
    "/public%3b",
    "/public%3fa=b",
    "/public%23",
    "/%70ublic/..;/private",
    "/public/%c0%ae%c0%ae/private",
    "/..;/public/../private",
    "//private",
    "/public.html",
    "/publicprivate",
)


def test_no_spelling_of_another_path_is_public(mixed: Door):
    told = {path: mixed.ingress.hosts.ask(mixed.host, path).status for path in NOT_PUBLIC}
    assert {path: status for path, status in told.items() if status not in (400, 403)} == {}


def test_where_a_certificate_is_optional_a_bad_one_gets_in_nowhere(home: Home, mixed: Door, tmp_path: Path):
    theirs = OpensslCa(tmp_path / "theirs")
    theirs.create("/CN=theirs")
    assert mixed.tells(theirs.client("mallory")) == REFUSED
    files = home.files()
    home.respec(CERTIFICATES, "alice", revoked=True)
    eventually(lambda: mixed.tells(files) in (CLOSED, REFUSED), "she is refused", seconds=AT_ONCE)


def test_a_path_at_which_ingress_nginx_never_asks_is_told(home: Home, street: Street):
    """At a path of ACME ingress-nginx neither asks the gate service nor redirects to HTTPS."""
    home.partners("alice")
    path, body = "/.well-known/acme-challenge/token", street.manifest("acme")
    rule = body["spec"]["rules"][0]
    body["spec"]["rules"] = [rule | {"http": {"paths": [each | {"path": path} for each in rule["http"]["paths"]]}}]
    home.make(INGRESSES, body)
    acme = Door(street.ingress, street.host("acme"))

    def unasked() -> bool:
        answer = acme.ingress.hosts.try_once(acme.host, path, scheme="http")
        return answer is not None and answer.status == 200

    eventually(unasked, "a stranger gets in there over plain HTTP")
    eventually(
        lambda: annotations(home, "acme").get("doorward.io/gate", "").startswith("NoAuthLocation: "), "it is told"
    )
    assert path in annotations(home, "acme")["doorward.io/gate"]


@pytest.mark.parametrize("page", pages.ASKED, ids=pages.name_of)
def test_a_reader_who_pastes_the_commands_sees_what_the_page_shows(reader, page):
    """As in tests/gate/test_pages.py."""
    reader.follow_page(page)
