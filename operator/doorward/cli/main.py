"""`doorward`: the verbs, each in a module of its own."""

import argparse
import sys
from collections.abc import Sequence

from doorward.cli import adopt, crds, explain, gate, records, restore, run, version


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; its exit status."""
    parser = argparse.ArgumentParser(prog="doorward", description="Client-certificate lifecycle for Kubernetes.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for module in (run, gate, restore, records, adopt, crds, explain, version):
        module.add_parser(verbs)
    chosen = parser.parse_args(arguments)
    status: int = chosen.function(chosen)
    return status


if __name__ == "__main__":
    sys.exit(main())
