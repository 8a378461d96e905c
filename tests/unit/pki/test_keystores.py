"""Keystores as openssl prints them; and how one is known again without opening it."""

import time

import pytest

from doorward.pki.certificates import build_leaf
from doorward.pki.keystores import Profile, build_pkcs12, seal
from doorward.pki.pem import PkiError
from tests.support.openssl import OpenSsl
from tests.unit.given import key
from tests.unit.pki.given import intermediate, template

PROFILES = pytest.mark.parametrize("profile", Profile)
SCHEMES = {
    Profile.MODERN_2023: (
        "MAC: sha256, Iteration 2048",
        "PKCS7 Encrypted data: PBES2, PBKDF2, AES-256-CBC, Iteration 3000, PRF hmacWithSHA256",
        "Shrouded Keybag: PBES2, PBKDF2, AES-256-CBC, Iteration 3000, PRF hmacWithSHA256",
    ),
    Profile.LEGACY_DES: (
        "MAC: sha1, Iteration 2048",
        "PKCS7 Encrypted data: pbeWithSHA1And3-KeyTripleDES-CBC, Iteration 3000",
        "Shrouded Keybag: pbeWithSHA1And3-KeyTripleDES-CBC, Iteration 3000",
    ),
}


def keystore(profile: Profile = Profile.MODERN_2023, *, name: str = "alice", password: bytes = b"hunter22") -> bytes:
    """A keystore of a client below an intermediate."""
    made = build_pkcs12(
        profile=profile,
        key=key(),
        leaf=build_leaf(template(), intermediate()),
        chain=(intermediate().certificate,),
        friendly_name=name,
        password=password,
        kdf_rounds=3000,
    )
    return made.reveal()


def info(openssl: OpenSsl, data: bytes) -> str:
    """What `openssl pkcs12 -info` prints to both its outputs, keys left out."""
    ended = openssl.run("pkcs12", "-info", "-nokeys", "-passin", "pass:hunter22", "-in", openssl.file(data))
    assert ended.returncode == 0, ended.stderr
    return (ended.stdout + ended.stderr).decode()


@pytest.mark.parametrize(("profile", "lines"), SCHEMES.items(), ids=list(Profile))
def test_openssl_names_the_schemes_of_the_profile(openssl: OpenSsl, profile: Profile, lines: tuple[str, ...]) -> None:
    said = info(openssl, keystore(profile))
    assert [line for line in lines if line not in said] == []


@PROFILES
def test_the_root_is_not_in_it(openssl: OpenSsl, profile: Profile) -> None:
    subjects = [line for line in info(openssl, keystore(profile)).splitlines() if line.startswith("subject=")]
    assert subjects == ["subject=CN = alice", "subject=CN = Partners"]


@PROFILES
def test_an_empty_password_is_refused(profile: Profile) -> None:
    with pytest.raises(PkiError, match="needs a password: importers break on an empty one"):
        keystore(profile, password=b"")


@PROFILES
def test_a_password_that_is_no_text_is_refused(profile: Profile) -> None:
    with pytest.raises(PkiError, match="is not UTF-8"):
        keystore(profile, password=b"\xff\xfe")


def sealed(data: bytes, **override: object) -> str:
    facts = {"profile": "Modern2023", "leaf_sha256": "ab" * 32, "password": b"hunter22", "rounds": 1}
    return seal(data, **(facts | override))


def test_the_same_keystore_has_the_same_seal() -> None:
    assert sealed(b"keystore") == sealed(b"keystore")


@pytest.mark.parametrize(
    "override",
    [{"profile": "LegacyDES"}, {"leaf_sha256": "cd" * 32}, {"password": b"hunter23"}],
    ids=["another profile", "another leaf", "another password"],
)
def test_with_anything_else_the_seal_is_another(override: dict[str, object]) -> None:
    assert sealed(b"keystore", **override) != sealed(b"keystore")


def test_another_keystore_has_another_seal() -> None:
    assert sealed(b"keystorf") != sealed(b"keystore")


def test_a_keystore_of_a_mebibyte_is_sealed_in_less_than_a_tenth_of_a_second() -> None:
    begun = time.process_time()
    sealed(b"\0" * 1024 * 1024, rounds=20_000)
    assert time.process_time() - begun < 0.1
