"""A certificate's successors: in time, on demand, when the spec says something else; and what becomes of the old one."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from doorward.planning.timing import BACKDATE
from tests.support import importers
from tests.support.audit import Audit
from tests.support.home import Home, client
from tests.support.kube import CERTIFICATES, RECORDS, SECRETS, eventually
from tests.support.openssl import OpenSsl
from tests.testbed.controlplane import Cluster

from .test_suspension import verdict


def next_serial(home: Home, last: str) -> str:
    """The serial that follows."""
    eventually(lambda: home.serial() != last, "another serial")
    return home.serial()


@pytest.mark.parametrize(("policy", "same"), [("Always", False), ("Never", True)], ids=["new", "the same"])
def test_a_certificate_is_followed_by_one_with_a_key_that_is(home: Home, policy: str, same: bool):
    # On demand: by itself none is renewed within five minutes (tests/unit/runtime/test_life.py lets time pass).
    home.partners()
    home.make(CERTIFICATES, client(privateKey={"rotationPolicy": policy}))
    first, key = home.issued()["status"]["serialNumber"], home.data("alice-mtls")["tls.key"]
    home.respec(CERTIFICATES, "alice", reissue="today")
    assert next_serial(home, first)
    assert (home.data("alice-mtls")["tls.key"] == key) is same


@pytest.mark.parametrize(
    ("spec", "hours"),
    [
        pytest.param({"duration": "720h"}, 240, id="a third of a month"),
        pytest.param({"duration": "24h"}, 12, id="half a day"),
        pytest.param({"duration": "24h", "renewBefore": "3h"}, 3, id="as the spec says"),
    ],
)
def test_a_certificate_is_to_be_renewed_before_its_end_by(home: Home, spec: dict[str, Any], hours: int):
    home.partners()
    home.make(CERTIFICATES, client(**spec))
    status = home.issued()["status"]
    ends, due = (datetime.fromisoformat(status[name]) for name in ("notAfter", "renewalTime"))
    assert ends - due == timedelta(hours=hours)


@pytest.mark.promise(1)
def test_a_superseded_serial_is_revoked_after_its_grace_period(home: Home, openssl: OpenSsl):
    home.partners("alice", certificates={"supersededGracePeriod": "3s"})
    first = home.serial()
    home.respec(CERTIFICATES, "alice", reissue="today")
    second = next_serial(home, first)
    wanted = {first: "Superseded"}
    eventually(lambda: openssl.crl_entries(home.crl().read_bytes()) == wanted, "the old serial is revoked")
    assert (home.serial(), verdict(home, openssl)) == (second, "OK")
    revoked, successor = (home.body(RECORDS, f"partners.1.{serial}")["spec"] for serial in (first, second))
    signed = datetime.fromisoformat(successor["notBefore"]) + BACKDATE
    assert datetime.fromisoformat(revoked["revocation"]["time"]) - signed >= timedelta(seconds=3)


# On demand


def test_a_reissue_costs_three_writes_and_is_remembered_by_the_secret(cluster: Cluster, home: Home, audit: Audit):
    home.partners("alice")
    first = home.serial()
    patch = ("patch", "clientcertificate", "alice", "--type=merge", "-p", '{"spec": {"reissue": "2026-11-25"}}')
    audit.rest(home.namespace)
    with audit.writes(home.namespace) as written:
        cluster.kubectl("-n", home.namespace, *patch)
        next_serial(home, first)
    del written["patch mtlsissuers/status"]
    assert written.pop("create events") == 1
    assert written == {"create issuedcertificates": 1, "update secrets": 1, "patch clientcertificates/status": 1}
    assert home.get(SECRETS, "alice-mtls").annotations["doorward.io/reissue"] == "2026-11-25"


def test_a_reissue_that_is_taken_away_or_repeated_issues_nothing(home: Home, audit: Audit):
    home.partners("alice")
    first = home.serial()
    home.respec(CERTIFICATES, "alice", reissue="today")
    second = next_serial(home, first)
    for value in (None, "", "today"):
        home.respec(CERTIFICATES, "alice", reissue=value)
        home.issued()
    audit.rest(home.namespace)
    assert (home.serial(), len(home.records("alice"))) == (second, 2)


def test_a_secret_that_is_written_anew_keeps_its_reissue(home: Home):
    home.partners()
    home.make(CERTIFICATES, client(reissue="today"))
    first = home.issued()["status"]["serialNumber"]
    home.change(SECRETS, "alice-mtls", {"data": {"keystore.p12": None}})
    eventually(lambda: "keystore.p12" in home.data("alice-mtls"), "the keystore is back")
    assert home.get(SECRETS, "alice-mtls").annotations["doorward.io/reissue"] == "today"
    assert home.serial() == first


# When the spec says something else

OTHER: Mapping[str, tuple[dict[str, Any], str]] = {
    "subject": ({"subject": {"organizations": ["ACME"]}}, "O = ACME, CN = alice.example"),
    "alternative name": ({"dnsNames": ["alice.example"]}, "DNS:alice.example"),
    "kind of key": ({"privateKey": {"algorithm": "Ed25519"}}, "ED25519 Public-Key"),
}


@pytest.mark.parametrize(("spec", "says"), OTHER.values(), ids=OTHER)
def test_a_certificate_is_reissued_for_another(home: Home, openssl: OpenSsl, spec: dict[str, Any], says: str):
    home.partners("alice")
    first = home.serial()
    assert says not in openssl.text(home.data("alice-mtls")["tls.crt"])
    home.respec(CERTIFICATES, "alice", **spec)
    next_serial(home, first)
    assert says in openssl.text(home.data("alice-mtls")["tls.crt"])
    assert openssl.crl_entries(home.crl().read_bytes()) == {}


def test_another_duration_is_for_the_next_certificate(home: Home, audit: Audit):
    home.partners("alice")
    status = home.body(CERTIFICATES, "alice")["status"]
    home.respec(CERTIFICATES, "alice", duration="24h")
    assert home.issued()["status"]["notAfter"] == status["notAfter"]
    home.respec(CERTIFICATES, "alice", reissue="now")
    next_serial(home, status["serialNumber"])
    assert home.issued()["status"]["notAfter"] < status["notAfter"]
    audit.rest(home.namespace)
    assert len(home.records("alice")) == 2


# The keystore alone


def opens(home: Home, password: bytes) -> bool:
    files = home.files()
    folder = home.folder / password.decode()
    folder.mkdir(exist_ok=True)
    try:
        return bool(importers.with_openssl(files["keystore.p12"], password.decode(), folder))
    except AssertionError:
        return False


def test_another_password_builds_the_keystore_anew_around_the_same_certificate_and_key(home: Home):
    home.partners()
    offered = {"name": "chosen", "labels": {"doorward.io/keystore-password": "true"}}
    home.secret("chosen", {"password": b"correct horse"}, metadata=offered)
    home.make(CERTIFICATES, client(keystores={"pkcs12": {"passwordSecretRef": {"name": "chosen"}}}))
    serial, before = home.issued()["status"]["serialNumber"], home.data("alice-mtls")
    assert opens(home, b"correct horse")
    home.put_secret("chosen", {"password": b"battery staple"})
    eventually(lambda: opens(home, b"battery staple"), "it opens with the new password")
    after = home.data("alice-mtls")
    assert (home.serial(), after["tls.crt"], after["tls.key"]) == (serial, before["tls.crt"], before["tls.key"])


def test_another_profile_builds_the_keystore_anew_around_the_same_certificate_and_key(home: Home, openssl: OpenSsl):
    home.partners("alice")
    serial, before = home.serial(), home.data("alice-mtls")
    home.respec(CERTIFICATES, "alice", keystores={"pkcs12": {"profile": "LegacyDES"}})
    eventually(lambda: home.data("alice-mtls")["keystore.p12"] != before["keystore.p12"], "a new one")
    after = home.data("alice-mtls")
    said = openssl.run(
        *("pkcs12", "-info", "-noout", "-passin", f"pass:{after['keystore.password'].decode()}"),
        stdin=after["keystore.p12"],
    )
    assert said.stderr.count(b"TripleDES") == 2
    assert (home.serial(), after["tls.crt"], after["tls.key"]) == (serial, before["tls.crt"], before["tls.key"])


# Revoked, and taken back


@pytest.mark.promise(1)
def test_a_client_whose_revocation_is_taken_back_gets_a_new_key_and_the_old_serial_stays_revoked(
    home: Home, openssl: OpenSsl
):
    home.partners()
    home.make(CERTIFICATES, client(privateKey={"rotationPolicy": "Never"}))
    first, key = home.issued()["status"]["serialNumber"], home.data("alice-mtls")["tls.key"]
    home.respec(CERTIFICATES, "alice", revoked=True, revocationReason="affiliationChanged")
    home.says(CERTIFICATES, "alice", "Admitted", "Revoked")
    home.respec(CERTIFICATES, "alice", revoked=False)
    home.says(CERTIFICATES, "alice", "Admitted", "Live")
    assert home.data("alice-mtls")["tls.key"] != key
    assert verdict(home, openssl) == "OK"
    assert openssl.crl_entries(home.crl().read_bytes()) == {first: "Affiliation Changed"}


@pytest.mark.promise(1)
def test_a_csr_whose_key_was_compromised_is_certified_for_nobody_again(home: Home, openssl: OpenSsl):
    home.partners()
    csr = openssl.request("whoever", openssl.makes("genpkey", "-algorithm", "ed25519")).decode()
    home.make(CERTIFICATES, client(request=csr))
    home.issued()
    home.respec(CERTIFICATES, "alice", revoked=True)
    home.says(CERTIFICATES, "alice", "Admitted", "Revoked")
    home.respec(CERTIFICATES, "alice", revocationReason="keyCompromise")
    wanted = {home.serial(): "Key Compromise"}
    eventually(lambda: openssl.crl_entries(home.crl().read_bytes()) == wanted, "the key is barred")
    home.make(CERTIFICATES, client("bob", request=csr))
    home.says(CERTIFICATES, "bob", "Ready", "KeyCompromised")
    home.respec(CERTIFICATES, "alice", revoked=False)
    home.says(CERTIFICATES, "alice", "Ready", "KeyCompromised")
    assert [len(home.records(name)) for name in ("alice", "bob")] == [1, 0]
