"""Names: what may be said is certified exactly so, as openssl reads it; what may not is named with what to write instead."""

import re
import string
from dataclasses import fields

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from doorward.pki.certificates import build_leaf, describe
from doorward.pki.pem import certificate_pem
from doorward.pki.subjects import AltNames, Subject, display, problems, to_san
from tests.support.openssl import OpenSsl
from tests.unit.given import ca
from tests.unit.pki.given import template

LAWFUL = {
    "a quote": 'al"ice',
    "a semicolon": "al;ice",
    "a closing brace": "al}ice",
    "a comma": "al,ice",
    "a plus sign": "al+ice",
    "an equals sign": "al=ice",
    "a backslash": "al\\ice",
    "an escaped comma": "al\\,ice",
    "a number sign in front": "#alice",
    "a slash": "/CN=root",
    "a dollar sign": "${ssl_client_s_dn}",
    "two spaces within": "al  ice",
    "an umlaut": "älice",
    "an emoji": "alice 🚪",
    "emoji side by side": "👩💻",
    "Chinese": "爱丽丝",
    "one letter": "a",
    "64 letters": "a" * 64,
    "64 bytes in 16 emoji": "🚪" * 16,
}
UNLAWFUL = {
    "nothing": ("", "commonName is empty"),
    "65 letters": ("a" * 65, "commonName has 65 bytes in UTF-8; shorten it to 64"),
    "17 emoji": ("🚪" * 17, "commonName has 68 bytes in UTF-8; shorten it to 64"),
    "33 letters of two bytes": ("ä" * 33, "commonName has 66 bytes in UTF-8; shorten it to 64"),
    "a newline": ("al\nice", "commonName holds a control character or line break ('al\\nice'); leave it out"),
    "a carriage return": ("al\rice", "control character"),
    "a tab": ("al\tice", "control character"),
    "a turn of direction": ("alice\u202ebob", "control character"),
    "NUL": ("alice\0.example", "control character"),
    "a line separator": ("al\u2028ice", "line break"),
    "half a character": ("al\ud83dice", "control character"),
    "a zero-width space": (
        "al\u200bice",
        "holds the character U+200B, which nobody sees ('al\\u200bice'); leave it out",
    ),
    "an emoji of several code points": ("👩\u200d💻", "holds the character U+200D, which nobody sees"),
    "a fullwidth letter": ("\uff41lice", "another spelling of the same text, in normal form NFKC: write 'alice'"),
    "an accent on nothing": ("\u0338alice", "holds a combining mark on no letter, or twice on one"),
    "a space in front": (" alice", "begins or ends with white space"),
    "a space behind": ("alice ", "begins or ends with white space"),
    "a space alone": (" ", "begins or ends with white space"),
}
ALT_NAMES = {
    "a host name": AltNames(dns_names=("host.example.com",)),
    "a wildcard": AltNames(dns_names=("*.example.com",)),
    "punycode": AltNames(dns_names=("xn--bcher-kva.example",)),
    "a label of 63": AltNames(dns_names=("a" * 63 + ".example",)),
    "an email address": AltNames(email_addresses=("alice+doors@example.com",)),
    "a SPIFFE ID": AltNames(uris=("spiffe://example.com/ns/edge/sa/alice",)),
    "a URN": AltNames(uris=("urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",)),
}
BAD_ALT_NAMES = {
    "a host name of two words": (AltNames(dns_names=("two words",)), "dnsNames: 'two words' is no DNS name"),
    "an IP address": (AltNames(dns_names=("10.0.0.1",)), "is no DNS name"),
    "an umlaut in a host name": (AltNames(dns_names=("bücher.example",)), "write it in ASCII (punycode)"),
    "a star within": (AltNames(dns_names=("a*.example",)), "is no DNS name"),
    "a star alone": (AltNames(dns_names=("*",)), "is no DNS name"),
    "a label of 64": (AltNames(dns_names=("a" * 64,)), "is no DNS name"),
    "a trailing newline in a host name": (AltNames(dns_names=("host.example\n",)), "is no DNS name"),
    "no host name": (AltNames(dns_names=("",)), "is no DNS name"),
    "an address without @": (AltNames(email_addresses=("alice",)), "emailAddresses: 'alice' is no ASCII email address"),
    "an address with two @": (AltNames(email_addresses=("a@b@c",)), "is no ASCII email address"),
    "a bracket in an address": (AltNames(email_addresses=("[@x",)), "is no ASCII email address"),
    "two addresses": (AltNames(email_addresses=("a@b,c@d",)), "is no ASCII email address"),
    "a name and an address": (AltNames(email_addresses=("Alice<alice@b>",)), "is no ASCII email address"),
    "a newline in an address": (AltNames(email_addresses=("a@b\n",)), "is no ASCII email address"),
    "a relative URI": (AltNames(uris=("/path",)), "uris: '/path' is no absolute ASCII URI"),
    "a URI with a space": (AltNames(uris=("https://a b",)), "is no absolute ASCII URI"),
    "a URI with an open bracket": (AltNames(uris=("https://[",)), "is no absolute ASCII URI"),
}


ATTRIBUTES = [field.name for part in (Subject, AltNames) for field in fields(part)]
"""All that a certificate can say of its client."""


def subject_saying(attribute: str, text: str) -> tuple[Subject, AltNames]:
    """A certificate's names with that text in that attribute."""
    if attribute in ("common_name", "serial_number"):
        return Subject(**{"common_name": "alice", attribute: text}), AltNames()
    if attribute in {field.name for field in fields(Subject)}:
        return Subject(common_name="alice", **{attribute: (text,)}), AltNames()
    around = {"dns_names": "{}", "email_addresses": "{}@b.example", "uris": "urn:x:{}"}[attribute]
    return Subject(common_name="alice"), AltNames(**{attribute: (around.format(text),)})


def subject(common_name: str = "alice", **parts: tuple[str, ...] | str) -> Subject:
    return Subject(common_name=common_name, **parts)


def certified(said: Subject, alt_names: AltNames | None = None) -> x509.Certificate:
    return build_leaf(template(subject=said, alt_names=alt_names or AltNames()), ca())


@pytest.mark.parametrize("name", LAWFUL.values(), ids=LAWFUL)
def test_openssl_reads_exactly_the_common_name_that_was_asked_for(openssl: OpenSsl, name: str) -> None:
    assert problems(subject(name), None) == ()
    assert openssl.subject(certificate_pem(certified(subject(name)))) == [f"CN={name}"]


@pytest.mark.parametrize("name", LAWFUL.values(), ids=LAWFUL)
def test_the_name_for_people_is_the_one_that_openssl_shows(openssl: OpenSsl, name: str) -> None:
    made = certified(subject(name, organizations=("ACME",)))
    options = ("-nameopt", "RFC2253,-esc_msb,utf8")
    said = openssl.says("x509", "-noout", "-subject", *options, stdin=certificate_pem(made))
    assert said == f"subject={display(made.subject)}\n"


@pytest.mark.promise(7)
@pytest.mark.parametrize(("name", "says"), UNLAWFUL.values(), ids=UNLAWFUL)
def test_what_no_common_name_may_be_is_said_in_a_sentence(name: str, says: str) -> None:
    assert says in problems(subject(name), None)[0]


@pytest.mark.parametrize(("name", "says"), UNLAWFUL.values(), ids=UNLAWFUL)
def test_the_sentence_is_printable_ascii(name: str, says: str) -> None:
    assert all(re.fullmatch(r"[ -~]+", said) for said in problems(subject(name), None)), says


@pytest.mark.parametrize("alt_names", ALT_NAMES.values(), ids=ALT_NAMES)
def test_openssl_reads_exactly_the_alternative_name_that_was_asked_for(openssl: OpenSsl, alt_names: AltNames) -> None:
    assert problems(subject(), alt_names) == ()
    said = openssl.says(
        *("x509", "-noout", "-ext", "subjectAltName"), stdin=certificate_pem(certified(subject(), alt_names))
    )
    value = (*alt_names.dns_names, *alt_names.email_addresses, *alt_names.uris)[0]
    assert said.splitlines()[1].strip().partition(":")[2] == value


@pytest.mark.parametrize(("alt_names", "says"), BAD_ALT_NAMES.values(), ids=BAD_ALT_NAMES)
def test_what_no_alternative_name_may_be_is_said_in_a_sentence(alt_names: AltNames, says: str) -> None:
    (said,) = problems(subject(), alt_names)
    assert says in said


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"countries": ("DEU",)}, "subject.countries has 3 bytes in UTF-8; shorten it to 2"),
        ({"countries": ("D1",)}, "subject.countries: 'D1' is not two letters"),
        ({"organizations": ("x" * 65,)}, "subject.organizations has 65 bytes in UTF-8; shorten it to 64"),
        ({"organizational_units": ("a\nb",)}, "subject.organizational_units holds a control character"),
        ({"serial_number": "äöü"}, "subject.serialNumber takes letters, digits"),
        ({"postal_codes": ("",)}, "subject.postal_codes is empty"),
    ],
    ids=["a country of 3", "a country with a digit", "65 letters", "a newline", "an umlaut in a serial", "nothing"],
)
def test_what_other_parts_may_not_say_is_named(parts: dict[str, tuple[str, ...]], says: str) -> None:
    assert any(said.startswith(says) for said in problems(subject(**parts), None))


def test_all_that_is_wrong_is_said_at_once() -> None:
    bad = subject("", countries=("X",), organizations=("",))
    assert len(problems(bad, AltNames(dns_names=("a b", "c d")))) == 5


def test_the_parts_stand_in_their_order_the_common_name_last(openssl: OpenSsl) -> None:
    said = subject(
        organizational_units=("ops", "night"), organizations=("ACME, Inc.",), countries=("DE",), serial_number="7"
    )
    expected = ["C=DE", "O=ACME, Inc.", "OU=ops", "OU=night", "serialNumber=7", "CN=alice"]
    assert openssl.subject(certificate_pem(certified(said))) == expected


def test_without_alternative_names_there_is_no_such_extension() -> None:
    assert to_san(AltNames()) is None


TEXT = st.text(st.characters(exclude_categories=("C", "Z", "M")), min_size=1, max_size=16).filter(
    lambda text: not problems(Subject(common_name=text), None)
)
ALT_NAME = st.text("aZ0" + string.punctuation + " ", min_size=1, max_size=12)


@settings(max_examples=40)
@given(name=TEXT, organization=TEXT)
def test_openssl_reads_whatever_is_lawful(openssl: OpenSsl, name: str, organization: str) -> None:
    said = subject(name, organizations=(organization,))
    assert problems(said, None) == ()
    assert openssl.subject(certificate_pem(certified(said))) == [f"O={organization}", f"CN={name}"]


@settings(max_examples=1000)
@given(
    alt_names=st.builds(lambda value: AltNames(dns_names=(value,)), ALT_NAME)
    | st.builds(lambda value: AltNames(email_addresses=(f"{value}@x",)), ALT_NAME)
    | st.builds(lambda value: AltNames(uris=(f"urn:{value}",)), ALT_NAME)
)
def test_alternative_names_without_problems_are_certified_and_read_back(alt_names: AltNames) -> None:
    if not problems(subject(), alt_names):
        assert describe(certified(subject(), alt_names)).alt_names == alt_names


@given(name=st.text(max_size=80))
def test_a_name_without_problems_is_certified_and_read_back(name: str) -> None:
    if not problems(subject(name), None):
        assert describe(certified(subject(name))).subject == subject(name)
