"""One probe of one gate: which connections are made, and what they show together."""

import pytest

from doorward.objects.endpoints import Replica
from doorward.objects.meta import ObjectKey
from doorward.planning.enforcement import Asked, Heard, Verdict
from doorward.planning.separation import Naming
from doorward.probes import connection
from doorward.probes.prober import UNKNOWN_HOST, NetworkProber
from tests.support.clock import FakeClock
from tests.unit.given import NOW

OURS = frozenset({b"ours"})
REPLICA = Replica("192.0.2.7", 443, 80)
ASKED = Asked(
    target=ObjectKey("edge", "shop"), host="shop.example", path="/a", issuer=ObjectKey("edge", "partners"), anchors=OURS
)
BAD = Heard(status=400, authorities=OURS)
NOBODY, FOREIGN, PLAIN = "nobody", "foreign", "plain"


class Answers:
    """In the place of the network: what is answered to whom."""

    def __init__(self):
        self.to = {
            NOBODY: BAD,
            FOREIGN: BAD,
            PLAIN: Heard(status=308, location="https://shop.example/"),
            UNKNOWN_HOST: Heard(status=404),
        }
        self.asked = []

    async def ask(self, replica, host, path, *, tls, client=None):
        assert replica == REPLICA or not replica.http
        way = host if host == UNKNOWN_HOST else PLAIN if not tls else FOREIGN if client else NOBODY
        assert path == ("/" if way == UNKNOWN_HOST else "/a")
        assert tls is (way != PLAIN)
        self.asked.append(way)
        return self.to[way]

    async def greet(self, replica, name):
        assert replica == REPLICA
        return Heard(trouble=name)


@pytest.fixture
def answers(monkeypatch):
    made = Answers()
    monkeypatch.setattr(connection, "ask", made.ask)
    monkeypatch.setattr(connection, "greet", made.greet)
    return made


async def verdicts(replica=REPLICA):
    return [verdict for verdict, _ in await NetworkProber(FakeClock(NOW)).probe(replica, ASKED)]


async def test_all_three_are_refused(answers):
    assert await verdicts() == [Verdict.REFUSED] * 3
    assert answers.asked == [NOBODY, FOREIGN, PLAIN]


@pytest.mark.promise(3)
@pytest.mark.parametrize("way", [NOBODY, FOREIGN, PLAIN])
async def test_each_of_the_three_can_find_a_host_open(answers, way):
    answers.to[way] = Heard(status=200, authorities=OURS)
    assert max(await verdicts()) is Verdict.OPEN


@pytest.mark.parametrize("connected", [True, False])
async def test_a_replica_that_does_not_answer_is_asked_once(answers, connected):
    answers.to[NOBODY] = Heard(trouble="no answer", connected=connected)
    assert await verdicts() == [Verdict.SILENT if connected else Verdict.UNREACHABLE]
    assert answers.asked == [NOBODY]


async def test_a_controller_whose_service_has_no_plain_http_is_not_asked_for_it(answers):
    assert await verdicts(Replica("192.0.2.7", 443, 0)) == [Verdict.REFUSED] * 2
    assert PLAIN not in answers.asked


async def test_an_answer_that_may_be_that_of_no_host_is_compared_with_it(answers):
    answers.to |= dict.fromkeys((NOBODY, FOREIGN), Heard(status=404))
    assert max(await verdicts()) is Verdict.UNCLEAR
    assert answers.asked.count(UNKNOWN_HOST) == 2
    answers.to[UNKNOWN_HOST] = Heard(status=502)
    assert max(await verdicts()) is Verdict.OPEN


@pytest.mark.parametrize("connected", [True, False])
async def test_an_answer_that_cannot_be_compared_shows_nothing(answers, connected):
    answers.to |= dict.fromkeys((NOBODY, FOREIGN), Heard(status=404))
    answers.to[UNKNOWN_HOST] = Heard(trouble="is silent", connected=connected)
    assert max(await verdicts()) is Verdict.UNCLEAR
    answers.to[NOBODY] = Heard(status=200)
    assert max(await verdicts()) is Verdict.OPEN


@pytest.mark.usefixtures("answers")
async def test_a_replica_is_greeted_without_a_name_and_with_one_that_nobody_has():
    heard = await NetworkProber(FakeClock(NOW)).unnamed(REPLICA)
    assert heard == {Naming.NOTHING: Heard(), Naming.UNKNOWN: Heard(trouble=UNKNOWN_HOST)}
