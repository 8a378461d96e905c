"""Before a gate is shown a user's CA, a throw-away client is verified as nginx would: what OpenSSL refuses is never green."""

import base64
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509

from doorward.issuers import ca_reading, trial
from doorward.issuers.memory import Unusable
from doorward.pki import ca_loading
from doorward.pki.ca_identity import are_mixed_up
from doorward.pki.ca_loading import load_ca
from doorward.pki.certificates import CertificateAuthority, build_leaf
from doorward.pki.keys import private_key_pem
from doorward.pki.pem import certificate_pem
from doorward.pki.signers import KeySigner
from tests.support import odd_ca
from tests.support.lock_hold import held
from tests.support.odd_ca import IS_CA, MAY_SIGN, SEQUENCE, extension, oid, tlv
from tests.unit import given
from tests.unit.pki.given import crl, intermediate, template

KEYS = {
    "P-256": given.key(200),
    "P-521": given.key(200, "ECDSA", 521),
    "Ed25519": given.key(200, "Ed25519"),
    "RSA of 3,482 bits": odd_ca.rsa_key(1279, 2203),
    "RSA of 7,640 bits": odd_ca.rsa_key(3217, 4423),
}
FOR_SERVERS = extension(odd_ca.EXTENDED_USAGE, tlv(SEQUENCE, oid("1.3.6.1.5.5.7.3.1")))
ONLY_EXAMPLE = extension(
    odd_ca.NAME_CONSTRAINTS, tlv(SEQUENCE, tlv(0xA0, tlv(SEQUENCE, tlv(0xA4, odd_ca.name(odd_ca.cn("example"))))))
)
UNKNOWN = extension("1.2.3.4", tlv(odd_ca.UTF8, b"?"), critical=True)
REFUSED = {
    "a CA for servers alone": (FOR_SERVERS, "unsuitable certificate purpose"),
    "a CA for other names": (ONLY_EXAMPLE, "permitted subtree violation"),
    "a CA with an unknown critical extension": (UNKNOWN, "unhandled critical extension"),
}


def loaded(key=KEYS["P-256"], *extensions, **parts) -> CertificateAuthority:
    """A self-signed CA with these extensions, as it is loaded from its Secret."""
    return load_ca(
        certificate=pem(key, *extensions, **parts), key=private_key_pem(key).reveal(), chain=None, now=given.NOW
    )


def pem(key, *extensions, **parts):
    usual = {
        "key": key,
        "subject": odd_ca.name(odd_ca.cn("Corp CA")),
        "not_before": odd_ca.time(given.CA_BORN),
        "not_after": odd_ca.time(given.CA_ENDS),
        "extensions": (IS_CA, MAY_SIGN, *extensions),
    }
    return certificate_pem(x509.load_der_x509_certificate(odd_ca.certificate(**usual | parts)))


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_a_gate_with_the_twin_of_a_ca_with_any_key_admits_its_clients(key):
    assert trial.refusal(loaded(key)) == ""


@pytest.mark.parametrize("ca", [given.ca(), intermediate()], ids=["a generated CA", "an intermediate"])
def test_a_gate_with_any_other_ca_of_ours_admits_its_clients_too(ca):
    assert trial.refusal(ca) == ""


@pytest.mark.parametrize(("said", "why"), REFUSED.values(), ids=REFUSED)
def test_a_gate_with_the_ca_itself_in_place_of_its_twin_would_refuse_them(said, why):
    ca = loaded(given.key(200), said)
    assert trial.refusal(ca) == ""
    assert trial.refusal(replace(ca, anchor=ca.certificate)) == why


def test_a_gate_with_another_cas_anchor_would_refuse_them():
    assert trial.refusal(replace(loaded(), anchor=given.ca().anchor)) == "unable to get local issuer certificate"


def test_a_gate_with_an_anchor_of_the_same_name_and_identifier_and_another_key_would_refuse_them():
    same = odd_ca.identifier(b"same")
    ours, other = loaded(given.key(200), same), loaded(given.key(201), same)
    assert "signature" in trial.refusal(replace(ours, anchor=other.anchor))


@pytest.mark.parametrize("identifiers", [(b"same", b"same"), (b"one", b"two")], ids=["one identifier", "two"])
def test_a_gate_with_two_anchors_of_one_name_tells_their_clients_apart_by_their_identifiers(openssl, identifiers):
    keys = (given.key(200), given.key(201))
    both = [loaded(key, odd_ca.identifier(each)) for key, each in zip(keys, identifiers, strict=True)]
    shown, listed = b"".join(certificate_pem(ca.anchor) for ca in both), b"".join(crl(signer=ca) for ca in both)
    leaves = [certificate_pem(build_leaf(template(), ca)) for ca in both]
    at = given.NOW + given.SECOND
    admitted = [openssl.verdict(leaf, anchor=shown, crl=listed, at=at) == "OK" for leaf in leaves]
    apart = not are_mixed_up(both[0].anchor, both[1].certificate)
    assert all(admitted) is apart is (identifiers[0] != identifiers[1])


def test_an_intermediate_in_place_of_its_twin_would_refuse_them():
    assert "issuer certificate" in trial.refusal(replace(intermediate(), anchor=intermediate().certificate))


def test_a_signer_whose_signatures_are_another_keys_would_have_them_refused():
    ours = loaded()
    assert trial.refusal(replace(ours, signer=KeySigner(given.key(201)))) != ""


def test_a_gate_with_another_cas_crl_would_refuse_them(monkeypatch):
    monkeypatch.setattr(trial, "build_crl", lambda **_: crl())
    assert trial.refusal(loaded()) == "unable to get certificate CRL"


def test_a_ca_that_lives_for_a_second_is_refused_with_a_reason():
    short = loaded(not_before=odd_ca.time(given.NOW), not_after=odd_ca.time(given.NOW + given.SECOND))
    assert trial.refusal(short) == "the certificate would have expired as it begins"


def test_what_a_trial_refuses_is_told_and_not_used(monkeypatch):
    monkeypatch.setattr(ca_loading, "trust_anchor", lambda certificate, _: certificate)
    values = {"tls.crt": pem(given.key(200), FOR_SERVERS), "tls.key": private_key_pem(given.key(200)).reveal()}
    data = {name: base64.b64encode(value).decode() for name, value in values.items()}
    body = {"metadata": {"name": "corp", "resourceVersion": "1"}, "data": data}
    found = ca_reading.load(body, generation=1, generated=False, name="corp", now=given.NOW)
    assert isinstance(found, Unusable)
    assert found.why.reason.name == "CaSecretInvalid"
    assert (
        "Secret corp: a gate with this CA would refuse its clients: unsuitable certificate purpose" in found.why.message
    )


@pytest.mark.promise(5)
def test_a_trial_leaves_no_file_behind():
    trial.refusal(loaded())
    before = len(list(Path("/proc/self/fd").iterdir()))
    trial.refusal(loaded())
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_trial_leaves_the_event_loop_its_turn():
    ca = loaded(KEYS["RSA of 7,640 bits"])
    taken = min((held(lambda: trial.refusal(ca)) for _ in range(3)), key=lambda each: each.longest)
    print(f"a trial: {taken}")
    assert taken.longest < 50
