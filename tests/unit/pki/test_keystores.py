"""Keystores as openssl prints them; and how one is known again without opening it."""

import time

import pytest
from hypothesis import given as given_that
from hypothesis import strategies as st

from doorward.pki.certificates import build_leaf
from doorward.pki.keystores import Profile, build_pkcs12, seal, usable_password
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


PASSWORDS = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=8, max_size=64)


@given_that(password=PASSWORDS, end=st.sampled_from(["", "\n", "\r\n", "\n\n"]))
def test_a_password_is_its_text_without_the_line_breaks_at_its_end(password, end):
    assert usable_password((password + end).encode()) == password.encode()


@given_that(
    password=PASSWORDS, at=st.integers(0, 8), what=st.sampled_from(["\0", "\n", "\t", "\u2028", "\u202e", "\x85"])
)
def test_a_password_that_nobody_can_type_is_none(password, at, what):
    assert usable_password((password[:at] + what + password[at:] + ".").encode()) is None


@given_that(value=st.binary(max_size=300))
def test_any_bytes_are_a_password_of_text_or_none(value):
    found = usable_password(value)
    assert found is None or (8 <= len(found) <= 256 and found.decode() and value.startswith(found))
