"""What the gate service reads of a record is what the operator reads of it."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from doorward.objects import ledger_entry, ledger_record
from doorward.objects.ledger_record import Revocation
from doorward.objects.meta import ObjectKey
from tests.unit import given
from tests.unit.given import NOW

MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(
    lambda moment: moment.replace(microsecond=0, tzinfo=NOW.tzinfo)
)
NAMES = st.text("abc-.0", min_size=1, max_size=9)
KEYS = st.builds(ObjectKey, NAMES, NAMES)
REVOCATIONS = st.builds(
    Revocation,
    reason=st.sampled_from(["keyCompromise", "certificateHold", "superseded"]),
    time=MOMENTS,
    final_at=st.none() | MOMENTS,
    held_by=st.sampled_from([None, "Deletion", "Suspension"]),
    lifted=st.booleans(),
)


@for_any(
    serial=st.integers(1, 2**159 - 1),
    said=st.fixed_dictionaries(
        {
            "generation": st.integers(1, 9_999_999),
            "subject": st.text(max_size=40),
            "not_after": MOMENTS,
            "holder": KEYS,
            "key": KEYS,
            "revocation": st.none() | REVOCATIONS,
        }
    ),
)
def test_it_says_what_the_record_says(serial: int, said: dict[str, Any]) -> None:
    body = ledger_record.render_again(replace(given.record(), serial=serial, **said))
    record, entry = ledger_record.parse(body), ledger_entry.read(body)
    for name in set(entry._fields) - {"sha256", "is_hold"}:
        assert getattr(entry, name) == getattr(record, name), name
    assert entry.sha256.hex() == record.sha256
    assert entry.is_hold == (record.revocation is not None and record.revocation.is_hold)


@for_any(time=st.none() | st.text() | st.integers(), lifted=st.booleans())
def test_a_revocation_that_a_person_wrote_refuses_as_the_operator_says(time: Any, lifted: bool) -> None:
    body = ledger_record.render_again(given.record())
    body["spec"]["revocation"] = {"reason": "keyCompromise", "time": time, "lifted": lifted}
    assert ledger_entry.read(body).refused == ledger_record.parse(body).refused


@pytest.mark.parametrize(
    "broken",
    [
        {"notAfter": "soon"},
        {"notAfter": 7},
        {"notAfter": "2026-09-01T12:00:00"},
        {"serialNumber": "-1"},
        {"serialNumber": "0"},
        {"serialNumber": "f" * 41},
        {"clientCertificate": None},
        {"revocation": "yes"},
        {"fingerprints": {"sha256": "x"}},
        {"fingerprints": {"sha256": "aa"}},
        {"fingerprints": {}},
        {"subject": 7},
        {"subject": None},
    ],
    ids=str,
)
def test_what_is_not_as_the_schema_says_is_an_error(broken: dict[str, Any]) -> None:
    body = ledger_record.render_again(given.record())
    body["spec"].update(broken)
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        ledger_entry.read(body)
