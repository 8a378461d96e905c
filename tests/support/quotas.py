"""ResourceQuotas that count, as a test needs them before it relies on one."""

import time

from tests.support.home import Home
from tests.support.kube import Kind, eventually

QUOTAS = Kind("api/v1", "resourcequotas")
NAME = "none"
SOON = 5.0
"""Seconds in which the controller counts a quota whose kind it knows."""


def impose(home: Home, **hard: str) -> None:
    """Make a quota with these limits, and wait until it counts.

    The controller looks for new kinds every 30 s. A quota from before it knew the kind is counted again minutes later, or
    when it is made again.
    """
    made: list[float] = []

    def counts() -> bool:
        if made and time.monotonic() - made[-1] < SOON:
            return set(home.body(QUOTAS, NAME).get("status", {}).get("used", ())) == set(hard)
        if made:
            lift(home)
        home.make(QUOTAS, {"metadata": {"name": NAME}, "spec": {"hard": hard}})
        made.append(time.monotonic())
        return False

    eventually(counts, f"the quota counts {sorted(hard)}", seconds=180)


def lift(home: Home) -> None:
    """Take it away again."""
    home.remove(QUOTAS, NAME)
