"""`doorward import`: what another tool revoked is in the CRL that the gates get, once and for all."""

import re
from datetime import timedelta

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from doorward.cli.errors import UserError
from doorward.cli.importing import bring_in
from doorward.cluster.errors import Forbidden, Transient
from doorward.cluster.gateway import CONFIG_MAP, ISSUED_CERTIFICATE, ISSUER, SECRET
from doorward.objects.ca_secret import decode
from doorward.objects.meta import ObjectKey
from doorward.planning import imports
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME
from tests.unit.given import NOW
from tests.unit.runtime.looks import live, record, serial

LATER, EARLIER = "271231120000Z", "260101120000Z"
INDEX = f"""\
V\t{LATER}\t\t1000\tunknown\t/CN=good
R\t{LATER}\t260301120000Z,keyCompromise\t1001\tunknown\t/CN=stolen
R\t{LATER}\t260401120000Z\t1002\tunknown\t/O=ACME/CN=left
R\t20991231120000Z\t260501120000Z,holdInstruction,holdInstructionReject\tAB03\tunknown\t/CN=away
R\t{EARLIER}\t250301120000Z\t1004\tunknown\t/CN=old
E\t{EARLIER}\t\t1005\tunknown\t/CN=older
R\t{LATER}\t260301120000Z\tF{"0" * 39}\tunknown\t/CN=large
"""
REVOKED = {0x1001, 0x1002, 0xAB03}


@pytest.fixture
def brings(person, tmp_path, capsys):
    """Import that content; exit status, and what it printed."""

    def run(content: str | bytes, *, dry_run: bool = False, generation: int | None = None):
        path = tmp_path / "file"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        status = person.asks(lambda reader: bring_in(reader, str(path), ISSUER_AT, generation, dry_run=dry_run))
        person.bed.settle()
        return status, *capsys.readouterr()

    return run


def published(bed) -> x509.CertificateRevocationList:
    return x509.load_pem_x509_crl(bed.find(CONFIG_MAP, "partners-crl")["data"]["ca.crl"].encode())


def ledger(bed) -> list:
    return bed.cluster.all(ISSUED_CERTIFICATE, NAMESPACE_NAME)


def listed(bed) -> set[int]:
    return {entry.serial_number for entry in published(bed)}


def foreign_crl(
    bed, *entries: tuple[int, x509.ReasonFlags | None], of: str = "partners-ca-1", **extensions
) -> x509.CertificateRevocationList:
    """As a CA tool signed it before, with the key of a CA Secret."""
    data = {name: decode(value) for name, value in bed.find(SECRET, of)["data"].items()}
    ca, key = x509.load_pem_x509_certificate(data["tls.crt"]), load_pem_private_key(data["tls.key"], None)
    builder = (
        x509.CertificateRevocationListBuilder().issuer_name(ca.subject).last_update(NOW).next_update(NOW + timedelta(1))
    )
    for extension in extensions.values():
        builder = builder.add_extension(extension, critical=True)
    for number, reason in entries:
        entry = x509.RevokedCertificateBuilder().serial_number(number).revocation_date(NOW - timedelta(9))
        if reason is not None:
            entry = entry.add_extension(x509.CRLReason(reason), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(key, hashes.SHA256())


def test_what_an_index_says_is_revoked_is_in_the_crl_and_the_rest_is_counted(bed, brings):
    before = listed(bed)
    status, out, _ = brings(INDEX)
    assert status == 0
    assert listed(bed) == before | REVOKED
    told = {line.rpartition("   ")[0].strip(): line.rpartition("   ")[2].strip() for line in out.splitlines()}
    assert told == {
        "": "MTLSIssuer edge/partners",
        "recorded as revoked": "3",
        "left: expired": "1",
        "left: not revoked": "2",
        "left: no ledger record can have such a serial number": "1",
    }
    spec = record(bed, 0x1001)["spec"]
    assert (spec["subject"], spec["notAfter"]) == ("/CN=stolen", "2027-12-31T12:00:00Z")
    assert spec["revocation"]["reason"] == "keyCompromise"
    assert spec["revocation"]["time"] == "2026-03-01T12:00:00Z"
    assert record(bed, 0xAB03)["spec"]["revocation"]["reason"] == "certificateHold"
    assert "not known" in record(bed, 0x1001)["metadata"]["annotations"]["doorward.io/imported"]
    assert {serial(bed, "alice"), serial(bed, "bob")} <= live(bed)


def test_running_it_again_changes_nothing(bed, brings):
    brings(INDEX)
    before = ledger(bed)
    status, out, _ = brings(INDEX)
    assert status == 0
    assert re.search("revoked in the ledger already +3", out)
    assert ledger(bed) == before


def test_a_dry_run_prints_the_records_and_writes_nothing(bed, brings):
    before = ledger(bed)
    status, out, err = brings(INDEX, dry_run=True)
    bodies = list(yaml.safe_load_all(out))
    assert status == 0
    assert {int(body["spec"]["serialNumber"], 16) for body in bodies} == REVOKED
    assert {body["kind"] for body in bodies} == {"IssuedCertificate"}
    assert "note: 3 would be recorded as revoked" in err
    assert ledger(bed) == before


def test_a_certificate_that_doorward_issued_is_revoked_in_its_record(bed, brings):
    number = serial(bed, "alice")
    brings(f"R\t{LATER}\t260401120000Z,superseded\t{number:X}\tunknown\t/CN=alice\n")
    assert record(bed, number)["spec"]["revocation"]["reason"] == "superseded"
    assert number in listed(bed)


def test_a_hold_that_a_person_ended_stays_ended(bed, brings):
    text = f"R\t{LATER}\t260501120000Z,certificateHold\tAB03\tunknown\t/CN=away\n"
    brings(text)
    name = record(bed, 0xAB03)["metadata"]["name"]
    bed.edit(ISSUED_CERTIFICATE, name, {"spec": {"revocation": {"lifted": True}}})
    bed.settle()
    assert 0xAB03 not in listed(bed)
    assert "a person ended the hold" in brings(text)[1]
    assert 0xAB03 not in listed(bed)


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_a_crl_of_the_ca_is_imported_until_the_ca_ends(bed, brings, encoding):
    crl = foreign_crl(
        bed, (0x2001, None), (0x2002, x509.ReasonFlags.ca_compromise), (0x2003, x509.ReasonFlags.remove_from_crl)
    )
    assert brings(crl.public_bytes(encoding))[0] == 0
    assert {0x2001, 0x2002} <= listed(bed)
    assert 0x2003 not in listed(bed)
    assert record(bed, 0x2001)["spec"]["notAfter"] == bed.find(ISSUER, "partners")["status"]["ca"]["notAfter"]
    assert record(bed, 0x2002)["spec"]["revocation"]["reason"] == "keyCompromise"


def test_an_imported_serial_stays_in_the_crl_over_restarts_and_the_next_ca(bed, brings):
    brings(INDEX)
    bed.restart()
    bed.edit(ISSUER, "partners", {"spec": {"ca": {"generate": {"rotate": "now"}}}})
    bed.settle()
    bed.clock.advance(days=2)
    bed.settle()
    crls = bed.find(CONFIG_MAP, "partners-crl")["data"]["ca.crl"]
    first = x509.load_pem_x509_crl(crls[: crls.index("-----END X509 CRL-----") + 23].encode())
    assert {entry.serial_number for entry in first} >= REVOKED
    assert {body["metadata"]["name"] for body in bed.cluster.all(ISSUED_CERTIFICATE, NAMESPACE_NAME)} >= {
        "partners.1.1001"
    }


LINE = f"R\t{LATER}\t260401120000Z\t1001\tunknown\t/CN=x"
WRONG = {
    "nothing of it": ("hello\n", "line 1: it has 1 fields"),
    "another state": (LINE.replace("R", "X", 1), "line 1: it does not begin with V, R or E"),
    "a serial that is none": (LINE.replace("1001", "10g1"), "its serial number is not hexadecimal"),
    "no time": (LINE.replace("260401120000Z", ""), "it is revoked, and has no time"),
    "a time that is none": (LINE.replace("260401120000Z", "26-04-01"), "a time in it is none"),
    "a day that is none": (LINE.replace("260401120000Z", "260431120000Z"), "not in the calendar"),
    "the same twice": (f"{LINE}\n\n{LINE}\n", "line 3: its serial number is there twice"),
    "bytes": (b"\xff\xfe\x00\t\n", "line 1: it has 2 fields"),
    "no CRL": ("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", "the CRL cannot be parsed"),
    "two CRLs": ("-----BEGIN X509 CRL-----\n" * 2, "more than one PEM block"),
    "no DER": (b"\x30\x03abc", "the CRL cannot be parsed"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_with_a_file_is_one_line_and_nothing_is_written(bed, brings, name):
    content, said = WRONG[name]
    before = ledger(bed)
    with pytest.raises(UserError, match=said):
        brings(content)
    assert ledger(bed) == before


def test_a_crl_of_another_ca_or_of_another_form_is_refused(bed, brings):
    bed.cluster.create(
        ISSUER,
        NAMESPACE_NAME,
        {"metadata": {"name": "others"}, "spec": {"ca": {"generate": {"commonName": "Partners CA"}}}},
        "kubectl",
    )
    bed.settle()
    with pytest.raises(UserError, match="signed by none of the issuer's CAs"):
        brings(foreign_crl(bed, (1, None), of="others-ca-1").public_bytes(Encoding.DER))
    with pytest.raises(UserError, match="delta CRL"):
        brings(foreign_crl(bed, (1, None), delta=x509.DeltaCRLIndicator(5)).public_bytes(Encoding.DER))


def test_an_issuer_that_is_not_there_or_has_published_nothing_is_one_line(person, brings, tmp_path):
    path = tmp_path / "index.txt"
    path.write_text(INDEX)
    with pytest.raises(UserError, match="has published no CRL"):
        person.asks(lambda reader: bring_in(reader, str(path), ObjectKey("edge", "nobody"), None, dry_run=False))
    with pytest.raises(UserError, match="trust no CA generation 7"):
        brings(INDEX, generation=7)
    with pytest.raises(UserError, match="cannot read"):
        person.asks(lambda reader: bring_in(reader, str(tmp_path / "no"), ISSUER_AT, None, dry_run=False))


def test_more_than_the_crl_has_room_for_is_not_begun(bed, brings, monkeypatch):
    monkeypatch.setattr(imports, "MOST", 2)
    before = ledger(bed)
    with pytest.raises(UserError, match="too little room"):
        brings(INDEX)
    assert ledger(bed) == before


def test_without_the_right_it_says_which_verb_is_needed(person, tmp_path):
    path = tmp_path / "index.txt"
    path.write_text(INDEX)

    async def refused(reader):
        reader.gateway.refuse = lambda write: (
            Forbidden("fence-ledger: no", status=403) if write.verb == "create" else None
        )
        return await bring_in(reader, str(path), ISSUER_AT, None, dry_run=False)

    with pytest.raises(UserError, match="fence-ledger") as told:
        person.asks(refused)
    assert "verb restore on issuedcertificates.doorward.io in namespace edge" in told.value.hint


def test_a_write_that_fails_is_counted_and_the_next_run_does_it(person, bed, brings, tmp_path, capsys):
    path = tmp_path / "index.txt"
    path.write_text(INDEX)

    async def flaky(reader):
        reader.gateway.refuse = lambda write: Transient("busy", status=500) if write.name.endswith("1001") else None
        return await bring_in(reader, str(path), ISSUER_AT, None, dry_run=False)

    assert person.asks(flaky) == 1
    out, err = capsys.readouterr()
    assert "failed" in out
    assert "note: IssuedCertificate partners.1.1001: busy" in err
    assert brings(INDEX)[0] == 0
    assert listed(bed) >= REVOKED
