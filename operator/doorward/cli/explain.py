"""`doorward explain NAME`: what a reason means, and who can mend it."""

import argparse
import sys
from typing import Any

from doorward.api.reasons import REASONS
from doorward.api.reference import markdown


def add_parser(verbs: Any) -> None:
    """The verb and its options."""
    parser: argparse.ArgumentParser = verbs.add_parser("explain", help="what a condition's reason means")
    parser.add_argument("reason", nargs="?", help="its name; none: all of them")
    parser.add_argument("--markdown", action="store_true", help="print the reference page of all reasons")
    parser.set_defaults(function=run)


def run(chosen: argparse.Namespace) -> int:
    """Print one reason, or all."""
    if chosen.markdown:
        sys.stdout.write(markdown())
        return 0
    names = [chosen.reason] if chosen.reason else sorted(REASONS)
    for name in names:
        reason = REASONS.get(name)
        if reason is None:
            print(f"there is no reason {name}; `doorward explain` lists them", file=sys.stderr)
            return 1
        print(f"{reason.name} ({reason.condition}={reason.status}): {reason.doc}\n  mended by: {reason.mender.value}")
    return 0
