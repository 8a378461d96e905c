"""Certificates in parts, DER (RFC 5280 §4.1): what is in the name, and which part it is that cannot be read."""

from collections.abc import Callable

from doorward.pki import der, string_types
from doorward.pki.der import Element

_VERSION, _EXTENSIONS, _OID = 0xA0, 0xA3, 0x06
_MOST_EXTENSIONS = 100
_KNOWN = {
    "0603551d0e": "subjectKeyIdentifier",
    "0603551d0f": "keyUsage",
    "0603551d11": "subjectAltName",
    "0603551d12": "issuerAltName",
    "0603551d13": "basicConstraints",
    "0603551d1e": "nameConstraints",
    "0603551d1f": "cRLDistributionPoints",
    "0603551d20": "certificatePolicies",
    "0603551d23": "authorityKeyIdentifier",
    "0603551d24": "policyConstraints",
    "0603551d25": "extendedKeyUsage",
    "06082b06010505070101": "authorityInfoAccess",
}
_HARMLESS = {
    "version": bytes.fromhex("a003020102"),
    "serial number": bytes.fromhex("020101"),
    "signature algorithm": bytes.fromhex("300a06082a8648ce3d040302"),
    "issuer": bytes.fromhex("3000"),
    "validity": bytes.fromhex("301e170d3236303130313030303030305a170d3237303130313030303030305a"),
    "subject": bytes.fromhex("3000"),
    "public key": bytes.fromhex(
        "3059301306072a8648ce3d020106082a8648ce3d030107034200046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898"
        "c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
    ),
}
"""A value that everybody reads for each part that a certificate has, in their order; the key is P-256's base point."""


def _take_apart(data: bytes) -> tuple[dict[str, Element], list[Element]]:
    """The parts of a certificate that are signed, by their names, and what follows them. Raises NotDer where it has others."""
    signed, *_ = der.children(data, der.whole(data, der.SEQUENCE))
    parts = der.children(data, signed)
    names = [name for name in _HARMLESS if name != "version" or (parts[:1] and parts[0].tag == _VERSION)]
    if len(parts) < len(names):
        raise der.NotDer("a certificate of fewer parts")
    return dict(zip(names, parts, strict=False)), parts[len(names) :]


def unreadable_subject(data: bytes) -> str:
    """What in the subject of a certificate, DER, a gate's data plane cannot read; empty: it can read all of it."""
    try:
        return string_types.problem(data, _take_apart(data)[0]["subject"])
    except der.NotDer:
        return "it is no DER"


def public_key(data: bytes) -> bytes:
    """The public key of a certificate, DER, byte for byte as it is in it; nothing where that is no DER."""
    try:
        return der.raw(data, _take_apart(data)[0]["public key"])
    except der.NotDer:
        return b""


def unreadable(data: bytes, read: Callable[[bytes], object]) -> str:
    """Which part of a certificate, DER, `read` gives up on, for a person who is to put it right: each is tried by itself."""
    try:
        parts, rest = _take_apart(data)
    except ValueError:
        return "it is no certificate in DER"
    for part in sorted(parts, key=lambda name: name == "issuer"):  # that of a self-signed one is its subject
        if not _reads(read, _with({part: der.raw(data, parts[part])})):
            return _name(part, data, parts[part])
    return _extension(data, rest, read) or "its parts do not fit each other"


def _name(part: str, data: bytes, element: Element) -> str:
    why = string_types.problem(data, element) if part in ("issuer", "subject") else ""
    return f"its {part} cannot be read" + (f": {why}" if why else "")


def _with(parts: dict[str, bytes], *extensions: bytes) -> bytes:
    """A certificate, DER, that has these parts, and of all others harmless ones."""
    whole = _HARMLESS | parts
    extended = (der.encode(_EXTENSIONS, der.encode(der.SEQUENCE, *extensions)),) if extensions else ()
    signed = der.encode(der.SEQUENCE, *whole.values(), *extended)
    return der.encode(der.SEQUENCE, signed, whole["signature algorithm"], der.encode(der.BIT_STRING, b"\0"))


def _reads(read: Callable[[bytes], object], certificate: bytes) -> bool:
    try:
        read(certificate)
    except Exception:  # noqa: BLE001 - whatever it is, this part is why
        return False
    return True


def _extension(data: bytes, rest: list[Element], read: Callable[[bytes], object]) -> str:
    """The extension that cannot be read, or stands twice; empty: there is none."""
    try:
        wrapped = next(part for part in rest if part.tag == _EXTENSIONS)
        (listed,) = der.children(data, wrapped)
        found = der.children(data, listed)[:_MOST_EXTENSIONS]
        kinds = [der.raw(data, der.element(data, extension.start, extension.stop)) for extension in found]
    except StopIteration:
        return ""
    except ValueError:
        return "its extensions are no DER"
    for extension, kind in zip(found, kinds, strict=True):
        if kinds.count(kind) > 1:
            return f"{_called(kind)} stands in it more than once"
        if not _reads(read, _with({}, der.raw(data, extension))):
            return f"{_called(kind)} cannot be read"
    return ""


def _called(kind: bytes) -> str:
    known = _KNOWN.get(kind.hex())
    return f"its extension {known}" if known else f"its extension {_dotted(kind)}"


def _dotted(kind: bytes) -> str:
    """An object identifier, DER, as people write it; at most ten arcs."""
    arcs, arc = [], 0
    for octet in kind[2:]:
        arc = arc << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(arc)
            arc = 0
    if kind[:1] != bytes((_OID,)) or not arcs or max(arcs).bit_length() > 64:
        return "of an unknown type"
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:10])))
