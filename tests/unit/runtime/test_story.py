"""The log tells one client's story: every step has a line that names the client, once, with its fields; and no fault repeats."""

import json
import logging
from collections import Counter

import pytest

from doorward.cli import restore
from doorward.cli.deletions import Wanted
from doorward.cli.logs import JsonLines
from doorward.cluster.errors import Forbidden, Transient
from doorward.cluster.gateway import (
    CLIENT_CERTIFICATE,
    CONFIG_MAP,
    INGRESS,
    ISSUED_CERTIFICATE,
    ISSUER,
    NAMESPACE,
    SECRET,
)
from doorward.objects.meta import ObjectKey
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, PEOPLE, host_spec
from tests.unit.runtime.looks import CRL, RECORDS, said, serial

FORMATTER = JsonLines()
HALF_AN_HOUR = 1800.0


class Log:
    """What was logged since the last look."""

    def __init__(self, caplog):
        self._caplog = caplog
        caplog.set_level(logging.INFO, logger="doorward")

    def lines(self):
        told = [json.loads(FORMATTER.format(record)) for record in self._caplog.records]
        self._caplog.clear()
        return told

    def of(self, client):
        """As `grep` finds them."""
        return [line for line in self.lines() if client in json.dumps(line)]

    def words(self, client):
        return [line["message"] for line in self.of(client)]


@pytest.fixture
def log(caplog):
    return Log(caplog)


def number(bed):
    """Of the CRL that is published."""
    return bed.find(ISSUER, ISSUER_AT.name)["status"]["crl"]["number"]


def restored(bed, name):
    wanted = Wanted(issuer=ISSUER_AT, namespace=NAMESPACE_NAME, names=frozenset({name}))
    return bed.with_gateway(lambda gateway: restore.restore(gateway, wanted, bed.clock.now(), dry_run=False))


def one(lines, words):
    """The only line with these words."""
    (found,) = [line for line in lines if line["message"] == words]
    return found


def test_the_story_of_a_client_that_is_issued_to(bed, log):
    bed.apply("alice")
    bed.settle()
    lines = log.of("alice")
    expected = ["certificate signed", "certificate issued", "condition changed", "condition changed"]
    assert [line["message"] for line in lines] == expected
    signed = one(lines, "certificate signed")
    assert (signed["client"], signed["issuer"], signed["generation"]) == ("edge/alice", str(ISSUER_AT), 1)
    assert signed["serial"] == one(lines, "certificate issued")["serial"] == f"{serial(bed, 'alice'):x}"
    assert {(line["condition"], line["reason"]) for line in lines if "condition" in line} == {
        ("Ready", "Issued"),
        ("Admitted", "Live"),
    }


def cut_off(lines, bed, words, **fields):
    """The steps of a cut-off: the record, the CRL, the gate."""
    step, entered, gate = one(lines, words), one(lines, "serial entered the crl"), one(lines, "gate written")
    assert step.items() >= ({"client": "edge/alice", "serial": entered["serial"], "by": "operator"} | fields).items()
    assert (entered["client"], entered["number"]) == ("edge/alice", number(bed))
    assert (gate["namespace"], gate["number"], gate["clients"]) == (NAMESPACE_NAME, number(bed), ["edge/alice"])


def test_the_story_of_a_client_that_is_suspended_and_let_in_again(served, log):
    served.settle()
    log.lines()
    served.apply("alice", suspended=True)
    served.settle()
    cut_off(log.of("alice"), served, "certificate held", reason="certificateHold", held_by="Suspension")
    served.apply("alice", suspended=False)
    served.settle()
    lines = log.of("alice")
    assert one(lines, "hold lifted")["by"] == "operator"
    assert one(lines, "serial left the crl")["number"] == one(lines, "gate written")["number"] == number(served)


def test_the_story_of_a_client_that_is_deleted_and_restored(served, log):
    log.lines()
    first = serial(served, "alice")
    served.delete(CLIENT_CERTIFICATE, "alice")
    served.settle()
    lines = log.of("alice")
    cut_off(lines, served, "certificate held", reason="certificateHold", held_by="Deletion", serial=f"{first:x}")
    assert one(lines, "certificate held")["final_at"]
    assert one(lines, "finalizer removed")["client"] == "edge/alice"
    assert restored(served, "alice") == 0
    served.settle()
    lines = log.of("alice")
    lifted = one(lines, "hold lifted")
    assert (lifted["by"], lifted["serial"]) == ("another", f"{first:x}")
    assert one(lines, "serial left the crl")["serial"] == f"{first:x}"
    assert one(lines, "gate written")["clients"] == ["edge/alice"]


def test_the_story_of_a_client_that_is_revoked(served, log):
    log.lines()
    served.apply("alice", revoked=True, revocationReason="keyCompromise")
    served.settle()
    lines = log.of("alice")
    cut_off(lines, served, "certificate revoked", reason="keyCompromise")
    assert [line["reason"] for line in lines if line.get("condition") == "Admitted"][-1] == "Revoked"


def test_a_deletion_that_becomes_final_is_a_revocation(served, log):
    served.delete(CLIENT_CERTIFICATE, "alice")
    served.settle()
    log.lines()
    served.advance(25 * 3600)
    assert one(log.of("alice"), "certificate revoked")["reason"] == "cessationOfOperation"


def test_a_refusal_is_told_once_for_each_change(served, log):
    log.lines()
    for change, reason in (
        ({"duration": "90000h"}, "DurationTooLong"),
        ({"duration": "90001h"}, None),
        ({"duration": "720h", "commonName": "system:admin"}, "InvalidSpec"),
        ({"commonName": "alice"}, "Issued"),
    ):
        served.apply("alice", **change)
        served.settle()
        served.restart()
        served.settle()
        told = [line["reason"] for line in log.of("alice") if line.get("condition") == "Ready"]
        assert told == ([reason] if reason else [])


# Faults


def outside(bed, name="outside"):
    """A host in another namespace that names the issuer."""
    bed.cluster.create(NAMESPACE, "", {"metadata": {"name": name}}, PEOPLE)
    body = {
        "metadata": {"name": "shop", "annotations": {"doorward.io/issuer": str(ISSUER_AT)}},
        "spec": host_spec(f"{name}.example"),
    }
    bed.cluster.create(INGRESS, name, body, PEOPLE)


def repeated(lines, namespace):
    """Warnings that name the namespace, each that was told more than once."""
    told = Counter(
        (line["message"], line.get("kind"), line["object"])
        for line in lines
        if line["level"] != "info" and namespace in json.dumps(line)
    )
    return {what: count for what, count in told.items() if count > 1}


def test_a_namespace_that_never_opted_in_is_not_told_of_again_and_again(served, log):
    served.edit(ISSUER, ISSUER_AT.name, {"spec": {"gates": {"allowedNamespaces": {"from": "All"}}}})
    denied = Forbidden("secrets is forbidden", status=403)
    served.gateway.refuse_reads = lambda _, where: denied if where == "outside" else None
    served.gateway.refuse = lambda write: denied if write.namespace == "outside" else None
    log.lines()
    outside(served)
    served.advance(HALF_AN_HOUR)
    lines = log.lines()
    assert repeated(lines, "outside") == {}
    assert any(line["message"] == "watch denied" and line["namespace"] == "outside" for line in lines)


def test_a_namespace_that_is_gone_is_not_told_of_again_and_again(served, log):
    served.edit(ISSUER, ISSUER_AT.name, {"spec": {"gates": {"allowedNamespaces": {"from": "All"}}}})
    outside(served)
    served.settle()
    log.lines()
    gone = Forbidden("unable to create new content in namespace outside because it is being terminated", status=403)
    served.gateway.refuse = lambda write: gone if write.namespace == "outside" else None
    served.cluster.delete(INGRESS, ObjectKey("outside", "shop"), PEOPLE)
    served.apply("alice", revoked=True)
    served.advance(HALF_AN_HOUR)
    assert repeated(log.lines(), "outside") == {}


@pytest.mark.parametrize("kind", [CLIENT_CERTIFICATE, SECRET, ISSUER], ids=lambda kind: kind.name)
def test_a_list_that_fails_for_hours_is_told_once_and_when_it_works_again(served, log, kind):
    log.lines()
    served.kill()
    served.start(refuse_reads=lambda asked, _: Transient("503", status=503) if asked == kind else None)
    served.advance(HALF_AN_HOUR)
    told = Counter(line["message"] for line in log.lines() if line["level"] != "info" and line.get("kind") == kind.name)
    assert all(count <= 2 for count in told.values()), told


def test_a_crl_that_is_refused_for_hours_is_told_once(served, log):
    served.gateway.refuse = lambda write: Forbidden("a policy", status=403) if write.name == CRL else None
    log.lines()
    served.apply("alice", revoked=True)
    served.advance(HALF_AN_HOUR)
    told = Counter((line["message"], line["object"]) for line in log.lines() if line["level"] != "info")
    assert set(told.values()) == {1}


def warned(lines):
    """How often each warning was told of each thing."""
    return Counter((line["message"], line["object"]) for line in lines if line["level"] != "info")


@pytest.mark.parametrize("events", [False, True], ids=["its Events are refused too", "its Events are written"])
def test_a_client_whose_status_is_refused_for_hours_is_told_of_once(served, log, events):
    refused = Forbidden("a policy", status=403)
    served.gateway.refuse = lambda write: (
        refused if write.subresource == "status" or (write.kind == "Event" and not events) else None
    )
    log.lines()
    served.apply("alice", duration="90000h")
    served.apply("bob", duration="90000h")
    served.advance(HALF_AN_HOUR)
    told = warned(log.lines())
    assert told[("trouble not told", "certificate edge/alice")] <= 1
    assert sum(count for (words, _), count in told.items() if words == "event not written") == (0 if events else 1)
    assert set(told.values()) == {1}


def test_a_copy_of_a_crl_that_cannot_be_read_for_hours_is_told_of_once(served, log):
    denied = Forbidden("a policy", status=403)
    served.gateway.refuse = lambda write: denied if write.name == CRL else None
    served.gateway.refuse_reads = lambda kind, _: denied if kind == SECRET else None
    log.lines()
    served.delete(CONFIG_MAP, CRL)
    served.advance(HALF_AN_HOUR)
    told = warned(log.lines())
    assert [count for (words, _), count in told.items() if words == "copy of a crl not read"] == [1]


def test_an_issuer_whose_crl_and_status_are_refused_for_hours_is_told_of_once(served, log):
    refused = Forbidden("a policy", status=403)
    served.gateway.refuse = lambda write: refused if write.name == CRL or write.subresource == "status" else None
    log.lines()
    served.apply("alice", revoked=True)
    served.advance(HALF_AN_HOUR)
    told = warned(log.lines())
    assert told[("trouble not told", f"issuer {ISSUER_AT}")] == 1
    assert set(told.values()) == {1}


@pytest.mark.parametrize("seconds", [0.15, 0.2, 0.25])
def test_an_issuer_and_its_client_may_write_into_one_record_at_once(served, log, seconds):
    served.gateway.latency = 0.05
    held = f"{serial(served, 'alice'):x}"
    undated = {"reason": "certificateHold"}  # which the issuer writes into
    served.edit(ISSUED_CERTIFICATE, f"{RECORDS}{held}", {"spec": {"revocation": undated}})
    served.advance(seconds)
    served.apply("alice", revoked=True)
    served.settle()
    told = log.lines()
    assert [line for line in told if line["level"] == "error"] == []
    assert one([line for line in told if line.get("serial") == held], "certificate revoked")["by"] == "operator"
    assert said(served, "alice")["Ready"] == "CutOff"
