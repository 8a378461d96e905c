"""One round of a canary at one place: who asks, in which order, and what is left out where nothing can be found."""

from dataclasses import replace

import pytest

from doorward.objects.endpoints import Replica
from doorward.objects.meta import ObjectKey
from doorward.planning.canary import Access, Asker
from doorward.planning.enforcement import Asked, Heard
from doorward.probes import connection
from doorward.probes.canary_asking import EXPECTED, PROMISED, NetworkCanaries
from doorward.probes.connection import Session
from doorward.probes.prober import UNKNOWN_HOST

OURS = frozenset({b"ours"})
REPLICA = Replica("192.0.2.7", 443, 80)
ASKED = Asked(target=ObjectKey("edge", "shop"), host="shop.example", issuer=ObjectKey("edge", "partners"), anchors=OURS)
IN, OUT = Heard(status=413, authorities=OURS), Heard(status=400, authorities=OURS)
REVOKED, LIVE, RESUMED, NO_NAME, UNKNOWN, WAITING = "revoked", "live", "resumed", "", UNKNOWN_HOST, "waiting"


class Answers:
    """In the place of the network: what is answered to whom, who asked, and the session that each began with."""

    def __init__(self):
        self.to = {REVOKED: OUT, LIVE: IN, RESUMED: OUT, NO_NAME: OUT, UNKNOWN: OUT, WAITING: IN}
        self.asked = []
        self.resumes = True
        self._sessions = 0

    async def ask(self, replica, host, path, *, tls, client=None, promised=0, expects=False, session=None, name=None):
        assert (replica, host, path, tls) == (REPLICA, "shop.example", "/", True)
        assert promised == (EXPECTED if expects else PROMISED)
        who = WAITING if expects else client or (RESUMED if name is None else name)
        if expects:
            assert (client, session.kept, name) == (LIVE, None, None)
        self.asked.append((who, session.kept))
        if client is None:
            assert session.kept is not None
        elif self.resumes:
            self._sessions += 1
            session.kept = f"{client} {self._sessions}"
        return self.to[who]


@pytest.fixture
def answers(monkeypatch):
    made = Answers()
    monkeypatch.setattr(connection, "ask", made.ask)
    return made


async def asked(session=None, of=ASKED):
    return await NetworkCanaries().canary(REPLICA, of, REVOKED, LIVE, session or Session())


def access(found):
    return {asker: found[asker][0] for asker in found}


async def test_a_session_of_its_own_is_resumed_in_each_way(answers):
    found = await asked()
    assert access(found)[Asker.UNNAMED] is Access.REFUSED
    assert answers.asked == [
        (REVOKED, None),
        (LIVE, None),
        (RESUMED, "live 2"),
        (LIVE, None),
        (NO_NAME, "live 3"),
        (LIVE, None),
        (UNKNOWN, "live 4"),
    ]


@pytest.mark.promise(3)
@pytest.mark.parametrize("name", [NO_NAME, UNKNOWN])
async def test_one_way_in_is_enough(answers, name):
    answers.to[name] = Heard(status=413)
    assert (await asked())[Asker.UNNAMED][0] is Access.ADMITTED


@pytest.mark.parametrize("name", [NO_NAME, UNKNOWN])
async def test_one_way_that_is_unclear_leaves_it_open(answers, name):
    answers.to[name] = Heard(trouble="no answer")
    assert (await asked())[Asker.UNNAMED] == (Access.UNCLEAR, "no answer")


async def test_without_a_session_nobody_can_resume_one(answers):
    answers.resumes = False
    found = await asked()
    assert (access(found)[Asker.RESUMED], access(found)[Asker.UNNAMED]) == (Access.REFUSED, Access.REFUSED)
    assert {who for who, _ in answers.asked} == {REVOKED, LIVE}


@pytest.mark.promise(3)
async def test_a_refusal_counts_only_while_the_live_one_is_admitted(answers, monkeypatch):
    """The gate closes in between."""
    first = connection.ask

    async def ask(*args, name=None, client=None, **more):
        if any(who == RESUMED for who, _ in answers.asked):
            answers.to[LIVE] = OUT
        return await first(*args, name=name, client=client, **more)

    monkeypatch.setattr(connection, "ask", ask)
    found = await asked()
    assert found[Asker.UNNAMED] == (Access.UNCLEAR, "the live one is refused as well")


@pytest.mark.parametrize(("who", "told"), [(REVOKED, IN), (LIVE, OUT)])
async def test_nobody_resumes_where_the_gate_has_not_loaded_the_crl(answers, who, told):
    answers.to[who] = told
    assert Asker.UNNAMED not in await asked()


async def test_the_session_that_is_kept_for_the_next_crl_is_not_one_that_was_resumed_without_a_name(answers):
    session = Session()
    await asked(session)
    assert session.kept == "live 2"
    assert ("", "live 2") not in answers.asked


@pytest.mark.promise(3)
async def test_where_the_gate_service_is_to_be_asked_the_live_one_waits_for_the_application(answers):
    assert Asker.WAITING not in await asked(), "elsewhere it would find it"
    at_every_request = replace(ASKED, every_request=True)
    answers.to[WAITING] = Heard(status=100, authorities=OURS)
    assert (await asked(of=at_every_request))[Asker.WAITING] == (Access.ADMITTED, "")
    answers.to[WAITING] = Heard(status=403, authorities=OURS)
    assert (await asked(of=at_every_request))[Asker.WAITING] == (Access.REFUSED, "")
