"""A real nginx that asks a checker at each request, over a connection of its own as ingress-nginx does: what that costs.

Three locations serve the same bytes: one asks nobody, one a bare nginx that returns 200, one the gate service.
"""

import re
import socket
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.figures import percentile
from tests.testbed import debian, ports
from tests.testbed.process import Process

NOBODY, BARE, GATE = "none", "bare", "gate"
SECONDS = 3
ROUNDS = 3
CONNECTIONS = 16
OFTEN = 100
"""Requests a second of one client of h2load. It looks every 10 ms which are due, and sends them together, so all clients that
begin at once send at once: at 2,000 a second 20 requests every 10 ms, of which the last waits for 19 answers."""
_LATENCY = re.compile(r"^\s+50%\s+([0-9.]+)(us|ms|s)$", re.MULTILINE)
_RATE = re.compile(r"^Requests/sec:\s+([0-9.]+)$", re.MULTILINE)
_WRONG = re.compile(r"Non-2xx or 3xx responses: (\d+)")
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


class Checkers:
    """A running nginx; `url` is what each location is asked with."""

    def __init__(self, port: int, folder: Path) -> None:
        self._port = port
        self._folder = folder
        self._wrk = debian.tool("wrk", package="wrk")
        self._h2load = debian.tool("h2load", package="nghttp2-client")

    def url(self, checker: str) -> str:
        """Where the checker is asked."""
        return f"http://127.0.0.1:{self._port}/{checker}"

    def rates(self) -> dict[str, float]:
        """Requests a second with each checker, the median of some rounds in turn."""
        found: dict[str, list[float]] = {NOBODY: [], BARE: [], GATE: []}
        for _ in range(ROUNDS):
            for checker, rates in found.items():
                rates.append(float(_one(_RATE, self._asked(checker, CONNECTIONS))[1]))
        return {checker: statistics.median(rates) for checker, rates in found.items()}

    def medians(self) -> dict[str, float]:
        """Seconds of half of the requests on one connection with each checker, the median of some rounds in turn."""
        found: dict[str, list[float]] = {NOBODY: [], BARE: [], GATE: []}
        for _ in range(ROUNDS):
            for checker, seconds in found.items():
                latency = _one(_LATENCY, self._asked(checker, 1))
                seconds.append(float(latency[1]) * _UNITS[latency[2]])
        return {checker: statistics.median(seconds) for checker, seconds in found.items()}

    def slowest(self, rate: int) -> dict[str, float]:
        """Seconds of the 99th percentile at so many requests a second, the median of some rounds in turn."""
        found: dict[str, list[float]] = {NOBODY: [], BARE: [], GATE: []}
        for _ in range(ROUNDS):
            for checker, seconds in found.items():
                seconds.append(percentile(self._paced(checker, rate), 0.99))
        return {checker: statistics.median(seconds) for checker, seconds in found.items()}

    def _asked(self, checker: str, connections: int) -> str:
        done = self._wrk.run("-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency", self.url(checker))
        said = done.stdout.decode()
        assert done.returncode == 0, done.stderr.decode()
        assert not _WRONG.search(said), said
        return said

    def _paced(self, checker: str, rate: int) -> list[float]:
        log = self._folder / "paced.log"
        log.unlink(missing_ok=True)
        clients = rate // OFTEN
        pace = (f"--rps={OFTEN}", f"--rate={max(1, clients * OFTEN // 1_000)}", "--rate-period=1ms")
        load = ("--h1", f"--clients={clients}", f"--requests={rate * SECONDS}", *pace)
        done = self._h2load.run(*load, f"--log-file={log}", self.url(checker))
        assert done.returncode == 0, done.stderr.decode()
        lines = [line.split("\t") for line in log.read_text().splitlines()]
        assert {status for _, status, _ in lines} == {"200"}
        begun = [int(microseconds) / 1e6 for microseconds, _, _ in lines]
        assert len(lines) / (max(begun) - min(begun)) >= 0.95 * rate, "h2load did not keep the pace"
        return [int(microseconds) / 1e6 for _, _, microseconds in lines]


def _one(pattern: re.Pattern[str], said: str) -> re.Match[str]:
    found = pattern.search(said)
    assert found is not None, said
    return found


@contextmanager
def running(folder: Path, gate: str) -> Iterator[Checkers]:
    """nginx on two workers; `gate`: the question that it asks the gate service, as a URL."""
    front, bare = leased = ports.lease(2)
    found = debian.nginx()
    for name in ("logs", "temp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "nginx.conf").write_text(_configuration(folder, front, bare, gate))
    env = {"LD_LIBRARY_PATH": str(found.libraries)} if found.libraries else {}
    command = [found.binary, "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "logs" / "error.log"]
    process = Process("nginx-of-checkers", command, folder / "nginx.log", env=env)
    checkers = Checkers(front, folder)
    try:
        process.start()
        process.wait_until(lambda: _answers(front))
        yield checkers
    finally:
        process.stop()
        ports.give_back(leased)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _configuration(folder: Path, front: int, bare: int, gate: str) -> str:
    temp = "\n".join(
        f"{kind}_temp_path {folder}/temp/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    asked = {BARE: f"http://127.0.0.1:{bare}/", GATE: gate}
    checks = "\n".join(
        f"""
    location /{name} {{ auth_request /_{name}; empty_gif; }}
    location = /_{name} {{
      internal; proxy_pass {url}; proxy_method GET; proxy_http_version 1.1;
      proxy_pass_request_body off; proxy_set_header Content-Length "";
    }}"""
        for name, url in asked.items()
    )
    return f"""
daemon off; worker_processes 2; pid {folder}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000;
  {temp}
  server {{ listen 127.0.0.1:{bare} backlog=1024; location / {{ return 200; }} }}
  server {{
    listen 127.0.0.1:{front} backlog=1024;
    location /{NOBODY} {{ empty_gif; }}{checks}
  }}
}}
"""
