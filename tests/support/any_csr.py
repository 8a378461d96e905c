"""Any certificate request that people really send: keys, digests, names, extensions and forms in any combination, made with openssl."""

from dataclasses import dataclass
from random import Random

from tests.support.odd_csrs import LINES
from tests.support.openssl import EC_KEY, OpenSsl

RSA = ("genrsa", "2048")
KEYS: dict[str, tuple[tuple[str, ...], str]] = {
    "P-256": (EC_KEY, ""),
    "P-384": (("ecparam", "-genkey", "-noout", "-name", "secp384r1"), ""),
    "P-256, its curve spelled out": (
        ("ecparam", "-genkey", "-noout", "-name", "prime256v1", "-param_enc", "explicit"),
        "",
    ),
    "RSA 2048": (RSA, ""),
    "RSA 3072": (("genrsa", "3072"), ""),
    "Ed25519": (("genpkey", "-algorithm", "ED25519"), ""),
    "P-521": (("ecparam", "-genkey", "-noout", "-name", "secp521r1"), "use P-256 or P-384"),
    "secp256k1": (("ecparam", "-genkey", "-noout", "-name", "secp256k1"), "on the curve secp256k1"),
    "RSA 1024": (("genrsa", "1024"), "its RSA key has 1024 bits"),
    "RSA 2049": (("genrsa", "2049"), "its RSA key has 2049 bits"),
    "RSA-PSS": (("genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"), "has an RSA-PSS key"),
    "Ed448": (("genpkey", "-algorithm", "ED448"), "must be RSA, ECDSA or Ed25519"),
}
"""By name: how openssl makes it, and what is said of it where it cannot be used."""
SIGNED: dict[str, tuple[tuple[str, ...], str]] = {
    "as openssl does": ((), ""),
    "SHA-512": (("-sha512",), ""),
    "SHA-1": (("-sha1",), "is signed with SHA-1"),
}
ASKED: dict[str, tuple[tuple[str, ...], str]] = {
    "nothing": ((), ""),
    "a DNS name": (("-addext", "subjectAltName=DNS:sensor.example"), ""),
    "to be a server": (("-addext", "extendedKeyUsage=serverAuth"), ""),
    "CA:FALSE": (("-addext", "basicConstraints=CA:FALSE"), ""),
    "CA:TRUE": (("-addext", "basicConstraints=critical,CA:TRUE"), "it asks for CA:TRUE"),
}
SUBJECTS: dict[str, tuple[str, str]] = {
    "plain": ("sensor", ""),
    "another alphabet": ("датчик", ""),
    "64 characters": ("s" * 64, ""),
    "a character that nobody sees": ("sen\u200bsor", "a character that nobody sees"),
}
TEXT_LINES = {"DER", "UTF-16, little end first", "UTF-16 with a mark"}
"""What a field of a YAML file cannot hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyCsr:
    """A request, its key, and what of it cannot be used."""

    pem: str
    key: bytes
    drawn: tuple[str, ...]
    faults: tuple[str, ...]
    """A text for each part; empty: it is taken."""

    @property
    def sound(self) -> bool:
        return not self.faults


def draw(openssl: OpenSsl, random: Random) -> AnyCsr:
    """Mostly sound parts, so that half of all requests are."""
    key, signed, asked, subject = (_part(random, parts) for parts in (KEYS, SIGNED, ASKED, SUBJECTS))
    if key.startswith("Ed"):
        signed = "as openssl does"  # it has a digest of its own
    private = openssl.makes(*KEYS[key][0])
    options = (*SIGNED[signed][0], *ASKED[asked][0])
    pem = openssl.request(SUBJECTS[subject][0], private, *options)
    faults = [KEYS[key][1], SIGNED[signed][1], ASKED[asked][1], SUBJECTS[subject][1]]
    lines = random.choice(sorted(LINES.keys() - TEXT_LINES)) if random.random() < 0.15 else ""
    if lines:
        pem, faults = LINES[lines][0](pem), [LINES[lines][1]]
    elif random.random() < 0.3:
        pem = b"Certificate Request:\n" + pem.replace(b"\n", b"\r\n")
    found = tuple(fault for fault in faults if fault)
    return AnyCsr(pem=pem.decode(), key=private, drawn=(key, signed, asked, subject, lines), faults=found)


def _part(random: Random, parts: dict[str, tuple[object, str]]) -> str:
    sound = [name for name, (_, fault) in parts.items() if not fault]
    return random.choice(sound if random.random() < 0.8 else sorted(parts))
