"""The programs of `sources/`, built where their language asks for it, and curl: what each is told by a host."""

import base64
import hashlib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.testbed import binaries, cache, debian, process, wheels
from tests.testbed.asking import Answer

from .site import Exported, Site

SOURCES = Path(__file__).parent / "sources"
MOST_TRIES = 3
"""Times that a question is asked whose connection broke."""
_QUICK_START = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


class Question(NamedTuple):
    """With what to ask: `none`, or `pem` or `p12` with the client's files."""

    form: str
    files: Exported | None = None

    def line(self) -> str:
        """As the programs read it."""
        if self.files is None:
            return self.form
        used = [self.files.pem] if self.form == "pem" else [self.files.p12, self.files.password]
        return "\t".join(map(str, [self.form, *used]))


Ask = Callable[[Site, Sequence[Question]], list[Answer]]


class Program(NamedTuple):
    """One that asks, and the forms of a certificate that it reads."""

    ask: Ask
    forms: tuple[str, ...]


def ask(program: Program, site: Site, questions: Sequence[Question]) -> list[Answer]:
    """The answer to each; what brought none is asked again."""
    answers = program.ask(site, questions)
    for _ in range(MOST_TRIES - 1):
        missing = [number for number, answer in enumerate(answers) if not answer.status]
        again = program.ask(site, [questions[number] for number in missing]) if missing else []
        for number, answer in zip(missing, again, strict=True):
            answers[number] = answer
    return answers


def _curl(site: Site, questions: Sequence[Question]) -> list[Answer]:
    return [_curl_once(site, question) for question in questions]


def _curl_once(site: Site, question: Question) -> Answer:
    options = ["--no-insecure", "--cacert", str(site.ca)]
    files = question.files
    if files is not None and question.form == "p12":
        options += ["--cert-type", "P12", "--cert", str(files.p12), "--pass", files.password.read_text()]
    if files is not None and question.form == "pem":
        options += ["--cert", str(files.pem)]
    hosts = site.door.ingress.hosts
    return hosts.try_once(site.door.host, options=options) or Answer(0, hosts.broken[-1])


def _java(site: Site, questions: Sequence[Question]) -> list[Answer]:
    hosts = site.ca.with_name("hosts")
    hosts.write_text(f"{site.door.ingress.address} {site.door.host}\n")
    java = debian.tool("java", package="default-jdk-headless")
    options = (*_QUICK_START, f"-Djdk.net.hosts.file={hosts}", "-cp", _built("Ask.java", _compile), "Ask")
    return _told(java, options, site, questions)


def _compile(source: Path, folder: Path) -> None:
    javac = debian.tool("javac", package="default-jdk-headless")
    process.run([javac.binary, "--release", "11", "-d", folder, source], env=javac.env)


def _node(site: Site, questions: Sequence[Question]) -> list[Answer]:
    return _told(debian.tool("node", package="nodejs"), [SOURCES / "ask.mjs"], site, questions)


def _go(site: Site, questions: Sequence[Question]) -> list[Answer]:
    return _told(debian.Tool(binary=_built("go/main.go", _link) / "ask"), (), site, questions)


def _link(source: Path, folder: Path) -> None:
    env = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    process.run([binaries.go(), "build", "-trimpath", "-o", folder / "ask", source], cwd=folder, env=env)


def _httpx(site: Site, questions: Sequence[Question]) -> list[Answer]:
    python = debian.Tool(binary=Path(sys.executable), env={"PYTHONPATH": str(wheels.unpacked("httpx"))})
    return _told(python, [SOURCES / "ask_httpx.py"], site, questions)


PROGRAMS: Mapping[str, Program] = {
    "curl": Program(_curl, ("pem", "p12")),
    "Java": Program(_java, ("p12",)),
    "Node.js": Program(_node, ("pem", "p12")),
    "Go": Program(_go, ("pem",)),
    "httpx": Program(_httpx, ("pem",)),
}


def _built(name: str, build: Callable[[Path, Path], None]) -> Path:
    """The folder with what was made of that source, once."""
    source = SOURCES / name
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:12]
    return cache.entry(f"asks-{source.stem}-{digest}", lambda folder: build(source, folder))


def _told(tool: debian.Tool, options: Sequence[str | Path], site: Site, questions: Sequence[Question]) -> list[Answer]:
    """What one run of a program of `sources/` answers."""
    lines = "".join(f"{question.line()}\n" for question in questions)
    ended = tool.run(*options, site.door.host, str(site.port), site.ca, stdin=lines.encode())
    assert ended.returncode == 0, ended.stderr.decode(errors="replace")
    answers = [line.split("\t") for line in ended.stdout.decode().splitlines()]
    assert len(answers) == len(questions), ended.stderr.decode(errors="replace")
    return [Answer(int(status), base64.b64decode(body).decode(errors="replace")) for status, body in answers]
