"""The string types in the names of certificates, byte by byte (RFC 5280 §4.1.2.4): which of them everybody can read.

cryptography refuses a whole certificate for one of them, and says neither which nor why; the Go of ingress-nginx refuses
others, so that a gate with such a name stays as it was.
"""

import string
from collections.abc import Iterator

from doorward.pki import der
from doorward.pki.der import Element

_ADVICE = "make the CA again with names of the type UTF8String (openssl: string_mask = utf8only)"
_OID = 0x06
_UTF8, _NUMERIC, _PRINTABLE, _TELETEX, _IA5, _BMP = 12, 18, 19, 20, 22, 30
_TYPES = {
    3: "a BIT STRING",
    4: "an OCTET STRING",
    _UTF8: "a UTF8String",
    _NUMERIC: "a NumericString",
    _PRINTABLE: "a PrintableString",
    _TELETEX: "a TeletexString",
    21: "a VideotexString",
    _IA5: "an IA5String",
    25: "a GraphicString",
    26: "a VisibleString",
    27: "a GeneralString",
    28: "a UniversalString",
    _BMP: "a BMPString",
}
_ATTRIBUTES = {
    "0603550403": "commonName",
    "0603550404": "surname",
    "0603550405": "serialNumber",
    "0603550406": "countryName",
    "0603550407": "localityName",
    "0603550408": "stateOrProvinceName",
    "0603550409": "streetAddress",
    "060355040a": "organizationName",
    "060355040b": "organizationalUnitName",
    "060355040c": "title",
    "0603550411": "postalCode",
    "0603550461": "organizationIdentifier",
    "06092a864886f70d010901": "emailAddress",
    "060a0992268993f22c640119": "domainComponent",
    "060a0992268993f22c640101": "userId",
}
_PRINTABLE_BYTES = frozenset((string.ascii_letters + string.digits + " '()+,-./:=?").encode())
"""X.680 §41.4. Go also takes the asterisk and the ampersand, cryptography does not."""
_NUMERIC_BYTES = frozenset(b"0123456789 ")
_SURROGATES, _NO_CHARACTERS = range(0xD800, 0xE000), frozenset((0xFFFE, 0xFFFF, *range(0xFDD0, 0xFDF0)))
_MOST_ARC = (1 << 31) - 1


def problem(data: bytes, name: Element) -> str:
    """What cannot be read in that name, DER, such as "its commonName is a UniversalString", and what to do; empty: all can."""
    try:
        found = (_problem(data, attribute) for attribute in _attributes(data, name))
        return next(filter(None, found), "")
    except der.NotDer:
        return "it is no DER"


def _attributes(data: bytes, name: Element) -> Iterator[Element]:
    for relative in der.children(data, name):
        yield from der.children(data, relative)


def _problem(data: bytes, attribute: Element) -> str:
    parts = der.children(data, attribute)
    if len(parts) != 2 or parts[0].tag != _OID:
        return "it holds an attribute without a type and a value"
    kind, value = parts
    known = _ATTRIBUTES.get(der.raw(data, kind).hex())
    if _has_large_arc(data[kind.start : kind.stop]):
        return "the type of an attribute has an arc of more than 31 bits; make the CA again without that attribute"
    why = _why_not(value.tag, data[value.start : value.stop])
    if not why:
        return ""
    return f"{f'its {known}' if known else 'an attribute of another type'} is {why}; {_ADVICE}"


def _has_large_arc(identifier: bytes) -> bool:
    arc = 0
    for octet in identifier:
        arc = arc << 7 | octet & 0x7F
        if arc > _MOST_ARC:
            return True
        if not octet & 0x80:
            arc = 0
    return False


def _why_not(tag: int, value: bytes) -> str:
    """What is wrong with a value of that string type; empty: nothing."""
    called = _TYPES.get(tag, "of a type that is no string")
    if tag in (_UTF8, _TELETEX, _IA5):
        codec = "ascii" if tag == _IA5 else "utf-8"
        text = "UTF-8" if tag == _UTF8 else "ASCII"
        return "" if _decodes(value, codec) else f"{called} whose text is not {text}"
    if tag in (_PRINTABLE, _NUMERIC):
        allowed = _PRINTABLE_BYTES if tag == _PRINTABLE else _NUMERIC_BYTES
        return "" if allowed.issuperset(value) else f"{called} with a character that this type does not have"
    if tag == _BMP:
        points = [int.from_bytes(value[at : at + 2]) for at in range(0, len(value), 2)]
        odd = len(value) % 2 or any(point in _SURROGATES or point in _NO_CHARACTERS for point in points)
        return f"{called} with a character that this type does not have" if odd else ""
    return called


def _decodes(value: bytes, codec: str) -> bool:
    try:
        value.decode(codec)
    except UnicodeDecodeError:
        return False
    return True
