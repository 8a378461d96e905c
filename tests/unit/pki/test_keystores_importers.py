"""Both keystore profiles in the programs that people import them into: openssl, Java's keytool, NSS's pk12util."""

from collections.abc import Callable
from pathlib import Path

import pytest

from doorward.pki.certificates import CertificateAuthority, Leaf, build_leaf, describe
from doorward.pki.keys import PrivateKey
from doorward.pki.keystores import Profile, build_pkcs12
from tests.support.importers import Importer, with_keytool, with_nss, with_openssl
from tests.unit.given import key
from tests.unit.pki.given import intermediate, template

IMPORTERS = pytest.mark.parametrize(
    "importer", [with_openssl, with_keytool, with_nss], ids=["openssl", "Java's keytool", "NSS's pk12util"]
)
PROFILES = pytest.mark.parametrize("profile", Profile)
KEYS = pytest.mark.parametrize(
    ("algorithm", "size"), [("ECDSA", 256), ("ECDSA", 384), ("RSA", 2048)], ids=["P-256", "P-384", "RSA 2048"]
)
PUNCTUATION = 'a"l;i}c,e+=\\'
PASSWORD = "Tr0ub4dor & 3;=\"'\\"

Write = Callable[..., Leaf]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keystore.p12"


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    folder = tmp_path / "importer"
    folder.mkdir()
    return folder


def write(file: Path, profile: Profile, client: PrivateKey, *, password: str = PASSWORD, name: str = "alice") -> Leaf:
    """A keystore of a client below an intermediate; what is in it."""
    ca: CertificateAuthority = intermediate()
    leaf = build_leaf(template(public_key=client.public_key()), ca)
    data = build_pkcs12(
        profile=profile,
        key=client,
        leaf=leaf,
        chain=(ca.certificate,),
        friendly_name=name,
        password=password.encode(),
        kdf_rounds=20_000,
    )
    file.write_bytes(data.reveal())
    return describe(leaf)


@IMPORTERS
@PROFILES
@KEYS
def test_the_key_its_certificate_and_the_intermediate_are_imported_under_the_clients_name(
    file: Path, empty: Path, importer: Importer, profile: Profile, algorithm: str, size: int
) -> None:
    leaf = write(file, profile, key(2, algorithm, size))
    assert importer(file, PASSWORD, empty) == ("alice", leaf.sha256, 2)


@IMPORTERS
def test_the_name_of_the_entry_may_hold_any_punctuation(file: Path, empty: Path, importer: Importer) -> None:
    write(file, Profile.MODERN_2023, key(), name=PUNCTUATION)
    assert importer(file, PASSWORD, empty).name == PUNCTUATION


@pytest.mark.parametrize("importer", [with_keytool, with_nss], ids=["Java's keytool", "NSS's pk12util"])
def test_the_name_of_the_entry_may_be_beyond_ascii(file: Path, empty: Path, importer: Importer) -> None:
    write(file, Profile.LEGACY_DES, key(), name="älice 🚪")
    assert importer(file, PASSWORD, empty).name == "älice 🚪"


@IMPORTERS
@PROFILES
def test_a_wrong_password_imports_nothing(file: Path, empty: Path, importer: Importer, profile: Profile) -> None:
    write(file, profile, key())
    with pytest.raises(AssertionError, match=r"(?i)password"):
        importer(file, "another one", empty)


@pytest.mark.parametrize("importer", [with_openssl, with_nss], ids=["openssl", "NSS's pk12util"])
@PROFILES
def test_a_password_beyond_ascii_opens_it_but_in_java(
    file: Path, empty: Path, importer: Importer, profile: Profile
) -> None:
    leaf = write(file, profile, key(), password="pässwörd €")
    assert importer(file, "pässwörd €", empty).sha256 == leaf.sha256


@PROFILES
def test_java_takes_no_password_beyond_ascii(file: Path, empty: Path, profile: Profile) -> None:
    write(file, profile, key(), password="pässwörd €")
    with pytest.raises(AssertionError, match="password was incorrect"):
        with_keytool(file, "pässwörd €", empty)
