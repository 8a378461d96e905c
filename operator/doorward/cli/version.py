"""`doorward version`: which Doorward this is, and on which Python it runs."""

import argparse
import platform
from importlib.metadata import version
from typing import Any


def add_parser(verbs: Any) -> None:
    """The verb; it has no options."""
    parser: argparse.ArgumentParser = verbs.add_parser("version", help="print the version")
    parser.set_defaults(function=run)


def run(_: argparse.Namespace) -> int:
    """Print it. `pyproject.toml` is the only place where the version is written; the package's metadata has it from there."""
    print(f"doorward {version('doorward')} (Python {platform.python_version()})")
    return 0
