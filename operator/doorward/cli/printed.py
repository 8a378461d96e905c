"""How reading commands print: tables for people, by Rich, and JSON or YAML for programs. Nothing of it may move a terminal."""

import io
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from doorward.cli.text import one_line

Format = str | None
"""`wide`, `json` or `yaml`; None: a table."""
NO_LIMIT = 100_000
"""Columns of whatever is no terminal: there, nothing is wrapped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table."""

    head: Sequence[str]
    rows: Sequence[Sequence[object]]
    title: str = ""
    wide: int = 0
    """So many of the last columns are shown only with -o wide."""
    empty: str = "none"
    """What is said where there are no rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Names and values, a line each; a value that is empty is left out."""

    rows: Sequence[tuple[str, object]]
    title: str = ""


Part = Table | Facts


def show(data: Any, parts: Sequence[Part], output: Format) -> None:
    """Print `data` for programs, or `parts` for people."""
    if output == "json":
        print(json.dumps(data, indent=2))  # escapes all that is not ASCII
    elif output == "yaml":
        sys.stdout.write(yaml.safe_dump(data, sort_keys=False))
    else:
        for number, part in enumerate(parts):
            print(("\n" if number else "") + _drawn(part, wide=output == "wide"))


def note(text: str) -> None:
    """What could not be looked at, beside what is printed."""
    print(f"note: {one_line(text)}", file=sys.stderr)


def _drawn(part: Part, *, wide: bool) -> str:
    """As text. Rich draws it, of text in which no markup is read; without a terminal there are no colours and no wrapping."""
    from rich.console import Console
    from rich.table import Table as Grid
    from rich.text import Text

    terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    console = Console(
        file=io.StringIO(),
        force_terminal=terminal,
        width=None if terminal else NO_LIMIT,
        markup=False,
        emoji=False,
        highlight=False,
    )
    if part.title:
        console.print(Text(one_line(part.title), style="bold"))
    rows, head = _rows(part, wide=wide)
    if not rows and isinstance(part, Table):
        console.print(Text(part.empty))
    grid = Grid(box=None, show_header=bool(head), pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    for name in head or ("", ""):
        grid.add_column(Text(name), overflow="fold")
    for row in rows:
        grid.add_row(*(Text(one_line(cell)) for cell in row))
    if rows:
        console.print(grid)
    drawn = console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO
    return "\n".join(line.rstrip() for line in drawn.rstrip("\n").split("\n"))


def _rows(part: Part, *, wide: bool) -> tuple[list[Sequence[object]], Sequence[str]]:
    if isinstance(part, Facts):
        return [(name, value) for name, value in part.rows if value not in ("", None)], ()
    shown = len(part.head) if wide else len(part.head) - part.wide
    return [row[:shown] for row in part.rows], part.head[:shown]
