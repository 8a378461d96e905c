"""`doorward status`: one screen that shows what was observed, what could not be, and first of all whether an operator works."""

import json
from datetime import timedelta

import pytest
import yaml

from doorward.cli import status_view
from doorward.cli.errors import UserError
from doorward.cli.status import status
from doorward.cluster.gateway import CLIENT_CERTIFICATE, ISSUER
from doorward.objects.meta import ObjectKey
from tests.support.operator_bed import ISSUER_AT, LEASE_AT, OperatorBed
from tests.unit.given import NOW


@pytest.fixture
def shown(person, capsys):
    """What it prints, for people or for programs."""

    def show(issuer=None, output=None):
        assert person.asks(lambda reader: status(reader, issuer, LEASE_AT, output)) == 0
        return capsys.readouterr()

    return show


def line(out: str, begin: str) -> str:
    return " ".join(next(each for each in out.splitlines() if each.startswith(begin)).split())


def test_one_screen_shows_operator_ca_crl_gates_revocations_and_expiries(bed, shown):
    bed.edit(CLIENT_CERTIFICATE, "bob", {"spec": {"suspended": True}})
    bed.settle()
    bed.advance(5 * 3600)
    out, err = shown()
    assert err == ""
    assert len(out.splitlines()) <= 24
    assert line(out, "Operator") == "Operator working: process-1 holds Lease edge/doorward, renewed 0s ago"
    assert line(out, "CA") == "CA generation 1: Signing, expires in 364d"
    number = bed.find(ISSUER, "partners")["status"]["crl"]["number"]
    assert line(out, "CRL").startswith(f"CRL number {number}, published 5h ago, nextUpdate in 6d18h")
    assert line(out, "Certificates") == "Certificates 1 live, 1 revoked, 0 expired"
    assert line(out, "edge ") == f"edge Current {number} shop not probed"
    assert line(out, "edge/bob").endswith("5h ago certificateHold")
    assert line(out, "edge/alice").endswith("in 89d")


@pytest.mark.parametrize(("output", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_a_program_reads_the_same(bed, shown, output, read):
    found = read(shown("partners", output).out)
    (issuer,) = found["issuers"]
    published = bed.find(ISSUER, "partners")["status"]["crl"]
    assert found["operator"]["working"] is True
    assert issuer["issuer"] == "edge/partners"
    assert issuer["crl"]["number"] == issuer["gates"][0]["crlNumber"] == published["number"]
    assert issuer["crl"]["nextUpdate"] == published["nextUpdate"]
    assert {each["client"] for each in issuer["nextExpiries"]} == {"edge/alice", "edge/bob"}


def test_wide_shows_more_columns(shown):
    assert "CA GENERATION" not in shown().out
    assert "CA GENERATION" in shown(output="wide").out


def test_an_operator_that_ended_is_told_before_all_else(bed, shown):
    bed.kill()
    bed.clock.advance(minutes=3)
    first = shown().out.splitlines()[0]
    assert "NOT WORKING: process-1 holds Lease edge/doorward, renewed 3m ago" in first


def test_an_operator_that_never_was_is_told(person, capsys):
    at = ObjectKey("elsewhere", "doorward")
    assert person.asks(lambda reader: status(reader, None, at, None)) == 0
    assert "not known: there is no Lease elsewhere/doorward" in capsys.readouterr().out


def test_a_crl_that_has_expired_is_told(bed, shown):
    bed.kill()
    bed.clock.advance(days=9)
    assert "EXPIRED" in line(shown().out, "CRL")


def test_what_may_not_be_read_is_noted_and_the_rest_is_shown(person, shown):
    person.missing = lambda _verb, kind, _namespace: kind in ("Lease", "IssuedCertificate")
    out, err = shown()
    first = " ".join(out.split())
    assert "cannot be read, you have no right to get leases.coordination.k8s.io in namespace edge" in first
    assert "What follows may be old" in first
    assert "Last revocations" not in out
    assert line(out, "edge ").startswith("edge Current")
    assert [each.split(":")[0] for each in err.splitlines()] == ["note", "note"]


def test_only_the_newest_certificate_of_a_client_is_said_to_expire(bed, shown):
    bed.edit(CLIENT_CERTIFICATE, "alice", {"spec": {"reissue": "now"}})
    bed.settle()
    found = json.loads(shown(output="json").out)["issuers"][0]["nextExpiries"]
    assert [each["client"] for each in found].count("edge/alice") == 1


def test_an_issuer_that_is_not_there_is_one_line(person):
    with pytest.raises(UserError, match="there is no MTLSIssuer edge/nobody") as caught:
        person.asks(lambda reader: status(reader, "nobody", LEASE_AT, None))
    assert caught.value.hint


def test_a_namespace_without_issuers_says_where_to_look(person):
    person.namespace = "elsewhere"
    with pytest.raises(UserError, match="in namespace elsewhere") as caught:
        person.asks(lambda reader: status(reader, None, LEASE_AT, None))
    assert "-A" in caught.value.hint


HOSTILE = "\x1b[2J\u202e[bold]x[/]\nfake: line"
ODD = [
    {},
    {"crl": 7, "ca": [], "gates": {}, "conditions": "x", "counts": 1, "enforcement": None, "generations": 3},
    {"crl": {"thisUpdate": "x", "nextUpdate": 3, "number": HOSTILE}, "gates": [1, None, {}], "conditions": [3, {}]},
    {
        "conditions": [{"type": HOSTILE, "status": HOSTILE, "reason": HOSTILE, "message": HOSTILE}],
        "gates": [{"namespace": HOSTILE, "targets": [HOSTILE, 3], "state": HOSTILE}],
        "enforcement": [{"namespace": HOSTILE, "host": HOSTILE, "detail": HOSTILE, "since": HOSTILE}],
        "generations": [{"generation": HOSTILE, "state": HOSTILE, "notAfter": HOSTILE}],
        "crl": {"thisUpdate": "2026-09-01T00:00:00Z", "nextUpdate": "2026-09-09T00:00:00Z", "number": HOSTILE},
    },
]


@pytest.mark.parametrize("written", ODD, ids=range(len(ODD)))
@pytest.mark.parametrize("output", [None, "wide", "json", "yaml"])
def test_whatever_a_status_says_it_moves_no_terminal_and_adds_no_line(bed, shown, written, output):
    bed.kill()
    body = bed.find(ISSUER, "partners")
    bed.cluster.merge_patch(ISSUER, ISSUER_AT, {"status": None}, "eve", "")
    bed.cluster.merge_patch(ISSUER, ISSUER_AT, {"status": written}, "eve", "status")
    out = shown(output=output).out
    assert body["metadata"]["name"] in out
    assert all(char.isprintable() or char == "\n" for char in out)
    assert not any(each.startswith("fake") for each in out.splitlines())


def test_a_heartbeat_is_judged_by_when_it_was_renewed():
    def working(ago: timedelta) -> object:
        renewed = (NOW - ago).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
        body = {"spec": {"holderIdentity": "a", "renewTime": renewed}}
        return status_view.Heartbeat(lease=LEASE_AT, body=body, unread="").data(NOW)["working"]

    assert working(timedelta(seconds=10)) is True
    assert working(timedelta(seconds=11)) is False


def test_the_newest_revocations_come_first(bed: OperatorBed, shown):
    for name in ("alice", "bob"):
        bed.edit(CLIENT_CERTIFICATE, name, {"spec": {"suspended": True}})
        bed.settle()
        bed.advance(60)
    found = json.loads(shown(output="json").out)["issuers"][0]["lastRevocations"]
    assert [each["client"] for each in found] == ["edge/bob", "edge/alice"]
