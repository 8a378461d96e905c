"""Whether a CA may certify a name: as openssl says, of certificates that were made all the same."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from doorward.pki.ca_loading import load_ca
from doorward.pki.certificates import build_leaf
from doorward.pki.keys import private_key_pem
from doorward.pki.name_constraints import constraints_of, violation
from doorward.pki.pem import certificate_pem
from doorward.pki.subjects import AltNames, Subject
from tests.support import odd_ca
from tests.support.odd_ca import IS_CA, MAY_SIGN, SEQUENCE, Attribute, cn, tlv
from tests.support.openssl import OpenSsl
from tests.unit.given import CA_BORN, CA_ENDS, NOW, key
from tests.unit.pki.given import template

KEY = key(200)
ACME = Attribute(odd_ca.ORGANIZATION, odd_ca.UTF8, b"ACME  Ltd")
DNS, EMAIL, URI = 0x82, 0x81, 0x86


def directory(*attributes: Attribute) -> bytes:
    return tlv(0xA4, odd_ca.name(*attributes))


def constrained(permitted: tuple[bytes, ...], excluded: tuple[bytes, ...]) -> bytes:
    """The extension, critical."""
    trees = [
        tlv(tag, *(tlv(SEQUENCE, base) for base in bases))
        for tag, bases in ((0xA0, permitted), (0xA1, excluded))
        if bases
    ]
    return odd_ca.extension(odd_ca.NAME_CONSTRAINTS, tlv(SEQUENCE, *trees), critical=True)


BASES = {
    "one domain": ((tlv(DNS, b"example.com"),), ()),
    "hosts below a domain": ((tlv(DNS, b".example.com"),), ()),
    "two domains": ((tlv(DNS, b"other.org"), tlv(DNS, b"Example.COM")), ()),
    "no domain that is excluded": ((), (tlv(DNS, b"example.com"),)),
    "a domain but for one below it": ((tlv(DNS, b"example.com"),), (tlv(DNS, b"secret.example.com"),)),
    "any domain": ((tlv(DNS, b""),), ()),
    "no domain at all": ((), (tlv(DNS, b""),)),
    "one address": ((tlv(EMAIL, b"Alice@example.com"),), ()),
    "the addresses of a host": ((tlv(EMAIL, b"example.com"),), ()),
    "the addresses below a domain": ((tlv(EMAIL, b".example.com"),), ()),
    "no address of a host": ((), (tlv(EMAIL, b"example.com"),)),
    "the URIs of a host": ((tlv(URI, b"host.example.com"),), ()),
    "the URIs below a domain": ((tlv(URI, b".example.com"),), ()),
    "no URI of a host": ((), (tlv(URI, b"host.example.com"),)),
    "names of an organization": ((directory(ACME),), ()),
    "no name of an organization": ((), (directory(ACME),)),
    "one common name": ((directory(cn("Alice")),), ()),
    "addresses of IPv4": ((tlv(0x87, bytes(8)),), ()),
    "kinds that clients do not have": ((tlv(0x88, b"\x2a\x03"),), (tlv(0x87, bytes(8)),)),
}
CLIENTS = {
    "a plain name": (Subject(common_name="alice"), AltNames()),
    "an organization": (Subject(common_name="alice", organizations=("acme Ltd",)), AltNames()),
    "another organization": (Subject(common_name="alice", organizations=("ACME Ltd 2",)), AltNames()),
    "a domain": (Subject(common_name="a"), AltNames(dns_names=("example.com",))),
    "a host": (Subject(common_name="a"), AltNames(dns_names=("a.EXAMPLE.com",))),
    "a host that is secret": (Subject(common_name="a"), AltNames(dns_names=("a.secret.example.com",))),
    "a host with the same end": (Subject(common_name="a"), AltNames(dns_names=("anexample.com",))),
    "a wildcard": (Subject(common_name="a"), AltNames(dns_names=("*.example.com",))),
    "two hosts": (Subject(common_name="a"), AltNames(dns_names=("a.example.com", "a.example.org"))),
    "an address": (Subject(common_name="a"), AltNames(email_addresses=("Alice@example.com",))),
    "the same address in lower case": (Subject(common_name="a"), AltNames(email_addresses=("alice@EXAMPLE.com",))),
    "an address below": (Subject(common_name="a"), AltNames(email_addresses=("alice@mail.example.com",))),
    "a URI": (Subject(common_name="a"), AltNames(uris=("https://host.example.com:8443/a?b",))),
    "a URI below": (Subject(common_name="a"), AltNames(uris=("spiffe://a.host.example.com/x",))),
    "a URI elsewhere": (Subject(common_name="a"), AltNames(uris=("spiffe://example.org/x",))),
}


@pytest.mark.parametrize(("subject", "alt_names"), CLIENTS.values(), ids=CLIENTS)
@pytest.mark.parametrize(("permitted", "excluded"), BASES.values(), ids=BASES)
def test_a_name_is_refused_where_openssl_refuses_a_certificate_of_that_ca(
    openssl: OpenSsl,
    permitted: tuple[bytes, ...],
    excluded: tuple[bytes, ...],
    subject: Subject,
    alt_names: AltNames,
) -> None:
    made = odd_ca.certificate(
        key=KEY,
        subject=odd_ca.name(cn("Corp CA")),
        not_before=odd_ca.time(CA_BORN),
        not_after=odd_ca.time(CA_ENDS),
        extensions=(IS_CA, MAY_SIGN, odd_ca.identifier(b"corp"), constrained(permitted, excluded)),
    )
    certificate = certificate_pem(x509.load_der_x509_certificate(made))
    ours = load_ca(certificate=certificate, key=private_key_pem(KEY).reveal(), chain=None, now=NOW)
    leaf = certificate_pem(build_leaf(template(subject=subject, alt_names=alt_names), ours))
    verdict = openssl.verdict(leaf, anchor=certificate, crl=None, at=NOW + timedelta(minutes=1))
    constraints = constraints_of(ours.certificate)
    assert constraints is not None
    refused = violation(constraints, subject, alt_names)
    assert (refused is None) == (verdict == "OK"), (refused, verdict)


def test_a_ca_without_constraints_may_certify_any_name() -> None:
    assert constraints_of(x509.load_pem_x509_certificate(_plain())) is None


def _plain() -> bytes:
    made = odd_ca.certificate(
        key=KEY,
        subject=odd_ca.name(cn("Corp CA")),
        not_before=odd_ca.time(CA_BORN),
        not_after=odd_ca.time(CA_ENDS),
    )
    return certificate_pem(x509.load_der_x509_certificate(made))


@pytest.mark.parametrize("uri", ["urn:x", "spiffe:///x", "http://[x", "mailto:a@example.com"])
def test_a_uri_without_a_host_is_refused_where_hosts_of_uris_are_constrained(uri: str) -> None:
    for constraints in (
        x509.NameConstraints([x509.UniformResourceIdentifier("example.com")], None),
        x509.NameConstraints(None, [x509.UniformResourceIdentifier("example.com")]),
    ):
        attribute, said = violation(constraints, Subject(common_name="a"), AltNames(uris=(uri,))) or ("", "")
        assert attribute == "uris"
        assert "has no host, and the CA has constraints for the hosts of URIs" in said


def test_the_message_names_the_attribute_the_value_and_what_is_permitted() -> None:
    permitted = [x509.DNSName(f"{letter}.example") for letter in "abcdef"]
    found = violation(x509.NameConstraints(permitted, None), Subject(common_name="a"), AltNames(dns_names=("x.org",)))
    assert found == (
        "dnsNames",
        "dnsNames 'x.org': the CA permits 'a.example', 'b.example', 'c.example', 'd.example' and 2 more only in its name constraints",
    )


def test_an_excluded_name_goes_before_a_permitted_one() -> None:
    constraints = x509.NameConstraints([x509.DNSName("a.example")], [x509.DNSName("b.a.example")])
    _, said = violation(constraints, Subject(common_name="a"), AltNames(dns_names=("c.b.a.example",))) or ("", "")
    assert said == "dnsNames 'c.b.a.example': the CA excludes 'b.a.example' in its name constraints"


def test_a_subject_outside_of_the_permitted_names_is_told_as_people_write_it() -> None:
    base = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "ACME")])
    constraints = x509.NameConstraints([x509.DirectoryName(base)], None)
    assert violation(constraints, Subject(common_name="a"), AltNames()) == (
        "subject",
        "the subject 'CN=a': the CA permits 'O=ACME' only in its name constraints",
    )
