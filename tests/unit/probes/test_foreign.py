"""The certificate of another CA, by which a probe asks: nothing but its CA may be a reason to refuse it."""

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from doorward.probes import foreign
from tests.unit.given import NOW, SECOND


def test_it_is_valid_now_for_clients_and_signed_by_nobody_that_is_known():
    client = foreign.made(NOW)
    certificate = client.certificate
    assert certificate.not_valid_before_utc < NOW - SECOND
    assert certificate.not_valid_after_utc > NOW + SECOND
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert (list(usage.value), usage.critical) == ([ExtendedKeyUsageOID.CLIENT_AUTH], False)
    assert certificate.public_key() == client.key.public_key()
    assert (certificate.subject.rfc4514_string(), certificate.issuer.rfc4514_string()) == (
        "CN=Doorward probe",
        "CN=Doorward probe CA",
    )
    with pytest.raises(ValueError, match="does not match"):
        certificate.verify_directly_issued_by(certificate)
