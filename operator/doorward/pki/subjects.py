"""Names: what a subject and its alternative names may say, and their X.509 form.

Quotes, semicolons, braces, commas, plus signs, backslashes and emoji are lawful in a common name and are encoded as
what they are. Refused are characters that nobody sees, spaces at either end, and a second spelling of the same look.
"""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import NameOID

from doorward.pki import visible

MAX_COMMON_NAME = 64  # RFC 5280, ub-common-name; cryptography counts UTF-8 bytes (measured)
_LABEL = re.compile(r"^(?!-)[a-zA-Z0-9_-]{1,63}(?<!-)$")
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")  # dot-atoms, RFC 5322 §3.2.3

_ATTRIBUTES = (
    ("countries", NameOID.COUNTRY_NAME, 2),
    ("provinces", NameOID.STATE_OR_PROVINCE_NAME, 128),
    ("localities", NameOID.LOCALITY_NAME, 128),
    ("street_addresses", NameOID.STREET_ADDRESS, 128),
    ("postal_codes", NameOID.POSTAL_CODE, 40),
    ("organizations", NameOID.ORGANIZATION_NAME, 64),
    ("organizational_units", NameOID.ORGANIZATIONAL_UNIT_NAME, 64),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A distinguished name in parts."""

    common_name: str
    organizations: tuple[str, ...] = ()
    organizational_units: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    localities: tuple[str, ...] = ()
    provinces: tuple[str, ...] = ()
    street_addresses: tuple[str, ...] = ()
    postal_codes: tuple[str, ...] = ()
    serial_number: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AltNames:
    """Subject alternative names."""

    dns_names: tuple[str, ...] = ()
    email_addresses: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()


def problems(subject: Subject, alt_names: AltNames | None) -> tuple[str, ...]:
    """All that no certificate can say, each a sentence that says what to write instead; empty: all is well."""
    found = [*_text_problems("commonName", subject.common_name, MAX_COMMON_NAME)]
    for field, _, limit in _ATTRIBUTES:
        for value in getattr(subject, field):
            found += _text_problems(f"subject.{field}", value, limit)
    found += [
        f"subject.countries: {_shown(c)} is not two letters"
        for c in subject.countries
        if not re.fullmatch("[A-Za-z]{2}", c)
    ]
    if subject.serial_number:
        found += _text_problems("subject.serialNumber", subject.serial_number, 64)
        if not re.fullmatch(r"[A-Za-z0-9 '()+,./:=?-]*", subject.serial_number):
            found.append("subject.serialNumber takes letters, digits, space and '()+,-./:=? only")
    if alt_names is not None:
        found += _alt_name_problems(alt_names)
    return tuple(found)


def _shown(value: str) -> str:
    return ascii(value[:40])


def _text_problems(field: str, value: str, limit: int) -> Iterator[str]:
    size = len(value.encode("utf-8", "surrogatepass"))
    if not value:
        yield f"{field} is empty"
    elif size > limit:
        yield f"{field} has {size} bytes in UTF-8; shorten it to {limit}"
    if visible.holds_control(value):
        yield f"{field} holds a control character or line break ({_shown(value)}); leave it out"
    elif unseen := visible.unseen(value):
        yield f"{field} holds the character {unseen}, which nobody sees ({_shown(value)}); leave it out"
    elif (normal := visible.normal(value)) != value:
        yield f"{field} has another spelling of the same text, in normal form NFKC: write {normal[:40]!a}"
    elif visible.has_loose_mark(value):
        yield f"{field} holds a combining mark on no letter, or twice on one ({_shown(value)}); leave it out"
    if value != value.strip():
        yield f"{field} begins or ends with white space ({_shown(value)}); leave it out"


def _alt_name_problems(alt_names: AltNames) -> Iterator[str]:
    for name in alt_names.dns_names:
        labels = name.split(".")
        rest = labels[1:] if labels[0] == "*" and len(labels) > 1 else labels
        if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in rest) or _is_address(name):
            yield f"dnsNames: {_shown(name)} is no DNS name; write it in ASCII (punycode), such as host.example.com"
    for address in alt_names.email_addresses:
        if not _EMAIL.fullmatch(address):
            yield f"emailAddresses: {_shown(address)} is no ASCII email address, such as alice@example.com"
    for uri in alt_names.uris:
        if not uri.isascii() or re.search(r"[\x00-\x20\x7f<>\"{}|\\^`]", uri) or not _is_absolute(uri):
            yield f"uris: {_shown(uri)} is no absolute ASCII URI, such as spiffe://example.com/alice"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_absolute(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    return bool(parts.scheme) and bool(parts.netloc or parts.path)


def to_name(subject: Subject) -> x509.Name:
    """The X.509 name; the common name last, as openssl's `-subj` has it. ValueError where `problems` finds any."""
    attributes = [x509.NameAttribute(oid, value) for field, oid, _ in _ATTRIBUTES for value in getattr(subject, field)]
    if subject.serial_number:
        attributes.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, subject.serial_number))
    attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, subject.common_name))
    return x509.Name(attributes)


def from_name(name: x509.Name) -> Subject:
    """The parts of an X.509 name that a Subject has."""

    def values(oid: x509.ObjectIdentifier) -> tuple[str, ...]:
        return tuple(str(attribute.value) for attribute in name.get_attributes_for_oid(oid))

    parts = {field: values(oid) for field, oid, _ in _ATTRIBUTES}
    return Subject(
        common_name=next(iter(values(NameOID.COMMON_NAME)), ""),
        serial_number=next(iter(values(NameOID.SERIAL_NUMBER)), ""),
        **parts,
    )


def to_san(alt_names: AltNames) -> x509.SubjectAlternativeName | None:
    """The extension; None where there are no alternative names."""
    names: list[x509.GeneralName] = [
        *map(x509.DNSName, alt_names.dns_names),
        *map(x509.RFC822Name, alt_names.email_addresses),
        *map(x509.UniformResourceIdentifier, alt_names.uris),
    ]
    return x509.SubjectAlternativeName(names) if names else None


def from_san(san: x509.SubjectAlternativeName) -> AltNames:
    """The alternative names that an AltNames has."""
    return AltNames(
        dns_names=tuple(san.get_values_for_type(x509.DNSName)),
        email_addresses=tuple(san.get_values_for_type(x509.RFC822Name)),
        uris=tuple(san.get_values_for_type(x509.UniformResourceIdentifier)),
    )


def display(name: x509.Name) -> str:
    """The name for people, RFC 4514."""
    return name.rfc4514_string()
