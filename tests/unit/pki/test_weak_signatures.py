"""A certificate that is signed with SHA-1 or MD5 stands in no file of a client: OpenSSL loads no chain with one in it."""

import ssl
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from doorward.issuers.ca_reading import load
from doorward.objects import ca_secret
from doorward.objects.meta import ObjectKey
from doorward.pki import keystores
from doorward.pki.ca_loading import load_ca
from doorward.pki.certificates import CertificateAuthority, build_leaf, chain_pem
from doorward.pki.keys import SecretBytes, private_key_pem
from doorward.pki.pem import certificate_pem
from doorward.view.trust_domains import LoadedCa
from tests.support.openssl import CA_EXTENSIONS, EC_KEY, Issued, OpenSsl
from tests.unit.given import key
from tests.unit.pki.given import template

MINUTE = timedelta(minutes=1)


def signed(openssl: OpenSsl, digest: str, name: str, *signer: str | Path) -> Issued:
    """A CA of openssl's whose own certificate is signed with that digest; by itself where nobody else signs."""
    private = openssl.makes(*(("genrsa", "2048") if digest == "md5" else EC_KEY))
    by = signer or ("-key", openssl.file(private))
    extensions = openssl.file(CA_EXTENSIONS.encode())
    request = openssl.request(name, private)
    made = openssl.makes("x509", "-req", "-days", "30", f"-{digest}", "-extfile", extensions, *by, stdin=request)
    return Issued(certificate=made, key=private)


def below(openssl: OpenSsl, digest: str, name: str, upper: Issued) -> Issued:
    files = ("-CA", openssl.file(upper.certificate), "-CAkey", openssl.file(upper.key), "-CAcreateserial")
    return signed(openssl, digest, name, *files)


def read(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem)


def loaded(made: Issued, *upper: Issued) -> CertificateAuthority:
    chain = b"".join(each.certificate for each in upper) or None
    now = read(made.certificate).not_valid_before_utc + MINUTE
    return load_ca(certificate=made.certificate, key=made.key, chain=chain, now=now)


@pytest.fixture
def old_root(openssl: OpenSsl) -> Issued:
    return signed(openssl, "sha1", "Old Root")


@pytest.mark.parametrize("digest", ["sha1", "md5"])
def test_of_a_root_that_is_signed_weakly_clients_get_the_twin(openssl: OpenSsl, digest: str) -> None:
    root = signed(openssl, digest, "Old Root")
    ours = loaded(root)
    assert (ours.intermediates, ours.shown) == ((), (ours.anchor,))
    assert ours.anchor != read(root.certificate)


def test_a_root_above_a_sound_ca_is_in_no_file(openssl: OpenSsl, old_root: Issued) -> None:
    middle = below(openssl, "sha256", "Middle", old_root)
    ours = loaded(middle, old_root)
    assert ours.intermediates == ours.shown == (read(middle.certificate),)


def test_a_ca_that_is_signed_weakly_by_another_is_in_no_file(openssl: OpenSsl, old_root: Issued) -> None:
    middle = below(openssl, "sha1", "Middle", old_root)
    ours = loaded(middle, old_root)
    assert (ours.intermediates, ours.shown) == ((), (ours.anchor,))


def test_a_chain_ends_below_the_first_that_is_signed_weakly(openssl: OpenSsl, old_root: Issued) -> None:
    upper = below(openssl, "sha1", "Upper", old_root)
    lower = below(openssl, "sha256", "Lower", upper)
    ours = loaded(lower, upper, old_root)
    assert ours.intermediates == ours.shown == (read(lower.certificate),)


def test_of_a_sound_chain_nothing_is_left_out_but_the_root(openssl: OpenSsl) -> None:
    root = signed(openssl, "sha256", "Root")
    upper = below(openssl, "sha384", "Upper", root)
    lower = below(openssl, "sha256", "Lower", upper)
    ours = loaded(lower, upper, root)
    assert ours.intermediates == ours.shown == (read(lower.certificate), read(upper.certificate))


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_openssl_loads_what_a_client_gets_from_any_of_them(
    openssl: OpenSsl, old_root: Issued, tmp_path: Path, depth: int
) -> None:
    """As curl does: a chain with a SHA-1 signature in it is refused with "ca md too weak"."""
    upper: list[Issued] = [old_root]
    for number in range(depth):
        upper.insert(0, below(openssl, "sha1", f"CA {number}", upper[0]))
    ours = loaded(*upper)
    now = ours.certificate.not_valid_before_utc + MINUTE
    leaf = build_leaf(template(now=now, public_key=key().public_key()), ours)
    files = {
        "tls.crt": certificate_pem(leaf) + chain_pem(ours.intermediates),
        "tls.key": private_key_pem(key()).reveal(),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    context.load_verify_locations(cadata=chain_pem(ours.shown).decode())
    keystore = keystores.build_pkcs12(
        profile=keystores.Profile.MODERN_2023,
        key=key(),
        leaf=leaf,
        chain=ours.intermediates,
        friendly_name="alice",
        password=b"correct horse",
        kdf_rounds=1,
    )
    said = openssl.says("pkcs12", "-nokeys", "-passin", "pass:correct horse", stdin=keystore.reveal())
    assert "Old Root" not in said.replace("issuer=CN = Old Root", "")


def test_what_a_secret_of_a_client_is_compared_with_is_without_them(old_root: Issued) -> None:
    body = ca_secret.render(ObjectKey("edge", "partners"), 1, old_root.certificate, SecretBytes(old_root.key))
    body["metadata"]["resourceVersion"] = "1"
    now = read(old_root.certificate).not_valid_before_utc + MINUTE
    found = load(body, generation=1, generated=False, name="mine", now=now)
    assert isinstance(found, LoadedCa)
    assert found.authority.chain_pem == found.authority.anchor_pem
    assert old_root.certificate not in found.authority.chain_pem
