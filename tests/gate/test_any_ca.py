"""CAs of people's own behind real hosts: the issuer names what it cannot use, or its clients get in and can be cut off."""

from collections.abc import Mapping
from random import Random

import pytest

from doorward.clock import SystemClock
from tests.support import any_ca
from tests.support.home import Home, client, issuer
from tests.support.kube import CERTIFICATES, ISSUERS, eventually
from tests.support.openssl import CA_EXTENSIONS, EC_KEY, LEAF_EXTENSIONS, Issued, OpenSsl

from .doors import IN, REFUSED, Files, Street, admitted

pytestmark = pytest.mark.promise(7)

SEEDS = range(28)
EXPLICIT = ("ecparam", "-genkey", "-noout", "-name", "prime256v1", "-param_enc", "explicit")
UNREADABLE = {
    "negative": (EC_KEY, ("-set_serial", "-5")),
    "explicit": (EXPLICIT, ()),
}
"""CAs that Go cannot read: the key, and options of openssl. A controller that was shown one kept the bundle before it."""
CORPORATE = UNREADABLE | {
    "servers": (EC_KEY, (), "extendedKeyUsage=serverAuth"),
    "constrained": (EC_KEY, (), "nameConstraints=critical,permitted;DNS:example.com"),
    "unknown": (EC_KEY, (), "1.2.3.4=critical,ASN1:UTF8String:unknown"),
    "pss": (("genrsa", "2048"), ("-sigopt", "rsa_padding_mode:pss")),
    "long-serial": (EC_KEY, ("-set_serial", "0x7f" + "ab" * 21)),
}
"""CAs that were all green, and their clients refused, or whose issuer had no status: key, options, extensions."""
BY_SERIAL = "authorityKeyIdentifier=keyid:always,issuer:always\n"
REFUSALS = ("CaSecretInvalid", "CaExpired", "CaNotYetValid")


def drawn() -> dict[str, any_ca.UserCa]:
    """CAs by the names of their issuers; no two with one key."""
    now = SystemClock().now()
    found = (any_ca.draw(Random(seed), now) for seed in SEEDS)
    by_key = {ca.values["tls.key"]: ca for ca in found}
    return {f"own-{number}": ca for number, ca in enumerate(by_key.values())}


def refusal(home: Home, name: str) -> str:
    """Wait until the issuer says why it cannot use its CA."""
    eventually(lambda: home.condition(ISSUERS, name, "Ready").get("reason") in REFUSALS, f"{name} is refused")
    return str(home.condition(ISSUERS, name, "Ready")["message"])


def test_any_ca_is_refused_by_the_name_of_a_part_or_its_clients_get_in_and_are_refused_once_revoked(
    home: Home, street: Street
):
    cas = drawn()
    sound = [name for name, ca in cas.items() if ca.sound]
    assert 8 <= len(sound) < len(cas)
    for name, ca in cas.items():
        home.secret(name, ca.values)
        home.make(ISSUERS, issuer(name, ca={"secretRef": {"name": name}}))
        home.make(CERTIFICATES, client(f"of-{name}", issuer=name))
    for name in cas.keys() - sound:
        message = refusal(home, name)
        assert any(fault in message for fault in cas[name].faults), (message, cas[name].drawn)
    doors = {name: street.door(name, issuer=name) for name in sound}
    files = {name: _issued(home, f"of-{name}") for name in sound}
    for name in sound:
        doors[name].comes_to_tell(files[name], IN)
    for name in sound:
        home.respec(CERTIFICATES, f"of-{name}", revoked=True)
    for name in sound:
        doors[name].comes_to_tell(files[name], REFUSED)
    home.abandon()


def _issued(home: Home, name: str) -> Files:
    home.issued(name)
    return home.files(name)


def test_clients_of_cas_that_openssl_or_go_refuse_get_in_and_are_refused_once_revoked(
    openssl: OpenSsl, home: Home, street: Street
):
    made = {name: corporate(openssl, *how) for name, how in CORPORATE.items()}
    for name, ca in made.items():
        home.secret(name, pair(ca))
        home.make(ISSUERS, issuer(name, ca={"secretRef": {"name": name}}))
        home.make(CERTIFICATES, client(f"of-{name}", issuer=name))
    doors = {name: street.door(name, issuer=name) for name in made}
    files = {name: _issued(home, f"of-{name}") for name in made}
    for name in made:
        doors[name].comes_to_tell(files[name], IN)
    elsewhere = openssl.issue("dave", made["servers"], extensions=LEAF_EXTENSIONS + BY_SERIAL)
    dave = {"tls.crt": openssl.file(elsewhere.certificate), "tls.key": openssl.file(elsewhere.key)}
    doors["servers"].comes_to_tell(dave, IN)
    assert doors["negative"].tells(dave) == REFUSED
    for name in made:
        home.respec(CERTIFICATES, f"of-{name}", revoked=True)
    for name in made:
        doors[name].comes_to_tell(files[name], REFUSED)
    home.abandon()


def pair(made: Issued) -> Mapping[str, bytes]:
    return {"tls.crt": made.certificate, "tls.key": made.key}


def corporate(openssl: OpenSsl, key: tuple[str, ...], options: tuple[str, ...] = (), extensions: str = "") -> Issued:
    """A self-signed CA as `openssl req -x509` makes it with these options and further extensions."""
    made = openssl.makes(*key)
    ours = CA_EXTENSIONS + extensions
    said = f"[req]\ndistinguished_name=dn\nprompt=no\nx509_extensions=e\n[dn]\nCN=Corp CA\n[e]\n{ours}\n"
    options = ("-config", openssl.file(said.encode()), "-days", "30", *options)
    return Issued(certificate=openssl.makes("req", "-x509", "-new", "-key", openssl.file(made), *options), key=made)


@pytest.mark.promise(1)
def test_clients_are_cut_off_and_others_admitted_after_a_ca_was_replaced_by_one_that_go_cannot_read(
    openssl: OpenSsl, home: Home, street: Street
):
    doors, before, revoked = {}, {}, {}
    for name in UNREADABLE:
        home.secret(name, pair(openssl.ca("Corp CA")))
        home.make(ISSUERS, issuer(name, ca={"secretRef": {"name": name}}))
        doors[name] = street.door(name, issuer=name)
        revoked[name] = admitted(home, doors[name], f"bob-of-{name}", issuer=name)
        admitted(home, doors[name], f"alice-of-{name}", issuer=name)
        before[name] = home.serial(f"alice-of-{name}")
    for name, (key, options) in UNREADABLE.items():
        home.put_secret(name, pair(corporate(openssl, key, options)))
        home.respec(CERTIFICATES, f"bob-of-{name}", revoked=True)
    for name in UNREADABLE:
        doors[name].comes_to_tell(revoked[name], REFUSED)
    for name in UNREADABLE:
        home.reissued(before[name], f"alice-of-{name}")
        doors[name].comes_to_tell(home.files(f"alice-of-{name}"), IN)
    home.abandon()
