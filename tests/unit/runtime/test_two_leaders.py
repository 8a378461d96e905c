"""Two processes without any Lease, both of which work: whatever happens, no CRL and no gate forgets a revocation."""

from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule, run_state_machine_as_test

from tests.support import promises

from .test_histories import Histories

HEARS = 30.0
"""Seconds in which a process has heard all that was written, however late its watches are."""


class TwoLeaders(Histories):
    """The same people, accidents and time. Who is entitled in the end is not asked: that takes one leader."""

    elected = False

    @initialize(fence=st.booleans(), latency=st.sampled_from([0.0, 0.01]), lag=st.sampled_from([0.0, 0.5]))
    def begin(self, fence: bool, latency: float, lag: float) -> None:
        super().begin(fence=fence, latency=latency, lag=lag)
        self.bed.start()

    @precondition(lambda self: self.bed.processes < 2)
    @rule()
    def start_another(self) -> None:
        self.bed.start()

    @rule(by=st.sampled_from([timedelta(hours=2), timedelta(hours=30), timedelta(days=25)]))
    def sleep(self, by: timedelta) -> None:
        """Each hears first what the other wrote: with a Lease nobody who slept for so long would publish before it listed again."""
        self.bed.advance(HEARS)
        super().sleep(by)

    def _check(self) -> None:
        assert promises.broken(self.bed.cluster) == []


@pytest.mark.promise(1)
def test_two_that_both_believe_that_they_lead_never_publish_a_crl_that_forgets():
    run_state_machine_as_test(TwoLeaders, settings=settings(max_examples=25, stateful_step_count=20))


def test_whoever_slept_for_a_day_has_heard_before_of_a_hold_that_the_other_wrote():
    """Found by the machine once: the other one has the CA key, and its watches are late."""
    story = TwoLeaders()
    story.begin(fence=False, latency=0.01, lag=0.5)
    story.lose_ca(name="partners-ca-1")
    story.delete(name="alice")
    story.sleep(by=timedelta(hours=30))
    story.teardown()
