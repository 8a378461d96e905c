"""`doorward run`: the operator."""

import argparse
import asyncio
import os
from typing import Any

from doorward.cli import logs


def add_parser(verbs: Any) -> None:
    """The verb and its options."""
    parser: argparse.ArgumentParser = verbs.add_parser("run", help="run the operator")
    parser.add_argument("--kubeconfig", help="path; without it $KUBECONFIG, else the Pod's service account")
    parser.add_argument(
        "-n",
        "--namespace",
        action="append",
        default=[],
        help="a namespace to serve; may be repeated; none: all of them",
    )
    parser.add_argument("--health-port", type=int, default=8080, help="port of /healthz and /readyz; 0: none")
    parser.add_argument(
        "--account",
        default="doorward-system:doorward",
        help="<namespace>:<name> of its service account, for the commands that it tells people to run",
    )
    parser.add_argument("--log-format", choices=("json", "text"), default="json")
    parser.add_argument("-v", "--verbose", action="store_true", help="log more")
    parser.set_defaults(function=run)


def run(chosen: argparse.Namespace) -> int:
    """Run until SIGTERM."""
    from doorward.controllers import start

    logs.configure(json_lines=chosen.log_format == "json", verbose=chosen.verbose)
    kubeconfig = chosen.kubeconfig or os.environ.get("KUBECONFIG")
    if kubeconfig:
        os.environ["KUBECONFIG"] = kubeconfig  # Kopf's part reads it from there
    settings = start.Settings(
        kubeconfig=kubeconfig,
        namespaces=tuple(dict.fromkeys(chosen.namespace)),
        health_port=chosen.health_port or None,
        account=chosen.account,
    )
    asyncio.run(start.run(settings))
    return 0
