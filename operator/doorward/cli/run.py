"""`doorward run`: the operator."""

import argparse
import asyncio
import os
import resource
import socket
import uuid
from typing import TYPE_CHECKING

from doorward.cli import logs
from doorward.objects import endpoints
from doorward.objects.meta import ObjectKey

if TYPE_CHECKING:
    from doorward.runtime.probing import Controller


def add_options(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument(
        "--kubeconfig", help="path of the kubeconfig; default: $KUBECONFIG, else the Pod's service account"
    )
    parser.add_argument(
        "-n",
        "--namespace",
        action="append",
        default=[],
        help="a namespace to serve; may be repeated; default: all",
    )
    parser.add_argument(
        "--health-port", type=int, default=8080, help="port of /healthz, /readyz and /metrics; 0: none; default: 8080"
    )
    parser.add_argument(
        "--account",
        default="doorward-system:doorward",
        help="<namespace>:<name> of the operator's service account, for the commands in its messages; default: %(default)s",
    )
    parser.add_argument(
        "--leader-election",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="work only while this process holds the Lease; with --no-leader-election no other operator may run",
    )
    parser.add_argument(
        "--lease",
        help="<namespace>:<name> of that Lease; default: `doorward` in the namespace of --account. Operators that share an account"
        " and serve different namespaces need one each",
    )
    parser.add_argument(
        "--gate-service",
        metavar="URL",
        help="http://<host> of the gate service, which ingress-nginx asks at every request; default: there is no gate service",
    )
    parser.add_argument(
        "--controller-class",
        action="append",
        default=[],
        metavar="NAME",
        help="spec.controller of the IngressClasses of ingress-nginx (its flag --controller-class); may be repeated; default:"
        " k8s.io/ingress-nginx",
    )
    parser.add_argument(
        "--controller-configmap",
        metavar="NAMESPACE/NAME",
        type=_configmap,
        help="the ConfigMap with the settings of ingress-nginx; default: ingress-nginx/ingress-nginx-controller",
    )
    parser.add_argument(
        "--controller",
        metavar="NAMESPACE/SERVICE",
        type=_service,
        default="ingress-nginx/ingress-nginx-controller",
        help="Service of the ingress controller. The operator probes its replicas, which must refuse clients without a certificate."
        " Empty: it probes nothing; default: %(default)s",
    )
    parser.add_argument(
        "--controller-address",
        metavar="ADDRESS:HTTPS:HTTP",
        action="append",
        type=endpoints.given,
        default=[],
        help="IP address and ports of a replica that is probed in place of those of the Service, for example 192.0.2.7:443:80; may"
        " be repeated",
    )
    logs.add_options(parser)


def _configmap(text: str) -> ObjectKey:
    namespace, _, name = text.partition("/")
    if not namespace or not name or "/" in name:
        raise argparse.ArgumentTypeError("write it as <namespace>/<name>")
    return ObjectKey(namespace, name)


def run(chosen: argparse.Namespace) -> int:
    """Run until SIGTERM, or until another process took over."""
    from doorward.runtime import process
    from doorward.runtime.settings import Settings

    logs.configure(json_lines=chosen.log_format == "json", verbose=chosen.verbose)
    settings = Settings(
        kubeconfig=chosen.kubeconfig or os.environ.get("KUBECONFIG"),
        namespaces=tuple(dict.fromkeys(chosen.namespace)),
        health_port=chosen.health_port or None,
        account=chosen.account,
        lease=_lease(chosen) if chosen.leader_election else None,
        identity=f"{socket.gethostname()}_{uuid.uuid4()}",
        most_files=_raise_most_files(),
        gate_service=chosen.gate_service,
        controllers=tuple(dict.fromkeys(chosen.controller_class)),
        controller_settings=chosen.controller_configmap,
        controller=_controller(chosen),
    )
    return 0 if asyncio.run(process.run(settings)) else 1


def _controller(chosen: argparse.Namespace) -> "Controller | None":
    from doorward.runtime.probing import Controller

    if chosen.controller is None:
        return None
    return Controller(chosen.controller, tuple(chosen.controller_address))


def _service(text: str) -> ObjectKey | None:
    if not text:
        return None
    namespace, name = text.split("/")
    return ObjectKey(namespace, name)


def _raise_most_files() -> int:
    """Each namespace that takes part needs two connections: the soft limit of open files is raised to the hard one; what it is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ValueError, OSError):
        return soft  # some systems call a limit unlimited that they do not grant
    return hard


def _lease(chosen: argparse.Namespace) -> ObjectKey:
    namespace, _, name = (chosen.lease or chosen.account.partition(":")[0] + ":doorward").partition(":")
    return ObjectKey(namespace, name)
