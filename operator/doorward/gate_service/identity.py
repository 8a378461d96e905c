"""Who was admitted, as headers for the application: the proxy sets them, and a client's own never arrive."""

import re
from urllib.parse import quote

from doorward.objects.meta import ObjectKey

CLIENT = "x-doorward-client"
COMMON_NAME = "x-doorward-common-name"
SERIAL = "x-doorward-serial"
_ATTRIBUTE = re.compile(r"(?:\\.|[^,+\\])+", re.DOTALL)
_ESCAPED = re.compile(r"(?:\\[0-9A-Fa-f]{2})+|\\(.)", re.DOTALL)
_PLAIN = "!#$&'()*+,/:;=?@[]^`{|}<>\" "
"""Beside letters, digits and `_.-~`, what stands in the header as it is; all else, and `%`, is escaped as in a URL."""


def headers_of(client: ObjectKey, common_name: str, serial: int) -> list[tuple[str, str]]:
    """The headers of an answer that admits the holder of a certificate."""
    return [
        (CLIENT, str(client)),
        (COMMON_NAME, quote(common_name, safe=_PLAIN, errors="replace")),
        (SERIAL, f"{serial:x}"),
    ]


def common_name_of(subject: str) -> str:
    """The common name in a subject of RFC 4514; empty where it has none."""
    plain = "\\" not in subject  # as nearly all are, of a hundred thousand at the start
    attributes = subject.replace("+", ",").split(",") if plain else _ATTRIBUTE.findall(subject)
    found = next((each for each in attributes if each.startswith("CN=")), "")
    return found[3:] if plain else _ESCAPED.sub(_unescaped, found.removeprefix("CN="))


def _unescaped(found: re.Match[str]) -> str:
    if found[1] is not None:
        return found[1]
    return bytes.fromhex(found[0].replace("\\", "")).decode(errors="replace")
