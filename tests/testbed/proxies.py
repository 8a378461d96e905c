"""Traefik and Envoy as plain processes, which ask the gate service at every request.

Each has two hosts in front of one application: `shop.example` requires a client certificate in the TLS handshake, at
`optional.example` there may be none.
"""

import json
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.testbed import application, asking, ports, wheels
from tests.testbed.process import Process

ADDRESS = "127.0.0.1"
REQUIRED, OPTIONAL = "shop.example", "optional.example"
IDENTITY = ("X-Doorward-Client", "X-Doorward-Common-Name", "X-Doorward-Serial")
MARK = "X-Testbed-Upstream"
"""The application wants to know for whom it answers."""


@dataclass(frozen=True)
class Proxy:
    """A running one."""

    name: str
    https_port: int
    address: str = ADDRESS

    @property
    def hosts(self) -> asking.Hosts:
        """Where clients ask."""
        return asking.Hosts(self.address, self.https_port)


@dataclass(frozen=True)
class Inside:
    """What a proxy is told."""

    folder: Path
    gate: str
    """Namespace, the issuer's namespace, the issuer: `a/b/c`."""
    gate_port: int
    ca: Path
    """The trust anchor of the clients."""
    server: Mapping[str, Path]
    """Its own certificate: tls.crt and tls.key."""


@contextmanager
def running(name: str, inside: Inside) -> Iterator[Proxy]:
    """That proxy for the length of a block."""
    app, https = numbers = ports.lease(2)
    process = Process(name, _COMMANDS[name](inside, app, https), inside.folder / f"{name}.log")
    try:
        with application.running(app):
            process.start()
            process.wait_until(lambda: _listens(https))
            yield Proxy(name, https)
    finally:
        process.stop()
        ports.give_back(numbers)


def _listens(port: int) -> bool:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((ADDRESS, port), 5) as plain,
            context.wrap_socket(plain, server_hostname=OPTIONAL),
        ):
            return True
    except OSError:
        return False


def _written(path: Path, content: Mapping[str, Any]) -> Path:
    """JSON is YAML too."""
    path.write_text(json.dumps(content))
    return path


def _traefik(inside: Inside, app: int, https: int) -> list[str | Path]:
    """As docs/gate-service.md says."""
    middlewares = {
        "certificate": {"passTLSClientCert": {"pem": True}},
        "gate": {
            "forwardAuth": {
                "address": f"http://{ADDRESS}:{inside.gate_port}/traefik/{inside.gate}",
                "authRequestHeaders": ["X-Forwarded-Tls-Client-Cert"],
                "authResponseHeaders": list(IDENTITY),
            }
        },
        "mark": {"headers": {"customRequestHeaders": {MARK: "traefik"}}},
    }
    demands = {"default": "RequireAndVerifyClientCert", "optional": "VerifyClientCertIfGiven"}
    options = {
        name: {"clientAuth": {"caFiles": [str(inside.ca)], "clientAuthType": demand}}
        for name, demand in demands.items()
    }
    router = {"entryPoints": ["https"], "middlewares": list(middlewares), "service": "app"}
    routers = {
        "required": router | {"rule": f"Host(`{REQUIRED}`)", "tls": {}},
        "optional": router | {"rule": f"Host(`{OPTIONAL}`)", "tls": {"options": "optional"}},
    }
    services = {"app": {"loadBalancer": {"servers": [{"url": f"http://{ADDRESS}:{app}"}]}}}
    pair = {"certFile": str(inside.server["tls.crt"]), "keyFile": str(inside.server["tls.key"])}
    content = {
        "tls": {"options": options, "certificates": [pair]},
        "http": {"routers": routers, "middlewares": middlewares, "services": services},
    }
    file = _written(inside.folder / "traefik.yaml", content)
    quiet = ("--global.checknewversion=false", "--global.sendanonymoususage=false")
    program = wheels.resolve("traefik")
    return [program, f"--entrypoints.https.address={ADDRESS}:{https}", f"--providers.file.filename={file}", *quiet]


_EXTENSIONS = "type.googleapis.com/envoy.extensions"


def _typed(kind: str, **fields: Any) -> dict[str, Any]:
    return {"@type": f"{_EXTENSIONS}.{kind}", **fields}


def _cluster(name: str, port: int) -> dict[str, Any]:
    address = {"socket_address": {"address": ADDRESS, "port_value": port}}
    endpoints = {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]}
    return {"name": name, "type": "STATIC", "connect_timeout": "5s", "load_assignment": endpoints}


def _envoy(inside: Inside, app: int, https: int) -> list[str | Path]:
    """What Envoy Gateway makes of docs/gate-service.md, as far as it is about clients."""
    chains = [_chain(inside, host, required=host == REQUIRED) for host in (REQUIRED, OPTIONAL)]
    inspector = _typed("filters.listener.tls_inspector.v3.TlsInspector")
    listener = {
        "name": "https",
        "address": {"socket_address": {"address": ADDRESS, "port_value": https}},
        "listener_filters": [{"name": "tls_inspector", "typed_config": inspector}],
        "filter_chains": chains,
    }
    clusters = [_cluster("app", app), _cluster("gate", inside.gate_port)]
    file = _written(inside.folder / "envoy.yaml", {"static_resources": {"listeners": [listener], "clusters": clusters}})
    return [wheels.resolve("envoy"), "--config-path", file, "--use-dynamic-base-id", "--concurrency", "1"]


def _chain(inside: Inside, host: str, *, required: bool) -> dict[str, Any]:
    files = {"certificate_chain": inside.server["tls.crt"], "private_key": inside.server["tls.key"]}
    pair = {name: {"filename": str(path)} for name, path in files.items()}
    common = {
        "tls_certificates": [pair],
        "validation_context": {"trusted_ca": {"filename": str(inside.ca)}},
        "alpn_protocols": ["h2", "http/1.1"],
    }
    tls = _typed(
        "transport_sockets.tls.v3.DownstreamTlsContext",
        common_tls_context=common,
        require_client_certificate=required,
    )
    asked = _typed(
        "filters.http.ext_authz.v3.ExtAuthz",
        failure_mode_allow=False,
        allowed_headers={"patterns": [{"exact": "x-forwarded-client-cert"}]},
        http_service={
            "server_uri": {"uri": f"http://{ADDRESS}:{inside.gate_port}", "cluster": "gate", "timeout": "5s"},
            "path_prefix": f"/envoy/{inside.gate}",
            "authorization_response": {
                "allowed_upstream_headers": {"patterns": [{"exact": name.lower()} for name in IDENTITY]}
            },
        },
    )
    route = {"match": {"prefix": "/"}, "route": {"cluster": "app", "timeout": "0s"}}
    mark = {"header": {"key": MARK, "value": "envoy"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    hosts = {"name": "all", "domains": ["*"], "routes": [route], "request_headers_to_add": [mark]}
    http = _typed(
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="https",
        forward_client_cert_details="SANITIZE_SET",
        route_config={"virtual_hosts": [hosts]},
        http_filters=[
            {"name": "ext_authz", "typed_config": asked},
            {"name": "router", "typed_config": _typed("filters.http.router.v3.Router")},
        ],
    )
    return {
        "filter_chain_match": {"server_names": [host]},
        "transport_socket": {"name": "tls", "typed_config": tls},
        "filters": [{"name": "http", "typed_config": http}],
    }


_COMMANDS: Mapping[str, Callable[[Inside, int, int], list[str | Path]]] = {"traefik": _traefik, "envoy": _envoy}
