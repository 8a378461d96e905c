"""The table of attacks in docs/enforcement.md: `python -m tests.gate.asked.table` writes it from what the last recorded run saw.

`make attacks` records a run: `observed.json` beside this file.
"""

import json
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from . import attacks
from .attacks import ROWS

COLUMNS = {
    "defaults": "defaults",
    "settings": "settings",
    "gate-service": "gate service",
    "both": "gate service and settings",
}
BEGIN, END = "<!-- written by make docs: begin -->\n", "<!-- end -->\n"
RECORD = "DOORWARD_RECORD_ATTACKS"
PAGE = Path(__file__).parents[3] / "docs" / "enforcement.md"
OBSERVED = Path(__file__).with_name("observed.json")
WORDS = {
    "200": "**admitted**",
    "101": "**admitted**",
    attacks.ALERT: "refused (TLS alert)",
    attacks.CLOSED: "connection closed",
    attacks.GOES_ON: "**goes on**",
    attacks.DENIED: "the API server refuses it",
    attacks.ARRIVED: "**the application gets it**",
    attacks.REPLACED: "replaced by the true one",
}
SUCCEEDED = {"200", "101", attacks.GOES_ON, attacks.ARRIVED}
"""What is told to whoever comes through."""


def observed() -> dict[str, Any]:
    """What the recorded run saw: `nginx`, `controller`, and `told` by row and column."""
    read: dict[str, Any] = json.loads(OBSERVED.read_text())
    return read


def markdown(seen: Mapping[str, Any]) -> str:
    """The table, with a heading for each group of attacks."""
    lines = [f"Run on nginx {seen['nginx']}, driven by the ingress-nginx controller {seen['controller']}.\n"]
    for group, rows in groupby(ROWS.items(), lambda row: row[1].group):
        lines += [f"\n### {group}\n\n", f"| attack | {' | '.join(COLUMNS.values())} |\n", "| --- " * 5 + "|\n"]
        lines += [f"| {row.words} | {' | '.join(_cells(seen['told'][name]))} |\n" for name, row in rows]
    return "".join(lines)


def _cells(told: Mapping[str, str]) -> list[str]:
    return [WORDS.get(told[column], f"refused ({told[column]})") for column in COLUMNS]


def page(text: str, seen: Mapping[str, Any]) -> str:
    """The page, with the table in its place."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{markdown(seen)}{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(), observed()))
