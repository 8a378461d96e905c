"""When an issuer is asked whether its CA can have signed its ledger: not at each look where the ledger is large."""

from datetime import timedelta

import pytest

from doorward.issuers.ca_proven import ASK_AGAIN, FEW, is_asked
from doorward.issuers.memory import IssuerMemory
from tests.unit.given import NOW, SECOND


@pytest.mark.parametrize(
    ("memory", "records", "asked"),
    [
        pytest.param({}, FEW + 1, True, id="it never was"),
        pytest.param({"asked_at": NOW}, FEW, True, id="the ledger is small"),
        pytest.param({"asked_at": NOW - ASK_AGAIN + SECOND}, FEW + 1, False, id="it was, a moment ago"),
        pytest.param({"asked_at": NOW - ASK_AGAIN}, FEW + 1, True, id="it was, a minute ago"),
        pytest.param({"asked_at": NOW + timedelta(hours=1)}, FEW + 1, True, id="the clock was ahead"),
        pytest.param({"asked_at": NOW, "not_restored": frozenset({1})}, FEW + 1, True, id="it says that it cannot"),
    ],
)
def test_it_is_asked_where(memory, records, asked):
    assert is_asked(IssuerMemory(**memory), records, NOW) is asked
