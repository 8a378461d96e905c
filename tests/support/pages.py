"""The commands in README and docs pages: fenced blocks of `sh` and `console`, as a reader would paste them.

A block that does not run here has the reason in a comment on the line above it: `<!-- not run: REASON -->`.
"""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOW_TO = ROOT / "docs/how-to"
FOLLOWED = [ROOT / "README.md", ROOT / "docs/install.md", *sorted(HOW_TO.glob("*.md"))]
"""The pages whose commands the tests type; the others show theirs indented, and are read by people alone."""
ASKED = [HOW_TO / "per-path.md"]
"""Those of them whose commands need the gate service."""
WAITING = [HOW_TO / "rotate-the-ca.md"]
"""Those that wait most of the time: the next CA is published for 30 seconds before it signs."""
OTHER_CAS = [
    HOW_TO / f"{name}.md" for name in ("cert-manager-ca", "corporate-intermediate", "rotate-the-ca", "stolen-key")
]
"""Those that leave another CA behind than the other pages expect in the namespace `edge`."""

_BLOCK = re.compile(
    r"(?m)(?:^<!-- not run: (?P<reason>.+?) -->\n)?^```(?P<language>sh|console)\n(?P<text>.*?)^```$", re.DOTALL
)


@dataclass(frozen=True)
class Step:
    """One command of a page, or a whole script; `expected` is None where the page shows no answer to it."""

    command: str
    expected: str | None = None


@dataclass(frozen=True)
class Block:
    """A fenced block; `reason` says why it is not run, empty where it is."""

    language: str
    text: str
    reason: str

    @property
    def steps(self) -> tuple[Step, ...]:
        """What to type, in order."""
        return _prompts(self.text) if self.language == "console" else (Step(self.text),)


def blocks(text: str) -> tuple[Block, ...]:
    """The blocks of a page."""
    return tuple(Block(found["language"], found["text"], found["reason"] or "") for found in _BLOCK.finditer(text))


def _prompts(text: str) -> tuple[Step, ...]:
    parts = re.split(r"(?m)^\$ ", text)
    if parts[0]:
        raise ValueError(f"a console block begins with an answer: {parts[0]!r}")
    return tuple(_step(part) for part in parts[1:])


def _step(part: str) -> Step:
    """A command, which a backslash continues on the next line, and its answer."""
    lines = part.splitlines()
    last = next(number for number, line in enumerate(lines) if not line.endswith("\\"))
    return Step("\n".join(lines[: last + 1]), "\n".join(lines[last + 1 :]))


def answers(expected: str, said: str) -> bool:
    """Whether that is what the page shows; `…` stands for any text."""
    pattern = ".*".join(re.escape(part) for part in expected.strip().split("…"))
    return re.fullmatch(pattern, said.strip(), re.DOTALL) is not None


def only_asks(command: str) -> bool:
    """Whether the command changes nothing, so that a reader may repeat it until the answer is there."""
    return (
        re.match(r"door( |$)|kubectl (-n \S+ )?(get|auth can-i) |doorward (status|who|why|records)\b", command)
        is not None
    )


def name_of(page: Path) -> str:
    """Its path in the repository."""
    return str(page.relative_to(ROOT))


def read(page: Path) -> tuple[Block, ...]:
    """The blocks of that file."""
    return blocks(page.read_text())
