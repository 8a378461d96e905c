"""`doorward explain NAME`: what a reason means, and who can mend it."""

import sys
from typing import Annotated

import typer

from doorward.api.reasons import REASONS
from doorward.api.reference import markdown
from doorward.cli.errors import UserError


def command(
    reason: Annotated[
        str | None, typer.Argument(metavar="REASON", help="Name of the reason. Defaults to all of them.")
    ] = None,
    *,
    as_page: Annotated[bool, typer.Option("--markdown", help="Print the reference page of all reasons.")] = False,
) -> int:
    """Explain what the reason of a condition means, and who can fix it."""
    if as_page:
        sys.stdout.write(markdown())
        return 0
    names = [reason] if reason else sorted(REASONS)
    for name in names:
        found = REASONS.get(name)
        if found is None:
            raise UserError(f"there is no reason {name}", "`doorward explain` lists them")
        print(f"{found.name} ({found.condition}={found.status}): {found.doc}\n  mended by: {found.mender.value}")
    return 0
