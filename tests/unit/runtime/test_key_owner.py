"""A CSR is public: whoever sends another client's gets no certificate by it, and takes none away."""

from types import SimpleNamespace

import pytest

from doorward.certificates.observe import CertificateObserver
from doorward.cluster.gateway import CLIENT_CERTIFICATE, ISSUED_CERTIFICATE, ISSUER, NAMESPACE
from doorward.objects.meta import FINALIZER, ObjectKey
from doorward.planning.observed import Unseen
from doorward.view.routing import MOST_ASKERS, Routing
from doorward.view.stores import View
from tests.support.clock import FakeClock
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, PEOPLE
from tests.unit import given
from tests.unit.runtime.looks import live, person_writes, said, serial

CSR, OTHER_CSR = given.csr(7), given.csr(8)
VICTIM = "alice"
MALLORY = ObjectKey("dark", "mallory")
EVERYWHERE = {"allowedNamespaces": {"from": "All"}, "allowedSubjects": [{"commonName": "*"}]}


def elsewhere(bed, at=MALLORY, **spec):
    """A ClientCertificate of another namespace."""
    reference = {"name": ISSUER_AT.name, "namespace": NAMESPACE_NAME}
    body = {
        "metadata": {"name": at.name, "finalizers": [FINALIZER]},
        "spec": {"issuerRef": reference, "commonName": at.name},
    }
    bed.cluster.create(CLIENT_CERTIFICATE, at.namespace, body | {"spec": body["spec"] | spec}, PEOPLE)
    bed.settle()


def respec(bed, at=MALLORY, **spec):
    bed.cluster.merge_patch(CLIENT_CERTIFICATE, at, {"spec": spec}, PEOPLE, "")
    bed.settle()


def says(bed, at=MALLORY):
    status = bed.cluster.find(CLIENT_CERTIFICATE, at)["status"]
    return given.reasons(status)["Ready"]


def holders(bed):
    """Whose serials are live."""
    records = bed.cluster.all(ISSUED_CERTIFICATE)
    return {
        record["spec"]["clientCertificate"]["name"]
        for record in records
        if int(record["spec"]["serialNumber"], 16) in live(bed)
    }


@pytest.fixture
def shared(bed):
    """Alice has a certificate for her CSR, from an issuer that serves every namespace."""
    bed.edit(ISSUER, ISSUER_AT.name, {"spec": {"issuance": EVERYWHERE}})
    bed.cluster.create(NAMESPACE, "", {"metadata": {"name": MALLORY.namespace}}, PEOPLE)
    bed.apply(VICTIM, request=CSR)
    bed.settle()
    return bed


def renewed(bed):
    """Whether alice gets her next certificate when it is due."""
    before = serial(bed, VICTIM)
    bed.jump(days=61)
    bed.settle()
    return serial(bed, VICTIM) != before and said(bed, VICTIM) == {"Ready": "Issued", "Admitted": "Live"}


@pytest.mark.promise(8)
@pytest.mark.parametrize("order", ["revoked at creation", "revoked later"])
def test_another_clients_csr_gives_no_certificate_and_revoking_it_harms_nobody(shared, order):
    attack = {"revoked": True, "revocationReason": "keyCompromise"}
    elsewhere(shared, request=CSR, **(attack if order == "revoked at creation" else {}))
    if order == "revoked later":
        assert says(shared) == "KeyTaken"
        respec(shared, **attack)
    assert renewed(shared)
    assert holders(shared) == {VICTIM}


def test_a_client_that_changes_its_request_to_anothers_is_refused_and_keeps_what_it_had(shared):
    elsewhere(shared, request=OTHER_CSR)
    respec(shared, request=CSR)
    assert says(shared) == "KeyTaken"
    respec(shared, revoked=True, revocationReason="keyCompromise")
    assert renewed(shared)


@pytest.mark.promise(8)
def test_a_stranger_in_the_same_namespace_is_refused_too(shared):
    shared.apply("eve", request=CSR)
    shared.settle()
    assert said(shared, "eve")["Ready"] == "KeyTaken"
    shared.apply("eve", revoked=True, revocationReason="keyCompromise")
    shared.settle()
    assert renewed(shared)


def test_whoever_takes_the_key_while_its_owner_does_not_exist_does_not_bar_it(shared):
    shared.apply("eve", request=CSR)
    shared.delete(CLIENT_CERTIFICATE, VICTIM)
    shared.settle()
    assert said(shared, "eve")["Ready"] == "Issued"
    shared.apply("eve", revoked=True, revocationReason="keyCompromise")
    shared.settle()
    shared.apply(VICTIM, request=CSR)
    shared.settle()
    assert said(shared, VICTIM) == {"Ready": "Issued", "Admitted": "Live"}
    shared.apply("eve", revoked=False)
    shared.settle()
    assert said(shared, "eve")["Ready"] == "KeyCompromised"


def test_what_another_issuer_certified_says_nothing_here(shared):
    body = {"metadata": {"name": "others"}, "spec": {"ca": {"generate": {"commonName": "Others"}}}}
    shared.cluster.create(ISSUER, NAMESPACE_NAME, body, PEOPLE)
    shared.apply("alice-there", issuerRef={"name": "others"}, request=CSR)
    shared.settle()
    assert said(shared, "alice-there")["Ready"] == "Issued"


# What must go on working


def test_a_client_that_is_deleted_and_created_again_keeps_its_key(shared):
    shared.delete(CLIENT_CERTIFICATE, VICTIM)
    shared.settle()
    elsewhere(shared, request=CSR)
    assert says(shared) == "KeyTaken"
    shared.apply(VICTIM, request=CSR)
    shared.settle()
    assert said(shared, VICTIM) == {"Ready": "Issued", "Admitted": "Live"}
    assert says(shared) == "KeyTaken"


def test_a_client_under_another_name_gets_the_key_as_soon_as_the_first_is_gone(shared):
    shared.apply("alicia", request=CSR)
    shared.settle()
    assert said(shared, "alicia")["Ready"] == "KeyTaken"
    shared.delete(CLIENT_CERTIFICATE, VICTIM)
    shared.settle()
    assert said(shared, "alicia") == {"Ready": "Issued", "Admitted": "Live"}


def test_a_key_is_free_when_its_owner_is_gone_and_its_certificates_have_expired(shared):
    elsewhere(shared, request=CSR)
    shared.delete(CLIENT_CERTIFICATE, VICTIM)
    shared.settle()
    assert says(shared) == "KeyTaken"
    shared.jump(days=91)
    shared.settle()
    assert says(shared) == "Issued"


def test_of_two_that_ask_at_once_the_older_gets_the_key(shared):
    shared.kill()
    for at in (ObjectKey("dark", "first"), ObjectKey(NAMESPACE_NAME, "second")):
        reference = {"name": ISSUER_AT.name, "namespace": NAMESPACE_NAME}
        spec = {"issuerRef": reference, "commonName": at.name, "request": OTHER_CSR}
        shared.cluster.create(CLIENT_CERTIFICATE, at.namespace, {"metadata": {"name": at.name}, "spec": spec}, PEOPLE)
        shared.jump(seconds=2)
    shared.start()
    shared.settle()
    assert says(shared, ObjectKey("dark", "first")) == "Issued"
    assert said(shared, "second")["Ready"] == "KeyTaken"


def test_the_next_gets_the_key_as_soon_as_the_older_asks_for_another(shared):
    elsewhere(shared, request=OTHER_CSR, commonName="system:masters")
    shared.jump(seconds=2)
    shared.apply("second", request=OTHER_CSR)
    shared.settle()
    assert said(shared, "second")["Ready"] == "KeyTaken"
    respec(shared, request=given.csr(9))
    assert said(shared, "second")["Ready"] == "Issued"


@pytest.mark.parametrize("heard", [True, False])
def test_before_all_clients_of_its_namespace_were_heard_of_nobody_gets_a_key(heard):
    """The older one that asks may be the next to be heard of."""
    clock = FakeClock(given.NOW)
    view = View(clock, account=given.ACCOUNT)
    body = {"metadata": {"namespace": NAMESPACE_NAME, "name": VICTIM, "uid": "u", "resourceVersion": "1"}}
    view.certificates.listed(NAMESPACE_NAME, heard=heard)
    view.certificates.put(body | {"spec": {"issuerRef": {"name": "partners"}, "commonName": VICTIM, "request": CSR}})
    at = ObjectKey(NAMESPACE_NAME, VICTIM)
    observer = CertificateObserver(view, None, None, clock, None)
    assert observer._key_taken_until(view.certificate(at), at) is (None if heard else Unseen.UNKNOWN)


def test_of_many_who_ask_for_a_key_a_few_are_woken_when_one_of_them_goes():
    view = View(FakeClock(given.NOW), account=given.ACCOUNT)
    spec = {"issuerRef": {"name": "partners"}, "commonName": "mallory", "request": CSR}
    for number in range(100):
        metadata = {"namespace": "dark", "name": f"m{number}", "uid": f"u{number}", "resourceVersion": f"{number + 1}"}
        view.certificates.put({"metadata": metadata, "spec": spec})
    woken = []
    queue = SimpleNamespace(add=lambda key, _priority: woken.append(key.at))
    gone = ObjectKey("dark", "m50")
    before = view.certificate(gone)
    view.certificates.remove(gone, view.certificates.version(gone))
    Routing(view, queue, lambda _: False).changed(CLIENT_CERTIFICATE, gone, before, None)
    assert woken == [gone, *(ObjectKey("dark", f"m{number}") for number in range(MOST_ASKERS))]


def test_a_key_that_its_owner_calls_compromised_is_barred_for_everybody(shared):
    elsewhere(shared, request=CSR)
    shared.apply(VICTIM, revoked=True, revocationReason="keyCompromise")
    shared.settle()
    respec(shared, reissue="now")
    assert says(shared) == "KeyCompromised"
    shared.apply(VICTIM, revoked=False)
    shared.settle()
    assert said(shared, VICTIM)["Ready"] == "KeyCompromised"


# What is there already after an upgrade


@pytest.fixture
def stranger(shared):
    """A record of before the upgrade: mallory was certified for alice's key, after her."""
    number = 0xBAD
    body = next(r for r in shared.cluster.all(ISSUED_CERTIFICATE) if r["spec"]["clientCertificate"]["name"] == VICTIM)
    shared.jump(hours=2)
    now = shared.cluster.now().replace(microsecond=0)
    spec = body["spec"] | {
        "serialNumber": f"{number:x}",
        "notBefore": (now - given.HOUR).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "notAfter": (now + 365 * given.DAY).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "clientCertificate": {"namespace": MALLORY.namespace, "name": MALLORY.name, "uid": "before"},
    }
    record = {"metadata": {"name": f"{ISSUER_AT.name}.1.{number:x}"}, "spec": spec}
    shared.cluster.create(ISSUED_CERTIFICATE, NAMESPACE_NAME, record, PEOPLE)
    return number


def test_a_key_that_a_stranger_called_compromised_before_the_upgrade_is_its_owners_again(shared, stranger):
    person_writes(shared, stranger, reason="keyCompromise")
    shared.restart()
    assert renewed(shared)


def test_a_stranger_of_before_the_upgrade_keeps_its_certificate_and_gets_no_other(shared, stranger):
    elsewhere(shared, request=CSR)
    assert says(shared) == "KeyTaken"
    assert stranger in live(shared)
    assert renewed(shared)


def test_it_stays_so_when_the_owners_first_records_could_be_archived(shared, stranger):
    person_writes(shared, stranger, reason="keyCompromise")
    for _ in range(5):
        assert renewed(shared)
    for _ in range(6):
        shared.jump(days=1)
        shared.settle()
    assert renewed(shared)
