"""Firefox's own remote control: each message is its length, a colon, and JSON."""

import base64
import json
import socket
from types import TracebackType
from typing import Any, Self

PATIENCE = 90.0
"""Seconds for one answer."""


class Marionette:
    """One session with a browser that was started with `--marionette`."""

    def __init__(self, port: int) -> None:
        self._connection = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._file = self._connection.makefile("rb")
        self._number = 0
        self._read()  # what it says of itself
        self._ask("WebDriver:NewSession", capabilities={})

    @staticmethod
    def listens(port: int) -> bool:
        """Whether it is there to be asked."""
        try:
            with socket.create_connection(("127.0.0.1", port), 5):
                return True
        except OSError:
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._connection.close()

    def go_to(self, url: str) -> None:
        """Load a page; on return it is there. AssertionError where Firefox shows an error page of its own."""
        self._ask("WebDriver:Navigate", url=url)

    def text(self) -> str:
        """The text of the page that is shown."""
        return str(self._ask("WebDriver:ExecuteScript", script="return document.body.innerText", args=[])["value"])

    def picture(self) -> bytes:
        """What is seen of it, PNG."""
        return base64.b64decode(self._ask("WebDriver:TakeScreenshot", full=False)["value"])

    def _ask(self, command: str, **arguments: Any) -> Any:
        self._number += 1
        message = json.dumps([0, self._number, command, arguments]).encode()
        self._connection.sendall(b"%d:%s" % (len(message), message))
        _, _, error, answer = self._read()
        assert error is None, f"{command}: {error}"
        return answer

    def _read(self) -> Any:
        length = b""
        while (digit := self._file.read(1)) != b":":
            assert digit, "Firefox ended the connection"
            length += digit
        return json.loads(self._file.read(int(length)))
