"""The machine's own clock, in whole seconds."""

import time
from datetime import UTC, datetime

import pytest

from doorward.clock import SystemClock


def test_each_second_has_its_own_instant_whichever_way_the_time_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SystemClock()
    for seconds in (0.0, 0.9, 1_790_000_000.0, 1_790_000_000.999, 1_790_000_001.0, 1_789_999_999.5, 1_790_000_001.2):
        monkeypatch.setattr(time, "time", lambda seconds=seconds: seconds)
        assert clock.now() == datetime.fromtimestamp(int(seconds), UTC)
        assert clock.now_precise() == datetime.fromtimestamp(seconds, UTC)
