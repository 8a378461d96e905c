"""One table of what people hand in and what cannot be used: what it is, and what to do instead.

It names what the readers of this package refuse, from a look at the bytes alone, and it never quotes them. Each text goes on
from the thing that was handed in, such as "the certificate"; a text on a request goes on from "the request".
"""

import binascii
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from doorward.pki import der

CERTIFICATE, PRIVATE_KEY, REQUEST = "the certificate", "the private key", "the request"
LABELS: Mapping[str, tuple[str, ...]] = {
    CERTIFICATE: ("CERTIFICATE", "X509 CERTIFICATE"),
    PRIVATE_KEY: ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"),
    REQUEST: ("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"),
}
"""By thing, the labels of its PEM blocks (RFC 7468)."""


class Format(NamedTuple):
    """A format that is not the one that is needed: what it is, and by thing the command that converts it."""

    problem: str
    commands: Mapping[str, str]


DER = Format(
    "is in DER format, and PEM is needed",
    {
        CERTIFICATE: "openssl x509 -inform DER -in FILE",
        PRIVATE_KEY: "openssl pkey -inform DER -in FILE",
        REQUEST: "openssl req -inform DER -in FILE",
    },
)
PKCS7 = Format(
    "is a PKCS#7 file (.p7b), and PEM certificates are needed",
    {CERTIFICATE: "openssl pkcs7 -print_certs -in FILE"},
)
PKCS12 = Format(
    "is a PKCS#12 file (.p12, .pfx), and PEM is needed",
    {
        CERTIFICATE: "openssl pkcs12 -nokeys -in FILE",
        PRIVATE_KEY: "openssl pkcs12 -nocerts -noenc -in FILE",
    },
)
OPENSSH = Format("is in OpenSSH format, and PEM is needed", {PRIVATE_KEY: "ssh-keygen -p -m PEM -f FILE"})
JAVA = Format(
    "is a Java keystore, and PEM is needed",
    dict.fromkeys((CERTIFICATE, PRIVATE_KEY), "keytool -importkeystore -deststoretype PKCS12"),
)
TRUSTED = Format("is in a format of OpenSSL's own, TRUSTED CERTIFICATE", {CERTIFICATE: "openssl x509 -in FILE"})

_OTHER_BLOCKS: Mapping[str, Format] = {
    "PKCS7": PKCS7,
    "CMS": PKCS7,
    "PKCS12": PKCS12,
    "OPENSSH PRIVATE KEY": OPENSSH,
    "TRUSTED CERTIFICATE": TRUSTED,
    "CERTIFICATE": Format("is a certificate", {}),
    "X509 CERTIFICATE": Format("is a certificate", {}),
    "CERTIFICATE REQUEST": Format("is a certificate request that nobody has signed yet", {}),
    "NEW CERTIFICATE REQUEST": Format("is a certificate request that nobody has signed yet", {}),
    "X509 CRL": Format("is a CRL", {}),
    "PUBLIC KEY": Format("is a public key", {}),
    "RSA PUBLIC KEY": Format("is a public key", {}),
    "DSA PRIVATE KEY": Format("is a DSA key, which no certificate here can have", {}),
    "PRIVATE KEY": Format("is a private key", {}),
    "RSA PRIVATE KEY": Format("is a private key", {}),
    "EC PRIVATE KEY": Format("is a private key", {}),
    "ENCRYPTED PRIVATE KEY": Format("is a private key", {}),
}
"""By label of a PEM block that is no block of the thing that is needed."""
_NEEDED = {
    CERTIFICATE: 'put a certificate there, which begins with "-----BEGIN CERTIFICATE-----"',
    PRIVATE_KEY: 'put a private key there, which begins with "-----BEGIN PRIVATE KEY-----"',
    REQUEST: 'put a certificate request there, which begins with "-----BEGIN CERTIFICATE REQUEST-----"',
}

UTF16 = "is text in UTF-16, as > of Windows PowerShell writes it: save it as ASCII or UTF-8"
TWICE = "is encoded in base64 once too often: put the PEM text itself there"
NO_LINES = 'is base64 without its first and last line: add "-----BEGIN ...-----" and "-----END ...-----"'
ESCAPED = "has the two characters \\n where a line ends: write real line breaks, in YAML with | after the field"
NO_END = 'is cut off: its last line, "-----END ...-----", is missing'
NO_BLOCK = "holds no PEM block"

DIGESTS = {
    "md5": "is signed with MD5, which can be forged: make it again with SHA-256, as with openssl req -new -sha256",
    "sha1": "is signed with SHA-1, which can be forged: make it again with SHA-256, as with openssl req -new -sha256",
}
UNKNOWN_DIGEST = "is signed with an algorithm that is not supported ({oid}): make it again with SHA-256, as with openssl req -new -sha256"
PSS_KEY = (
    "has an RSA-PSS key, and a certificate says of an RSA key that it may sign in every way: make a plain RSA key, as with"
    " openssl genrsa 3072"
)
VERSION = (
    "is of version {version}, and there is only version 1 (RFC 2986): make it again with another tool, such as openssl"
)
NO_ATTRIBUTES = "lacks the attributes, which must be there even if there are none (RFC 2986): make it again with another tool, such as openssl"
SUBJECT = (
    "has a subject with text that is not UTF-8, or not of the string type that it names: make it again with names in UTF-8, as"
    " with openssl req -utf8"
)
EXTENSIONS = (
    "asks for extensions that cannot be parsed, such as a DNS name that is not ASCII, or for one twice: make it again without"
    " extensions, which change nothing in the certificate"
)

_ARC_PKCS7 = bytes.fromhex("06092a864886f70d0107")  # content types, RFC 2315 §14
_VERSION_3 = bytes.fromhex("020103")
"""The first that is in a PKCS#12 file (RFC 7292 §4)."""
_JAVA = bytes.fromhex("feedfeed")
_HEAD = 64
_PRINTABLE = 0x13
_ENCODINGS = {0x0C: "utf-8", _PRINTABLE: "ascii", 0x16: "ascii", 0x1A: "ascii", 0x1C: "utf-32-be", 0x1E: "utf-16-be"}
"""By the tag of a string."""
_ATTRIBUTES = 0xA0
"""Context tag 0, constructed."""
_ENCODED_BEGIN = b"LS0tLS1CRUdJTi"
"""-----BEGIN, in base64."""


def not_pem(thing: str, data: bytes) -> str:
    """What bytes without a PEM block are, and what to do, as a sentence on the thing."""
    if (found := _binary(data)) is not None:
        return _says(thing, found)
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"B\0E\0G\0I\0N\0" in data or b"\0B\0E\0G\0I\0N" in data:
        return f"{thing} {UTF16}"
    text = b"".join(data[: 4 * _HEAD].split())
    if text.startswith(_ENCODED_BEGIN):
        return f"{thing} {TWICE}"
    if text[:1] == b"M":  # as all DER sequences begin
        return _base64_alone(thing, text)
    if text.startswith((b"ssh-", b"ecdsa-sha2-", b"sk-")):
        return _says(thing, OPENSSH)
    return f"{thing} {NO_BLOCK}"


def _binary(data: bytes) -> Format | None:
    """The format of binary data; a certificate, a key and a request are each one long DER sequence."""
    head = data[:_HEAD]
    if head.startswith(_JAVA):
        return JAVA
    if len(head) < 2 or head[0] != der.SEQUENCE or not (0x80 <= head[1] <= 0x84 or len(data) == 2 + head[1]):
        return None  # below 128 bytes are keys on elliptic curves
    before, is_pkcs7, _ = head.partition(_ARC_PKCS7)
    if is_pkcs7:
        return PKCS12 if _VERSION_3 in before else PKCS7
    return DER


def _base64_alone(thing: str, text: bytes) -> str:
    """Of base64 without the lines of PEM: a PKCS#12 or PKCS#7 file is named, anything else needs the lines."""
    try:
        found = _binary(binascii.a2b_base64(text[: len(text) // 4 * 4], strict_mode=True))
    except binascii.Error:
        return f"{thing} {NO_BLOCK}"
    if found is None:
        return f"{thing} {NO_LINES if text[:2] == b'MI' else NO_BLOCK}"
    return f"{thing} {NO_LINES}" if found is DER else _says(thing, found)


def _says(thing: str, found: Format) -> str:
    command = found.commands.get(thing)
    fix = f"convert it, as with {command}" if command else _NEEDED.get(thing, "put PEM there")
    return f"{thing} {found.problem}: {fix}"


def other_block(thing: str, data: bytes) -> str | None:
    """What is wrong with PEM that holds no block of the thing, as a sentence on it; None: there is such a block."""
    found = [label.decode() for label in re.findall(rb"-----BEGIN ([A-Z0-9 #]{1,40})-----", data)]
    if set(found) & set(LABELS[thing]):
        return None
    known = next((_OTHER_BLOCKS[label] for label in found if label in _OTHER_BLOCKS), None)
    if known is not None:
        return _says(thing, known)
    return f"{thing} holds no PEM block of its kind: {_NEEDED[thing]}"


def damage(thing: str, data: bytes) -> str | None:
    """What is wrong with the lines of a PEM block of the thing, as a sentence on it; None: nothing that is seen here."""
    if any(b"-----BEGIN %b-----\\n" % label.encode() in data for label in LABELS[thing]):
        return f"{thing} {ESCAPED}"
    if not any(b"-----END %b-----" % label.encode() in data for label in LABELS[thing]):
        return f"{thing} {NO_END}"
    return None


_ENCRYPTED_HEADER = re.compile(rb"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----\s{1,8}Proc-Type: ?4, ?ENCRYPTED")


def is_encrypted(data: bytes) -> bool:
    """Whether the private key in these bytes is encrypted: its label says so, or its header (RFC 1421 §4.6.1.1)."""
    plain = any(b"-----BEGIN %b-----" % label.encode() in data for label in LABELS[PRIVATE_KEY])
    if not plain:
        return b"-----BEGIN ENCRYPTED PRIVATE KEY-----" in data or _ENCRYPTED_HEADER.search(data) is not None
    first = re.search(rb"-----BEGIN (?:RSA |EC )?PRIVATE KEY-----", data)
    return first is not None and _ENCRYPTED_HEADER.match(data, first.start()) is not None


def request_form(content: bytes) -> str | None:
    """What is wrong with the form of a request, DER, that openssl reads all the same (RFC 2986 §4.1); None: nothing.

    Raises NotDer.
    """
    signed, *_ = der.children(content, der.whole(content, der.SEQUENCE))
    parts = der.children(content, signed)
    if len(parts) < 3 or parts[0].tag != der.INTEGER:
        raise der.NotDer("no request")
    version = int.from_bytes(content[parts[0].start : parts[0].stop], signed=True)
    if version != 0:
        return VERSION.format(version=version + 1)
    if all(part.tag != _ATTRIBUTES for part in parts[3:]):
        return NO_ATTRIBUTES
    return None if all(_fits(content, text) for text in _texts(content, parts[1])) else SUBJECT


def _texts(content: bytes, name: der.Element) -> Iterator[der.Element]:
    """The values of the attributes of a name, DER (RFC 5280 §4.1.2.4). Raises NotDer."""
    for several in der.children(content, name):
        for attribute in der.children(content, several):
            yield from der.children(content, attribute)[1:]


def _fits(content: bytes, text: der.Element) -> bool:
    """Whether a string is of the type that its tag names (X.680 §41); other types are not looked at."""
    value, encoding = content[text.start : text.stop], _ENCODINGS.get(text.tag)
    if text.tag == _PRINTABLE and re.fullmatch(rb"[-A-Za-z0-9 '()+,./:=?]*", value) is None:
        return False
    try:
        return encoding is None or value.decode(encoding) is not None
    except UnicodeDecodeError:
        return False
