"""An issuer with a long ledger is planned beside the event loop: a Lease is renewed, and others are served, in between."""

import threading

import pytest

from doorward.gates.guarded.observe import GuardedObserver
from doorward.issuers.memory import IssuerMemories, IssuerMemory
from doorward.runtime import looks
from doorward.runtime.guarded import GuardedServices
from doorward.runtime.looks import Issuers
from doorward.runtime.told import ToldTargets
from doorward.runtime.troubles import Troubles
from doorward.view.stores import View
from doorward.view.trust_domains import TrustDomains
from doorward.workqueue.queue import WorkQueue
from tests.support.clock import FakeClock
from tests.unit import given
from tests.unit.given import ISSUER, NOW
from tests.unit.issuers.bed import routing


class Seen:
    def __init__(self, records):
        self._records = records

    async def observe(self, *_):
        return given.trust_domain(records=self._records, published=given.published()), IssuerMemory()


class NotProbed:
    """Of a gate that nobody probed nothing is said."""

    def observed(self, seen):
        return seen


@pytest.mark.parametrize(
    ("records", "elsewhere"),
    [
        pytest.param(tuple(given.record(n) for n in (1, 2)), True, id="more records than that"),
        pytest.param((given.record(1),), False, id="as many"),
        pytest.param(given.Unseen.UNKNOWN, False, id="a ledger that is not heard of yet"),
    ],
)
async def test_an_issuer_is_planned_in_a_thread_with(monkeypatch, records, elsewhere):
    decide, threads = looks.issuer.decide, []

    def noted(*arguments):
        threads.append(threading.current_thread())
        return decide(*arguments)

    monkeypatch.setattr(looks.issuer, "decide", noted)
    monkeypatch.setattr(looks, "LONG_LEDGER", 1)
    clock = FakeClock(NOW)
    view = View(FakeClock(NOW), account=given.ACCOUNT)
    domains = TrustDomains()
    waking = routing(view, WorkQueue(clock))
    troubles = Troubles(clock)
    guarded = GuardedServices(view, GuardedObserver(view, ()), troubles, clock, {})
    told = ToldTargets(lambda _issuer: None)
    issuers = Issuers(
        view, Seen(records), IssuerMemories(), domains, waking, troubles, NotProbed(), NotProbed(), guarded, told, clock
    )
    look = await issuers.look(ISSUER)
    assert (threads != [threading.main_thread()]) is elsewhere
    assert (domains.get(ISSUER) is not None) is (records is not given.Unseen.UNKNOWN)
    assert look.plan.due is not None
