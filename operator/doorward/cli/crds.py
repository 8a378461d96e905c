"""`doorward crds`: the CustomResourceDefinitions, from the models."""

import argparse
import sys
from pathlib import Path
from typing import Any

from doorward.api.crds import files


def add_parser(verbs: Any) -> None:
    """The verb and its options."""
    parser: argparse.ArgumentParser = verbs.add_parser("crds", help="print the CRDs, or write them to a directory")
    parser.add_argument("--directory", type=Path, help="write one file a kind here instead of printing")
    parser.set_defaults(function=run)


def run(chosen: argparse.Namespace) -> int:
    """Print or write."""
    for name, text in files().items():
        if chosen.directory is None:
            sys.stdout.write("---\n" + text)
        else:
            (chosen.directory / name).write_text(text)
    return 0
