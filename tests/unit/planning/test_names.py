"""What allowedSubjects allow: each attribute that a certificate can carry has its own patterns, and none means none."""

import re
import time
from dataclasses import fields

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtensionOID, NameOID
from hypothesis import given as generated
from hypothesis import settings
from hypothesis import strategies as st
from pydantic.alias_generators import to_camel

from doorward.api import fields as api_fields
from doorward.api.allowed_subjects import AllowedSubject
from doorward.api.kinds import ClientCertificateSpec
from doorward.pki.certificates import LeafTemplate, build_leaf
from doorward.pki.requests import ClientRequest
from doorward.pki.subjects import AltNames, Subject
from doorward.planning import names, permission
from doorward.planning.terms import alt_names_of, subject_of
from tests.unit import given
from tests.unit.pki.given import template

ANY = "*"
VALUES = {
    "organizations": ["ACME"],
    "organizationalUnits": ["CN=admin.prod.example"],
    "countries": ["DE"],
    "localities": ["Berlin"],
    "provinces": ["Bavaria"],
    "streetAddresses": ["Main Street"],
    "postalCodes": ["10115"],
    "serialNumber": "7",
    "dnsNames": ["a.example"],
    "emailAddresses": ["a@b.example"],
    "uris": ["spiffe://x.example/a"],
}
"""By attribute, as a ClientCertificate spells it, one lawful value."""
IN_SUBJECT = {to_camel(name) for name in api_fields.Subject.model_fields}
NO_NAME = {
    *("issuerRef", "duration", "renewBefore", "privateKey", "request", "secretName", "secretTemplate", "keystores"),
    *("reissue", "suspended", "revoked", "revocationReason"),
}
"""Fields of a ClientCertificate that put no name into the certificate; a test below holds that for the CSR."""
CARRIED = {
    "organizations": NameOID.ORGANIZATION_NAME,
    "organizationalUnits": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "countries": NameOID.COUNTRY_NAME,
    "localities": NameOID.LOCALITY_NAME,
    "provinces": NameOID.STATE_OR_PROVINCE_NAME,
    "streetAddresses": NameOID.STREET_ADDRESS,
    "postalCodes": NameOID.POSTAL_CODE,
    "serialNumber": NameOID.SERIAL_NUMBER,
    "commonName": NameOID.COMMON_NAME,
    "dnsNames": x509.DNSName,
    "emailAddresses": x509.RFC822Name,
    "uris": x509.UniformResourceIdentifier,
}
"""Where a certificate carries it."""


def spec_with(attribute: str) -> ClientCertificateSpec:
    value = VALUES[attribute]
    return given.spec(**({"subject": {attribute: value}} if attribute in IN_SUBJECT else {attribute: value}))


def patterns_field(attribute: str) -> str:
    return "serialNumbers" if attribute == "serialNumber" else attribute


def refused(entries, spec, namespace="edge") -> str:
    """What is said of the first value that is not allowed; empty: all are."""
    allowed = tuple(AllowedSubject.model_validate(entry) for entry in entries)
    found = names.first_refused(allowed, subject_of(spec), alt_names_of(spec), namespace)
    return "" if found is None else str(found)


# Every attribute, whatever there is


@pytest.mark.promise(8)
def test_each_field_of_a_client_certificate_is_a_name_with_a_rule_or_no_name():
    spelled = {to_camel(name) for name in ClientCertificateSpec.model_fields}
    assert spelled == (VALUES.keys() - IN_SUBJECT) | {"commonName", "subject"} | NO_NAME
    assert VALUES.keys() | {"commonName"} == {to_camel(f.name) for part in (Subject, AltNames) for f in fields(part)}
    assert {to_camel(name) for name in AllowedSubject.model_fields} == {
        "commonName",
        *map(patterns_field, VALUES),
    }


@pytest.mark.promise(8)
def test_a_certificate_carries_what_has_a_rule_and_nothing_else():
    everything = given.spec(
        subject={name: value for name, value in VALUES.items() if name in IN_SUBJECT},
        **{name: value for name, value in VALUES.items() if name not in IN_SUBJECT},
    )
    leaf = build_leaf(template(subject=subject_of(everything), alt_names=alt_names_of(everything)), given.ca())
    alternative = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    carried = {attribute.oid for attribute in leaf.subject} | {type(name) for name in alternative}
    assert carried == set(CARRIED.values())
    assert CARRIED.keys() == VALUES.keys() | {"commonName"}
    assert {extension.oid for extension in leaf.extensions} == {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    }


def test_a_certificate_is_made_of_the_names_that_were_checked_and_of_no_name_in_a_request():
    assert {field.name for field in fields(LeafTemplate)} - {"serial", "not_before", "not_after"} == {
        *("subject", "alt_names", "public_key")
    }
    assert {field.name for field in fields(ClientRequest)} == {"public_key", "public_key_sha256", "key_kind"}


@pytest.mark.promise(8)
@pytest.mark.parametrize("attribute", VALUES)
def test_an_attribute_without_patterns_must_not_be_set(attribute):
    assert f"no {patterns_field(attribute)} are allowed" in refused([{"commonName": ANY}], spec_with(attribute))
    assert refused([{"commonName": ANY, patterns_field(attribute): []}], spec_with(attribute))


@pytest.mark.parametrize("attribute", VALUES)
def test_an_attribute_is_allowed_by_a_star_alone_and_by_its_own_patterns_alone(attribute):
    field, value = patterns_field(attribute), VALUES[attribute]
    assert refused([{"commonName": ANY, field: [ANY]}], spec_with(attribute)) == ""
    assert refused([{"commonName": ANY, field: ["other", *value]}], spec_with(attribute)) == ""
    assert refused([{"commonName": ANY, field: ["other"]}], spec_with(attribute))
    others = {patterns_field(name): [ANY] for name in VALUES if name != attribute}
    assert refused([{"commonName": ANY} | others], spec_with(attribute))


@pytest.mark.parametrize("attribute", [name for name, value in VALUES.items() if isinstance(value, list)])
def test_every_value_of_an_attribute_must_fit(attribute):
    many = [*VALUES[attribute], *VALUES[attribute], {"countries": "FR"}.get(attribute, "x.other")]
    spec = given.spec(**({"subject": {attribute: many}} if attribute in IN_SUBJECT else {attribute: many}))
    assert refused([{"commonName": ANY, attribute: VALUES[attribute]}], spec)


# Entries


def test_names_must_fit_one_entry_as_a_whole():
    entries = [{"commonName": "alice"}, {"commonName": "bob", "uris": [ANY]}]
    assert refused(entries, given.spec(commonName="alice", uris=["spiffe://x/y"]))
    assert refused(entries, given.spec(commonName="bob", uris=["spiffe://x/y"])) == ""


def test_no_entries_allow_any_name():
    assert refused([], given.spec(commonName="whoever", subject={"organizationalUnits": ["x=y"]})) == ""


def test_the_entry_that_comes_closest_says_what_is_wrong():
    entries = [{"commonName": "bob"}, {"commonName": "alice"}]
    spec = given.spec(subject={"organizationalUnits": ["ops"]})
    assert refused(entries, spec) == "subject.organizationalUnits 'ops': no organizationalUnits are allowed"


def test_a_client_is_told_the_attribute_the_patterns_and_what_to_do():
    allowed = {"allowedSubjects": [{"commonName": "*.{namespace}.example"}]}
    observed = given.certificate(issuer=given.issuer(spec=given.issuer_spec(issuance=allowed)))
    said = permission.first_problem(observed)
    assert said.reason.name == "SubjectNotAllowed"
    assert "commonName 'alice': it fits none of *.issuers.example. Remove or change commonName" in said.message


def test_of_many_patterns_some_are_told():
    told = refused([{"commonName": ANY, "uris": [f"urn:{n}:{'x' * 200}" for n in range(16)]}], spec_with("uris"))
    assert (told.count("urn:"), len(told) < 500) == (4, True)
    assert told.endswith("and 12 more")


# Patterns


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        pytest.param("alice.edge.example", True, id="its own namespace's name"),
        pytest.param("a.b.edge.example", True, id="dots are plain"),
        pytest.param("a_b-7.edge.example", True, id="so are digits, underscores and dashes"),
        pytest.param(".edge.example", False, id="a star is one character at least"),
        pytest.param("alice.other.example", False, id="another namespace's name"),
        pytest.param("alice.edge.example.evil", False, id="something behind it"),
        pytest.param("alice.edgeXexample", False, id="a dot is a dot"),
        pytest.param("Alice.Edge.example", False, id="letters have a case"),
        pytest.param("alice.{namespace}.example", False, id="the placeholder itself"),
        pytest.param("edge.example", False, id="the part before the dot is missing"),
        pytest.param("CN=admin.edge.example", False, id="an equals sign"),
        pytest.param("admin,O=x.edge.example", False, id="a comma"),
        pytest.param("x/CN=admin.edge.example", False, id="a slash"),
        pytest.param("admin prod.edge.example", False, id="a space"),
        pytest.param("admin+x.edge.example", False, id="a plus sign"),
        pytest.param("a@b.edge.example", False, id="an at sign"),
        pytest.param("\u0430dmin.edge.example", False, id="a Cyrillic a"),
        pytest.param("\u00e4.edge.example", False, id="an umlaut"),
        pytest.param("a\u0338.edge.example", False, id="a struck letter"),
        pytest.param("\u0661.edge.example", False, id="an Arabic digit"),
        pytest.param("alice\n.edge.example", False, id="a line break"),
        pytest.param("alice.edge.example\n", False, id="a line break at the end"),
    ],
)
def test_a_name_must_fit_the_pattern(name, fits):
    assert names.fits(name, "*.{namespace}.example", "edge") is fits


def test_a_star_alone_takes_in_any_value():
    assert names.fits("a=b, c/d \u00e4", "*", "edge")


def test_what_a_pattern_says_itself_is_taken_as_it_stands():
    assert names.fits("O=B\u00fccher/7", "O=B\u00fccher/*", "edge")


def test_a_pattern_of_many_stars_says_no_at_once():
    begun = time.process_time()
    assert not names.fits("a" * 512, "*a" * 120 + "*b", "edge")
    assert time.process_time() - begun < 1


PIECES = st.lists(st.tuples(st.text("ab=", max_size=2), st.text("ab.=", max_size=3)), min_size=1, max_size=4)


@settings(max_examples=2000)
@generated(pieces=PIECES, last=st.text("ab=", max_size=2), other=st.text("ab.=", max_size=6))
def test_a_pattern_means_what_its_regular_expression_means(pieces, last, other):
    """Of each piece the pattern has the first part, and a star for the second: most values fit nearly."""
    pattern = "".join(f"{literal}*" for literal, _ in pieces) + last
    said = "".join("[A-Za-z0-9._-]+" if char == "*" else re.escape(char) for char in pattern)
    for value in ("".join(map("".join, pieces)) + last, other):
        expected = pattern == "*" or re.fullmatch(said, value) is not None
        assert names.fits(value, pattern, "edge") is expected
