"""The CAs that sign CRLs and nothing else: which of those that were loaded, and which of the published anchors."""

from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from doorward.issuers import crl_only
from doorward.issuers.memory import IssuerMemory
from doorward.objects import trust_bundle
from doorward.objects.ca_proof import CaProof
from doorward.objects.crl_configmap import TrustBundle
from doorward.pki.pem import certificate_pem
from doorward.pki.signers import KeySigner
from doorward.planning.observed import Authority
from doorward.view.parsed import IssuerObject
from doorward.view.trust_domains import LoadedCa
from tests.unit import given
from tests.unit.given import CA_BORN, CA_ENDS, NOW

A, B = (given.ca(101, name) for name in ("Mine", "Mine 2"))
"""Two CAs over one key."""
KEY = trust_bundle.anchor_of(A.certificate).public_key_sha256
OWN = IssuerObject.parse({"metadata": {"namespace": "edge", "name": "x"}, "spec": {"ca": {"secretRef": {"name": "s"}}}})
SIGNED = CaProof(published={}, anchors={}, signed=frozenset({1}))
UNSIGNED = replace(SIGNED, signed=frozenset())


def loaded(ca=A, generation=1, **override) -> LoadedCa:
    anchor = trust_bundle.anchor_of(ca.certificate)
    facts = {"generation": generation, "public_key_sha256": KEY, "identity": anchor.identity, "generated": False}
    return LoadedCa(version=1, authority=given.authority(**facts | override), signer=ca)


def kept(*, known=True, usable=(), keys=(), proof=SIGNED, now=NOW, held_from=None, **override):
    before = loaded(**override)
    newest = {before.authority.identity: given.crl()} if known else {}
    memory = IssuerMemory(held={1: before}, newest_crls=newest, held_from=held_from or OWN.own_ca)
    return crl_only.kept(OWN, dict.fromkeys(usable, before), frozenset(keys), memory, proof, now).get(1)


def test_a_ca_that_no_secret_holds_any_more_signs_crls_from_memory():
    found = kept()
    assert (found.authority.crl_only, found.authority.in_memory, found.disowned) == (True, True, False)


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({"usable": (1,)}, id="its Secret holds it"),
        pytest.param({"known": False}, id="it never published a CRL"),
        pytest.param({"now": CA_ENDS}, id="it has expired"),
        pytest.param({"generated": True, "proof": UNSIGNED}, id="it is of Doorward's making and never signed"),
    ],
)
def test_a_ca_is_not_kept_where(facts):
    assert kept(**facts) is None


def test_a_ca_of_a_persons_own_is_kept_though_it_never_signed():
    assert kept(proof=UNSIGNED) is not None


@pytest.mark.parametrize(
    ("facts", "in_memory", "disowned"),
    [
        pytest.param({"keys": (KEY,)}, False, False, id="its key is in a Secret"),
        pytest.param({"held_from": given.ISSUER}, True, True, id="the issuer names another Secret"),
        pytest.param({"held_from": given.ISSUER, "keys": (KEY,)}, False, False, id="which holds the same key"),
        pytest.param({"held_from": given.ISSUER, "generated": True}, True, False, id="it was of Doorward's making"),
    ],
)
def test_a_kept_ca_says_where_its_key_is_and_whose(facts, in_memory, disowned):
    found = kept(**facts)
    assert (found.authority.in_memory, found.disowned) == (in_memory, disowned)


def bundle(*anchors: x509.Certificate, generations=None) -> TrustBundle:
    said = {number: KEY for number, _ in enumerate(anchors, 1)} if generations is None else generations
    return TrustBundle(anchors=b"".join(map(certificate_pem, anchors)), crl=b"", generations=said)


SIGNERS = {KEY: KeySigner(given.key(101))}


def from_anchors(of, *, held=(), signers=SIGNERS, now=NOW) -> dict[int, Authority]:
    there = {each.authority.generation: each for each in held}
    found = crl_only.from_anchors(of, there, signers, SIGNED, now, generated=False)
    return {generation: each.authority for generation, each in found.items()}


def forged() -> x509.Certificate:
    """A certificate over the CA's key that its key did not sign."""
    name = A.certificate.subject
    return (
        x509.CertificateBuilder(subject_name=name, issuer_name=name)
        .public_key(given.key(101).public_key())
        .serial_number(1)
        .not_valid_before(CA_BORN)
        .not_valid_after(CA_ENDS)
        .sign(given.key(102), hashes.SHA256())
    )


def test_an_anchor_whose_key_is_in_a_secret_signs_crls():
    found = from_anchors(bundle(A.certificate, B.certificate), held=[loaded(B, 2)])
    assert [(n, each.subject, each.crl_only, each.in_memory) for n, each in found.items()] == [
        (1, "CN=Mine", True, False)
    ]
    assert found[1].anchor_pem == certificate_pem(A.certificate)


@pytest.mark.parametrize(
    ("of", "facts"),
    [
        pytest.param(bundle(A.certificate), {"signers": {}}, id="no Secret has its key"),
        pytest.param(bundle(A.certificate), {"now": CA_ENDS}, id="it has expired"),
        pytest.param(bundle(A.certificate), {"held": [loaded()]}, id="its CA is held"),
        pytest.param(bundle(A.certificate), {"held": [loaded(generation=7)]}, id="its CA is held under another number"),
        pytest.param(bundle(A.certificate), {"held": [loaded(B, 1)]}, id="another is held under its number"),
        pytest.param(bundle(A.certificate, generations={1: "another"}), {}, id="nothing gives it a number"),
        pytest.param(bundle(forged()), {}, id="the key did not sign it"),
        pytest.param(TrustBundle(anchors=b"junk", crl=b""), {}, id="it is junk"),
    ],
)
def test_an_anchor_signs_nothing_where(of, facts):
    assert from_anchors(of, **facts) == {}
