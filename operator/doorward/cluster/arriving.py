"""A list that is read while it arrives: each object is taken in and forgotten, so a page may be as long as the API server likes."""

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from typing import Any

import aiohttp

from doorward.cluster.answers import AS_IT_IS, COMPRESSED, GZIP
from doorward.cluster.errors import Transient
from doorward.cluster.gateway import Kind, Object
from doorward.cluster.steps import in_steps

AT_ONCE = 512 * 1024
"""Bytes that are decompressed in one step."""
LONGEST_HEAD = 64 * 1024
"""Bytes in which the first object of a page must begin, or the page is read in one."""


class Cut:
    """The text of one page, cut into its objects where it comes as the API server writes it.

    An object of a list begins with its apiVersion, kind and metadata. No text within an object can be taken for that: in a JSON
    string quotation marks are escaped, and no field of our kinds holds such an object. Still, what cannot be read when it was
    cut is not cut: it and all that follows is read with the rest of the page.
    """

    def __init__(self, kind: Kind, read: Callable[[bytes], Object]) -> None:
        """`read`: one object; ValueError where it is none."""
        begins = f'{{"apiVersion":"{kind.api_version}","kind":"{kind.name}","metadata":{{'.encode()
        self._first = b'"items":[' + begins
        self._next = b"}," + begins
        self._read = read
        self._head = b""
        """All before the first object; empty: that did not come yet."""
        self._kept: list[bytes] = []
        """Where nothing is cut any more: all that came since."""
        self._text = b""
        self._looked = 0
        """In so many bytes of the text no further object begins."""

    def feed(self, text: bytes) -> Iterator[Object]:
        """The objects that are complete now."""
        if self._kept:
            self._kept.append(text)
            return
        self._text += text
        if not self._head and not self._begin():
            return
        begun = 0
        while (found := self._text.find(self._next, max(begun, self._looked))) >= 0:
            try:
                body = self._read(self._text[begun : found + 1])
            except ValueError:
                self._kept.append(self._text[begun:])
                return
            begun = found + 2
            yield body
        self._text = self._text[begun:]
        self._looked = max(0, len(self._text) - len(self._next))

    def _begin(self) -> bool:
        """Whether the first object has begun."""
        found = self._text.find(self._first)
        if found < 0:
            if len(self._text) > LONGEST_HEAD:
                self._kept.append(self._text)
            return False
        begun = found + self._first.index(b"{")
        self._head, self._text = self._text[:begun], self._text[begun:]
        return True

    def rest(self) -> bytes:
        """The page without the objects that were read."""
        return self._head + (b"".join(self._kept) or self._text)


class Page:
    """One answer of the API server with a part of a list."""

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        asked: str,
        cut: Cut,
        read: Callable[[bytes], Object],
    ) -> None:
        """`read`: what of the page is not cut."""
        self._response = response
        self._asked = asked
        self._cut = cut
        self._read = read
        self.metadata: Any = {}
        """Of the list, once all objects were read."""

    async def objects(self) -> AsyncGenerator[Object, None]:
        """One after the other; Transient where the answer does not arrive or is not to be read."""
        try:
            async for text in self._texts():
                async for body in in_steps(self._cut.feed(text)):
                    yield body
            page = self._read(self._cut.rest())
            self.metadata = page["metadata"]
            async for body in in_steps(page.get("items") or ()):
                yield body
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError, TypeError) as error:
            raise Transient(f"{self._asked}: {type(error).__name__}: {error}") from error
        finally:
            self._response.release()

    async def _texts(self) -> AsyncIterator[bytes]:
        encoding = self._response.headers.get("Content-Encoding", AS_IT_IS)
        if encoding == AS_IT_IS:
            async for part in self._response.content.iter_any():
                yield part
            return
        if encoding != COMPRESSED:
            raise ValueError(f"an answer that is encoded as {encoding!r}")
        gzip = zlib.decompressobj(GZIP)
        async for part in self._response.content.iter_any():
            left = part
            while left:
                try:
                    text = gzip.decompress(left, AT_ONCE)
                except zlib.error as error:
                    raise ValueError(f"an answer that is no gzip: {error}") from error
                left = gzip.unconsumed_tail
                yield text
                await asyncio.sleep(0)  # more may be here already
        if not gzip.eof or gzip.unused_data:
            raise ValueError("an answer whose gzip does not end where it ends")
