"""The bundle of a closed gate: the form of any other, and a CA that nobody can sign with."""

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from doorward.objects import closed_bundle
from doorward.objects.closed_bundle import KEY_KIND, number_in
from doorward.objects.crl_configmap import TrustBundle
from doorward.pki import certificates, crls
from doorward.pki.keys import generate, public_key_sha256
from doorward.pki.pem import load_certificates
from tests.unit.given import HOUR, NOW

pytestmark = pytest.mark.promise(3)


def admits_nobody(key, number=8):
    return closed_bundle.admits_nobody(key, 7, NOW, number=number)


def test_it_is_one_self_signed_ca_with_its_own_empty_crl_that_is_good_now():
    key = generate(KEY_KIND)
    bundle = admits_nobody(key)
    (anchor,) = load_certificates(bundle.anchors)
    crl = crls.read_crl(bundle.crl, anchor)
    assert certificates.is_self_signed(anchor)
    assert public_key_sha256(anchor.public_key()) == public_key_sha256(key.public_key())
    assert (anchor.not_valid_before_utc, crl.this_update) == (NOW - HOUR, NOW - HOUR)
    assert crl.entries == {}
    assert anchor.not_valid_after_utc == crl.next_update > NOW


def test_it_can_never_vouch_for_a_server_nor_for_a_lower_ca():
    (anchor,) = load_certificates(admits_nobody(generate(KEY_KIND)).anchors)
    usage = anchor.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    constraints = anchor.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (list(usage), constraints.path_length) == ([ExtendedKeyUsageOID.CLIENT_AUTH], 0)


def test_its_size_is_no_matter_for_a_secret():
    assert admits_nobody(generate(KEY_KIND)).size < 4_000


def test_its_number_can_be_read_back():
    assert number_in(admits_nobody(generate(KEY_KIND), number=12)) == 12


def test_what_is_no_such_bundle_has_no_number():
    mine, other = admits_nobody(generate(KEY_KIND)), admits_nobody(generate(KEY_KIND))
    for anchors, crl in ((mine.anchors, other.crl), (mine.anchors, b""), (b"", mine.crl), (mine.anchors * 2, mine.crl)):
        assert number_in(TrustBundle(anchors=anchors, crl=crl)) == 0
