"""Asks hosts as a client does, by curl, and tells an answer from a connection that broke.

Who asks without end does so within this process: a curl costs some 12 ms of CPU time for each question, five times as much.

An answer is a whole HTTP response, or a TLS alert that says something about the client's certificate. A connection that was
refused, reset, closed too early or left silent says nothing of the client, whoever's it is: it is counted and made again.
"""

import http.client
import json
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

MOST_TRIES = 10
"""In a row; with the pauses between them, about 12 seconds of a host that answers nobody."""
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
SILENCE = 20.0
"""Seconds after which a connection has broken."""

# curl's exit codes for a connection that broke; with some of them a status may have come before.
_BROKEN = {
    7: "refused",
    16: "HTTP/2 ended it",
    18: "half an answer",
    28: "silence",
    35: "ended during the TLS handshake",
    52: "empty answer",
    55: "ended while it was asked",
    56: "reset",
    92: "HTTP/2 ended the stream",
}
# As OpenSSL words them; other alerts ("internal error", "handshake failure") do not say whose fault it is.
_ALERT = re.compile(
    r"\balert ((?:bad|no|unsupported) certificate|certificate (?:expired|required|revoked|unknown)|unknown ca|access denied)\b"
)

Report = Mapping[str, Any]
"""What curl says of one transfer (`--write-out '%{json}'`)."""


class Answer(NamedTuple):
    """What a host told a client: an HTTP status and its body; or no status (0) and the TLS alert that refused it."""

    status: int
    body: str = ""
    alert: str = ""


class NoAnswer(AssertionError):
    """A host gave nobody an answer, as often as it was asked."""


class CannotAsk(RuntimeError):
    """curl did not even try: a file is missing, or an option is wrong."""


def heard(report: Report, body: str = "") -> Answer | None:
    """The answer that a transfer brought; None: the connection broke. Raises CannotAsk."""
    code, said = int(report["exitcode"]), str(report.get("errormsg") or "")
    if code == 0:
        return Answer(int(report["http_code"]), body) if report["http_code"] else None
    if code not in _BROKEN:
        raise CannotAsk(f"curl: ({code}) {said}")
    alert = _ALERT.search(said)
    return Answer(0, alert=alert[1]) if alert else None


def _why(report: Report) -> str:
    code = int(report["exitcode"])
    return f"{_BROKEN.get(code, 'no status')}: curl: ({code}) {report.get('errormsg') or ''}"


@dataclass(frozen=True)
class Hosts:
    """The hosts behind one address; every question is a new connection."""

    address: str
    https_port: int
    http_port: int = 0
    broken: list[str] = field(default_factory=list)
    """Why each connection broke that did, so far."""
    before: Callable[[], None] = lambda: None
    """Called before each question."""

    def ask(self, host: str, path: str = "/", **how: Any) -> Answer:
        """The answer to one request, as of `try_once`, asked again where the connection broke. Raises NoAnswer, CannotAsk."""
        before, pause = len(self.broken), FIRST_PAUSE
        for _ in range(MOST_TRIES):
            if answer := self.try_once(host, path, **how):
                return answer
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        raise NoAnswer(f"{host} gave no answer, {MOST_TRIES} times: {self.broken[before:]}")

    def try_once(
        self,
        host: str,
        path: str = "/",
        *,
        cert: Path | None = None,
        key: Path | None = None,
        scheme: str = "https",
        options: Sequence[str] = (),
    ) -> Answer | None:
        """The answer to one request; None: the connection broke. `options` are more of curl's. Raises CannotAsk."""
        self.before()
        port = self.https_port if scheme == "https" else self.http_port
        command = [*self._curl(port, cert, key), "--write-out", "\n%{json}", *options, f"{scheme}://{host}{path}"]
        said = _run(command)
        body, _, report = said.rpartition("\n")
        return self._counted(json.loads(report), body)

    def try_all(
        self, hosts: Sequence[str], *, cert: Path | None = None, key: Path | None = None
    ) -> Iterator[tuple[str, Answer | None]]:
        """Each host with what it answered, without bodies, one after the other and once; None as in `try_once`."""
        context = _context(cert, key)
        for host in hosts:
            self.before()
            answer = None
            try:
                answer = Answer(self._status(host, context))
            except (OSError, http.client.HTTPException) as error:
                if alert := _ALERT.search(str(error)):
                    answer = Answer(0, alert=alert[1])
                else:
                    self.broken.append(f"{type(error).__name__}: {error}")
            yield host, answer

    def _status(self, host: str, context: ssl.SSLContext) -> int:
        """That of a whole answer, over a new connection and a new TLS session. Raises OSError, HTTPException."""
        with (
            socket.create_connection((self.address, self.https_port), timeout=SILENCE) as connection,
            context.wrap_socket(connection, server_hostname=host) as secured,
        ):
            secured.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            with http.client.HTTPResponse(secured) as answer:
                answer.begin()
                answer.read()
                return answer.status

    def _counted(self, report: Report, body: str) -> Answer | None:
        answer = heard(report, body)
        if answer is None:
            self.broken.append(_why(report))
        return answer

    def _curl(self, port: int, cert: Path | None, key: Path | None) -> list[str]:
        command = ["curl", "--silent", "--insecure", "--max-time", str(SILENCE), "--path-as-is"]
        command += ["--connect-to", f"::{self.address}:{port}"]
        command += ["--cert", str(cert)] if cert else []
        return command + (["--key", str(key)] if key else [])


def _context(cert: Path | None, key: Path | None) -> ssl.SSLContext:
    """Of a client that believes every server, as `curl --insecure`. Raises CannotAsk."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if cert:
        try:
            context.load_cert_chain(cert, key)
        except OSError as error:
            raise CannotAsk(f"{cert}: {error}") from error
    return context


def _run(command: Sequence[str]) -> str:
    """What curl wrote. Raises CannotAsk where it began nothing."""
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if not done.stdout:
        raise CannotAsk(f"curl ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout
