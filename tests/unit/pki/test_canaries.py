"""The certificates of canaries: what their serial numbers say, and that no client's says it."""

from datetime import timedelta

import pytest
from cryptography import x509
from hypothesis import given as generated
from hypothesis import strategies as st

from doorward.pki import canaries
from tests.unit import given
from tests.unit.given import CA_ENDS, HOUR, NOW

NONCE = bytes(range(7))


def made(at=NOW, nonce=NONCE):
    return canaries.made(given.ca(), at, HOUR, nonce)


def test_it_lives_for_minutes_and_its_serial_says_until_when():
    client = made()
    assert client.not_after == NOW + timedelta(minutes=10)
    assert canaries.expiry(client.serial) == client.not_after
    assert client.certificate.issuer == given.ca().certificate.subject
    assert client.certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value == "doorward-canary"


def test_it_never_outlives_its_ca():
    client = made(CA_ENDS - timedelta(minutes=3))
    assert client.not_after == CA_ENDS == canaries.expiry(client.serial)
    with pytest.raises(ValueError, match="expired"):
        made(CA_ENDS + 2 * HOUR)


def test_no_two_have_one_serial_or_key():
    one, other = made(), made(nonce=bytes(7))
    assert one.serial != other.serial
    assert one.key.public_key() != other.key.public_key()


@pytest.mark.promise(5)
def test_its_key_is_in_no_text():
    assert "key" not in repr(made()).lower().replace("key_usage", "")


@generated(st.binary(min_size=20, max_size=20) | st.binary(max_size=40))
def test_the_serial_of_a_client_says_nothing(octets):
    expected = octets.lstrip(b"\0").startswith(b"doorward") and len(octets.lstrip(b"\0")) == 20
    assert (canaries.expiry(int.from_bytes(octets)) is not None) <= expected


@generated(st.integers(min_value=0, max_value=2**40 - 1), st.binary(min_size=7, max_size=7))
def test_whatever_instant_a_serial_says_is_no_error(seconds, nonce):
    found = canaries.expiry(int.from_bytes(b"doorward" + seconds.to_bytes(5) + nonce))
    assert found is None or found.year < 10_000


@pytest.mark.parametrize("serial", [0, 1, 2**159 - 1, 2**160, 2**400])
def test_it_is_no_serial_of_a_canary(serial):
    assert canaries.expiry(serial) is None
