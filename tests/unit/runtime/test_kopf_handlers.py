"""What lies between Kopf's thread and the operator's loop: no event is lost, and none holds up the loop; and whom Kopf speaks as."""

import asyncio
import threading
import time
from datetime import UTC, datetime

import kopf
import pytest
from kopf._cogs.structs.references import Insights, Resource
from kopf._core.engines import peering
from kopf._core.intents.causes import Activity

from doorward.cluster.gateway import CLIENT_CERTIFICATE, INGRESS
from doorward.cluster.identity import Credentials
from doorward.runtime import kopf_handlers
from doorward.runtime.kopf_handlers import Health, Mailbox, connection_of

EXPIRES = datetime(2026, 9, 1, tzinfo=UTC)
CREDENTIALS = {
    "server": "https://api.example",
    "ca_file": "/ca.crt",
    "verify": True,
    "proxy": None,
    "certificate_file": None,
    "key_file": None,
    "authorization": "Bearer secret",
    "expires": EXPIRES,
}


class Loop:
    """A loop that a test turns by hand, on whose clock each handled event takes a while."""

    def __init__(self):
        self.now = 0.0
        self.ready = []
        self.wakings = 0

    def time(self):
        return self.now

    def call_soon(self, callback):
        self.ready.append(callback)

    def call_soon_threadsafe(self, callback):
        self.wakings += 1
        self.ready.append(callback)

    def turn(self):
        """One turn; for how long it was held up."""
        begun, ready = self.now, self.ready
        self.ready = []
        for callback in ready:
            callback()
        return self.now - begun


def filled(events, *, seconds=0.0, fails=()):
    """A mailbox with so many events, each of which takes so long."""
    loop, handled = Loop(), []

    def handle(_plural, _event, body):
        loop.now += seconds
        handled.append(body["number"])
        if body["number"] in fails:
            raise ValueError("a bug")

    mailbox = Mailbox(loop, handle)
    for number in range(events):
        mailbox.put("ingresses", "", {"number": number})
    return loop, mailbox, handled


def test_a_storm_is_taken_in_in_order_and_holds_up_no_turn_for_long():
    loop, _, handled = filled(1000, seconds=0.002)
    turns = []
    while loop.ready:
        turns.append(loop.turn())
    assert handled == list(range(1000))
    assert max(turns) <= 0.010
    assert len(turns) > 100


def test_many_small_events_are_taken_in_in_one_turn_and_for_one_waking():
    loop, _, handled = filled(500, seconds=0.000_001)
    loop.turn()
    assert (len(handled), loop.ready, loop.wakings) == (500, [], 1)


def test_what_comes_after_all_was_taken_in_wakes_again():
    loop, mailbox, handled = filled(1)
    loop.turn()
    mailbox.put("ingresses", "", {"number": 1})
    loop.turn()
    assert (handled, loop.wakings) == ([0, 1], 2)


def test_an_event_that_cannot_be_taken_in_is_loud_and_holds_up_no_other(caplog):
    loop, _, handled = filled(3, fails=(1,))
    loop.turn()
    assert handled == [0, 1, 2]
    assert "an event of ingresses was not taken in" in caplog.text


def test_no_event_is_lost_between_threads():
    """Each is put while the loop may be just about to find nothing left."""
    each, threads, handled = 2000, 4, []

    async def story():
        done = asyncio.Event()

        def handle(_plural, _event, body):
            handled.append(body["number"])
            if len(handled) == each * threads:
                done.set()

        mailbox = Mailbox(asyncio.get_running_loop(), handle)

        def put():
            for number in range(each):
                mailbox.put("ingresses", "", {"number": number})
                if number % 100 == 0:
                    time.sleep(0)

        writers = [threading.Thread(target=put) for _ in range(threads)]
        for writer in writers:
            writer.start()
        async with asyncio.timeout(30):
            await done.wait()
        for writer in writers:
            writer.join()

    asyncio.run(story())
    assert sorted(handled) == sorted(list(range(each)) * threads)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        pytest.param({}, {"scheme": "Bearer", "token": "secret", "insecure": False}, id="a token"),
        pytest.param({"authorization": "bearer secret\n"}, {"scheme": "bearer", "token": "secret"}, id="as in a Pod"),
        pytest.param({"authorization": "Basic abc"}, {"scheme": "Basic", "token": "abc"}, id="a password"),
        pytest.param(
            {"authorization": None, "certificate_file": "/c", "key_file": "/k", "expires": None},
            {"scheme": None, "token": None, "certificate_path": "/c", "private_key_path": "/k", "expiration": None},
            id="a client certificate",
        ),
        pytest.param({"verify": False}, {"insecure": True}, id="a server that is not verified"),
        pytest.param({"proxy": "http://p"}, {"proxy_url": "http://p"}, id="a proxy"),
    ],
)
def test_kopf_speaks_as_our_own_client_does_with(given, wanted):
    made = connection_of(Credentials(**CREDENTIALS | given))
    same = {"server": "https://api.example", "ca_path": "/ca.crt", "expiration": EXPIRES} | wanted
    assert {name: getattr(made, name) for name in same} == same


def test_kopf_asks_the_operators_loop_as_whom_to_speak():
    """The plugin and its lock belong to that loop; Kopf lives in another."""
    asked = []

    async def login():
        asked.append(threading.get_ident())
        return Credentials(**CREDENTIALS)

    async def story():
        registry = kopf_handlers._registry(asyncio.get_running_loop(), lambda *_: None, login, ())
        (handler,) = [h for h in registry._activities.get_all_handlers() if h.fn.__name__ == "log_in"]
        return await asyncio.to_thread(lambda: asyncio.run(handler.fn()))

    assert asyncio.run(story()).token == "secret"
    assert asked == [threading.get_ident()]


@pytest.mark.parametrize(
    ("runs", "then", "troubled"),
    [
        pytest.param([], 100, 0, id="one that was never stopped"),
        pytest.param([(0, 9)], 20, 11, id="one that is down"),
        pytest.param([(0, 9), (10, 19), (23, 32)], 40, 31, id="one that stops again and again"),
        pytest.param([(0, 9), (10, 100)], 110, 10, id="one that ran well before it stopped"),
    ],
)
def test_how_long_kopf_has_been_in_trouble(runs, then, troubled):
    health = Health()
    for began, ended in runs:
        health.began(began)
        health.ended(ended, wanted=False)
    assert (health.troubled_for(then), health.restarts) == (troubled, len(runs))


def test_a_kopf_that_was_told_to_list_again_is_in_no_trouble():
    health = Health()
    health.began(0)
    health.ended(50, wanted=True)
    health.began(50)
    assert (health.troubled_for(51), health.restarts) == (0, 0)


def test_a_kopf_that_runs_for_a_while_is_over_its_trouble():
    health = Health()
    health.began(0)
    health.ended(9, wanted=False)
    health.began(12)
    assert (health.troubled_for(20), health.troubled_for(43)) == (11, 0)


def test_kopf_lists_in_pages_and_lets_each_object_go_soon():
    """Its defaults, all at once and five seconds each, are hundreds of MB at ten thousand clients."""
    registry = kopf_handlers._registry(Loop(), lambda *_: None, None, ())
    settings = kopf.OperatorSettings()
    for handler in registry._activities.get_handlers(Activity.STARTUP):
        handler.fn(settings=settings)
    assert settings.watching.chunk_size == kopf_handlers.CHUNK
    assert settings.queueing.idle_timeout < 1


KINDS = (CLIENT_CERTIFICATE, INGRESS)


@pytest.mark.parametrize(
    ("served", "missing"),
    [
        pytest.param(KINDS, [], id="all"),
        pytest.param((INGRESS,), ["clientcertificates"], id="one of ours is not there"),
        pytest.param((), ["clientcertificates", "ingresses"], id="none"),
    ],
)
def test_a_kind_that_kopf_did_not_find_is_named(served, missing):
    found = Insights()
    for kind in served:
        group, _, version = kind.api_version.rpartition("/")
        found.watched_resources.add(Resource(group, version, kind.plural))
    assert kopf_handlers._unfound(found, KINDS) == missing


async def test_kopf_is_started_again_where_a_kind_was_not_served(monkeypatch):
    """It looks once, and would go on without that kind for as long as the process lives."""
    stop, runs = threading.Event(), []

    async def operator(*, insights, stop_flag, **_):
        runs.append(insights)
        for kind in KINDS[: len(runs)]:
            group, _, version = kind.api_version.rpartition("/")
            insights.watched_resources.add(Resource(group, version, kind.plural))
        insights.ready_resources.set()
        if len(runs) == len(KINDS):
            stop.set()
        await stop_flag.wait()

    monkeypatch.setattr(kopf_handlers.kopf, "operator", operator)
    monkeypatch.setattr(kopf_handlers, "FIRST_REST", 0.0)
    restarted = []
    asyncio.get_running_loop().call_later(10, stop.set)  # the thread would outlive a test that gives up
    await kopf_handlers.supervise(
        lambda *_: None,
        None,
        kopf_handlers.Watched(KINDS, ()),
        Health(),
        stop=stop,
        again=threading.Event(),
        restarted=lambda: restarted.append(1),
    )
    assert (len(runs), restarted) == (2, [1])


async def test_kopf_starts_also_as_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch):
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 65532")

    monkeypatch.delenv("POD_ID", raising=False)
    monkeypatch.setattr("getpass.getuser", nobody)
    started = []

    async def tasks(*, identity: str | None = None, **_: object) -> list[asyncio.Task[None]]:
        # As Kopf's own: the first thing that it needs.
        started.append(identity if identity is not None else peering.detect_own_id(manual=False))
        return []

    monkeypatch.setattr("kopf._core.reactor.running.spawn_tasks", tasks)
    monkeypatch.setattr("kopf._core.reactor.running.run_tasks", lambda *_, **__: asyncio.sleep(0))
    with pytest.raises(KeyError):
        peering.detect_own_id(manual=False)
    await kopf_handlers._run(
        kopf.OperatorRegistry(), kopf_handlers.Watched((), ()), threading.Event(), threading.Event()
    )
    assert started == ["doorward"]
