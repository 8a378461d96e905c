"""Somebody who may issue sends another client's CSR, which is public: no certificate for them, and none lost for the other."""

from typing import Any

import pytest

from tests.support.holders import holder_of_issue, tries
from tests.support.home import Home, client
from tests.support.kube import CERTIFICATES, RECORDS, SECRETS, Person, eventually
from tests.support.openssl import EC_KEY, OpenSsl

EVERYWHERE = {"allowedNamespaces": {"from": "All"}, "allowedSubjects": [{"commonName": "*.example"}]}
BURNT = {"revoked": True, "revocationReason": "keyCompromise"}


@pytest.fixture
def csr(openssl: OpenSsl) -> str:
    return openssl.request("alice", openssl.makes(*EC_KEY)).decode()


@pytest.fixture
def victim(home: Home, csr: str) -> Home:
    """An issuer that serves every namespace, and alice, who has a certificate for her CSR."""
    home.partners(issuance=EVERYWHERE)
    home.make(CERTIFICATES, client(request=csr))
    home.issued()
    return home


@pytest.fixture
def own(home: Home) -> Home:
    """The attacker's namespace."""
    return Home.found(home.admin, home.folder, prefix="own-")


@pytest.fixture
def mallory(victim: Home, own: Home) -> Person:
    return holder_of_issue(victim, own)


def theirs(victim: Home, name: str = "mallory", **spec: Any) -> dict[str, Any]:
    return client(name, issuerRef={"name": "partners", "namespace": victim.namespace}, **spec)


def is_renewed(victim: Home) -> bool:
    """Whether alice gets another certificate for her key."""
    before = victim.serial()
    victim.respec(CERTIFICATES, "alice", reissue=before[:8])
    eventually(lambda: victim.serial() != before, "alice's next certificate")
    victim.issued()
    return bool(victim.data("alice-mtls")["tls.crt"])


@pytest.mark.promise(8)
def test_another_clients_csr_gives_nothing_and_revoking_it_takes_nothing_away(
    victim: Home, own: Home, mallory: Person, csr: str
):
    assert tries(mallory, own, theirs(victim, request=csr)).ok
    told = own.says(CERTIFICATES, "mallory", "Ready", "KeyTaken")
    assert "create a key that no other client uses" in told
    assert "alice" not in told
    assert victim.namespace + "/alice" not in str(own.body(CERTIFICATES, "mallory")["status"])
    assert own.get(SECRETS, "mallory-mtls").status == 404
    assert mallory.patch(CERTIFICATES, own.body(CERTIFICATES, "mallory"), {"spec": BURNT}).ok
    own.says(CERTIFICATES, "mallory", "Ready", "CutOff")
    assert mallory.create(CERTIFICATES, own.here(theirs(victim, "burnt", request=csr, **BURNT))).ok
    own.says(CERTIFICATES, "burnt", "Ready", "CutOff")
    assert is_renewed(victim)
    assert {record["spec"]["clientCertificate"]["name"] for record in victim.records()} == {"alice"}
    own.abandon()


@pytest.mark.promise(8)
def test_a_client_of_theirs_that_takes_the_csr_later_keeps_its_own_certificate_alone(
    victim: Home, own: Home, mallory: Person, csr: str, openssl: OpenSsl
):
    mine = openssl.request("mallory", openssl.makes(*EC_KEY)).decode()
    assert tries(mallory, own, theirs(victim, request=mine)).ok
    own.issued("mallory")
    assert mallory.patch(CERTIFICATES, own.body(CERTIFICATES, "mallory"), {"spec": {"request": csr}}).ok
    own.says(CERTIFICATES, "mallory", "Ready", "KeyTaken")
    assert mallory.patch(CERTIFICATES, own.body(CERTIFICATES, "mallory"), {"spec": BURNT}).ok
    (record,) = victim.records("mallory")
    name = record["metadata"]["name"]
    eventually(lambda: victim.body(RECORDS, name)["spec"].get("revocation"), "mallory's own certificate is revoked")
    assert is_renewed(victim)
    own.abandon()


@pytest.mark.promise(8)
def test_the_owner_is_not_locked_out_by_being_deleted_for_a_while(victim: Home, own: Home, mallory: Person, csr: str):
    assert tries(mallory, own, theirs(victim, request=csr)).ok
    victim.remove(CERTIFICATES, "alice")
    victim.gone(CERTIFICATES, "alice")
    assert mallory.create(CERTIFICATES, own.here(theirs(victim, "again", request=csr))).ok
    own.says(CERTIFICATES, "again", "Ready", "KeyTaken")
    victim.make(CERTIFICATES, client(request=csr))
    victim.issued()
    own.says(CERTIFICATES, "mallory", "Ready", "KeyTaken")
    own.abandon()


def test_the_owner_may_have_another_name_in_its_namespace(victim: Home, csr: str):
    victim.make(CERTIFICATES, client("alicia", request=csr))
    victim.says(CERTIFICATES, "alicia", "Ready", "KeyTaken")
    victim.remove(CERTIFICATES, "alice")
    victim.issued("alicia")
