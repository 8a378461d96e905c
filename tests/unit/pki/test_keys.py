"""Private keys as openssl leaves them are read; all others are refused quickly, and none is ever shown."""

import time
import timeit
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from doorward.pki import der
from doorward.pki.der import encode
from doorward.pki.keys import (
    KeyAlgorithm,
    KeyKind,
    SecretBytes,
    fits,
    generate,
    kind_of,
    load_private_key,
    private_key_pem,
    public_key_sha256,
)
from doorward.pki.pem import KeyEncrypted, KeyProblem, KeyUnsupported, Malformed, NoPemBlock, PemError
from tests.support.lock_hold import held
from tests.support.openssl import EC_KEY, OpenSsl
from tests.unit.given import key
from tests.unit.pki.junk import JUNK, pem

P256 = KeyKind(algorithm=KeyAlgorithm.ECDSA, size=256)
P384 = KeyKind(algorithm=KeyAlgorithm.ECDSA, size=384)
P521 = KeyKind(algorithm=KeyAlgorithm.ECDSA, size=521)
RSA2048 = KeyKind(algorithm=KeyAlgorithm.RSA, size=2048)
ED25519 = KeyKind(algorithm=KeyAlgorithm.ED25519, size=None)

AS_OPENSSL_LEAVES_THEM = {
    "RSA in PKCS#1": (("genrsa", "-traditional", "2048"), b"BEGIN RSA PRIVATE KEY", RSA2048),
    "RSA in PKCS#8": (("genrsa", "2048"), b"BEGIN PRIVATE KEY", RSA2048),
    "P-256 in PKCS#8": (EC_KEY, b"BEGIN PRIVATE KEY", P256),
    "P-384 in SEC1": (("ecparam", "-genkey", "-noout", "-name", "secp384r1"), b"BEGIN EC PRIVATE KEY", P384),
    "P-521 in SEC1": (("ecparam", "-genkey", "-noout", "-name", "secp521r1"), b"BEGIN EC PRIVATE KEY", P521),
    "P-256 in SEC1 after its parameters": (
        ("ecparam", "-genkey", "-name", "prime256v1"),
        b"BEGIN EC PARAMETERS",
        P256,
    ),
    "Ed25519": (("genpkey", "-algorithm", "ED25519"), b"BEGIN PRIVATE KEY", ED25519),
}
ENCRYPTED = {
    "PKCS#8": (*EC_KEY, "-aes256", "-pass", "pass:secret"),
    "PKCS#1": ("genrsa", "-traditional", "-aes256", "-passout", "pass:secret", "2048"),
}
OF_ANOTHER_KIND = {
    "Ed448": ("genpkey", "-algorithm", "ED448"),
    "X25519": ("genpkey", "-algorithm", "X25519"),
}


@pytest.mark.parametrize(("command", "marker", "kind"), AS_OPENSSL_LEAVES_THEM.values(), ids=AS_OPENSSL_LEAVES_THEM)
def test_a_key_as_openssl_leaves_it_is_read(
    openssl: OpenSsl, command: tuple[str, ...], marker: bytes, kind: KeyKind
) -> None:
    made = openssl.makes(*command)
    assert marker in made
    assert kind_of(load_private_key(made).public_key()) == kind


@pytest.mark.parametrize("command", ENCRYPTED.values(), ids=ENCRYPTED)
def test_an_encrypted_key_is_refused_with_what_to_do(openssl: OpenSsl, command: tuple[str, ...]) -> None:
    with pytest.raises(KeyEncrypted, match="store it without a passphrase"):
        load_private_key(openssl.makes(*command))


@pytest.mark.parametrize("command", OF_ANOTHER_KIND.values(), ids=OF_ANOTHER_KIND)
def test_a_key_of_another_kind_is_refused_with_the_kinds_that_fit(openssl: OpenSsl, command: tuple[str, ...]) -> None:
    with pytest.raises(KeyUnsupported, match="must be RSA, ECDSA or Ed25519"):
        load_private_key(openssl.makes(*command))


@pytest.mark.parametrize("data", JUNK.values(), ids=JUNK)
def test_junk_is_refused_in_less_than_a_tenth_of_a_second(data: bytes) -> None:
    begun = time.process_time()
    with pytest.raises(PemError):
        load_private_key(data)
    assert time.process_time() - begun < 0.1


def integer(number: int) -> bytes:
    """INTEGER of a number that is not negative."""
    return encode(der.INTEGER, number.to_bytes(number.bit_length() // 8 + 1))


def rsa_pem(*numbers: int) -> bytes:
    """PKCS#1 of modulus, exponents, primes and the rest, in the order of RFC 8017 A.1.2."""
    return pem("RSA PRIVATE KEY", encode(der.SEQUENCE, *map(integer, (0, *numbers))))


def planted(p: int, q: int, modulus: int) -> bytes:
    """An RSA key with those primes and that modulus, whether they fit or not."""
    d = pow(65537, -1, (p - 1) * (q - 1))
    return rsa_pem(modulus, 65537, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p))


def numbers_of(private_key: object) -> dict[str, int]:
    """What PKCS#1 says of an RSA key, in its order."""
    assert isinstance(private_key, rsa.RSAPrivateKey)
    found = private_key.private_numbers()
    public = found.public_numbers
    return {
        "n": public.n,
        "e": public.e,
        "d": found.d,
        "p": found.p,
        "q": found.q,
        "dmp1": found.dmp1,
        "dmq1": found.dmq1,
        "iqmp": found.iqmp,
    }


RSA = numbers_of(key(1, "RSA", 2048))


LARGE_PRIMES = (2**21701 - 1, 2**9941 - 1)


@pytest.mark.parametrize(
    ("modulus", "says"),
    [
        (LARGE_PRIMES[0] * LARGE_PRIMES[1], "has 31642 bits: use RSA of 2048, 3072 or 4096"),
        (2**2048 - 1, "do not make its modulus"),
    ],
    ids=["a modulus of 31,642 bits", "a modulus of 2,048 bits that is not theirs"],
)
def test_large_rsa_primes_that_were_planted_are_not_tested_for_minutes(modulus: int, says: str) -> None:
    data = planted(*LARGE_PRIMES, modulus)
    begun = time.process_time()
    with pytest.raises((KeyUnsupported, Malformed), match=says):
        load_private_key(data)
    assert time.process_time() - begun < 0.1


def test_an_rsa_key_of_numbers_that_are_no_primes_is_refused() -> None:
    p, q = 2**1279 - 1, 2**1279 - 3
    with pytest.raises(Malformed, match="does not sign for its own modulus"):
        load_private_key(planted(p, q, p * q))


DAMAGED = {
    "another private exponent": RSA | {"d": RSA["d"] + 2},
    "another first exponent": RSA | {"dmp1": RSA["dmp1"] + 2},
    "another second exponent": RSA | {"dmq1": RSA["dmq1"] + 2},
    "another coefficient": RSA | {"iqmp": RSA["iqmp"] + 1},
    "another coefficient that fits as well": RSA | {"iqmp": RSA["iqmp"] + RSA["p"]},
    "another public exponent": RSA | {"e": 3},
    "exponents that fit each other and not the public one": RSA | {"d": 3, "dmp1": 3, "dmq1": 3},
    "a private exponent beyond the modulus": RSA | {"d": RSA["d"] + RSA["n"] * (RSA["p"] - 1) * (RSA["q"] - 1)},
    "one prime": RSA | {"p": RSA["n"], "q": 1},
    "the other prime": RSA | {"p": 1, "q": RSA["n"]},
    "another prime": RSA | {"p": RSA["p"] + 2},
    "zeros": dict.fromkeys(RSA, 0),
}


@pytest.mark.parametrize("numbers", DAMAGED.values(), ids=DAMAGED)
def test_an_rsa_key_whose_numbers_do_not_fit_each_other_is_refused(numbers: dict[str, int]) -> None:
    damaged = rsa_pem(*numbers.values())
    with pytest.raises(Malformed):
        load_private_key(damaged)
    assert not fits(damaged, key(1, "RSA", 2048).public_key())


def fitting(p: int, q: int, e: int) -> dict[str, int]:
    """Numbers that all fit each other, whether p and q are primes or not."""
    d = pow(e, -1, (p - 1) * (q - 1))
    return {
        "n": p * q,
        "e": e,
        "d": d,
        "p": p,
        "q": q,
        "dmp1": d % (p - 1),
        "dmq1": d % (q - 1),
        "iqmp": pow(q, -1, p),
    }


UNFIT = {
    "an even modulus": (fitting(4, RSA["q"], 65537), "do not make its modulus"),
    "an exponent of 1": (fitting(RSA["p"], RSA["q"], 1), "do not fit each other"),
    "an exponent beyond the modulus": (
        fitting(RSA["p"], RSA["q"], 65537) | {"e": 65537 + (RSA["p"] - 1) * (RSA["q"] - 1) * 2},
        "do not fit each other",
    ),
}


@pytest.mark.parametrize(("numbers", "says"), UNFIT.values(), ids=UNFIT)
def test_nothing_is_computed_with_an_rsa_key_that_no_one_would_make(numbers: dict[str, int], says: str) -> None:
    with pytest.raises(Malformed, match=says):
        load_private_key(rsa_pem(*numbers.values()))


def test_the_private_half_of_another_key_does_not_fit() -> None:
    """Modulus and exponent are the certificate's: no more than that is compared with it."""
    other = numbers_of(key(2, "RSA", 2048))
    assert not fits(rsa_pem(*(other | {"n": RSA["n"]}).values()), key(1, "RSA", 2048).public_key())


def test_loading_an_rsa_key_keeps_the_event_loop_in_no_step_for_long() -> None:
    """OpenSSL's validation of 4,096 bits keeps the interpreter's lock for 253 ms, in a thread too (measured)."""
    data = private_key_pem(key(1, "RSA", 4096)).reveal()
    taken = min((held(lambda: load_private_key(data)) for _ in range(3)), key=lambda each: each.longest)
    print(f"loading RSA 4096: {taken}")
    assert taken.longest < 50


# Which public key it is of

FITTING = {"ECDSA": ("ECDSA", 256), "P-384": ("ECDSA", 384), "RSA": ("RSA", 2048), "Ed25519": ("Ed25519", 0)}


@pytest.mark.parametrize("kind", FITTING.values(), ids=FITTING)
def test_a_key_fits_its_own_public_key_and_no_other(kind: tuple[str, int]) -> None:
    data = private_key_pem(key(1, *kind)).reveal()
    assert fits(data, key(1, *kind).public_key())
    assert not fits(data, key(2, *kind).public_key())
    assert not fits(data, key(1, "ECDSA" if kind[0] != "ECDSA" else "Ed25519").public_key())


@pytest.mark.parametrize("data", JUNK.values(), ids=JUNK)
def test_junk_fits_nothing(data: bytes) -> None:
    assert not fits(data, key().public_key())


def test_whether_an_rsa_key_fits_is_told_in_two_milliseconds() -> None:
    data, public_key = private_key_pem(key(1, "RSA", 4096)).reveal(), key(1, "RSA", 4096).public_key()
    taken = min(timeit.repeat(lambda: fits(data, public_key), timer=time.thread_time, number=10, repeat=5)) * 100
    print(f"whether an RSA key of 4096 bits fits: {taken:.2f} ms")
    assert taken < 2


# Planted: what OpenSSL would compute with for minutes

DSA, DH, DHX = (bytes.fromhex(each) for each in ("2a8648ce380401", "2a864886f70d010301", "2a8648ce3e0201"))


def pkcs8(algorithm: bytes, parameters: bytes, private: bytes) -> bytes:
    named = encode(der.SEQUENCE, encode(0x06, algorithm), parameters)
    return encode(der.SEQUENCE, integer(0), named, encode(der.OCTET_STRING, private))


def large(algorithm: bytes, bits: int) -> bytes:
    """A key whose public half is a power of that many bits to a power of as many."""
    p, q, g, x = 2**bits - 1, 2**256 - 189, 2 ** (bits - 3) + 5, 2 ** (bits - 2) + 3
    parameters = {DSA: (p, q, g), DH: (p, g), DHX: (p, g, q)}[algorithm]
    return pkcs8(algorithm, encode(der.SEQUENCE, *map(integer, parameters)), integer(x))


@pytest.mark.parametrize("label", ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"])
@pytest.mark.parametrize("bits", [10_000, 90_000])
@pytest.mark.parametrize("algorithm", [DSA, DH, DHX], ids=["DSA", "DH", "X9.42 DH"])
def test_a_planted_key_of_another_kind_is_refused_before_anything_is_computed(
    label: str, bits: int, algorithm: bytes
) -> None:
    data = pem(label, large(algorithm, bits))
    begun = time.process_time()
    with pytest.raises(KeyUnsupported, match="must be RSA, ECDSA or Ed25519"):
        load_private_key(data)
    assert time.process_time() - begun < 0.1


@pytest.mark.parametrize("label", ["DSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "PUBLIC KEY"])
def test_a_block_of_another_kind_is_no_private_key(label: str) -> None:
    with pytest.raises(NoPemBlock, match="the private key is "):
        load_private_key(pem(label, large(DSA, 10_000)))


def test_an_rsa_pss_key_is_an_rsa_key(openssl: OpenSsl) -> None:
    made = openssl.makes("genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048")
    assert kind_of(load_private_key(made).public_key()) == RSA2048


def test_of_several_keys_the_first_is_read() -> None:
    one, other = (private_key_pem(key(number)).reveal() for number in (1, 2))
    assert fits(one + other, key(1).public_key())
    assert not fits(one + other, key(2).public_key())
    sec1 = key(2).private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    assert fits(sec1 + one, key(2).public_key())


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"-----END PRIVATE KEY-----\n", b""), (b"\nMIG", b"\n*MIG"), (b"-----\nMIG", b"-----\nQUJD\nMIG")],
    ids=["without an end", "a stray character", "bytes before it"],
)
def test_a_key_with_something_else_in_its_block_fits_nothing(old: bytes, new: bytes) -> None:
    data = private_key_pem(key()).reveal()
    assert data.replace(old, new) != data
    assert not fits(data.replace(old, new), key().public_key())


def test_windows_line_ends_and_text_before_the_key_change_nothing() -> None:
    data = private_key_pem(key()).reveal()
    assert fits(b"Bag Attributes: <none>\r\n" + data.replace(b"\n", b"\r\n"), key().public_key())


@pytest.mark.promise(5)
@given(body=st.binary(max_size=500), label=st.sampled_from(["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"]))
def test_any_bytes_are_refused_by_an_error_of_ours_that_quotes_nothing(body: bytes, label: str) -> None:
    with pytest.raises((PemError, KeyProblem)) as caught:
        load_private_key(pem(label, b"hunter2" + body))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("kind", [P256, P384, ED25519, RSA2048], ids=str)
def test_a_new_key_is_of_the_kind_that_was_asked_for(kind: KeyKind) -> None:
    assert kind_of(generate(kind).public_key()) == kind


@pytest.mark.parametrize(
    "kind",
    [
        KeyKind(algorithm=KeyAlgorithm.RSA, size=1024),
        KeyKind(algorithm=KeyAlgorithm.RSA, size=None),
        KeyKind(algorithm=KeyAlgorithm.ECDSA, size=521),
        KeyKind(algorithm=KeyAlgorithm.ED25519, size=256),
    ],
    ids=str,
)
def test_no_key_of_a_kind_that_is_not_supported_is_made(kind: KeyKind) -> None:
    with pytest.raises(KeyUnsupported):
        generate(kind)


@pytest.mark.parametrize("curve", [ec.SECP256K1(), ec.BrainpoolP256R1(), ec.BrainpoolP384R1()], ids=lambda c: c.name)
def test_another_curve_of_the_same_size_is_not_taken_for_nists(curve: ec.EllipticCurve) -> None:
    with pytest.raises(KeyUnsupported, match=f"on the curve {curve.name}: use P-256 or P-384"):
        kind_of(ec.generate_private_key(curve).public_key())


def test_what_is_written_is_unencrypted_pkcs8_that_openssl_reads(openssl: OpenSsl) -> None:
    data = private_key_pem(key()).reveal()
    assert data.startswith(b"-----BEGIN PRIVATE KEY-----")
    assert openssl.makes("pkey", stdin=data) == data


def test_a_public_key_is_named_by_the_digest_of_its_der(openssl: OpenSsl) -> None:
    public = openssl.makes("pkey", "-pubout", "-outform", "DER", stdin=private_key_pem(key()).reveal())
    said = openssl.says("dgst", "-sha256", "-r", stdin=public)
    assert public_key_sha256(key().public_key()) == said.split()[0]


@pytest.mark.promise(5)
@pytest.mark.parametrize("shown", [repr, str, "{}".format, "{!r}".format], ids=["repr", "str", "format", "format !r"])
def test_secret_bytes_do_not_show_themselves(shown: Callable[[object], str]) -> None:
    assert shown(SecretBytes(b"hunter2")) == "<secret>"


def test_secret_bytes_are_equal_where_their_bytes_are() -> None:
    assert SecretBytes(b"hunter2") == SecretBytes(b"hunter2")
    assert SecretBytes(b"hunter2") != SecretBytes(b"hunter3")
    assert SecretBytes(b"hunter2") != b"hunter2"


def test_secret_bytes_cannot_be_hashed() -> None:
    with pytest.raises(TypeError):
        hash(SecretBytes(b"hunter2"))
