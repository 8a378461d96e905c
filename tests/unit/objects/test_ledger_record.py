"""The ledger record: what was signed is read back as it was, and a revocation as it was said."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from doorward.api.issued_certificate import IssuedCertificateSpec
from doorward.objects import ledger_record
from doorward.objects.ledger_record import Record, Revocation
from doorward.objects.meta import ObjectKey
from doorward.pki.pem import certificate_pem
from tests.support.openssl import OpenSsl
from tests.unit import given
from tests.unit.given import ALICE, DAY, HOUR, ISSUER, NOW, SECOND, UID


def rendered(serial: int = 0xA1) -> dict[str, Any]:
    return ledger_record.render(
        given.leaf(serial), issuer=ISSUER, generation=1, holder=ALICE, holder_uid=UID, subject="CN=alice"
    )


def parsed(revocation: dict[str, Any] | None = None) -> Record:
    body = rendered()
    if revocation is not None:
        body["spec"]["revocation"] = revocation
    return ledger_record.parse(body)


def test_what_was_rendered_is_read_back() -> None:
    assert parsed() == given.record(of=given.leaf(), issued_at=NOW - DAY - HOUR)


def test_it_was_issued_when_the_api_server_created_it() -> None:
    body = rendered()
    body["metadata"]["creationTimestamp"] = "2026-08-31T12:00:00Z"
    assert ledger_record.parse(body).issued_at == NOW - DAY


def test_what_was_rendered_fits_the_schema() -> None:
    IssuedCertificateSpec.model_validate(rendered()["spec"])


@for_any(serial=st.integers(1, 2**159 - 1))
def test_every_serial_is_read_back(serial: int) -> None:
    body = rendered(serial)
    assert ledger_record.parse(body).serial == serial
    assert body["metadata"]["name"] == f"partners.1.{serial:x}"


@pytest.mark.parametrize("algorithm", ["sha256", "sha1"])
def test_fingerprints_are_those_of_openssl(openssl: OpenSsl, algorithm: str) -> None:
    pem = certificate_pem(given.leaf().certificate)
    said = openssl.says("x509", "-noout", "-fingerprint", f"-{algorithm}", stdin=pem)
    expected = said.strip().partition("=")[2].replace(":", "").lower()
    assert rendered()["spec"]["fingerprints"][algorithm] == expected


def test_it_outlives_its_client_certificate() -> None:
    assert "ownerReferences" not in rendered()["metadata"]


INSTANTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)).map(
    lambda moment: moment.replace(microsecond=0, tzinfo=NOW.tzinfo)
)


def digest(size: int) -> st.SearchStrategy[str]:
    return st.binary(min_size=size, max_size=size).map(bytes.hex)


@for_any(
    said=st.fixed_dictionaries(
        {
            "not_before": INSTANTS,
            "issued_at": INSTANTS,
            "sha256": digest(32),
            "sha1": digest(20),
            "public_key_sha256": digest(32),
        }
    )
)
def test_what_is_kept_compact_is_told_as_it_was_said(said: dict[str, Any]) -> None:
    record = given.record(not_after=datetime.max.replace(microsecond=0, tzinfo=NOW.tzinfo), **said)
    assert {name: getattr(record, name) for name in said} == said


MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(
    lambda moment: moment.replace(microsecond=0, tzinfo=NOW.tzinfo)
)


@for_any(
    revocation=st.builds(
        Revocation,
        reason=st.sampled_from(["keyCompromise", "certificateHold"]),
        time=MOMENTS,
        final_at=st.none() | MOMENTS,
        held_by=st.sampled_from([None, "Deletion", "Suspension"]),
        lifted=st.booleans(),
    )
)
def test_a_revocation_is_read_back(revocation: Revocation) -> None:
    assert parsed(ledger_record.render_revocation(revocation)).revocation == revocation


def test_a_person_need_say_no_more_than_reason_and_time() -> None:
    said = {"reason": "keyCompromise", "time": "2026-09-01T11:00:00Z"}
    assert parsed(said).revocation == Revocation(reason="keyCompromise", time=NOW - HOUR)


def test_a_person_need_not_say_since_when() -> None:
    revocation = parsed({"reason": "keyCompromise"}).revocation
    assert revocation == Revocation(reason="keyCompromise", time=parsed().not_before, dated=False)


NO_INSTANTS: list[Any] = [["2026-09-01T12:00:00Z"], [""], [None], [], {}, "", "soon", "2026-02-30T00:00:00Z", 7, True]


@pytest.mark.parametrize("time", NO_INSTANTS, ids=repr)
def test_a_revocation_whose_time_is_none_refuses_all_the_same(time: Any) -> None:
    revocation = parsed({"reason": "keyCompromise", "time": time}).revocation
    assert revocation == Revocation(reason="keyCompromise", time=parsed().not_before, dated=False)


@pytest.mark.parametrize("time", NO_INSTANTS, ids=repr)
def test_a_hold_whose_end_is_no_time_refuses_without_an_end(time: Any) -> None:
    held = {"reason": "certificateHold", "time": "2026-09-01T12:00:00Z", "finalAt": time, "heldBy": "Deletion"}
    record = parsed(held)
    assert (record.refused, record.revocation and record.revocation.final_at) == (True, None)


@pytest.mark.parametrize("revocation", [None, {}], ids=["none", "an empty one"])
def test_without_a_revocation_the_serial_is_not_refused(revocation: dict[str, Any] | None) -> None:
    assert not parsed(revocation).refused


@pytest.mark.parametrize(
    ("revocation", "refused"),
    [(given.revocation(), True), (given.hold(), True), (given.hold(lifted=True), False)],
    ids=["revoked", "held", "lifted"],
)
def test_a_serial_is_refused_until_its_hold_is_lifted(revocation: Revocation, refused: bool) -> None:
    record = replace(given.record(), revocation=revocation)
    assert (record.refused, record.live(NOW)) == (refused, not refused)


@pytest.mark.parametrize(
    ("left", "live"), [(SECOND, True), (timedelta(0), False)], ids=["a second before its end", "at its end"]
)
def test_a_serial_is_live_until_its_certificate_expires(left: timedelta, live: bool) -> None:
    record = given.record()
    assert record.live(record.not_after - left) is live


@pytest.mark.parametrize(("reason", "hold"), [("certificateHold", True), ("keyCompromise", False)])
def test_only_certificate_hold_is_a_hold(reason: str, hold: bool) -> None:
    assert given.revocation(reason).is_hold is hold


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("serialNumber", "xyz"),
        ("serialNumber", "0"),
        ("serialNumber", "-1"),
        ("publicKeySHA256", "00"),
        ("publicKeySHA256", "xyz"),
        ("fingerprints", {"sha256": "00" * 31, "sha1": "00" * 20}),
        ("fingerprints", {"sha256": "00" * 32, "sha1": "00" * 21}),
        ("serialNumber", "8" + "0" * 39),
        ("notAfter", "soon"),
        ("notBefore", "2026-09-01T12:00:00"),
        ("notAfter", "9999-12-31T23:59:59-01:00"),
    ],
    ids=[
        "no serial",
        "the serial 0",
        "a negative serial",
        "a digest that is too short",
        "no digest",
        "a fingerprint that is too short",
        "a fingerprint that is too long",
        "a serial of 21 octets",
        "no instant",
        "an instant without a zone",
        "an instant after the last",
    ],
)
def test_a_record_that_is_not_as_its_schema_says_is_refused(field: str, value: Any) -> None:
    body = rendered()
    body["spec"][field] = value
    with pytest.raises(ValueError, match=r"literal|isoformat|offset|calendar|20 octets|digest|fromhex"):
        ledger_record.parse(body)


@pytest.mark.parametrize("field", ["issuerName", "serialNumber", "fingerprints", "clientCertificate"])
def test_a_record_that_lacks_a_field_is_refused(field: str) -> None:
    body = rendered()
    del body["spec"][field]
    with pytest.raises(KeyError, match=field):
        ledger_record.parse(body)


def test_its_key_and_its_issuers_are_in_its_namespace() -> None:
    record = parsed()
    assert (record.key, record.issuer) == (ObjectKey("issuers", "partners.1.a1"), ISSUER)


def test_three_records_fit_into_a_page_of_etcd():
    """4 KiB that etcd fills to 90 %, less the key and etcd's own fields: with one more byte of each it is two."""
    body = ledger_record.render_again(
        given.record(2**158, holder=ObjectKey("edge", "client-00001"), subject="CN=client-00001.example")
    )
    metadata = body["metadata"] | {
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "generation": 1,
        "uid": UID,
        "managedFields": [
            {
                "apiVersion": "doorward.io/v1alpha1",
                "fieldsType": "FieldsV1",
                "fieldsV1": {"f:spec": {}},
                "manager": "doorward",
                "operation": "Update",
                "time": "2026-01-01T00:00:00Z",
            }
        ],
    }
    stored = json.dumps(body | {"metadata": metadata}, separators=(",", ":"))
    key = f"/registry/doorward.io/issuedcertificates/edge/{body['metadata']['name']}"
    assert len(stored) + len(key) + 80 <= (4096 * 0.9) / 3
