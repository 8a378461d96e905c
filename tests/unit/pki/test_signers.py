"""A CA's key may be anywhere: certificates and CRLs that a key elsewhere signed are as good as any, openssl says."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, utils
from hypothesis import given as for_any
from hypothesis import strategies as st

from doorward.pki.ca_loading import load_ca
from doorward.pki.certificates import CertificateAuthority, build_leaf, trust_anchor
from doorward.pki.crls import read_crl
from doorward.pki.keys import private_key_pem
from doorward.pki.pem import certificate_pem
from doorward.pki.signers import KeySigner, scheme_of, verifies
from tests.support.openssl import OpenSsl
from tests.unit.given import NOW, ca, key
from tests.unit.pki.given import ca_with, crl, entry, intermediate, template

KINDS = {
    "P-256": ("ECDSA", 256),
    "P-384": ("ECDSA", 384),
    "P-521": ("ECDSA", 521),
    "RSA": ("RSA", 2048),
    "Ed25519": ("Ed25519", 0),
}


class KeyElsewhere(ec.EllipticCurvePrivateKey):
    """As an HSM's driver would have it: it knows the public key, asks for signatures, and never holds the private one."""

    def __init__(self, public_key: ec.EllipticCurvePublicKey, ask: Callable[[bytes], bytes]) -> None:
        self._public_key = public_key
        self._ask = ask

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._public_key

    @property
    def curve(self) -> ec.EllipticCurve:
        return self._public_key.curve

    @property
    def key_size(self) -> int:
        return self._public_key.key_size

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        assert not isinstance(signature_algorithm.algorithm, utils.Prehashed)
        return self._ask(bytes(data))

    def exchange(self, *_: object) -> NoReturn:
        raise AssertionError("a CA's key only signs")

    def private_numbers(self) -> NoReturn:
        raise AssertionError("the key leaves its place")

    def private_bytes(self, *_: object) -> NoReturn:
        raise AssertionError("the key leaves its place")

    def __copy__(self) -> NoReturn:
        raise AssertionError("the key leaves its place")

    def __deepcopy__(self, memo: object) -> NoReturn:
        raise AssertionError("the key leaves its place")


@pytest.fixture
def asked() -> list[bytes]:
    """What the key elsewhere was asked to sign."""
    return []


@pytest.fixture(params=[ca, intermediate], ids=["root", "intermediate"])
def elsewhere(request: pytest.FixtureRequest, asked: list[bytes]) -> CertificateAuthority:
    """The CA, whose key is elsewhere."""
    known: CertificateAuthority = request.param()
    public_key = known.signer.public_key
    assert isinstance(public_key, ec.EllipticCurvePublicKey)

    def ask(data: bytes) -> bytes:
        asked.append(data)
        return known.signer.sign(data)

    return replace(known, signer=KeySigner(KeyElsewhere(public_key, ask)))


def test_a_leaf_that_a_key_elsewhere_signed_gets_in(
    openssl: OpenSsl, elsewhere: CertificateAuthority, asked: list[bytes]
) -> None:
    leaf = build_leaf(template(), elsewhere)
    assert asked == [leaf.tbs_certificate_bytes]
    listed = crl(entry(0xA2), signer=elsewhere)
    assert openssl.verdict(certificate_pem(leaf), anchor=certificate_pem(elsewhere.anchor), crl=listed, at=NOW) == "OK"


def test_a_client_on_a_crl_that_a_key_elsewhere_signed_is_refused(
    openssl: OpenSsl, elsewhere: CertificateAuthority, asked: list[bytes]
) -> None:
    listed = crl(entry(0xA1), signer=elsewhere)
    assert len(asked) == 1
    leaf = certificate_pem(build_leaf(template(), elsewhere))
    verdict = openssl.verdict(leaf, anchor=certificate_pem(elsewhere.anchor), crl=listed, at=NOW)
    assert verdict == "certificate revoked"
    assert list(read_crl(listed, elsewhere.certificate).entries) == [0xA1]


def test_the_twin_of_a_ca_whose_key_is_elsewhere_is_the_same(elsewhere: CertificateAuthority) -> None:
    assert trust_anchor(elsewhere.certificate, elsewhere.signer) == elsewhere.anchor


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@for_any(data=st.binary(max_size=100), other=st.binary(max_size=100))
def test_a_signature_is_verified_over_what_was_signed_and_nothing_else(
    kind: tuple[str, int], data: bytes, other: bytes
) -> None:
    signer = KeySigner(key(1, *kind))
    signature = signer.sign(data)
    assert verifies(signer.public_key, signature, data)
    assert verifies(signer.public_key, signature, other) is (data == other)
    assert not verifies(KeySigner(key(2, *kind)).public_key, signature, data)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_its_algorithm_is_the_one_that_stands_in_its_certificates(kind: tuple[str, int]) -> None:
    signer = ca_with(key(100, *kind))
    assert scheme_of(signer.signer.public_key).algorithm in build_leaf(template(), signer).tbs_certificate_bytes


@pytest.mark.promise(5)
@pytest.mark.parametrize("shown", [repr, str], ids=["repr", "str"])
def test_a_ca_does_not_show_its_key(shown: Callable[[object], str]) -> None:
    pem = private_key_pem(key(100))
    loaded = load_ca(certificate=certificate_pem(ca().certificate), key=pem.reveal(), chain=None, now=NOW)
    for each in (loaded, loaded.signer):
        assert "PrivateKey" not in shown(each)
