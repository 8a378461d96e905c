"""Every request is asked about: what is revoked, suspended or deleted is refused at the next one, with the operator down."""

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster.policies_support import ISSUER, NGINX, ingress
from tests.support.ca import OpensslCa
from tests.support.home import Home, client, issuer
from tests.support.installation import GATE_SERVICE, ROOT, GateServiceProcess, OperatorProcess
from tests.support.kube import CERTIFICATES, INGRESSES, ISSUERS, MERGE, OPERATOR, Person, eventually
from tests.testbed import manifests
from tests.testbed.controlplane import Cluster
from tests.testbed.ingress_nginx import IngressNginx

from .connections import TLS_1_2, TLS_1_3, connected, context
from .doors import CLOSED, ENDPOINTS, IN, NO_CERTIFICATE, NOBODY, REFUSED, SERVICES, Door, Files, Street, admitted

AUTH_URL = NGINX + "auth-url"
RESPONSE_HEADERS = NGINX + "auth-response-headers"
OWN = sorted(path for path in (ROOT / "deploy" / "gate-service").glob("*.yaml") if path.name != "kustomization.yaml")
QUERY = "verify=$ssl_client_verify&serial=$ssl_client_serial&fingerprint=$ssl_client_fingerprint"
AT_ONCE = 2.0
"""Seconds: the API server's watch, and nothing else."""


def question(namespace: str, issuer: str = "partners") -> str:
    return f"{GATE_SERVICE}/ingress-nginx/{namespace}/{namespace}/{issuer}?{QUERY}"


@pytest.fixture(scope="module")
def gate_service(cluster: Cluster, ingress_nginx: IngressNginx, admin: Person) -> Iterator[GateServiceProcess]:
    """Installed as deploy/gate-service says; at the end it is uninstalled."""
    files = [word for path in OWN for word in ("-f", str(path))]
    cluster.kubectl("apply", "--server-side", "--force-conflicts", *files)
    process = GateServiceProcess(cluster, ingress_nginx.gate_port)
    try:
        process.start()
        body = ingress("default", {ISSUER: "partners", NGINX + "auth-cache-key": "x"})
        eventually(lambda: "gate service" in admin.create(INGRESSES, body, dry_run=True).message, "its policies hold")
        yield process
    finally:
        process.close()
        cluster.kubectl("delete", "--ignore-not-found", "--wait=false", *files)
        eventually(lambda: admin.create(INGRESSES, body, dry_run=True).ok, "its policies are gone")


@pytest.fixture(scope="module")
def running_operator(
    cluster: Cluster,
    gate_service: GateServiceProcess,  # noqa: ARG001 - it runs
) -> Iterator[OperatorProcess]:
    """The operator, told of the gate service as the Deployment is."""
    operator = OperatorProcess(cluster, arguments=[f"--gate-service={GATE_SERVICE}"])
    operator.start()
    yield operator
    operator.close()


@contextmanager
def without_operator(operator: OperatorProcess) -> Iterator[None]:
    """Nobody publishes a CRL."""
    operator.stop()
    try:
        yield
    finally:
        operator.start()


def annotations(home: Home, name: str = "shop") -> dict[str, str]:
    return dict(home.body(INGRESSES, name)["metadata"].get("annotations") or {})


def refused_at_once(door: Door, files: Files) -> None:
    """From now on, or the time that a watch takes."""
    since = time.monotonic()
    while door.tells(files) == IN:
        assert time.monotonic() - since < AT_ONCE
    assert {door.tells(files) for _ in range(5)} == {CLOSED}


# Who gets in


def test_an_ingress_asks_from_the_moment_it_is_created(street: Street):
    made = street.home.make(INGRESSES, street.manifest("shop"))
    said = made["metadata"]["annotations"]
    assert said[AUTH_URL] == question(street.home.namespace)
    assert said[RESPONSE_HEADERS] == "X-Doorward-Client,X-Doorward-Common-Name,X-Doorward-Serial"


def test_a_client_gets_in_and_nobody_else(home: Home, shop: Door, gate_service: GateServiceProcess):
    home.partners("alice")
    files = home.files()
    shop.comes_to_tell(files, IN)
    assert shop.tells(NOBODY) == NO_CERTIFICATE
    gate = {"gate_namespace": home.namespace, "issuer_namespace": home.namespace, "issuer": "partners"}
    assert gate_service.metrics().total("doorward_gate_requests_total", **gate, answer="admitted") > 0


def test_the_application_hears_who_it_is_and_no_client_can_say_it(home: Home, shop: Door):
    home.partners("alice")
    files = home.files()
    shop.comes_to_tell(files, IN)
    forged = (
        "X-Doorward-Client: edge/admin",
        "x-doorward-common-name: admin",
        "X-DOORWARD-SERIAL: 1",
        "X-Doorward-Client: b",
    )
    answer = shop.ask(files, *(word for header in forged for word in ("--header", header)))
    headers = json.loads(answer.body)["headers"]
    assert headers["x-doorward-client"] == f"{home.namespace}/alice"
    assert headers["x-doorward-common-name"] == "alice.example"
    assert headers["x-doorward-serial"] == home.body(CERTIFICATES, "alice")["status"]["serialNumber"]


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--data", "a=b"], id="a POST"),
        pytest.param(["--request", "DELETE"], id="a DELETE"),
        pytest.param(["--data", "a=b", "--header", "Transfer-Encoding: chunked"], id="a body in chunks"),
        pytest.param(["--header", "Connection: Upgrade", "--header", "Upgrade: websocket"], id="a WebSocket"),
        pytest.param(["--header", "Cookie: " + "a" * 6000], id="a long header"),
        pytest.param(["--http2"], id="HTTP/2"),
    ],
)
def test_whatever_a_client_sends_it_gets_in(home: Home, shop: Door, options):
    home.partners("alice")
    files = home.files()
    shop.comes_to_tell(files, IN)
    assert shop.ask(files, *options).status in (200, 501)


# Who does not


@pytest.fixture
def three(home: Home, shop: Door) -> dict[str, Files]:
    """Three clients who get in."""
    home.partners()
    return {name: admitted(home, shop, name) for name in ("alice", "bob", "carol")}


def test_with_the_operator_down_a_client_is_refused_at_its_next_request(home, shop, three, running_operator):
    dave = admitted(home, shop, "dave")
    with without_operator(running_operator):
        home.respec(CERTIFICATES, "alice", revoked=True)
        refused_at_once(shop, three["alice"])
        home.respec(CERTIFICATES, "bob", suspended=True)
        refused_at_once(shop, three["bob"])
        home.admin.ask("DELETE", CERTIFICATES.path(home.namespace, "carol"))
        refused_at_once(shop, three["carol"])
        assert shop.tells(dave) == IN
        home.respec(CERTIFICATES, "bob", suspended=False)
        eventually(lambda: shop.tells(three["bob"]) == IN, "the suspension is lifted")
    shop.comes_to_tell(three["alice"], REFUSED)


def test_on_an_open_connection_the_next_request_is_refused(home, shop, three, running_operator):
    with without_operator(running_operator), connected(shop, context(three["alice"])) as connection:
        assert connection.ask() == 200
        home.respec(CERTIFICATES, "alice", revoked=True)
        eventually(lambda: connection.ask() == 403, "it is refused", seconds=AT_ONCE)
        assert connection.ask() == 403


def test_a_connection_opened_before_and_used_after_is_refused(home, shop, three, running_operator):
    with without_operator(running_operator), connected(shop, context(three["alice"])) as connection:
        home.respec(CERTIFICATES, "alice", revoked=True)
        refused_at_once(shop, three["alice"])
        assert connection.ask() == 403


def test_on_an_open_http_2_connection_the_next_request_is_refused(home, shop, three, running_operator):
    files = three["alice"]
    command = ["curl", "--silent", "--insecure", "--http2", "--rate", "5/s", "--output", "/dev/null"]
    command += ["--connect-to", f"::{shop.ingress.address}:{shop.ingress.https_port}"]
    command += ["--cert", str(files["tls.crt"]), "--key", str(files["tls.key"])]
    command += ["--write-out", "%{http_version} %{http_code} %{num_connects}\n", f"https://{shop.host}/?[1-20]"]
    with without_operator(running_operator):
        timer = threading.Timer(1.0, home.respec, (CERTIFICATES, "alice"), {"revoked": True})
        timer.start()
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        timer.join()
    versions, codes, connects = zip(*(line.split() for line in said), strict=True)
    assert set(versions) == {"2"}
    assert codes[0] == "200"
    assert list(codes) == sorted(codes)
    assert connects[codes.index("403")] == "0", "it is the connection of the last 200"


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3], ids=["TLS 1.2", "TLS 1.3"])
def test_a_revoked_client_that_resumes_its_session_is_refused(home, shop, three, version):
    using = context(three["alice"], version)
    with connected(shop, using) as connection:
        assert connection.ask() == 200
        session = connection.session
    home.respec(CERTIFICATES, "alice", revoked=True)
    shop.comes_to_tell(three["alice"], REFUSED)
    with connected(shop, using, session=session) as connection:
        assert connection.sock.session_reused, "nginx takes the session"
        assert connection.ask() == 403


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3], ids=["TLS 1.2", "TLS 1.3"])
def test_a_client_of_another_host_does_not_get_in_by_its_session(home, street, shop, version):
    home.partners("alice")
    home.make(ISSUERS, issuer("staff"))
    home.make(CERTIFICATES, client("mallory", issuer="staff"))
    home.issued("mallory")
    theirs, mallory = street.door("desk", issuer="staff"), home.files("mallory")
    shop.comes_to_tell(home.files(), IN)
    theirs.comes_to_tell(mallory, IN)
    using = context(mallory, version)
    with connected(theirs, using) as connection:
        assert connection.ask() == 200
        session = connection.session
    with connected(shop, using, session=session, sni=False) as connection:
        assert connection.ask() in (400, 403, 421)
    assert shop.tells(mallory) != IN


def test_a_leaf_that_somebody_else_signed_with_the_same_ca_is_refused(home: Home, street: Street, tmp_path: Path):
    theirs = OpensslCa(tmp_path / "theirs")
    theirs.create("/CN=shared")
    home.secret("shared", {"tls.crt": theirs.certificate.read_bytes(), "tls.key": theirs.key.read_bytes()})
    home.make(ISSUERS, issuer("partners", ca={"secretRef": {"name": "shared"}}))
    home.make(CERTIFICATES, client("alice"))
    home.issued("alice")
    shop = street.door("shop")
    shop.comes_to_tell(home.files(), IN)
    assert shop.tells(theirs.client("mallory")) == CLOSED


def test_over_plain_http_nobody_gets_in(home: Home, street: Street):
    home.partners("alice")
    body = street.manifest("shop")
    del body["spec"]["tls"]
    home.make(INGRESSES, body)
    shop = Door(street.ingress, street.host("shop"))
    shop.comes_to_tell(home.files(), IN)
    answers = [shop.ingress.hosts.ask(shop.host, scheme="http", options=options) for options in ([], list(FORGED))]
    assert {answer.status for answer in answers} == {403}


FORGED = (
    "--header",
    "ssl-client-verify: SUCCESS",
    "--header",
    "X-Forwarded-Proto: https",
    "--header",
    "X-Original-URL: https://shop/?verify=SUCCESS",
)


def test_without_the_gate_service_nobody_gets_in(home: Home, shop: Door, gate_service: GateServiceProcess):
    home.partners("alice")
    files = home.files()
    shop.comes_to_tell(files, IN)
    gate_service.stop()
    try:
        assert shop.ask(files).status == 500
    finally:
        gate_service.start()
    shop.comes_to_tell(files, IN)


# By choice, the handshake alone


def test_an_issuer_may_leave_it_to_the_handshake(home: Home, shop: Door, gate_service: GateServiceProcess):
    home.make(ISSUERS, issuer("partners", enforcement={"mode": "Handshake"}))
    home.make(CERTIFICATES, client("alice"))
    home.issued("alice")
    eventually(lambda: "doorward.io/gate" in annotations(home) and AUTH_URL not in annotations(home), "nobody is asked")
    assert RESPONSE_HEADERS not in annotations(home)
    home.change(INGRESSES, "shop", {"metadata": {"annotations": {NGINX + "proxy-body-size": "1m"}}})
    assert AUTH_URL not in annotations(home), "the policy leaves off what the operator took off"
    gate_service.stop()
    try:
        shop.comes_to_tell(home.files(), IN)
    finally:
        gate_service.start()
    home.respec(ISSUERS, "partners", enforcement={"mode": "EveryRequest"})
    eventually(lambda: annotations(home).get(AUTH_URL) == question(home.namespace), "the gate service is asked again")


def test_an_ingress_that_opts_out_asks_no_more(home: Home, shop: Door):
    home.partners("alice")
    shop.comes_to_tell(home.files(), IN)
    eventually(lambda: "doorward.io/gate" in annotations(home), "the Ingress is told")
    home.change(INGRESSES, "shop", {"metadata": {"annotations": {ISSUER: None}}})
    eventually(lambda: annotations(home) == {}, "no annotation is left")


# The policies


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("auth-url", "http://oauth.example/", "remove nginx.ingress.kubernetes.io/auth-url"),
        ("auth-response-headers", "X-User", "change nginx.ingress.kubernetes.io/auth-response-headers"),
        ("auth-cache-key", "x", "remove the annotation nginx.ingress.kubernetes.io/auth-cache-key"),
        ("auth-cache-duration", "200 5m", "remove the annotation nginx.ingress.kubernetes.io/auth-cache-duration"),
        ("auth-signin", "https://in.example/", "remove the annotation nginx.ingress.kubernetes.io/auth-signin"),
        ("auth-method", "POST", "remove the annotation nginx.ingress.kubernetes.io/auth-method"),
        ("enable-global-auth", "false", "remove the annotation nginx.ingress.kubernetes.io/enable-global-auth"),
    ],
)
def test_what_would_undo_the_question_is_refused(home: Home, street: Street, name, value, message):
    body = home.here(street.manifest("shop", **{NGINX + name: value}))
    answer = home.admin.create(INGRESSES, body, dry_run=True)
    assert answer.status == 422
    assert message in answer.message


@pytest.mark.usefixtures("shop")
def test_whoever_takes_the_question_off_gets_it_back(home: Home):
    home.change(INGRESSES, "shop", {"metadata": {"annotations": {AUTH_URL: None, RESPONSE_HEADERS: None}}})
    assert annotations(home)[AUTH_URL] == question(home.namespace)
    home.change(INGRESSES, "shop", {"metadata": {"annotations": {ISSUER: "staff"}}})
    assert annotations(home)[AUTH_URL] == question(home.namespace, "staff")


def test_an_ingress_that_did_not_opt_in_asks_whom_it_likes(home: Home, street: Street):
    theirs = {AUTH_URL: "http://oauth.example/", NGINX + "auth-cache-key": "x"}
    home.make(INGRESSES, street.manifest("open", issuer=None, **theirs))
    assert annotations(home, "open") == theirs


@pytest.mark.parametrize(
    ("patch", "why"),
    [
        pytest.param({AUTH_URL: None}, "only where the MTLSIssuer says enforcement.mode: Handshake", id="takes it off"),
        pytest.param({RESPONSE_HEADERS: None}, "only where the MTLSIssuer says", id="takes the headers off"),
        pytest.param(
            {AUTH_URL: "http://evil.example/"}, "only the question to its own gate service", id="asks another"
        ),
        pytest.param({RESPONSE_HEADERS: "X-User"}, "only the question to its own", id="names other headers"),
        pytest.param({NGINX + "auth-cache-key": "x"}, "Doorward changes no annotations but", id="keeps answers"),
    ],
)
@pytest.mark.usefixtures("shop")
def test_a_stolen_token_of_the_operator_opens_nothing(home: Home, patch, why):
    home.partners()
    eventually(lambda: "doorward.io/gate" in annotations(home), "the Ingress is told")
    thief = home.admin.alias(OPERATOR)
    path = INGRESSES.path(home.namespace, "shop")
    answer = thief.ask("PATCH", path, {"metadata": {"annotations": patch}}, content=MERGE)
    assert answer.status in (403, 422)
    assert why in answer.message


# Public and protected paths of one host


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


@pytest.mark.parametrize(
    "path",
    [
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
        "/Public",
        "//private",
        "/public.html",
        "/publicprivate",
    ],
)
def test_no_spelling_of_another_path_is_public(mixed: Door, path):
    assert mixed.ingress.hosts.ask(mixed.host, path).status in (400, 403)


def test_where_a_certificate_is_optional_a_bad_one_gets_in_nowhere(home: Home, mixed: Door, tmp_path: Path):
    theirs = OpensslCa(tmp_path / "theirs")
    theirs.create("/CN=theirs")
    assert mixed.tells(theirs.client("mallory")) == REFUSED
    files = home.files()
    home.respec(CERTIFICATES, "alice", revoked=True)
    eventually(lambda: mixed.tells(files) in (CLOSED, REFUSED), "she is refused", seconds=AT_ONCE)
