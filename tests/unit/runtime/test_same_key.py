"""A CA that is renewed over the same key, with another name or identifier: a generation beside the old one, both with a CRL."""

import base64
import json
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from doorward.cluster.gateway import CONFIG_MAP, ISSUED_CERTIFICATE, ISSUER, SECRET
from doorward.objects.meta import IDENTITIES_ANNOTATION, KNOWN_ANNOTATION
from doorward.pki.certificates import CertificateAuthority, trust_anchor
from doorward.pki.crls import build_crl
from doorward.pki.keys import load_private_key
from doorward.pki.signers import KeySigner
from doorward.pki.subjects import Subject, to_name
from tests.support import promises
from tests.support.operator_bed import ISSUER_AT
from tests.unit import given
from tests.unit.given import CA_BORN, CA_ENDS, DAY, HOUR, NOW
from tests.unit.runtime.looks import CRL, GATE, issuer_said, live, serial
from tests.unit.runtime.own_ca import files, key_pem, pem, put, running

OURS = given.key(201)


def renewed(name="Mine", identifier=None, *, key=OURS, ends=CA_ENDS + DAY, serial_number=77, ski=True):
    """A self-signed CA over the key of the running one; `identifier`: its subject key identifier."""
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        x509.CertificateBuilder(
            subject_name=to_name(Subject(common_name=name)), issuer_name=to_name(Subject(common_name=name))
        )
        .public_key(key.public_key())
        .serial_number(serial_number)
        .not_valid_before(CA_BORN)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    if ski:
        builder = builder.add_extension(x509.SubjectKeyIdentifier(identifier) if identifier else own, critical=False)
    return builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True)


def put_ca(bed, certificate, number=201):
    put(bed, tls_crt=pem(certificate), tls_key=key_pem(number))
    bed.settle()


ANOTHER = b"\xaa" * 20
CHANGES = {
    "another identifier": renewed(identifier=ANOTHER),
    "another name": renewed("Mine 2"),
    "another name and identifier": renewed("Mine 2", ANOTHER),
    "an identifier of another length": renewed(identifier=b"\x01"),
}
SAME = {
    "a later end": renewed(),
    "no identifier: the key gives the same": renewed(ski=False),
    "the same name in other letters, which OpenSSL takes for one": renewed("MINE"),
    "the same name with more blanks": renewed(" Mine "),
}


@pytest.fixture
def own():
    with running() as bed:
        yield bed


@pytest.fixture(params=CHANGES.values(), ids=CHANGES)
def moved(request, own):
    """A running issuer whose CA was renewed, all of whose clients have new certificates; and the serials before."""
    own.before = live(own)
    put_ca(own, request.param)
    return own


def generation(bed, number):
    records = bed.cluster.all(ISSUED_CERTIFICATE)
    (found,) = [r["spec"]["generation"] for r in records if int(r["spec"]["serialNumber"], 16) == number]
    return found


def trusted(bed):
    return sorted(promises.newest_bundle(bed.cluster).lists)


def keys_said(bed, annotation="doorward.io/ca-generations"):
    return json.loads(bed.find(CONFIG_MAP, CRL)["metadata"]["annotations"][annotation])


@pytest.mark.promise(3)
def test_old_and_new_certificates_are_admitted_side_by_side(moved):
    assert trusted(moved) == [1, 2]
    assert [generation(moved, serial(moved, name)) for name in ("alice", "bob")] == [2, 2]
    assert live(moved) == moved.before | {serial(moved, "alice"), serial(moved, "bob")}
    assert len(set(keys_said(moved).values())) == 1
    assert issuer_said(moved)["Ready"] == "Signing"
    assert "CAKeyHeld" not in issuer_said(moved)


@pytest.mark.promise(1)
@pytest.mark.parametrize("restarts", [False, True], ids=["", "after a restart"])
def test_a_revoked_client_is_refused_with_each_of_its_certificates_and_nobody_else_is(moved, restarts):
    if restarts:
        moved.restart()
        moved.settle()
    bob = {serial(moved, "bob")}
    moved.apply("alice", revoked=True)
    moved.settle()
    lists = promises.newest_bundle(moved.cluster).lists
    assert (len(lists[1]), len(lists[2])) == (1, 1)
    assert lists[1] < moved.before
    assert bob < live(moved)
    assert len(live(moved)) == 2


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    ("told", "listed"), [(True, False), (False, True)], ids=["", "and only the key of its CA is known"]
)
def test_a_client_that_was_revoked_before_stays_refused(own, told, listed):
    own.apply("bob", revoked=True)
    own.settle()
    if not told:  # as an older version wrote it
        own.edit(CONFIG_MAP, CRL, {"metadata": {"annotations": {IDENTITIES_ANNOTATION: None}}})
    bob = serial(own, "bob")
    put_ca(own, renewed(identifier=ANOTHER))
    lists = promises.newest_bundle(own.cluster).lists
    assert [bob in lists[number] for number in (1, 2)] == [True, listed]
    assert bob not in live(own)
    assert (keys_said(own, IDENTITIES_ANNOTATION).keys() == {"1", "2"}) is told


def test_a_lost_record_is_written_again_with_the_generation_that_signed(moved):
    before = serial(moved, "alice")
    moved.delete(ISSUED_CERTIFICATE, f"{ISSUER_AT.name}.2.{before:x}")
    moved.settle()
    assert (serial(moved, "alice"), generation(moved, before)) == (before, 2)


def test_the_old_generation_leaves_with_its_last_certificate(moved):
    moved.jump(days=89)
    moved.settle()
    assert trusted(moved) == [1, 2]
    moved.jump(days=2)
    moved.settle()
    assert trusted(moved) == [2]


def test_a_restart_in_the_middle_changes_nothing(moved):
    moved.restart()
    moved.settle()
    assert moved.gateway.writes == []


@pytest.mark.parametrize("same", SAME.values(), ids=SAME)
def test_a_ca_with_the_same_name_and_identifier_is_the_same_generation(own, same):
    before = live(own)
    put_ca(own, same)
    assert (trusted(own), live(own)) == ([1], before)
    anchor = x509.load_pem_x509_certificate(base64.b64decode(own.find(SECRET, GATE)["data"]["ca.crt"]))
    assert anchor.not_valid_after_utc == same.not_valid_after_utc


def test_a_ca_that_is_put_back_signs_again_under_its_own_number(moved):
    old = live(moved)
    put(moved, **files(201))
    moved.settle()
    assert [generation(moved, serial(moved, name)) for name in ("alice", "bob")] == [1, 1]
    assert old <= live(moved)


def test_one_renewal_after_the_other_leaves_nobody_out(own):
    seen = live(own)
    for turn in range(2, 5):
        put_ca(own, renewed(f"Mine {turn}", bytes([turn]) * 20))
        seen |= live(own)
        assert (trusted(own), live(own)) == (list(range(1, turn + 1)), seen)


def test_another_key_after_that_carries_both_generations(moved):
    old = live(moved)
    put(moved, **files(202))
    moved.settle()
    assert trusted(moved) == [1, 2, 3]
    assert old < live(moved)


@pytest.mark.promise(1)
def test_with_a_generation_that_is_distrusted_goes_each_other_over_its_key(moved):
    moved.edit(ISSUER, ISSUER_AT.name, {"spec": {"ca": {"distrust": [1]}}})
    moved.settle()
    assert (moved.find(SECRET, GATE), issuer_said(moved)["Ready"]) == (None, "CaDistrusted")
    put(moved, **files(202))
    moved.settle()
    assert trusted(moved) == [3]
    put_ca(moved, renewed("Mine once more", b"\x07" * 20))
    assert_only_one_is_trusted(moved, 3)


def assert_only_one_is_trusted(bed, number):
    """The key in the Secret is distrusted: the generation before goes on, and its clients can be revoked."""
    assert (issuer_said(bed)["Ready"], issuer_said(bed)["CAKeyHeld"]) == ("CaDistrusted", "CaKeyInMemory")
    alice = serial(bed, "alice")
    assert alice in live(bed)
    bed.apply("alice", suspended=True)
    bed.settle()
    lists = promises.newest_bundle(bed.cluster).lists
    assert list(lists) == [number]
    assert alice in lists[number]


@pytest.mark.promise(1)
def test_a_distrusted_key_is_remembered_when_its_certificates_have_expired(own):
    own.edit(ISSUER, ISSUER_AT.name, {"spec": {"ca": {"distrust": [1]}}})
    put(own, **files(202))
    own.settle()
    own.jump(days=100)
    own.settle()
    own.jump(days=100)
    own.settle()
    put_ca(own, renewed(identifier=ANOTHER))
    assert_only_one_is_trusted(own, 2)


# A bad file with the right key


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    "bad",
    [
        pytest.param({"tls_key": key_pem(201)}, id="no certificate"),
        pytest.param({"tls_crt": b"garbage", "tls_key": key_pem(201)}, id="garbage for the certificate"),
        pytest.param({"tls_crt": pem(given.ca(202).certificate), "tls_key": key_pem(201)}, id="another's certificate"),
    ],
)
def test_where_the_right_key_is_left_revocations_take_effect_after_a_restart_too(own, bad):
    put(own, **bad)
    own.restart()
    own.apply("alice", suspended=True)
    own.settle()
    assert promises.newest_crl(own.cluster) == {serial(own, "alice")}
    assert (issuer_said(own)["Ready"], issuer_said(own)["CAKeyHeld"]) == ("CaSecretInvalid", "CaKeyInSecret")


# A CA of Doorward's making


@pytest.mark.promise(1)
@pytest.mark.parametrize("restarts", [False, True], ids=["", "after a restart"])
def test_another_name_over_the_key_of_a_generated_ca_is_refused_and_revocations_take_effect(served, restarts):
    data = served.find(SECRET, "partners-ca-1")["data"]
    other = renewed("Somebody", key=load_private_key(base64.b64decode(data["tls.key"])))
    others = base64.b64encode(pem(other)).decode()
    served.edit(SECRET, "partners-ca-1", {"data": {"tls.crt": others, "ca.crt": others}})
    if restarts:
        served.restart()
    served.settle()
    before = live(served)
    assert issuer_said(served)["Ready"] == "CaReplaced"
    served.apply("alice", suspended=True)
    served.settle()
    assert promises.newest_crl(served.cluster) == {serial(served, "alice")}
    assert (trusted(served), live(served)) == ([1], before - {serial(served, "alice")})
    served.edit(SECRET, "partners-ca-1", {"data": data})
    served.settle()
    assert issuer_said(served)["Ready"] == "Signing"


# What an older version wrote


@pytest.mark.parametrize("restarts", [False, True], ids=["while it runs", "at the upgrade"])
def test_where_only_the_key_is_known_an_unchanged_ca_is_the_same_generation(own, restarts):
    before, published = live(own), own.find(CONFIG_MAP, CRL)["data"]
    own.kill()
    own.edit(CONFIG_MAP, CRL, {"metadata": {"annotations": {IDENTITIES_ANNOTATION: None}}})
    own.start()
    own.settle()
    if restarts:
        own.restart()
        own.settle()
    assert (trusted(own), live(own)) == ([1], before)
    assert own.find(CONFIG_MAP, CRL)["data"] == published


@pytest.mark.parametrize("told", [IDENTITIES_ANNOTATION, KNOWN_ANNOTATION])
@pytest.mark.parametrize("says", [None, "{}", '{"7": "junk"}', "[" * 20_000])
def test_whatever_the_annotations_say_two_generations_over_one_key_stay_what_they_are(moved, told, says):
    moved.apply("bob", revoked=True)
    moved.settle()
    before, admitted = promises.newest_bundle(moved.cluster).lists, live(moved)
    moved.kill()
    moved.edit(CONFIG_MAP, CRL, {"metadata": {"annotations": {told: says}}})
    moved.start()
    moved.settle()
    moved.apply("bob", commonName="bob2")
    moved.settle()
    lists = promises.newest_bundle(moved.cluster).lists
    assert lists.keys() == before.keys()
    assert all(before[number] <= listed for number, listed in lists.items())
    assert live(moved) == admitted


@pytest.mark.promise(1)
def test_a_ca_that_an_older_version_renewed_and_that_is_put_back_refuses_whom_it_refused(own):
    """The older version went on under the same number, and everybody was refused. With the old CA, old files work again."""
    own.apply("bob", revoked=True)
    own.settle()
    before, bob = live(own), serial(own, "bob")
    own.kill()
    later, signer = renewed(identifier=ANOTHER), KeySigner(OURS)
    ca = CertificateAuthority(certificate=later, chain=(), anchor=trust_anchor(later, signer), signer=signer)
    crl = build_crl(
        ca=ca,
        entries=[given.entry(bob)],
        number=promises.newest_bundle(own.cluster).number + 1,
        this_update=NOW - HOUR,
        next_update=NOW + 7 * DAY,
    )
    data = {"ca.crt": pem(ca.anchor).decode(), "ca.crl": crl.decode()}
    own.edit(CONFIG_MAP, CRL, {"metadata": {"annotations": {IDENTITIES_ANNOTATION: None}}, "data": data})
    put(own, tls_crt=pem(later), tls_key=key_pem(201))
    own.start()
    own.settle()
    assert trusted(own) == [1]
    put(own, **files(201))
    own.settle()
    lists = promises.newest_bundle(own.cluster).lists
    assert [bob in lists[number] for number in (1, 2)] == [True, True]
    assert before <= live(own)


def test_the_ca_is_renewed_while_the_operator_is_down(own):
    before = live(own)
    own.kill()
    put(own, tls_crt=pem(renewed(identifier=ANOTHER)), tls_key=key_pem(201))
    own.start()
    own.settle()
    assert trusted(own) == [1, 2]
    assert before < live(own)


def test_crl_numbers_rise_for_both(moved):
    moved.jump(days=2)
    moved.settle()
    assert list(promises.numbers_that_fall(moved.cluster)) == []
    assert promises.broken(moved.cluster, patience=timedelta(minutes=2)) == []
