"""`kubectl describe` tells the story of a client, of an issuer and of an Ingress."""

import re
import signal

from tests.support.audit import Audit
from tests.support.home import Home
from tests.support.installation import OperatorProcess
from tests.support.kube import CERTIFICATES, INGRESSES, ISSUERS, eventually
from tests.testbed.controlplane import Cluster

from .policies_support import ISSUER, ingress

ROW = re.compile(r"^ +(Normal|Warning) +(\w+) +\S+(?: ago)? +(?:\(.*\) +)?doorward +(.*)$", re.MULTILINE)


def described(cluster: Cluster, home: Home, kind: str, name: str) -> dict[str, str]:
    """The Events as kubectl shows them, by reason: type and message."""
    text = cluster.kubectl("-n", home.namespace, "describe", kind, name).stdout
    return {reason: f"{type_} {message}" for type_, reason, message in ROW.findall(text)}


def shows(cluster: Cluster, home: Home, kind: str, name: str, *reasons: str) -> dict[str, str]:
    """Wait until these Events, and no others, are shown; all of them."""
    found: dict[str, str] = {}

    def all_there() -> bool:
        found.clear()
        found.update(described(cluster, home, kind, name))
        return found.keys() == set(reasons)

    try:
        eventually(all_there, f"kubectl describe {kind} {name} shows {reasons}")
    except AssertionError as error:
        raise AssertionError(f"{error}; it shows {found}") from None
    return found


def test_kubectl_describe_tells_the_story_of_a_client(cluster: Cluster, home: Home):
    home.partners("alice")
    home.make(INGRESSES, ingress(home.namespace, {ISSUER: "partners"}))
    first = home.serial()
    told = shows(cluster, home, "clientcertificate", "alice", "Issued")
    assert told["Issued"].startswith(f"Normal Certificate {first} is in Secret alice-mtls. It is valid until 2")
    home.respec(CERTIFICATES, "alice", reissue="today")
    second = home.reissued(first)
    told = shows(cluster, home, "clientcertificate", "alice", "Issued", "Renewed")
    assert f"Certificate {second} is in Secret alice-mtls and replaces {first}" in told["Renewed"]
    home.respec(CERTIFICATES, "alice", suspended=True)
    told = shows(cluster, home, "clientcertificate", "alice", "Issued", "Renewed", "Held", "CutOffComplete")
    assert "spec.suspended is true. Set it to false to restore access" in told["Held"]
    assert re.search(r"every gate has it, \d+\.\d s after", told["CutOffComplete"])
    home.respec(CERTIFICATES, "alice", suspended=False)
    shows(cluster, home, "clientcertificate", "alice", "Issued", "Renewed", "Held", "CutOffComplete", "Released")
    home.respec(CERTIFICATES, "alice", revoked=True, revocationReason="keyCompromise")
    everything = ("Issued", "Renewed", "Held", "CutOffComplete", "Released", "Revoked")
    told = shows(cluster, home, "clientcertificate", "alice", *everything)
    assert "(CRL reason keyCompromise)" in told["Revoked"]


def test_kubectl_describe_tells_the_story_of_an_issuer_and_of_its_ingress(cluster: Cluster, home: Home):
    home.partners("alice", ca={"generate": {"commonName": "Partners CA"}})
    home.make(INGRESSES, ingress(home.namespace, {ISSUER: "partners"}))
    story = eventually(
        lambda: (
            {"CaCreated", "CaActive", "GateReady"} <= (d := described(cluster, home, "mtlsissuer", "partners")).keys()
            and d
        ),
        "the CA and the gate are told",
    )
    assert "CA generation 1 in Secret partners-ca-1" in story["CaCreated"]
    home.respec(ISSUERS, "partners", ca={"generate": {"commonName": "Partners CA", "rotate": "now"}})

    def text() -> str:
        return cluster.kubectl("-n", home.namespace, "describe", "mtlsissuer", "partners").stdout

    eventually(lambda: "CA generation 2 signs new certificates" in text(), "the next CA is active")
    home.respec(ISSUERS, "partners", ca={"distrust": [1]})
    eventually(lambda: "CA generation 1 is retired" in text(), "the first CA is retired")
    assert "CA generation 2 in Secret partners-ca-2" in text()
    eventually(lambda: described(cluster, home, "ingress", "app"), "the Ingress is told")


def test_a_refusal_is_shown_with_what_to_do(cluster: Cluster, home: Home):
    home.partners("alice", issuance={"allowedSubjects": [{"commonName": "a*"}]})
    home.respec(CERTIFICATES, "alice", commonName="mallory")
    told = shows(cluster, home, "clientcertificate", "alice", "Issued", "SubjectNotAllowed")
    assert told["SubjectNotAllowed"].startswith("Warning MTLSIssuer ")
    assert "Remove or change" in told["SubjectNotAllowed"]


def test_a_restart_after_all_of_that_tells_nothing(
    cluster: Cluster, home: Home, running_operator: OperatorProcess, audit: Audit
):
    home.partners("alice", "bob", issuance={"allowedSubjects": [{"commonName": "a*"}, {"commonName": "b*"}]})
    home.respec(CERTIFICATES, "alice", commonName="mallory")
    home.says(CERTIFICATES, "alice", "Ready", "SubjectNotAllowed")
    home.respec(CERTIFICATES, "bob", suspended=True)
    home.says(CERTIFICATES, "bob", "Admitted", "OnHold")
    shows(cluster, home, "clientcertificate", "bob", "Issued", "Held", "CutOffComplete")
    audit.rest(home.namespace)
    for number in (signal.SIGTERM, signal.SIGKILL):
        with audit.writes(home.namespace) as written:
            running_operator.restart(number)
        assert written == {}
