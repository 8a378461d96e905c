"""`doorward client` and `doorward find`: one client and its certificates, whatever became of them."""

import json

import pytest

from doorward.cli.client import client
from doorward.cli.errors import UserError
from doorward.cli.find import find
from doorward.cluster.gateway import CLIENT_CERTIFICATE, ISSUED_CERTIFICATE, ISSUER, NAMESPACE
from doorward.objects.meta import ObjectKey
from tests.unit.runtime.looks import record, serial


@pytest.fixture
def told(person, capsys):
    """What `client` says for programs."""

    def ask(name: str = "alice") -> dict:
        assert person.asks(lambda reader: client(reader, name, "json")) == 0
        return json.loads(capsys.readouterr().out)

    return ask


def states(said: dict) -> list[str]:
    return [each["state"] for each in said["certificates"]]


def test_a_client_has_its_certificate_secret_and_conditions(bed, told):
    said = told()
    assert said["exists"] is True
    assert said["secret"] == "alice-mtls"
    assert said["serial"] == said["certificates"][0]["serial"] == f"{serial(bed, 'alice'):x}"
    assert states(said) == ["live"]
    assert {each["type"]: each["status"] for each in said["conditions"]}["Ready"] == "True"


@pytest.mark.parametrize(
    ("spec", "state", "reason"),
    [({"suspended": True}, "held", "certificateHold"), ({"revoked": True}, "revoked", "unspecified")],
)
def test_a_cut_off_is_in_its_certificates(bed, told, spec, state, reason):
    bed.apply("alice", **spec)
    bed.settle()
    said = told()
    assert states(said) == [state]
    assert said["certificates"][0]["reason"] == reason


def test_the_newest_certificate_comes_first(bed, told):
    old = serial(bed, "alice")
    bed.advance(60)
    bed.apply("alice", reissue="now")
    bed.settle()
    assert [each["serial"] for each in told()["certificates"]] == [f"{serial(bed, 'alice'):x}", f"{old:x}"]


def test_one_that_was_deleted_is_still_told_of(bed, told, person, capsys):
    bed.delete(CLIENT_CERTIFICATE, "alice")
    bed.settle()
    said = told()
    assert (said["exists"], states(said)) == (False, ["held"])
    assert person.asks(lambda reader: client(reader, "edge/alice", None)) == 0
    assert "there is no such ClientCertificate" in capsys.readouterr().out


def test_a_certificate_of_a_generation_that_no_gate_trusts_is_not_called_live(bed, told):
    bed.kill()
    body = bed.find(ISSUER, "partners")
    status = {"ca": body["status"]["ca"] | {"generation": 7}}
    bed.cluster.merge_patch(ISSUER, ObjectKey("edge", "partners"), {"status": status}, "test", "status")
    assert states(told()) == ["revoked"]


def test_the_certificates_are_in_the_namespace_of_the_issuer(bed, told):
    bed.kill()
    bed.cluster.create(NAMESPACE, "", {"metadata": {"name": "shop"}}, "kubectl")
    spec = {"issuerRef": {"name": "partners", "namespace": "edge"}, "commonName": "zoe"}
    bed.cluster.create(CLIENT_CERTIFICATE, "shop", {"metadata": {"name": "zoe"}, "spec": spec}, "kubectl")
    body = record(bed, serial(bed, "alice"))
    holder = body["spec"]["clientCertificate"] | {"namespace": "shop", "name": "zoe"}
    moved = {
        "metadata": {"name": "partners.1.5"},
        "spec": body["spec"] | {"serialNumber": "5", "clientCertificate": holder},
    }
    bed.cluster.create(ISSUED_CERTIFICATE, "edge", moved, "doorward")
    assert [each["serial"] for each in told("shop/zoe")["certificates"]] == ["5"]


def test_one_that_nobody_knows_is_one_line(person):
    with pytest.raises(UserError, match="there is no ClientCertificate edge/nobody") as caught:
        person.asks(lambda reader: client(reader, "nobody", None))
    assert caught.value.hint


def test_people_see_it_all_and_programs_the_meaning(person, capsys):
    assert person.asks(lambda reader: client(reader, "alice", "wide")) == 0
    out = capsys.readouterr().out
    for word in ("ClientCertificate edge/alice", "alice-mtls", "edge/partners", "live", "MEANING", "Ready"):
        assert word in out


HOSTILE = "\x1b[2J\u202e[bold]x[/]\nfake: line"
ODD = [
    {},
    {"conditions": 7, "secretName": 3, "serialNumber": [], "notAfter": {}, "renewalTime": "x"},
    {
        "conditions": [3, {}, {"type": HOSTILE, "status": HOSTILE, "reason": HOSTILE, "message": HOSTILE}],
        "secretName": HOSTILE,
        "serialNumber": HOSTILE,
        "notAfter": HOSTILE,
    },
]


@pytest.mark.parametrize("status", ODD, ids=range(len(ODD)))
@pytest.mark.parametrize("output", [None, "wide", "json", "yaml"])
def test_whatever_a_status_says_it_moves_no_terminal_and_adds_no_line(bed, person, capsys, status, output):
    bed.kill()
    at = ObjectKey("edge", "alice")
    bed.cluster.merge_patch(CLIENT_CERTIFICATE, at, {"status": None}, "eve", "")
    bed.cluster.merge_patch(CLIENT_CERTIFICATE, at, {"status": status}, "eve", "status")
    assert person.asks(lambda reader: client(reader, "alice", output)) == 0
    out = capsys.readouterr().out
    assert all(char.isprintable() or char == "\n" for char in out)
    assert not any(line.startswith("fake") for line in out.splitlines())


def test_events_are_told_where_they_may_be_read(person, told, capsys):
    said = told()
    person.missing = lambda _verb, kind, _namespace: kind == "Event"
    assert person.asks(lambda reader: client(reader, "alice", "json")) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["events"] == []
    assert isinstance(said["events"], list)
    assert err.startswith("note: ")


@pytest.fixture
def found(person, capsys):
    """The clients that `find` names."""

    def ask(text: str) -> set[str]:
        assert person.asks(lambda reader: find(reader, text, "json")) == 0
        return {each["client"] for each in json.loads(capsys.readouterr().out)}

    return ask


def ways(bed) -> dict[str, str]:
    """All ways to name alice's certificate."""
    number = serial(bed, "alice")
    spec = record(bed, number)["spec"]
    text = f"{number:x}"
    even = text if len(text) % 2 == 0 else f"0{text}"
    sha256, sha1 = spec["fingerprints"]["sha256"], spec["fingerprints"]["sha1"]
    pairs = ":".join(sha256[at : at + 2] for at in range(0, 64, 2))
    return {
        "serial": text,
        "serial, upper case with zeros": f"00{text.upper()}",
        "serial, as openssl writes it": ":".join(even[at : at + 2] for at in range(0, len(even), 2)),
        "serial, with 0x": f"0x{text}",
        "serial, decimal": str(number),
        "sha256": sha256,
        "sha256, as browsers write it": pairs.upper(),
        "sha1": sha1,
        "name": "alice",
        "namespace and name": "edge/alice",
        "record": f"partners.1.{text}",
    }


def test_a_certificate_is_found_however_it_is_named(bed, found):
    assert {way: found(text) for way, text in ways(bed).items()} == {way: {"edge/alice"} for way in ways(bed)}


@pytest.mark.parametrize("text", ["nobody", "", "ff:ff", "0x", "a" * 64, "9" * 5000, "\x1b[2J", "alic", "edge/"])
def test_what_is_not_there_is_one_line(person, text):
    with pytest.raises(UserError, match="no certificate in the ledgers"):
        person.asks(lambda reader: find(reader, text, None))


def everywhere(reader):
    """As where the user does not say in which namespace to look."""
    reader.is_default = True
    return reader


def test_who_may_read_one_namespace_finds_what_is_there(person, capsys):
    person.missing = lambda _verb, kind, namespace: kind == "IssuedCertificate" and namespace is None
    assert person.asks(lambda reader: find(everywhere(reader), "alice", None)) == 0
    out, err = capsys.readouterr()
    assert "edge/alice" in out
    assert err.startswith("note: ")


def test_find_looks_in_all_namespaces_unless_told(bed, person, capsys):
    bed.cluster.create(NAMESPACE, "", {"metadata": {"name": "elsewhere"}}, "kubectl")
    body = record(bed, serial(bed, "alice"))
    copied = {"metadata": {"name": body["metadata"]["name"]}, "spec": body["spec"]}
    bed.cluster.create(ISSUED_CERTIFICATE, "elsewhere", copied, "kubectl")

    def issuers(reader_of) -> set[str]:
        assert person.asks(lambda reader: find(reader_of(reader), "alice", "json")) == 0
        return {each["issuer"] for each in json.loads(capsys.readouterr().out)}

    assert issuers(lambda reader: reader) == {"edge/partners"}
    assert issuers(everywhere) == {"edge/partners", "elsewhere/partners"}
