"""What a certificate costs, counted by the API server's own audit log; and that a settled cluster is left alone."""

import signal
from collections import Counter

import pytest

from tests.support.audit import Audit
from tests.support.home import Home, client
from tests.support.installation import OperatorProcess
from tests.support.kube import (
    CERTIFICATES,
    CONFIGMAPS,
    EVENTS,
    INGRESSES,
    ISSUERS,
    RECORDS,
    SECRETS,
    eventually,
)

from .policies_support import ISSUER, ingress, without_finalizer_policy

MANY = 10


def issued(home: Home, audit: Audit, names: list[str]) -> Counter[str]:
    """The operator's writes while these clients got their certificates; the issuer's own status aside."""
    audit.rest(home.namespace)
    with audit.writes(home.namespace) as written:
        for name in names:
            home.make(CERTIFICATES, client(name))
        for name in names:
            home.issued(name)
    return Counter({what: number for what, number in written.items() if what != "patch mtlsissuers/status"})


@pytest.mark.mutating
def test_a_certificate_costs_three_writes_and_an_event(home: Home, audit: Audit):
    home.partners()
    written = issued(home, audit, [f"client-{number}" for number in range(MANY)])
    assert written == {
        "create issuedcertificates": MANY,
        "create secrets": MANY,
        "patch clientcertificates/status": MANY,
        "create events": MANY,
    }


WATCHED = (SECRETS, CONFIGMAPS, INGRESSES, CERTIFICATES, ISSUERS, RECORDS, EVENTS)
OTHERS = "configmaps/kube-root-ca.crt"
"""What Kubernetes puts into each namespace, when it comes to it."""


def versions(home: Home) -> dict[str, str]:
    """The resourceVersion of everything in the namespace that the operator could touch."""
    listed = {kind.plural: home.admin.ask("GET", kind.path(home.namespace)).body["items"] for kind in WATCHED}
    found = {
        f"{plural}/{body['metadata']['name']}": body["metadata"]["resourceVersion"]
        for plural, items in listed.items()
        for body in items
    }
    return {name: version for name, version in found.items() if name != OTHERS}


@pytest.fixture
def settled(home: Home, audit: Audit) -> Home:
    """An issuer, a client that is in, one that is out, one that is told what is wrong, and a gate; all at rest."""
    home.partners("alice", "bob")
    home.respec(CERTIFICATES, "bob", revoked=True)
    home.says(CERTIFICATES, "bob", "Admitted", "Revoked")
    home.make(CERTIFICATES, client("carol", issuer="nobody"))
    home.says(CERTIFICATES, "carol", "Ready", "IssuerNotFound")
    home.make(INGRESSES, ingress(home.namespace, {ISSUER: "partners"}))
    home.says(ISSUERS, "partners", "GatesCurrent", "AllCurrent")
    eventually(lambda: home.body(ISSUERS, "partners")["status"]["counts"]["revoked"] == 1, "the counts are written")
    eventually(lambda: "doorward.io/gate" in home.get(INGRESSES, "app").annotations, "the Ingress is told")
    home.says(ISSUERS, "partners", "HostsProtected", "SomeNotProtected")
    audit.rest(home.namespace)
    return home


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_a_restart_with_nothing_changed_writes_nothing(
    settled: Home, running_operator: OperatorProcess, audit: Audit, number: signal.Signals
):
    before = versions(settled)
    with audit.writes(settled.namespace) as written:
        running_operator.restart(number)
    assert (written, versions(settled)) == ({}, before)


def test_without_the_policy_that_puts_the_finalizer_on_a_certificate_costs_four_writes(home: Home, audit: Audit):
    home.partners()
    with without_finalizer_policy(home.admin, home.here(client("probe"))):
        written = issued(home, audit, [f"client-{number}" for number in range(MANY)])
    assert written["patch clientcertificates"] == MANY
    assert sum(written.values()) - written["create events"] == 4 * MANY
