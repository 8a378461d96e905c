"""`doorward explain NAME`: what a reason means, and who has to act."""

import sys
from typing import Annotated

import typer

from doorward.api.event_reasons import BY_SUBJECT
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
    """Explain what the reason of a condition or of an Event means, and who can fix it."""
    if as_page:
        sys.stdout.write(markdown())
        return 0
    names = [reason] if reason else sorted(REASONS)
    for name in names:
        found = REASONS.get(name)
        if found is not None:
            title = f"{found.name} ({found.condition}={found.status}): {found.doc}"
            print(f"{title}\n  action required by: {found.mender.value}")
        events = [table[name] for table in BY_SUBJECT.values() if name in table] if reason else []
        for event in events:
            print(f"{event.name} (Event of {event.subject}): {event.doc}")
        if found is None and not events:
            raise UserError(f"there is no reason {name}", "`doorward explain` lists them")
    return 0
