"""A CA's files as people leave them: every certificate in them that can be read, and what else lies beside it."""

from collections.abc import Iterator
from dataclasses import dataclass

from cryptography import x509

from doorward.pki import unusable
from doorward.pki.pem import (
    MAX_PEM_BYTES,
    Malformed,
    NoPemBlock,
    PkiError,
    TooLarge,
    bounded,
    fingerprint_sha256,
    load_certificates,
)

MOST = 32
"""Certificates that are read of all files together: an upper one costs a signature check with each below it."""
_LABELS = (b"CERTIFICATE", b"X509 CERTIFICATE")
_TEXT = frozenset(b"\t\n\r\x0b\x0c")
"""Control characters that a text may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readable:
    """What some files hold."""

    certificates: tuple[x509.Certificate, ...]
    """In their order, each once."""
    rest: tuple[str, ...]
    """What else is there, as a message names it; it quotes nothing. Text beside the blocks is none of it (RFC 7468 §2)."""


def read(certificate: bytes, chain: bytes | None) -> Readable:
    """All that can be read of both files, PEM. Raises PkiError where that is no certificate at all."""
    found: dict[str, x509.Certificate] = {}
    rest: list[str] = []
    errors: list[PkiError] = []
    for what, data in (("the certificate", certificate), ("the chain", chain)):
        for part in _parts(data, what) if data is not None else ():
            if isinstance(part, x509.Certificate):
                found.setdefault(fingerprint_sha256(part), part)
            elif isinstance(part, str):
                rest.append(part)
            else:
                errors.append(part)
    if not found:
        other = unusable.other_block(unusable.CERTIFICATE, certificate) or f"{unusable.CERTIFICATE} {unusable.NO_BLOCK}"
        raise errors[0] if errors else NoPemBlock(other)
    rest += map(str, dict.fromkeys(map(str, errors)))
    if len(found) > MOST:
        rest.append(f"{len(found) - MOST} certificates after the first {MOST}")
    return Readable(certificates=tuple(found.values())[:MOST], rest=tuple(dict.fromkeys(rest)))


def _parts(data: bytes, what: str) -> Iterator[x509.Certificate | PkiError | str]:
    """What a file holds, in its order: certificates, why one cannot be read, and what is none."""
    try:
        before, *blocks = bounded(data, MAX_PEM_BYTES, what).split(b"-----BEGIN ")
    except (TooLarge, NoPemBlock) as error:
        yield error
        return
    beside = before
    for block in blocks:
        label, _, content = block.partition(b"-----")
        body, end, after = content.partition(b"-----END " + label + b"-----")
        beside += after if end else b""
        if label not in _LABELS:
            yield f"a PEM block in {what} that is no certificate"
        elif not end:
            yield Malformed(f"{what} {unusable.NO_END}")
        else:
            yield _certificate(body, what)
    if not _is_text(beside):
        yield f"bytes in {what} that are neither PEM nor text"


def _certificate(body: bytes, what: str) -> x509.Certificate | PkiError:
    try:
        return load_certificates(b"-----BEGIN CERTIFICATE-----" + body + b"-----END CERTIFICATE-----\n")[0]
    except PkiError as error:
        return error if what == "the certificate" else Malformed(f"in {what}, {error}")


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return all(byte >= 0x20 or byte in _TEXT for byte in data)
