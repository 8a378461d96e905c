"""CAs that cannot serve: each is told on the MTLSIssuer with what to do, harms no other, and is healed by the right Secret."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from doorward.clock import SystemClock
from doorward.pki.keys import private_key_pem
from tests.support import odd_ca
from tests.support.ca import OpensslCa
from tests.support.home import Home, client, issuer
from tests.support.kube import CERTIFICATES, ISSUERS, SECRETS
from tests.support.odd_ca import Attribute
from tests.support.openssl import CA_EXTENSIONS, EC_KEY, LEAF_EXTENSIONS, Issued, OpenSsl
from tests.testbed.controlplane import Cluster

pytestmark = pytest.mark.promise(7)

MOST = 1024 * 1024  # bytes that a Secret's values may have together
DAY = timedelta(days=1)
Pair = Mapping[str, bytes]


class Workshop(NamedTuple):
    """What bad CAs are made with."""

    openssl: OpenSsl
    home: Home
    cluster: Cluster


class Bad(NamedTuple):
    """A CA Secret that will not do (None: there is none), and what the issuer says of it."""

    make: Callable[[Workshop], Pair | None]
    reason: str
    advice: str


def pair(made: Issued) -> Pair:
    return {"ca.crt": made.certificate, "ca.key": made.key}


def mixed(at: Workshop) -> Pair:
    return pair(at.openssl.ca("one")) | {"ca.key": at.openssl.ca("two").key}


def encrypted(at: Workshop, *command: str) -> Pair:
    made = at.openssl.ca("locked")
    return {"ca.crt": made.certificate, "ca.key": at.openssl.makes(*command, "-passout", "pass:secret", stdin=made.key)}


def expired(at: Workshop) -> Pair:
    ca = OpensslCa(at.home.folder / "expired")
    ca.create("/CN=expired")
    request, extensions = ca.folder / "again.csr", at.openssl.file(CA_EXTENSIONS.encode())
    ca.openssl("req", "-new", "-key", ca.key, "-out", request, "-subj", "/CN=expired")
    ca.openssl("ca", "-batch", "-config", ca.folder / "openssl.cnf", "-selfsign", "-in", request, "-notext",
               "-out", ca.certificate, "-extfile", extensions,
               "-startdate", "20200101000000Z", "-enddate", "20210101000000Z")  # fmt: skip
    return {"ca.crt": ca.certificate.read_bytes(), "ca.key": ca.key.read_bytes()}


def without(at: Workshop, usage: str) -> Pair:
    return pair(at.openssl.ca("half", extensions=CA_EXTENSIONS.replace(usage, "")))


def named(at: Workshop, attribute: Attribute) -> Pair:
    """A self-signed CA of that name, as old software makes it."""
    key, now = ec.generate_private_key(ec.SECP256R1()), SystemClock().now()
    dates = {"not_before": odd_ca.time(now - DAY), "not_after": odd_ca.time(now + DAY)}
    made = odd_ca.certificate(key=key, subject=odd_ca.name(attribute), **dates)
    certificate = at.openssl.makes("x509", "-inform", "DER", stdin=made)
    return {"ca.crt": certificate, "ca.key": private_key_pem(key).reveal()}


def of_the_cluster(at: Workshop) -> Pair:
    pki = at.cluster.control_plane.places.pki
    return {"ca.crt": (pki / "client-ca.crt").read_bytes(), "ca.key": (pki / "client-ca.key").read_bytes()}


def of_another(at: Workshop) -> Pair:
    at.home.make(ISSUERS, issuer("older"))
    at.home.signing("older")
    return {name: at.home.data("older-ca-1")[name] for name in ("tls.crt", "tls.key")}


BAD = {
    "no Secret": Bad(lambda _: None, "CaSecretMissing", "create it with tls.crt and tls.key, or ca.crt and ca.key"),
    "an empty Secret": Bad(lambda _: {}, "CaSecretInvalid", "it needs tls.crt and tls.key, or ca.crt and ca.key"),
    "empty values": Bad(lambda _: {"tls.crt": b"", "tls.key": b""}, "CaSecretInvalid", "tls.crt and tls.key missing"),
    "no key": Bad(lambda at: {"ca.crt": at.openssl.ca("a").certificate}, "CaSecretInvalid", "ca.key missing or empty"),
    "junk of 1 MiB": Bad(lambda _: {"ca.crt": b"\xff" * (MOST - 1), "ca.key": b"-"}, "CaSecretInvalid", "more than"),
    "junk that looks like PEM": Bad(
        lambda _: dict.fromkeys(("ca.crt", "ca.key"), b"-----BEGIN CERTIFICATE-----\n" + b"A" * 9000),
        "CaSecretInvalid",
        "the certificate is cut off",
    ),
    "a key that does not fit": Bad(mixed, "CaSecretInvalid", "the private key does not belong to the CA certificate"),
    "an encrypted PKCS#8 key": Bad(
        lambda at: encrypted(at, "pkcs8", "-topk8", "-v2", "aes-256-cbc"),
        "CaSecretInvalid",
        "store it without a passphrase",
    ),
    "an encrypted SEC1 key": Bad(
        lambda at: encrypted(at, "ec", "-aes256"), "CaSecretInvalid", "store it without a passphrase"
    ),
    "an expired CA": Bad(expired, "CaExpired", "that is valid now"),
    "a certificate that is no CA": Bad(
        lambda at: pair(at.openssl.ca("leaf", extensions=LEAF_EXTENSIONS)), "CaSecretInvalid", "CA:TRUE"
    ),
    "a CA without cRLSign": Bad(lambda at: without(at, ",cRLSign"), "CaSecretInvalid", "keyUsage lacks cRLSign"),
    "a CA without keyCertSign": Bad(lambda at: without(at, "keyCertSign,"), "CaSecretInvalid", "lacks keyCertSign"),
    "a name in Latin-1": Bad(
        lambda at: named(at, odd_ca.cn("Zürich CA", odd_ca.TELETEX)),
        "CaSecretInvalid",
        "its commonName is a TeletexString whose text is not ASCII; make the CA again with names of the type UTF8String",
    ),
    "a name in UTF-32": Bad(
        lambda at: named(at, odd_ca.cn("Zürich CA", odd_ca.UNIVERSAL)),
        "CaSecretInvalid",
        "the CA's subject cannot be shown to gates: its commonName is a UniversalString",
    ),
    "the cluster's own client CA": Bad(of_the_cluster, "ClusterCa", "give this issuer a CA of its own"),
    "another issuer's key": Bad(of_another, "CaKeyShared", "older has the same CA key"),
}
EVERY = pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
KEYS = {
    "PKCS#1": ("genrsa", "-traditional", "2048"),
    "PKCS#8": ("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
    "PKCS#8 of a curve": EC_KEY,
    "SEC1 with its parameters": ("ecparam", "-name", "prime256v1", "-genkey"),
    "SEC1": ("ecparam", "-name", "secp384r1", "-genkey", "-noout"),
    "P-521": ("ecparam", "-name", "secp521r1", "-genkey", "-noout"),
    "RSA of 2,049 bits": ("genrsa", "2049"),
    "Ed25519": ("genpkey", "-algorithm", "ed25519"),
}


@pytest.fixture
def at(home: Home, cluster: Cluster, openssl: OpenSsl) -> Workshop:
    return Workshop(openssl, home, cluster)


def broken(at: Workshop, bad: Bad, name: str = "broken") -> None:
    """An issuer with that CA, and what it says of it heard."""
    data = bad.make(at)
    if data is not None:
        at.home.secret(f"{name}-pair", data)
    at.home.make(ISSUERS, issuer(name, ca={"secretRef": {"name": f"{name}-pair"}}))
    message = at.home.says(ISSUERS, name, "Ready", bad.reason)
    assert bad.advice in message, message


@EVERY
def test_a_bad_ca_is_said_with_what_to_do_and_healed_as_soon_as_the_secret_is_right(at: Workshop, bad: Bad):
    broken(at, bad)
    at.home.put_secret("broken-pair", pair(at.openssl.ca("right")))
    at.home.signing("broken")


def test_an_issuer_beside_all_of_them_signs(at: Workshop):
    for number, bad in enumerate(BAD.values()):
        broken(at, bad, f"broken-{number}")
    at.home.partners("alice")


def test_who_waits_for_a_bad_ca_is_told_and_served_as_soon_as_it_is_right(at: Workshop):
    broken(at, BAD["a key that does not fit"])
    at.home.make(CERTIFICATES, client(issuer="broken"))
    assert "does not belong to the CA" in at.home.says(CERTIFICATES, "alice", "Ready", "IssuerNotReady")
    at.home.put_secret("broken-pair", pair(at.openssl.ca("right")))
    at.home.issued()


def test_whoever_had_the_key_first_goes_on_signing(at: Workshop):
    broken(at, BAD["another issuer's key"])
    at.home.make(CERTIFICATES, client(issuer="older"))
    at.home.issued()


def test_a_key_is_free_again_when_the_issuer_that_had_it_goes(at: Workshop):
    broken(at, BAD["another issuer's key"])
    at.home.remove(ISSUERS, "older")
    at.home.signing("broken")


def test_a_key_is_free_again_when_the_issuer_that_had_it_has_another(at: Workshop):
    at.home.secret("older-pair", pair(at.openssl.ca("shared")))
    at.home.make(ISSUERS, issuer("older", ca={"secretRef": {"name": "older-pair"}}))
    at.home.signing("older")
    broken(at, Bad(lambda _: at.home.data("older-pair"), "CaKeyShared", "older has the same CA key"))
    at.home.respec(ISSUERS, "older", ca={"secretRef": {"name": "elsewhere"}})
    at.home.signing("broken")


def test_a_ca_of_a_running_issuer_that_breaks_is_told_and_takes_no_certificate_away(at: Workshop):
    at.home.secret("mine", pair(at.openssl.ca("mine")))
    at.home.partners("alice", ca={"secretRef": {"name": "mine"}})
    serial = at.home.issued()["status"]["serialNumber"]
    right = at.home.data("mine")
    at.home.put_secret("mine", {})
    at.home.says(ISSUERS, "partners", "Ready", "CaSecretInvalid")
    assert at.home.issued()["status"]["serialNumber"] == serial
    at.home.put_secret("mine", right)
    at.home.signing()
    assert at.home.issued()["status"]["serialNumber"] == serial


@pytest.mark.promise(1)
def test_no_bad_ca_of_a_running_issuer_keeps_a_client_from_being_refused(at: Workshop):
    right = pair(at.openssl.ca("mine"))
    at.home.secret("mine", right)
    at.home.partners("alice", ca={"secretRef": {"name": "mine"}})
    serial = at.home.serial()
    for bad in BAD.values():
        data = bad.make(at)
        if data is None:
            at.home.remove(SECRETS, "mine")
        else:
            at.home.put_secret("mine", data)
        at.home.says(ISSUERS, "partners", "Ready", bad.reason)
        at.home.says(ISSUERS, "partners", "CAKeyHeld", "CaKeyInMemory")
        at.home.respec(CERTIFICATES, "alice", suspended=True)
        at.home.says(CERTIFICATES, "alice", "Admitted", "OnHold")
        assert at.openssl.crl_serials(at.home.crl()) == {serial}
        at.home.respec(CERTIFICATES, "alice", suspended=False)
        at.home.says(CERTIFICATES, "alice", "Admitted", "Live")
    at.home.put_secret("mine", right)
    at.home.signing()
    assert at.home.issued()["status"]["serialNumber"] == serial
    assert at.home.condition(ISSUERS, "partners", "CAKeyHeld") == {}


@pytest.mark.parametrize("command", KEYS.values(), ids=KEYS)
def test_a_key_is_taken_as_openssl_leaves_it(at: Workshop, command: tuple[str, ...]):
    made = at.openssl.ca("mine", key=at.openssl.makes(*command))
    at.home.secret("mine", pair(made))
    at.home.partners("alice", ca={"secretRef": {"name": "mine"}})
    leaf, crl = at.home.data("alice-mtls")["tls.crt"], at.home.crl().read_bytes()
    assert at.openssl.verdict(leaf, anchor=made.certificate, crl=crl, at=SystemClock().now()) == "OK"


def test_a_ca_that_says_more_than_a_status_can_hold_signs_and_has_a_status(at: Workshop):
    """A serial of 22 octets, and an end in the year 9966: the API server would refuse a status with them."""
    key = at.openssl.makes(*EC_KEY)
    extensions = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    made = at.openssl.makes(
        *("req", "-x509", "-new", "-key", at.openssl.file(key), "-subj", "/CN=Corp CA", "-days", "2900000"),
        *("-set_serial", "0x7f0102030405060708090a0b0c0d0e0f101112131415", *extensions),
    )
    at.home.secret("mine", {"ca.crt": made, "ca.key": key})
    at.home.partners("alice", ca={"secretRef": {"name": "mine"}})
    told = at.home.body(ISSUERS, "partners")["status"]["ca"]
    assert (told["serialNumber"], told["notAfter"]) == (
        "7f0102030405060708090a0b0c0d0e0f10111...",
        "2999-12-31T23:59:59Z",
    )
