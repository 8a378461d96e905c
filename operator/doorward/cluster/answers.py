"""An answer of the API server as it came: it stays compressed until somebody reads it, which is a tenth of its size."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

from doorward.cluster.errors import Transient
from doorward.cluster.gateway import Object

COMPRESSED, AS_IT_IS = "gzip", "identity"
"""What is asked for: the API server compresses long answers. A watch is read line by line, and so comes as it is."""
GZIP = 16 + zlib.MAX_WBITS
_MOST_TIMES = 1_032
"""No more bytes than this come from one that is compressed."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The whole body of one answer."""

    asked: str
    """The request, for errors."""
    body: bytes
    encoding: str

    def read(self, how: Callable[[bytes], Object]) -> Object:
        """What it says; Transient where that is not to be read."""
        try:
            return how(self._text())
        except ValueError as error:
            raise Transient(f"{self.asked}: {type(error).__name__}: {error}") from error

    def _text(self) -> bytes:
        if self.encoding in ("", AS_IT_IS):
            return self.body
        if self.encoding != COMPRESSED:
            raise ValueError(f"an answer that is encoded as {self.encoding!r}")
        try:
            return zlib.decompress(self.body, GZIP, bufsize=self._size())
        except zlib.error as error:
            raise ValueError(f"an answer that is no gzip: {error}") from error

    def _size(self) -> int:
        """Bytes that gzip says at its end: room for all of them at once, and not again and again for twice as many."""
        return min(int.from_bytes(self.body[-4:], "little") + 1, len(self.body) * _MOST_TIMES + 1)


async def answered(response: aiohttp.ClientResponse, asked: str) -> Answered:
    """The answer, once all of it has arrived; Transient where it does not arrive."""
    try:
        body = await response.read()
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise Transient(f"{asked}: {type(error).__name__}: {error}") from error
    return Answered(asked, body, response.headers.get("Content-Encoding", ""))
