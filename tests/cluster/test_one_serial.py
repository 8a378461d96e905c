"""One serial is cut off by kubectl on its record: just that one, whatever becomes of its ClientCertificate."""

import json
import subprocess
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.home import Home
from tests.support.kube import CERTIFICATES, RECORDS, eventually
from tests.support.openssl import OpenSsl
from tests.testbed.controlplane import Cluster


@dataclass(frozen=True)
class Ledger:
    """The records of one namespace, as a person edits them and openssl sees the outcome."""

    cluster: Cluster
    home: Home
    openssl: OpenSsl

    def patch(self, serial: str, **revocation: Any) -> subprocess.CompletedProcess[str]:
        """What kubectl said to a merge patch of `spec.revocation`."""
        said = json.dumps({"spec": {"revocation": revocation}})
        command = ("patch", "issuedcertificate", f"partners.1.{serial}", "--type=merge", "-p", said)
        return self.cluster.kubectl("-n", self.home.namespace, *command, check=False)

    def revoke(self, serial: str, **revocation: Any) -> None:
        done = self.patch(serial, **revocation)
        assert done.returncode == 0, done.stderr

    def revocation(self, serial: str) -> dict[str, Any]:
        return dict(self.home.body(RECORDS, f"partners.1.{serial}")["spec"].get("revocation") or {})

    def comes_to_list(self, entries: dict[str, str]) -> None:
        """Wait until the CRL lists these serials, each for that reason, and no others."""
        eventually(lambda: self.openssl.crl_entries(self.home.crl().read_bytes()) == entries, f"{entries}")


@pytest.fixture
def ledger(cluster: Cluster, home: Home, openssl: OpenSsl) -> Ledger:
    """An issuer, and the client alice who keeps her key."""
    home.partners("alice")
    home.respec(CERTIFICATES, "alice", privateKey={"rotationPolicy": "Never"})
    home.issued()
    return Ledger(cluster, home, openssl)


def reissue(home: Home, name: str = "again") -> str:
    """A second serial for alice."""
    first = home.serial()
    home.respec(CERTIFICATES, "alice", reissue=name)
    eventually(lambda: home.serial() != first, "a second serial")
    home.issued()
    return home.serial()


@pytest.mark.promise(1)
def test_a_person_says_why_and_the_operator_since_when(ledger: Ledger):
    serial = ledger.home.serial()
    ledger.revoke(serial, reason="affiliationChanged")
    ledger.comes_to_list({serial: "Affiliation Changed"})
    made = ledger.home.body(RECORDS, f"partners.1.{serial}")["metadata"]["creationTimestamp"]
    # The CRL goes first, the record is completed behind it.
    assert eventually(lambda: ledger.revocation(serial).get("time"), "since when") >= made


@pytest.mark.promise(1)
def test_the_current_serial_is_replaced_with_a_new_key_though_the_old_one_was_to_be_kept(ledger: Ledger):
    home, serial = ledger.home, ledger.home.serial()
    key = home.data("alice-mtls")["tls.key"]
    ledger.revoke(serial, reason="keyCompromise")
    ledger.comes_to_list({serial: "Key Compromise"})
    eventually(lambda: home.serial() != serial, "a new serial")
    home.issued()
    assert home.data("alice-mtls")["tls.key"] != key
    ledger.comes_to_list({serial: "Key Compromise"})


@pytest.mark.promise(1)
def test_a_superseded_serial_is_cut_off_and_the_newer_one_stays(ledger: Ledger):
    home, first = ledger.home, ledger.home.serial()
    second = reissue(home)
    before = home.data("alice-mtls")
    ledger.revoke(first, reason="privilegeWithdrawn")
    ledger.comes_to_list({first: "Privilege Withdrawn"})
    home.says(CERTIFICATES, "alice", "Admitted", "Live")
    assert (home.serial(), home.data("alice-mtls")) == (second, before)


@pytest.mark.promise(1)
def test_a_compromised_key_that_a_newer_serial_kept_is_changed_though_that_serial_stays_good(ledger: Ledger):
    home, first = ledger.home, ledger.home.serial()
    second, key = reissue(home), home.data("alice-mtls")["tls.key"]
    ledger.revoke(first, reason="keyCompromise")
    eventually(lambda: home.serial() != second, "a third serial")
    home.issued()
    assert home.data("alice-mtls")["tls.key"] != key
    ledger.comes_to_list({first: "Key Compromise"})


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    ("revocation", "said"),
    [
        pytest.param({"reason": "superseded"}, "Superseded", id="a revocation"),
        pytest.param({"reason": "certificateHold"}, "Certificate Hold", id="a hold of a person's"),
    ],
)
def test_it_stays_when_a_suspension_of_its_client_is_over(ledger: Ledger, revocation: dict[str, Any], said: str):
    home, first = ledger.home, ledger.home.serial()
    second = reissue(home)
    ledger.revoke(first, **revocation)
    ledger.comes_to_list({first: said})
    home.respec(CERTIFICATES, "alice", suspended=True)
    ledger.comes_to_list({first: said, second: "Certificate Hold"})
    home.respec(CERTIFICATES, "alice", suspended=False)
    ledger.comes_to_list({first: said})
    assert ledger.revocation(first)["lifted"] is False


@pytest.mark.promise(1)
def test_it_stays_when_its_client_is_deleted_and_that_is_undone(ledger: Ledger):
    home, first = ledger.home, ledger.home.serial()
    ledger.revoke(first, reason="superseded")
    eventually(lambda: home.serial() != first, "a new serial")
    second = home.serial()
    home.remove(CERTIFICATES, "alice")
    home.gone(CERTIFICATES, "alice")
    ledger.comes_to_list({first: "Superseded", second: "Certificate Hold"})
    ledger.revoke(second, lifted=True)
    ledger.comes_to_list({first: "Superseded"})
    refused = ledger.patch(first, lifted=True)
    assert "only a certificateHold can be lifted" in refused.stderr


def test_a_hold_of_a_persons_ends_when_the_person_lifts_it(ledger: Ledger):
    home, first = ledger.home, ledger.home.serial()
    reissue(home)
    ledger.revoke(first, reason="certificateHold")
    ledger.comes_to_list({first: "Certificate Hold"})
    ledger.revoke(first, lifted=True)
    ledger.comes_to_list({})


REFUSED = {
    "given another reason": ({"reason": "superseded"}, "revoked for good"),
    "held instead": ({"reason": "certificateHold"}, "revoked for good"),
    "lifted": ({"lifted": True}, "only a certificateHold can be lifted"),
}


@pytest.mark.promise(1)
@pytest.mark.parametrize(("revocation", "says"), REFUSED.values(), ids=REFUSED)
def test_a_serial_that_is_revoked_cannot_be(ledger: Ledger, revocation: dict[str, Any], says: str):
    serial = ledger.home.serial()
    ledger.revoke(serial, reason="unspecified")
    assert says in ledger.patch(serial, **revocation).stderr


@pytest.mark.promise(1)
def test_a_revocation_is_not_taken_away(ledger: Ledger):
    serial = ledger.home.serial()
    ledger.revoke(serial, reason="unspecified")
    answer = ledger.home.admin.patch(
        RECORDS, ledger.home.body(RECORDS, f"partners.1.{serial}"), {"spec": {"revocation": None}}
    )
    assert "a revocation is not removed" in answer.message


def test_a_key_that_is_known_to_be_compromised_later_changes_the_reason(ledger: Ledger):
    serial = ledger.home.serial()
    ledger.revoke(serial, reason="unspecified")
    ledger.comes_to_list({serial: ""})
    ledger.revoke(serial, reason="keyCompromise")
    ledger.comes_to_list({serial: "Key Compromise"})
