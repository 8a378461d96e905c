"""Secrets by consent: without a RoleBinding the object says which command to run; given, taken away and given back, seen in seconds."""

import shlex
from collections.abc import Iterator

import pytest

from tests.support.home import Home, client, issuer
from tests.support.kube import CERTIFICATES, CONFIGMAPS, ISSUERS, SECRETS, Person
from tests.testbed.controlplane import Cluster


@pytest.fixture
def stranger(admin: Person, home: Home) -> Iterator[Home]:
    """A namespace that has not consented."""
    stranger = Home.found(admin, home.folder, consent=False, prefix="stranger-")
    yield stranger
    stranger.abandon()


def command_in(message: str) -> list[str]:
    """The command that a message ends with, as a shell would take it apart."""
    return shlex.split(message.partition("run: ")[2])


def test_an_issuer_says_which_command_to_run_and_signs_when_it_was_run(stranger: Home, cluster: Cluster):
    stranger.make(ISSUERS, issuer())
    program, *arguments = command_in(stranger.says(ISSUERS, "partners", "Ready", "NotPermitted"))
    assert program == "kubectl"
    cluster.kubectl(*arguments)
    stranger.signing()


def test_a_client_says_which_command_to_run_and_is_served_when_it_was_run(home: Home, stranger: Home, cluster: Cluster):
    home.partners(issuance={"allowedNamespaces": {"from": "All"}, "allowedSubjects": [{"commonName": "*"}]})
    stranger.make(CERTIFICATES, client(issuerRef={"name": "partners", "namespace": home.namespace}))
    program, *arguments = command_in(stranger.says(CERTIFICATES, "alice", "Ready", "NotPermitted"))
    assert program == "kubectl"
    cluster.kubectl(*arguments)
    stranger.issued()


def test_a_consent_that_is_withdrawn_is_said_and_the_client_still_gets_in(home: Home):
    home.partners("alice")
    home.withdraw()
    home.says(ISSUERS, "partners", "Ready", "NotPermitted")
    home.says(CERTIFICATES, "alice", "Ready", "NotPermitted")
    assert home.condition(CERTIFICATES, "alice", "Admitted")["reason"] == "Live"


def test_a_consent_that_is_given_back_finds_everything_as_it_was(home: Home):
    home.partners("alice")
    serial = home.issued()["status"]["serialNumber"]
    number = home.body(ISSUERS, "partners")["status"]["crl"]["number"]
    home.withdraw()
    home.says(ISSUERS, "partners", "Ready", "NotPermitted")
    home.says(CERTIFICATES, "alice", "Ready", "NotPermitted")
    home.consent()
    home.signing()
    assert home.issued()["status"]["serialNumber"] == serial
    assert home.body(ISSUERS, "partners")["status"]["crl"]["number"] == number
    assert len(home.records()) == 1


def test_what_was_asked_while_the_consent_was_away_is_done_when_it_is_back(home: Home):
    home.partners("alice", "bob")
    home.withdraw()
    home.says(CERTIFICATES, "alice", "Ready", "NotPermitted")
    home.respec(CERTIFICATES, "alice", revoked=True)
    home.says(CERTIFICATES, "alice", "Admitted", "CuttingOff")
    home.consent()
    home.says(CERTIFICATES, "alice", "Admitted", "Revoked")


def test_a_namespace_that_withdraws_its_consent_stops_nobody_else(home: Home, stranger: Home):
    stranger.consent()
    stranger.partners("bob")
    home.partners("alice")
    stranger.withdraw()
    stranger.says(ISSUERS, "partners", "Ready", "NotPermitted")
    home.respec(CERTIFICATES, "alice", revoked=True)
    home.says(CERTIFICATES, "alice", "Admitted", "Revoked")


def test_nothing_is_read_or_written_in_a_namespace_that_never_consented(stranger: Home):
    stranger.make(ISSUERS, issuer())
    stranger.says(ISSUERS, "partners", "Ready", "NotPermitted")
    names = [body["metadata"]["name"] for kind in (SECRETS, CONFIGMAPS)
             for body in stranger.admin.ask("GET", kind.path(stranger.namespace)).body["items"]]  # fmt: skip
    assert set(names) <= {"kube-root-ca.crt"}  # Kubernetes' own
