"""DER (X.690 §10): as much as it takes to walk through a CRL or a key, and to write a CRL; strict in what it reads."""

from typing import NamedTuple

INTEGER, BIT_STRING, OCTET_STRING = 0x02, 0x03, 0x04
UTC_TIME, GENERALIZED_TIME, SEQUENCE = 0x17, 0x18, 0x30
EXTENSIONS = 0xA0
"""Context tag 0, constructed: where a CRL has its extensions (RFC 5280 §5.1)."""


class NotDer(ValueError):
    """The bytes are no DER, or not what belongs at this place."""


class Element(NamedTuple):
    """Where a value is in the data: it begins with its tag at `begin`, its content goes from `start` to `stop`."""

    tag: int
    begin: int
    start: int
    stop: int


def element(data: bytes, at: int, stop: int) -> Element:
    """The element that begins at `at` and ends by `stop`. Raises NotDer, also for a length longer than it need be."""
    if stop > len(data) or at + 2 > stop:
        raise NotDer("an element ends early")
    tag, size, start = data[at], data[at + 1], at + 2
    if tag & 0x1F == 0x1F:
        raise NotDer("a tag of several bytes")
    if size > 0x7F:
        digits = size & 0x7F
        start += digits
        size = int.from_bytes(data[at + 2 : start])
        if size < 0x80 or size >> (8 * (digits - 1)) == 0:
            raise NotDer("a length that is not the shortest")
    if start + size > stop:
        raise NotDer("an element ends early")
    return Element(tag, at, start, start + size)


def children(data: bytes, of: Element) -> list[Element]:
    """The elements inside of a constructed one. Raises NotDer."""
    found: list[Element] = []
    at = of.start
    while at < of.stop:
        found.append(element(data, at, of.stop))
        at = found[-1].stop
    return found


def whole(data: bytes, tag: int) -> Element:
    """The one element that the data is. Raises NotDer where it has another tag, or bytes follow it."""
    found = element(data, 0, len(data))
    if found.tag != tag or found.stop != len(data):
        raise NotDer("not one element of the tag that belongs here")
    return found


def raw(data: bytes, of: Element) -> bytes:
    """The element's bytes, tag and length included."""
    return data[of.begin : of.stop]


def encode(tag: int, *parts: bytes) -> bytes:
    """The element with these parts as its content."""
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    digits = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(digits))) + digits + content
