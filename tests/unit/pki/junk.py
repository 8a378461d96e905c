"""Bytes that nobody should hand in: junk of many kinds, and lawful DER with a byte changed."""

import base64
import random

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import strategies as st

from tests.unit.given import csr, leaf

MIB = 1024 * 1024
_NOISE = random.Random(1).randbytes(MIB)

JUNK = {
    "nothing": b"",
    "1 MiB of noise": _NOISE,
    "1 MiB of one letter": b"A" * MIB,
    "1 MiB of begun certificates": b"-----BEGIN CERTIFICATE-----\n" * (MIB // 28),
    "60 KiB of begun certificates": b"-----BEGIN CERTIFICATE-----\n" * 2200,
    "60 KiB of begun parameters": b"-----BEGIN EC PARAMETERS-----\n" * 2100,
    "60 KiB of dashes": b"-----BEGIN " + b"-" * 61_000,
    "60 KiB of base64 in one block": b"-----BEGIN PRIVATE KEY-----\n" + base64.encodebytes(_NOISE[:44_000]),
    "a block without an end": b"-----BEGIN CERTIFICATE-----\nMIIB",
    "a block of something else": b"-----BEGIN DOG-----\nQUJD\n-----END DOG-----\n",
    "a block that is empty": b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
    "YAML": b"kind: Secret\n",
    "NUL": b"\0" * 100,
}


def pem(label: str, body: bytes) -> bytes:
    """PEM of anything."""
    return b"-----BEGIN %b-----\n%b-----END %b-----\n" % (label.encode(), base64.encodebytes(body), label.encode())


CERTIFICATE = leaf().certificate.public_bytes(Encoding.DER)
REQUEST = x509.load_pem_x509_csr(csr().encode()).public_bytes(Encoding.DER)


@st.composite
def changed(draw: st.DrawFn, original: bytes) -> bytes:
    """The original with one to three bytes changed."""
    body = bytearray(original)
    for _ in range(draw(st.integers(1, 3))):
        body[draw(st.integers(0, len(body) - 1))] = draw(st.integers(0, 255))
    return bytes(body)
