"""`python -m tests.testbed`: build the binaries, or pin another version; start a cluster, say where it is, end it."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.testbed import background, binaries
from tests.testbed.ingress_nginx import SYNC_RATE_LIMIT
from tests.testbed.pin import pin


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb."""
    options = _parser().parse_args(arguments)
    try:
        return _VERBS[options.verb](options)
    except (background.NotRunning, binaries.UnknownVersion, FileExistsError) as problem:
        print(f"testbed: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.testbed", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("build", help="build or fetch the binaries into the user's cache folder")
    other = verbs.add_parser("pin", help="add the go.mod of another version of Kubernetes, for make test-kubernetes")
    other.add_argument("version", help="such as 1.34.4")
    for verb, says in {
        "up": "start a cluster with ingress-nginx, in the background",
        "serve": "the same in the foreground",
        "down": "end it",
        "env": "print where it is, for a shell's eval",
    }.items():
        one = verbs.add_parser(verb, help=says)
        one.add_argument("--run-dir", type=lambda path: Path(path).resolve(), default=background.DEFAULT_RUN_DIR)
        if verb in ("up", "serve"):
            one.add_argument("--unsafe-no-fsync", action="store_true", help="etcd keeps nothing safe, and is faster")
            one.add_argument(
                "--sync-rate-limit", type=float, default=SYNC_RATE_LIMIT, help="the controller's, a second"
            )
            one.add_argument("--with", dest="companions", action="append", default=[], metavar="MODULE:FUNCTION")
    return parser


def _build(_options: argparse.Namespace) -> int:
    for name, path in background.build().items():
        print(f"{name:26} {path}")
    return 0


def _pin(options: argparse.Namespace) -> int:
    print(pin(options.version))
    return 0


def _up(options: argparse.Namespace) -> int:
    state = background.up(
        options.run_dir,
        unsafe_no_fsync=options.unsafe_no_fsync,
        sync_rate_limit=options.sync_rate_limit,
        companions=options.companions,
    )
    print(f"kubeconfig  {state.kubeconfig}")
    print(f"kubectl     {state.kubectl}")
    print(
        f"https       {state.address}:{state.https_port}   (curl -k --connect-to ::{state.address}:{state.https_port})"
    )
    print(f"http        {state.address}:{state.http_port}")
    print(f"logs        {state.run_dir}")
    return 0


def _serve(options: argparse.Namespace) -> int:
    options.run_dir.mkdir(parents=True, exist_ok=True)
    background.serve(
        options.run_dir,
        unsafe_no_fsync=options.unsafe_no_fsync,
        sync_rate_limit=options.sync_rate_limit,
        companions=options.companions,
    )
    return 0


def _down(options: argparse.Namespace) -> int:
    background.down(options.run_dir)
    return 0


def _env(options: argparse.Namespace) -> int:
    state = background.find(options.run_dir)
    values = {
        "KUBECONFIG": state.kubeconfig,
        "DOORWARD_TEST_KUBECTL": state.kubectl,
        "DOORWARD_TEST_HTTPS": f"{state.address}:{state.https_port}",
        "DOORWARD_TEST_HTTP": f"{state.address}:{state.http_port}",
    }
    for name, value in values.items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


_VERBS = {"build": _build, "pin": _pin, "up": _up, "serve": _serve, "down": _down, "env": _env}
