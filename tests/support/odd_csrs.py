"""Certificate requests as devices, old tools and people make them: written byte by byte where no tool of ours would, and signed."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

COMMON_NAME = bytes.fromhex("0603550403")
EXTENSION_REQUEST = bytes.fromhex("06092a864886f70d01090e")
ALTERNATIVE_NAMES = bytes.fromhex("0603551d11")
ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
UTF8, PRINTABLE, TELETEX, IA5, UNIVERSAL, BMP = 0x0C, 0x13, 0x14, 0x16, 0x1C, 0x1E


def tlv(tag: int, *parts: bytes) -> bytes:
    """A DER element."""
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes((tag, len(body))) + body
    size = len(body).to_bytes(2)
    return bytes((tag, 0x82)) + size + body if size[0] else bytes((tag, 0x81, len(body))) + body


@lru_cache
def signer() -> ec.EllipticCurvePrivateKey:
    """The key of all of them."""
    return ec.generate_private_key(ec.SECP256R1())


def asking_for(*extensions: bytes) -> bytes:
    """The attributes with an extension request (RFC 2985 §5.4.2)."""
    return tlv(0xA0, tlv(0x30, EXTENSION_REQUEST, tlv(0x31, tlv(0x30, *extensions))))


def alternative_name(tag: int, text: bytes) -> bytes:
    """One extension, a subjectAltName."""
    return tlv(0x30, ALTERNATIVE_NAMES, tlv(4, tlv(0x30, tlv(tag, text))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Csr:
    """What a request says, byte by byte."""

    version: bytes = b"\0"
    string: int = UTF8
    text: bytes = b"sensor"
    attributes: bytes = b"\xa0\0"

    @property
    def der(self) -> bytes:
        name = tlv(0x30, tlv(0x31, tlv(0x30, COMMON_NAME, tlv(self.string, self.text))))
        public = signer().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        signed = tlv(0x30, tlv(2, self.version), name, public, self.attributes)
        signature = signer().sign(signed, ec.ECDSA(hashes.SHA256()))
        return tlv(0x30, signed, ECDSA_SHA256, tlv(3, b"\0", signature))

    @property
    def pem(self) -> bytes:
        return armoured(self.der)


def armoured(der: bytes, label: str = "CERTIFICATE REQUEST") -> bytes:
    """PEM of it."""
    return b"-----BEGIN %b-----\n%b-----END %b-----\n" % (label.encode(), base64.encodebytes(der), label.encode())


LINES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "DER": (lambda pem: base64.b64decode(b"".join(pem.splitlines()[1:-1])), "is in DER format, and PEM is needed"),
    "base64 alone": (lambda pem: b"\n".join(pem.splitlines()[1:-1]), "is base64 without its first and last line"),
    "base64 of the PEM": (base64.encodebytes, "is encoded in base64 once too often"),
    "UTF-16, little end first": (lambda pem: pem.decode().encode("utf-16-le"), "is text in UTF-16"),
    "UTF-16 with a mark": (lambda pem: b"\xfe\xff" + pem.decode().encode("utf-16-be"), "is text in UTF-16"),
    "escaped line breaks": (lambda pem: pem.replace(b"\n", b"\\n"), "has the two characters \\n where a line ends"),
    "no last line": (lambda pem: b"\n".join(pem.splitlines()[:-1]), "is cut off"),
    "half of it": (lambda pem: pem[: len(pem) // 2], "is cut off"),
    "prose": (lambda _: b"see the attachment " * 9, "holds no PEM block"),
}
"""By what somebody did to a file: how, and what is said of it. The sentence goes on from the thing."""
