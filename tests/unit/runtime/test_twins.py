"""A gate holds no byte of a person's own CA, also where an older version showed it as it is."""

import base64
from contextlib import contextmanager

import pytest
from cryptography import x509

from doorward.api.status import MTLSIssuerStatus
from doorward.cluster.gateway import CLIENT_CERTIFICATE, CONFIG_MAP, ISSUER, NAMESPACE, SECRET
from doorward.objects.meta import IDENTITIES_ANNOTATION
from doorward.pki import ca_identity, crls
from doorward.pki.certificates import CertificateAuthority, trust_anchor
from doorward.pki.crls import build_crl
from doorward.pki.keys import private_key_pem
from doorward.pki.pem import certificate_pem
from doorward.pki.signers import KeySigner
from tests.support import any_ca, odd_ca, promises
from tests.support.operator_bed import ISSUER_AT, OperatorBed
from tests.unit import given
from tests.unit.runtime.looks import CRL, GATE, issuer_said, live, said, serial

CLUSTER_CAS = {"metadata": {"name": "extension-apiserver-authentication"}, "data": {}}
FOR_SERVERS = odd_ca.extension(
    odd_ca.EXTENDED_USAGE, odd_ca.tlv(odd_ca.SEQUENCE, odd_ca.oid("1.3.6.1.5.5.7.3.1")), critical=True
)


def corporate(number=201, **parts):
    """A CA for servers alone, PEM: OpenSSL refuses each client that it vouches for."""
    key = given.key(number)
    made = odd_ca.certificate(
        **{
            "key": key,
            "subject": odd_ca.name(odd_ca.cn("Corp CA")),
            "not_before": odd_ca.time(given.CA_BORN),
            "not_after": odd_ca.time(given.CA_ENDS),
            "extensions": (odd_ca.IS_CA, odd_ca.MAY_SIGN, odd_ca.identifier(b"corp"), FOR_SERVERS),
        }
        | parts
    )
    return certificate_pem(x509.load_der_x509_certificate(made)), private_key_pem(key).reveal()


def encoded(text):
    return base64.b64encode(text).decode()


@contextmanager
def served_by(certificate, key):
    """An issuer with that CA, an Ingress, and the clients alice and bob."""
    with OperatorBed(given.NOW, finalizer_at_creation=True) as bed:
        bed.cluster.create(NAMESPACE, "", {"metadata": {"name": "kube-system"}}, "kube-apiserver")
        bed.cluster.create(CONFIG_MAP, "kube-system", CLUSTER_CAS, "kube-apiserver")
        data = {"tls.crt": encoded(certificate), "tls.key": encoded(key)}
        secret = {"metadata": {"name": "mine"}, "type": "Opaque", "data": data}
        bed.cluster.create(SECRET, ISSUER_AT.namespace, secret, "kubectl")
        bed.issuer(ca={"secretRef": {"name": "mine"}})
        bed.ingress()
        bed.apply("alice")
        bed.apply("bob")
        bed.settle()
        yield bed


@pytest.fixture
def corp():
    with served_by(*corporate()) as bed:
        yield bed


def anchors(bed):
    """What CRL ConfigMap and gate show, PEM."""
    gate = base64.b64decode(bed.find(SECRET, GATE)["data"]["ca.crt"])
    return bed.find(CONFIG_MAP, CRL)["data"]["ca.crt"].encode(), gate


def twin():
    ours = x509.load_pem_x509_certificate(corporate()[0])
    return certificate_pem(trust_anchor(ours, KeySigner(given.key(201))))


def as_an_older_version_left_it(bed, **parts):
    """The operator is down, and gates show the CA as it was in its Secret, with its CRL."""
    bed.kill()
    certificate, _ = corporate(**parts)
    shown = x509.load_pem_x509_certificate(certificate)
    ours = CertificateAuthority(certificate=shown, chain=(), anchor=shown, signer=KeySigner(given.key(201)))
    crl = build_crl(
        ca=ours,
        entries=crls.read_crl(bed.find(CONFIG_MAP, CRL)["data"]["ca.crl"].encode(), corporate_ca()).entries.values(),
        number=crls.next_number(None, given.NOW + given.HOUR),
        this_update=given.NOW - given.HOUR,
        next_update=given.NOW + 7 * given.DAY,
    )
    marks = {"metadata": {"annotations": {IDENTITIES_ANNOTATION: None}}}
    bed.edit(CONFIG_MAP, CRL, marks | {"data": {"ca.crt": certificate.decode(), "ca.crl": crl.decode()}})
    bed.edit(SECRET, GATE, {"data": {"ca.crt": encoded(certificate), "ca.crl": encoded(crl)}})


def corporate_ca():
    return x509.load_pem_x509_certificate(corporate()[0])


def test_a_self_signed_ca_of_a_persons_own_is_shown_as_its_twin(corp):
    assert issuer_said(corp)["Ready"] == "Signing"
    assert anchors(corp) == (twin(), twin())


@pytest.mark.promise(1)
def test_after_an_upgrade_the_gates_show_the_twin_and_whoever_was_in_or_out_still_is(corp):
    corp.apply("bob", revoked=True)
    corp.settle()
    before, revoked = serial(corp, "alice"), promises.newest_crl(corp.cluster)
    as_an_older_version_left_it(corp)
    corp.start()
    corp.settle()
    assert anchors(corp) == (twin(), twin())
    assert (serial(corp, "alice"), live(corp)) == (before, {before})
    assert promises.newest_crl(corp.cluster) == promises.gate_crls(corp.cluster)["edge"] == revoked
    assert said(corp, "alice") == {"Ready": "Issued", "Admitted": "Live"}


@pytest.mark.promise(1)
def test_a_client_that_is_revoked_while_the_version_changes_is_out(corp):
    as_an_older_version_left_it(corp)
    bob = serial(corp, "bob")
    corp.delete(CLIENT_CERTIFICATE, "bob")
    corp.start()
    corp.settle()
    assert promises.gate_crls(corp.cluster) == {"edge": {bob}}
    assert anchors(corp) == (twin(), twin())


NEGATIVE = {"serial": odd_ca.integer(-5)}
IN_UTF_32 = {"subject": odd_ca.name(odd_ca.cn("Corp CA", odd_ca.UNIVERSAL))}
UNREADABLE = {
    "a negative serial number": NEGATIVE,
    "a name in UTF-32": IN_UTF_32,
    "an explicit curve": {"public_key": any_ca.explicit(given.key(201))},
    "a compressed point": {"public_key": any_ca.compressed(given.key(201))},
}


def replaced_while_it_was_down(bed, **parts):
    """A CA of these parts was shown as it is, and replaced by another before this version was started; its twin."""
    as_an_older_version_left_it(bed, **parts)
    certificate, key = corporate(202, subject=odd_ca.name(odd_ca.cn("Next CA")))
    bed.edit(SECRET, "mine", {"data": {"tls.crt": encoded(certificate), "tls.key": encoded(key)}})
    bed.start()
    bed.settle()
    return certificate_pem(trust_anchor(x509.load_pem_x509_certificate(certificate), KeySigner(given.key(202))))


def test_a_ca_that_was_shown_as_it_is_stays_for_its_clients_when_its_key_is_gone(corp):
    old = live(corp)
    following = replaced_while_it_was_down(corp)
    assert anchors(corp) == (corporate()[0] + following,) * 2
    assert old < live(corp)


@pytest.mark.promise(1)
@pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive")
@pytest.mark.parametrize("parts", UNREADABLE.values(), ids=UNREADABLE)
def test_one_that_go_cannot_read_does_not_keep_the_gates_from_what_comes_next(corp, parts):
    following = replaced_while_it_was_down(corp, **parts)
    assert anchors(corp) == (following, following)
    assert issuer_said(corp)["Ready"] == "Signing"
    assert live(corp) == {serial(corp, "alice"), serial(corp, "bob")}


@pytest.mark.promise(1)
def test_nor_does_one_whose_key_was_still_in_the_secret(corp):
    as_an_older_version_left_it(corp, **IN_UTF_32)
    certificate, key = corporate(**IN_UTF_32)
    corp.edit(SECRET, "mine", {"data": {"tls.crt": encoded(certificate), "tls.key": encoded(key)}})
    corp.start()
    corp.settle()
    assert issuer_said(corp)["Ready"] == "CaSecretInvalid"
    put(corp, 202, subject=odd_ca.name(odd_ca.cn("Next CA")))
    assert issuer_said(corp)["Ready"] == "Signing"
    assert all(shown.count(b"BEGIN CERTIFICATE") == 1 for shown in anchors(corp))
    assert live(corp) == {serial(corp, "alice"), serial(corp, "bob")}


def test_after_an_upgrade_all_of_it_is_one_crl_and_one_write_of_the_gate(corp):
    as_an_older_version_left_it(corp)
    corp.start()
    corp.settle()
    written = [write.kind for write in corp.gateway.writes if write.kind in ("ConfigMap", "Secret")]
    assert written == ["ConfigMap", "Secret"]


@pytest.mark.parametrize(
    ("parts", "field", "shown"),
    [
        ({"serial": odd_ca.integer(int("7f" + "ab" * 21, 16))}, "serialNumber", "7f" + "ab" * 17 + "a..."),
        ({"serial": odd_ca.integer(int("7f" + "ab" * 19, 16))}, "serialNumber", "7f" + "ab" * 19),
        ({"serial": odd_ca.integer(-5)}, "serialNumber", "-5"),
        (
            {"subject": odd_ca.name(*[odd_ca.cn("x" * 64)] * 99)},
            "subject",
            (("CN=" + "x" * 64 + ",") * 99)[:4093] + "...",
        ),
    ],
    ids=["a serial number of 22 octets", "one of 20", "a negative one", "a long name"],
)
@pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive")
def test_whatever_serial_number_or_name_a_ca_has_its_issuer_has_a_status_that_the_api_server_takes(parts, field, shown):
    with served_by(*corporate(**parts)) as bed:
        status = bed.find(ISSUER, ISSUER_AT.name)["status"]
        assert MTLSIssuerStatus.model_validate(status)
        assert status["ca"][field] == shown
        assert issuer_said(bed)["Ready"] == "Signing"


ACME = odd_ca.Attribute(odd_ca.ORGANIZATION, odd_ca.UTF8, b"ACME")
ONLY_ACME = odd_ca.extension(
    odd_ca.NAME_CONSTRAINTS,
    odd_ca.tlv(
        odd_ca.SEQUENCE,
        odd_ca.tlv(0xA0, odd_ca.tlv(odd_ca.SEQUENCE, odd_ca.tlv(0xA4, odd_ca.name(ACME)))),
    ),
    critical=True,
)


def message(bed, name):
    (ready,) = [c for c in bed.find(CLIENT_CERTIFICATE, name)["status"]["conditions"] if c["type"] == "Ready"]
    return ready["message"]


def test_a_client_that_the_ca_may_not_certify_is_told_so_and_gets_no_certificate():
    constrained = (odd_ca.IS_CA, odd_ca.MAY_SIGN, ONLY_ACME)
    with served_by(*corporate(extensions=constrained)) as bed:
        bed.apply("carol", subject={"organizations": ["ACME"]})
        bed.settle()
        assert said(bed, "alice")["Ready"] == "SubjectNotAllowed"
        assert "The subject 'CN=alice': the CA permits 'O=ACME' only in its name constraints" in message(bed, "alice")
        assert "ask the owner of the MTLSIssuer for a CA that may certify it" in message(bed, "alice")
        assert bed.find(SECRET, "alice-mtls") is None
        assert said(bed, "carol") == {"Ready": "Issued", "Admitted": "Live"}


def test_a_client_whom_the_next_certificate_of_its_ca_permits_no_more_keeps_what_it_has(corp):
    before = serial(corp, "alice")
    same = odd_ca.identifier(b"corp")
    certificate, _ = corporate(extensions=(odd_ca.IS_CA, odd_ca.MAY_SIGN, same, ONLY_ACME))
    corp.edit(SECRET, "mine", {"data": {"tls.crt": encoded(certificate)}})
    corp.settle()
    assert said(corp, "alice") == {"Ready": "SubjectNotAllowed", "Admitted": "Live"}
    assert (serial(corp, "alice"), before in live(corp)) == (before, True)


# Two CAs that gates cannot tell apart


def put(bed, number, **parts):
    certificate, key = corporate(number, **parts)
    bed.edit(SECRET, "mine", {"data": {"tls.crt": encoded(certificate), "tls.key": encoded(key)}})
    bed.settle()


def with_identifier(identifier):
    return {"extensions": (odd_ca.IS_CA, odd_ca.MAY_SIGN, *identifier)}


@pytest.mark.promise(1)
def test_another_key_under_the_same_name_and_identifier_is_refused_and_nobody_is_locked_out(corp):
    before = live(corp)
    put(corp, 202)
    corp.apply("bob", revoked=True)
    corp.settle()
    ready = issuer_said(corp)["Ready"]
    (told,) = [c for c in corp.find(ISSUER, ISSUER_AT.name)["status"]["conditions"] if c["type"] == "Ready"]
    assert ready == "CaSecretInvalid"
    assert "Secret mine: the CA has the name and key identifier of CA generation 1, and another key" in told["message"]
    assert anchors(corp) == (twin(), twin())
    assert live(corp) == before - {serial(corp, "bob")}
    assert promises.gate_crls(corp.cluster) == {"edge": {serial(corp, "bob")}}


@pytest.mark.parametrize(
    "parts",
    [
        with_identifier((odd_ca.identifier(b"other"),)),
        with_identifier(()),
        {"subject": odd_ca.name(odd_ca.cn("Other"))},
    ],
    ids=["another identifier", "none, which is the key's", "another name"],
)
def test_another_key_that_gates_can_tell_apart_is_the_next_generation(corp, parts):
    before = live(corp)
    put(corp, 202, **parts)
    assert issuer_said(corp)["Ready"] == "Signing"
    assert before < live(corp)


def test_it_is_taken_once_the_certificate_of_the_generation_before_has_expired(corp):
    corp.jump(days=336)
    later = {"not_after": odd_ca.time(given.CA_ENDS + 365 * given.DAY)}
    put(corp, 202, **later)
    assert issuer_said(corp)["Ready"] == "Signing"


@pytest.mark.promise(1)
def test_one_that_an_older_version_published_goes_on_refusing_its_clients(corp, monkeypatch):
    with monkeypatch.context() as older:
        older.setattr(ca_identity, "are_mixed_up", lambda *_: False)
        put(corp, 202)
    corp.restart()
    corp.settle()
    assert issuer_said(corp)["Ready"] == "Signing"
    corp.apply("bob", revoked=True)
    corp.settle()
    assert serial(corp, "bob") in promises.gate_crls(corp.cluster)["edge"]


def test_it_is_taken_once_the_generation_before_is_distrusted(corp):
    put(corp, 202)
    corp.edit(ISSUER, ISSUER_AT.name, {"spec": {"ca": {"distrust": [1]}}})
    corp.settle()
    assert issuer_said(corp)["Ready"] == "Signing"
    assert live(corp) == {serial(corp, "alice"), serial(corp, "bob")}


def test_a_ca_without_an_identifier_that_an_older_version_showed_as_it_is_is_mixed_up_with_any_of_its_name(corp):
    as_an_older_version_left_it(corp, **with_identifier(()))
    certificate, key = corporate(202)
    corp.edit(SECRET, "mine", {"data": {"tls.crt": encoded(certificate), "tls.key": encoded(key)}})
    corp.start()
    corp.settle()
    assert issuer_said(corp)["Ready"] == "CaSecretInvalid"
