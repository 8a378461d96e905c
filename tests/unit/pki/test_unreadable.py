"""A CA that nobody could read is refused, and the message names the part: of its certificate, and of what a gate would get."""

import pytest
from hypothesis import given as for_any

from doorward.pki.ca_loading import load_ca
from doorward.pki.certificates import CertificateAuthority
from doorward.pki.keys import private_key_pem
from doorward.pki.pem import CaUnreadable, Malformed, PkiError, load_certificates, pem_of
from tests.support import odd_ca
from tests.support.odd_ca import IS_CA, MAY_SIGN, Attribute, cn, extension, name, tlv
from tests.unit.given import CA_BORN, CA_ENDS, NOW, ca, key
from tests.unit.pki.junk import changed

KEY = key(300)
AGAIN = "make the CA again with names of the type UTF8String (openssl: string_mask = utf8only)"
LENGTH = "ignore:Attribute's length must be"
OTHER_NAME = tlv(0xA3, tlv(odd_ca.SEQUENCE))


def made(**parts: object) -> bytes:
    """A self-signed CA, DER."""
    usual = {
        "key": KEY,
        "subject": name(cn("Corp CA")),
        "not_before": odd_ca.time(CA_BORN),
        "not_after": odd_ca.time(CA_ENDS),
    }
    return odd_ca.certificate(**(usual | parts))  # type: ignore[arg-type]


def load(certificate: bytes) -> CertificateAuthority:
    pem = pem_of("CERTIFICATE", certificate)
    return load_ca(certificate=pem, key=private_key_pem(KEY).reveal(), chain=None, now=NOW)


def named(kind: int, value: bytes, of: str = odd_ca.COMMON_NAME) -> dict[str, bytes]:
    return {"subject": name(Attribute(of, kind, value), cn("Corp CA"))}


def extended(dotted: str, value: bytes) -> dict[str, object]:
    return {"extensions": (IS_CA, MAY_SIGN, extension(dotted, value))}


def constraints(base: bytes) -> dict[str, object]:
    subtree = tlv(odd_ca.SEQUENCE, base)
    return extended(odd_ca.NAME_CONSTRAINTS, tlv(odd_ca.SEQUENCE, tlv(0xA0, subtree)))


UNREADABLE = {
    "Latin-1 as TeletexString": (
        {"subject": name(cn("Zürich CA", odd_ca.TELETEX))},
        f"its subject cannot be read: its commonName is a TeletexString whose text is not ASCII; {AGAIN}",
    ),
    "UTF-8 as PrintableString": (
        named(odd_ca.PRINTABLE, "Zürich".encode(), odd_ca.ORGANIZATION),
        "its subject cannot be read: its organizationName is a PrintableString with a character that this type does not have",
    ),
    "an asterisk in a PrintableString": (
        named(odd_ca.PRINTABLE, b"*"),
        "its commonName is a PrintableString with a char",
    ),
    "an at sign in a PrintableString": (
        named(odd_ca.PRINTABLE, b"a@b"),
        "its commonName is a PrintableString with a char",
    ),
    "a half of a character in a BMPString": (named(odd_ca.BMP, b"a"), "its commonName is a BMPString with a character"),
    "a lone surrogate in a BMPString": (named(odd_ca.BMP, b"\xd8\0"), "its commonName is a BMPString with a character"),
    "UTF8String that is none": (named(odd_ca.UTF8, b"\xff"), "its commonName is a UTF8String whose text is not UTF-8"),
    "GeneralString": (named(odd_ca.GENERAL, b"Corp"), "its commonName is a GeneralString"),
    "a number for a name": (named(odd_ca.INTEGER, b"1"), "its commonName is of a type that is no string"),
    "an attribute nobody knows": (
        named(odd_ca.GENERAL, b"Corp", "1.2.3.4"),
        "its subject cannot be read: an attribute of another type is a GeneralString",
    ),
    "its issuer's name": (
        {"issuer": name(cn("Zürich", odd_ca.TELETEX))},
        "its issuer cannot be read: its commonName is a TeletexString",
    ),
    "a fraction of a second": (
        {"not_before": tlv(odd_ca.GENERALIZED_TIME, b"20200101000000.5Z")},
        "its validity cannot be read",
    ),
    "the year 0": ({"not_before": tlv(odd_ca.GENERALIZED_TIME, b"00000101000000Z")}, "its validity cannot be read"),
    "a time zone": ({"not_before": tlv(odd_ca.UTC_TIME, b"200101000000+0100")}, "its validity cannot be read"),
    "a serial number with a zero too many": ({"serial": tlv(odd_ca.INTEGER, b"\0\0\1")}, "its serial number cannot be"),
    "version 2": ({"version": 1}, "its version cannot be read"),
    "version 4": ({"version": 3}, "its version cannot be read"),
    "a public key that is none": ({"public_key": tlv(odd_ca.SEQUENCE)}, "its public key cannot be read"),
    "an extension twice": (
        {"extensions": (IS_CA, MAY_SIGN, IS_CA)},
        "its extension basicConstraints stands in it more",
    ),
    "a negative path length": (
        {"extensions": (extension(odd_ca.BASIC, tlv(48, tlv(odd_ca.BOOLEAN, b"\xff"), odd_ca.integer(-1))), MAY_SIGN)},
        "its extension basicConstraints cannot be read",
    ),
    "an X.400 address that is permitted": (constraints(OTHER_NAME), "its extension nameConstraints cannot be read"),
    "a mask with holes": (constraints(tlv(0x87, b"\x0a\0\0\0\xff\0\xff\0")), "its extension nameConstraints cannot be"),
    "an X.400 address of its own": (
        extended(odd_ca.ALT_NAMES, tlv(odd_ca.SEQUENCE, OTHER_NAME)),
        "its extension subjectAltName cannot be read",
    ),
    "an identifier that is none": (
        extended(odd_ca.SUBJECT_KEY, b"\x05\0"),
        "its extension subjectKeyIdentifier cannot be",
    ),
}
UNSHOWABLE = {
    "UTF-8 as IA5String": (
        named(odd_ca.IA5, "zürich".encode(), odd_ca.DOMAIN_COMPONENT),
        "its domainComponent is an IA5String whose text is not ASCII",
    ),
    "letters in a NumericString": (named(odd_ca.NUMERIC, b"12a"), "its commonName is a NumericString with a character"),
    "UniversalString": (
        named(odd_ca.UNIVERSAL, "Corp".encode("utf-32-be")),
        f"its commonName is a UniversalString; {AGAIN}",
    ),
    "VisibleString": (named(odd_ca.VISIBLE, b"Corp"), "its commonName is a VisibleString"),
    "the last of many attributes": (
        {"subject": name(*[cn("Corp")] * 300, cn("Corp", odd_ca.VISIBLE))},
        "its commonName is a VisibleString",
    ),
    "octets": (named(odd_ca.OCTET_STRING, b"Corp"), "its commonName is an OCTET STRING"),
    "bits": (
        named(odd_ca.BIT_STRING, b"\0Corp", "2.5.4.45"),
        "an attribute of another type is a BIT STRING",
    ),
    "two units of UTF-16 in a BMPString": (
        named(odd_ca.BMP, "\N{DOOR}".encode("utf-16-be")),
        "its commonName is a BMPString with a character that this type does not have",
    ),
    "no character in a BMPString": (
        named(odd_ca.BMP, b"\xff\xff"),
        "its commonName is a BMPString with a character that",
    ),
    "a UUID for an attribute's type": (
        named(odd_ca.UTF8, b"Corp", "2.25.3325839809379844461264382260940242222"),
        "the type of an attribute has an arc of more than 31 bits",
    ),
}
READABLE = {
    "UTF8String": named(odd_ca.UTF8, "Zürich \N{DOOR}".encode()),
    "UTF-8 as TeletexString": named(odd_ca.TELETEX, "Zürich".encode()),
    "PrintableString": named(odd_ca.PRINTABLE, b"Corp '()+,-./:=?"),
    "IA5String": named(odd_ca.IA5, b"a@b_c", odd_ca.EMAIL),
    "NumericString": named(odd_ca.NUMERIC, b"12 34"),
    "BMPString": named(odd_ca.BMP, "Zürich".encode("utf-16-be")),
    "an attribute nobody knows": named(odd_ca.UTF8, b"Corp", f"1.2.{2**31 - 1}.4"),
    "several attributes in one": {"subject": name((cn("Corp CA"), Attribute(odd_ca.UNIT, odd_ca.UTF8, b"x")))},
    "no name at all": {"subject": name()},
    "a value without a character": named(odd_ca.UTF8, b""),
}


@pytest.mark.promise(7)
@pytest.mark.parametrize(("parts", "says"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_certificate_that_cannot_be_parsed_is_refused_with_the_part_that_is_why(
    parts: dict[str, object], says: str
) -> None:
    with pytest.raises(Malformed) as caught:
        load(made(**parts))
    assert str(caught.value).startswith("the certificate cannot be parsed: its ")
    assert says in str(caught.value)


@pytest.mark.promise(7)
@pytest.mark.parametrize(("parts", "says"), UNSHOWABLE.values(), ids=UNSHOWABLE)
def test_a_name_that_the_go_of_a_data_plane_cannot_read_is_refused(parts: dict[str, object], says: str) -> None:
    with pytest.raises(CaUnreadable) as caught:
        load(made(**parts))
    assert says in str(caught.value)


@pytest.mark.filterwarnings(LENGTH)
@pytest.mark.parametrize("parts", READABLE.values(), ids=READABLE)
def test_a_name_that_everybody_can_read_is_shown_byte_for_byte(parts: dict[str, bytes]) -> None:
    assert load(made(**parts)).anchor.subject.public_bytes() == parts["subject"]


def test_a_public_exponent_that_go_cannot_hold_is_refused() -> None:
    large = odd_ca.rsa_key(521, 2203, exponent=2**64 + 13)
    pem = pem_of("CERTIFICATE", made(key=large))
    with pytest.raises(CaUnreadable, match="its public exponent has 65 bits; make an RSA key with the exponent 65537"):
        load_ca(certificate=pem, key=private_key_pem(large).reveal(), chain=None, now=NOW)


def test_of_several_certificates_in_a_file_the_one_that_cannot_be_read_is_named() -> None:
    good, bad = pem_of("CERTIFICATE", made()), pem_of("CERTIFICATE", made(version=3))
    with pytest.raises(Malformed, match="cannot be parsed, 2 of 3 in the file: its version cannot be read"):
        load_certificates(good + bad + good)


def test_damaged_base64_is_named() -> None:
    with pytest.raises(Malformed, match="cannot be parsed: its base64 is damaged"):
        load_certificates(b"-----BEGIN CERTIFICATE-----\nMII*\n-----END CERTIFICATE-----\n")


@pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive", LENGTH)
@for_any(body=changed(made()))
def test_a_damaged_ca_is_taken_or_refused_with_a_reason(body: bytes) -> None:
    refused = ""
    try:
        load(body)
    except PkiError as error:
        refused = str(error)
    assert refused != "the certificate cannot be parsed"


def test_the_parts_of_a_ca_that_is_well_are_not_blamed() -> None:
    assert load(made()).certificate.subject == load(made()).anchor.subject
    assert load_certificates(pem_of("CERTIFICATE", ca().certificate.public_bytes(odd_ca.Encoding.DER)))
