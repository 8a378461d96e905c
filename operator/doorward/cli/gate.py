"""`doorward gate`: the gate service, which proxies ask at every request."""

import argparse
import os

from doorward.cli import logs


def add_options(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument(
        "--kubeconfig", help="path of the kubeconfig; default: $KUBECONFIG, else the Pod's service account"
    )
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on")  # noqa: S104 - proxies come from other nodes
    parser.add_argument("--port", type=int, default=8080, help="port at which proxies ask")
    parser.add_argument("--health-port", type=int, default=8081, help="port of /healthz, /readyz and /metrics; 0: none")
    parser.add_argument(
        "--proxy",
        action="append",
        default=[],
        choices=("ingress-nginx", "traefik", "envoy"),
        help="a proxy that may ask; may be repeated; default: ingress-nginx",
    )
    logs.add_options(parser)


def run(chosen: argparse.Namespace) -> int:
    """Run until SIGTERM."""
    import uvloop

    from doorward.gate_service import process

    logs.configure(json_lines=chosen.log_format == "json", verbose=chosen.verbose)
    settings = process.Settings(
        kubeconfig=chosen.kubeconfig or os.environ.get("KUBECONFIG"),
        host=chosen.host,
        port=chosen.port,
        health_port=chosen.health_port or None,
        proxies=tuple(dict.fromkeys(chosen.proxy or ["ingress-nginx"])),
    )
    uvloop.run(process.run(settings))
    return 0
