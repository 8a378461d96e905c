"""The application behind every protected host: answers 200 and what it was asked, so that a test sees who let a request in.

At `/stream` its answer goes on until the client leaves; at `/echo` it upgrades to a protocol that returns every byte. A browser
gets a page to look at.
"""

import contextlib
import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# The controller's own default backend is reached here too, since its balancer is Lua; it must not look like an application.
_NO_APPLICATION = ("upstream-default-backend", "-", "")

AGENTS: dict[str, set[str]] = defaultdict(set)
"""By host, the User-Agents of those whom an application behind it ever answered."""
PULSE = 0.05
"""Seconds between two pieces of a stream."""
LONGEST = 300.0
"""Seconds after which a stream, or a silent upgraded connection, ends by itself."""
PAGE = (
    "<!doctype html><title>Application</title><body style='font-family: sans-serif; margin: 2em'>"
    "<h1>Application</h1><p>This page is shown to clients that have access.</p>"
)
"""What a browser is shown."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        upstream = self.headers.get("X-Testbed-Upstream", "")
        found = upstream not in _NO_APPLICATION
        if found:
            AGENTS[self.headers.get("Host", "")].add(self.headers.get("User-Agent", ""))
        if found and self.path in _ENDLESS:
            with contextlib.suppress(OSError):
                _ENDLESS[self.path](self)
            self.close_connection = True
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = {"application": upstream, "method": self.command, "path": self.path, "headers": headers}
        answer["lines"] = self.headers.items()  # as they came, each of several with one name
        shown = found and "text/html" in self.headers.get("Accept", "")
        body = (PAGE if shown else json.dumps(answer if found else {"application": None})).encode()
        # A body that is not read would be taken for the next request.
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "text/html" if shown else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Testbed-Application", upstream)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nginx keeps the log."""


def _stream(request: _Handler) -> None:
    request.send_response(200)
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        request.wfile.write(b"1\r\n.\r\n")
        time.sleep(PULSE)


def _echo(request: _Handler) -> None:
    request.send_response(101)
    request.send_header("Connection", "Upgrade")
    request.send_header("Upgrade", "websocket")
    request.end_headers()
    request.connection.settimeout(LONGEST)
    while said := request.connection.recv(1024):
        request.connection.sendall(said)


_ENDLESS = {"/stream": _stream, "/echo": _echo}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


@contextmanager
def running(port: int) -> Iterator[None]:
    """Serve on that loopback port for the length of a block."""
    with _Server(("127.0.0.1", port), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
