"""Two operator processes with one Lease, as the Deployment runs them."""

import time
from collections.abc import Callable

from tests.support.installation import OperatorProcess
from tests.support.kube import eventually
from tests.testbed.controlplane import Cluster


class Replicas:
    """Both run, and one of them leads."""

    def __init__(self, cluster: Cluster) -> None:
        self._both = [OperatorProcess(cluster, name=f"replica-{number}", elected=True) for number in (1, 2)]

    def start(self) -> None:
        """On return one leads, and the other is ready to."""
        for operator in self._both:
            operator.start()
        self.settled()

    def close(self) -> None:
        """End both."""
        for operator in self._both:
            operator.close()

    def settled(self) -> None:
        """Wait until one leads, and the other knows whom it stands by for."""
        eventually(lambda: sorted(_kind(operator) for operator in self._both) == ["leads", "stands by"], "one leads")

    def leader(self) -> OperatorProcess:
        """The one that leads."""
        return self._the_one_that("leads")

    def standby(self) -> OperatorProcess:
        """The other."""
        return self._the_one_that("stands by")

    def _the_one_that(self, kind: str) -> OperatorProcess:
        """On a busy machine a question may have no answer, which is no part."""
        (found,) = eventually(lambda: [operator for operator in self._both if _kind(operator) == kind], f"one {kind}")
        return found


def _kind(operator: OperatorProcess) -> str:
    part = operator.part
    return part if not part.startswith("stands by") or part.endswith("nobody leads") else "stands by"


def timed(what: str, holds: Callable[[], object], *, since: float) -> float:
    """Seconds from `since` (monotonic) until it holds; printed."""
    eventually(holds, what, pause=0.02)
    seconds = time.monotonic() - since
    print(f"\n{what}: {seconds:.2f} s")
    return seconds
