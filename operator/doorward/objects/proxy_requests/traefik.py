"""What Traefik asks: a forwardAuth middleware whose address names the gate, behind passTLSClientCert with `pem: true`.

The header is Traefik's own: it drops what a client sent under that name, its underscore alias and the `-Info` variant (measured).
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence

from doorward.objects.proxy_requests.question import Presented, Question, gate_of

PREFIX = "/traefik/"
HEADER = "x-forwarded-tls-client-cert"
LONGEST = 24 * 1024
"""Characters of a certificate in base64; a client certificate of RSA 4096 with 32 names has 5,000."""

_BASE64 = re.compile("[A-Za-z0-9+/]+={0,2}")


def parse(path: str, query: str, sent: Sequence[str]) -> Question | None:
    """What is asked; None: Traefik does not ask so. `sent`: all headers of that name."""
    gate = gate_of(path.removeprefix(PREFIX)) if path.startswith(PREFIX) and not query else None
    if gate is None:
        return None
    if not sent:
        return Question(gate, None)
    if len(sent) != 1 or (der := _der(sent[0])) is None:
        return None
    return Question(gate, Presented(hashlib.sha1(der, usedforsecurity=False).digest(), None))


def _der(text: str) -> bytes | None:
    """One certificate, in the one spelling that base64 has for it."""
    if len(text) > LONGEST or not _BASE64.fullmatch(text):
        return None
    try:
        der = base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
    return der if base64.b64encode(der).decode() == text and _is_one_element(der) else None


def _is_one_element(der: bytes) -> bool:
    """Whether it is one SEQUENCE of a length in two octets, and nothing after it: as every certificate is."""
    return der[:2] == b"\x30\x82" and len(der) == 4 + int.from_bytes(der[2:4], "big")
