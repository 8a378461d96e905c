"""Who was admitted, as headers: nothing of a name can end one header and begin another."""

import re
from urllib.parse import unquote

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given as for_any
from hypothesis import strategies as st

from doorward.gate_service.identity import common_name_of, headers_of
from doorward.objects.meta import ObjectKey


def sent(subject: str) -> dict[str, str]:
    return dict(headers_of(ObjectKey("shop", "alice"), common_name_of(subject), 0xA1))


def test_the_application_gets_client_common_name_and_serial_number():
    assert sent("CN=alice.example,O=ACME") == {
        "x-doorward-client": "shop/alice",
        "x-doorward-common-name": "alice.example",
        "x-doorward-serial": "a1",
    }


names = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=16).filter(
    lambda text: len(text.encode()) <= 64
)


@for_any(common_name=names, organization=names)
def test_the_common_name_is_that_of_the_certificate(common_name, organization):
    attributes = [(NameOID.ORGANIZATION_NAME, organization), (NameOID.COMMON_NAME, common_name)]
    subject = x509.Name([x509.NameAttribute(kind, text) for kind, text in attributes]).rfc4514_string()
    assert common_name_of(subject) == common_name
    assert unquote(sent(subject)["x-doorward-common-name"]) == common_name


@for_any(st.text())
def test_whatever_a_subject_says_a_header_is_one_line_of_plain_letters(subject):
    for value in sent(subject).values():
        assert re.fullmatch(r"[\x20-\x7e]*", value)


@pytest.mark.parametrize("subject", ["", "O=ACME", "O=CN\\=mallory", "O=a\\,CN=mallory", "XCN=mallory"])
def test_what_is_no_common_name_is_not_taken_for_one(subject):
    assert common_name_of(subject) == ""
