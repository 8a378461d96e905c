"""The log of a real operator process: `grep` finds one client's story in it, no fault repeats, and it holds no key."""

import base64
import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.audit import Audit
from tests.support.home import Home, client
from tests.support.installation import DOORWARD, OperatorProcess
from tests.support.kube import CERTIFICATES, INGRESSES, ISSUERS, NAMESPACES, SECRETS, Person, eventually
from tests.testbed.controlplane import Cluster

from .policies_support import ISSUER, ingress

Line = dict[str, Any]


class Grep:
    """The lines of the operator's log that name something, since the last look at it."""

    def __init__(self, operator: OperatorProcess) -> None:
        self._operator = operator
        self._seen = len(operator.log)

    def of(self, name: str, *, until: str = "") -> list[Line]:
        """All of it is taken as seen, once a line with the words `until` is there.

        A status may say what an earlier change made true, and no status tells when a line has been written.
        """
        end = eventually(lambda: self._end(name, until), f"the log of {name} says: {until}")
        lines = self._operator.log[self._seen : end].splitlines()
        self._seen = end
        return [json.loads(line) for line in lines if name in line]

    def _end(self, name: str, until: str) -> int:
        """Where the last whole line ends, or 0 while none that is new has the words."""
        text = self._operator.log
        end = text.rindex("\n") + 1
        lines = text[self._seen : end].splitlines()
        told = not until or any(name in line and json.loads(line)["message"] == until for line in lines)
        return end if told else 0


def one(lines: list[Line], message: str) -> Line:
    """The only line with these words."""
    (found,) = [line for line in lines if line["message"] == message]
    return found


@pytest.fixture
def grep(running_operator: OperatorProcess) -> Grep:
    return Grep(running_operator)


@pytest.fixture
def served(home: Home, grep: Grep) -> Home:  # noqa: ARG001 - the log is read from before on
    """A client that has access at one host."""
    home.partners("alice")
    home.make(INGRESSES, ingress(home.namespace, {ISSUER: "partners"}))
    home.says(ISSUERS, "partners", "GatesCurrent", "AllCurrent")
    return home


def crl_number(home: Home) -> int:
    return int(home.body(ISSUERS, "partners")["status"]["crl"]["number"])


def cut_off(home: Home, lines: list[Line], message: str) -> Line:
    """Record, CRL and gate, each once and of the same client; the record's line."""
    step, entered, gate = one(lines, message), one(lines, "serial entered the crl"), one(lines, "gate written")
    assert {step["client"], entered["client"], *gate["clients"]} == {f"{home.namespace}/alice"}
    assert (step["serial"], entered["number"], gate["namespace"]) == (entered["serial"], gate["number"], home.namespace)
    return step


def test_the_log_tells_the_story_of_one_client(served: Home, grep: Grep, cluster: Cluster):
    alice = f"{served.namespace}/alice"
    lines = grep.of(alice)
    issued = one(lines, "certificate issued")
    assert issued["serial"] == one(lines, "certificate signed")["serial"] == served.serial()

    served.respec(CERTIFICATES, "alice", suspended=True)
    served.says(CERTIFICATES, "alice", "Admitted", "OnHold")
    held = cut_off(served, grep.of(alice, until="gate written"), "certificate held")
    assert (held["held_by"], held["by"]) == ("Suspension", "operator")

    served.respec(CERTIFICATES, "alice", suspended=False)
    served.says(CERTIFICATES, "alice", "Admitted", "Live")
    lines = grep.of(alice, until="gate written")
    assert one(lines, "hold lifted")["by"] == "operator"
    assert one(lines, "serial left the crl")["number"] == one(lines, "gate written")["number"]
    assert one(lines, "serial left the crl")["serial"] == issued["serial"]

    served.remove(CERTIFICATES, "alice")
    served.gone(CERTIFICATES, "alice")
    held = cut_off(served, grep.of(alice, until="gate written"), "certificate held")
    assert (held["held_by"], held["final_at"] > held["since"]) == ("Deletion", True)

    before = crl_number(served)
    command = [
        DOORWARD,
        "restore",
        f"--issuer={served.namespace}/partners",
        "--name=alice",
        f"--namespace={served.namespace}",
    ]
    subprocess.run([*command, f"--kubeconfig={cluster.kubeconfig}"], check=True, capture_output=True)
    eventually(lambda: crl_number(served) > before, "the CRL lets it in again")
    lines = grep.of(alice, until="serial left the crl")
    assert one(lines, "hold lifted")["by"] == "another"
    assert one(lines, "serial left the crl")["serial"] == issued["serial"]


def test_a_client_that_is_revoked_is_called_so(served: Home, grep: Grep):
    grep.of("")
    served.respec(CERTIFICATES, "alice", revoked=True, revocationReason="keyCompromise")
    served.says(CERTIFICATES, "alice", "Admitted", "Revoked")
    revoked = cut_off(served, grep.of(f"{served.namespace}/alice", until="gate written"), "certificate revoked")
    assert revoked["reason"] == "keyCompromise"


def readiness(lines: list[Line]) -> list[str]:
    """The reasons of the condition Ready that were told."""
    return [line["reason"] for line in lines if line.get("condition") == "Ready"]


def test_a_refusal_is_told_once(served: Home, grep: Grep, running_operator: OperatorProcess):
    alice = f"{served.namespace}/alice"
    grep.of("")
    served.respec(CERTIFICATES, "alice", duration="90000h")
    served.says(CERTIFICATES, "alice", "Ready", "DurationTooLong")
    assert readiness(grep.of(alice, until="condition changed")) == ["DurationTooLong"]
    running_operator.restart()
    served.respec(CERTIFICATES, "alice", duration="720h")
    served.issued()
    assert readiness(grep.of(alice, until="condition changed")) == ["Issued"]


@pytest.fixture
def stranger(admin: Person, home: Home) -> Iterator[Home]:
    """A namespace that has not opted in."""
    stranger = Home.found(admin, home.folder, consent=False, prefix="stranger-")
    yield stranger
    stranger.abandon()


def refused(audit: Audit, namespace: str) -> int:
    """How often the operator was denied something there. What is no object, as the server's version, has no place."""
    denied = (e for e in audit.events() if e.get("responseStatus", {}).get("code") == 403)
    return sum(event.get("objectRef", {}).get("namespace") == namespace for event in denied)


def test_a_namespace_that_never_opted_in_is_told_of_once(home: Home, stranger: Home, grep: Grep, audit: Audit):
    home.partners(issuance={"allowedNamespaces": {"from": "All"}, "allowedSubjects": [{"commonName": "*"}]})
    stranger.make(CERTIFICATES, client(issuerRef={"name": "partners", "namespace": home.namespace}))
    stranger.says(CERTIFICATES, "alice", "Ready", "NotPermitted")
    eventually(lambda: refused(audit, stranger.namespace) >= 12, "it is asked for again and again")
    stranger.admin.delete(NAMESPACES, {"metadata": {"name": stranger.namespace}})
    eventually(lambda: stranger.admin.get(NAMESPACES, None, stranger.namespace).status == 404, "it is gone")
    told = Counter(
        (line["message"], line["object"])
        for line in grep.of(stranger.namespace)
        if line["level"] in ("warning", "error")
    )
    assert set(told.values()) <= {1}, told


@pytest.mark.promise(5)
def test_the_log_holds_no_key_and_no_password(served: Home, running_operator: OperatorProcess):
    log = running_operator.log
    assert "PRIVATE KEY" not in log
    for body in served.admin.ask("GET", SECRETS.path(served.namespace)).body["items"]:
        data = body.get("data") or {}
        for name in data.keys() & {"tls.key", "keystore.p12", "keystore.password"}:
            value = base64.b64decode(data[name])
            assert data[name][:60] not in log
            assert name != "keystore.password" or value.decode() not in log
            assert name != "tls.key" or value.decode().splitlines()[1] not in log
