"""A deletion waits for the CRL, and for gates no longer than thirty seconds: what they did not get is told in an Event."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.home import Home, client, issuer
from tests.support.kube import CERTIFICATES, EVENTS, INGRESSES, ISSUERS, Object, Person, eventually

from .policies_support import ISSUER, ingress


@pytest.fixture
def silent(admin: Person, tmp_path: Path) -> Iterator[Home]:
    """A namespace that has not consented: its gate cannot be written."""
    home = Home.found(admin, tmp_path, consent=False)
    yield home
    home.abandon()


def test_a_gate_that_cannot_be_written_holds_no_deletion_back_for_good(home: Home, silent: Home):
    home.make(ISSUERS, issuer(gates={"allowedNamespaces": {"from": "All"}}))
    home.make(CERTIFICATES, client())
    home.issued()
    silent.make(INGRESSES, ingress(silent.namespace, {ISSUER: f"{home.namespace}/partners"}))
    home.says(ISSUERS, "partners", "GatesCurrent", "SomeNotCurrent")
    home.remove(CERTIFICATES, "alice")
    home.gone(CERTIFICATES, "alice")
    eventually(lambda: "CutOffIncomplete" in told(home, "alice"), "an Event of hers")
    assert Counter(told(home, "alice")) == {"Issued": 1, "Held": 1, "CutOffIncomplete": 1}
    (message,) = messages(home, "alice", "CutOffIncomplete")
    assert f"the gate in namespace {silent.namespace} could not be written" in message


def events(home: Home, name: str) -> list[Object]:
    """The Events that are about that client."""
    items = home.admin.ask("GET", EVENTS.path(home.namespace)).body["items"]
    about = [event for event in items if event["involvedObject"]["kind"] == "ClientCertificate"]
    return [event for event in about if event["involvedObject"]["name"] == name]


def told(home: Home, name: str) -> list[str]:
    """Their reasons."""
    return [event["reason"] for event in events(home, name)]


def messages(home: Home, name: str, reason: str) -> list[str]:
    """The messages of those with that reason."""
    return [event["message"] for event in events(home, name) if event["reason"] == reason]
