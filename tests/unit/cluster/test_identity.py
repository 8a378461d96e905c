"""As whom this process speaks: whatever the kubeconfig says, also by an exec plugin, and with a token that is kept fresh."""

from asyncio import sslproto
from datetime import datetime, timedelta

import pytest

from doorward.cluster.errors import Transient
from doorward.cluster.gateway import SECRET
from doorward.cluster.identity import Identity
from doorward.cluster.live import LiveGateway, connect_as
from tests.support.clock import FakeClock
from tests.unit.cluster.http_api import NOW, TOKEN, kubeconfig, status

PATH = "/api/v1/namespaces/edge/secrets/a"
BODY = {"metadata": {"name": "a"}}


class Plugin:
    """An exec plugin that gives another token each time: `token-1`, `token-2`, …"""

    def __init__(self, folder):
        self._folder = folder
        self._program = folder / "plugin"
        self.says()

    def says(self, *, until: datetime | None = None, fails=False):
        """What it prints from now on."""
        self._folder.joinpath("runs").touch()
        expiry = f', "expirationTimestamp": "{until:%Y-%m-%dT%H:%M:%SZ}"' if until else ""
        answer = (
            '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",'
            f' "status": {{"token": "token-%d"{expiry}}}}}'
        )
        self._program.write_text(
            "#!/bin/sh\n"
            f"echo >> {self._folder}/runs\n"
            f"{'exit 1' if fails else ''}\n"
            f"printf '{answer}' $(wc -l < {self._folder}/runs)\n"
        )
        self._program.chmod(0o755)

    @property
    def runs(self):
        return len(self._folder.joinpath("runs").read_text().splitlines())

    @property
    def user(self):
        version = "client.authentication.k8s.io/v1"
        return {
            "token": None,
            "exec": {"command": str(self._program), "apiVersion": version, "interactiveMode": "Never"},
        }


@pytest.fixture
def plugin(tmp_path):
    return Plugin(tmp_path)


@pytest.fixture
def clock():
    return FakeClock(NOW)


@pytest.fixture
async def spoken(api, tmp_path, clock):
    """Asks through a gateway, as the user of a kubeconfig; the tokens that were sent."""
    made = []

    async def begin(**user):
        identity = Identity(kubeconfig(tmp_path / "config", api.url, **user), clock)
        gateway = LiveGateway(await connect_as(identity), clock, identity=identity)
        made.append(gateway)
        api.answer("GET", PATH, BODY)
        return identity, gateway

    yield begin
    for gateway in made:
        await gateway.close()


def tokens(api):
    return [request.headers.get("Authorization") for request in api.asked]


async def test_an_exec_plugin_is_asked_once_while_its_token_lasts(api, spoken, plugin, clock):
    plugin.says(until=NOW + timedelta(hours=1))
    _, gateway = await spoken(**plugin.user)
    for _ in range(3):
        await gateway.get(SECRET, "edge", "a")
        clock.advance(minutes=15)
    assert (tokens(api), plugin.runs) == (["Bearer token-1"] * 3, 1)


async def test_a_token_is_replaced_before_it_expires(api, spoken, plugin, clock):
    plugin.says(until=NOW + timedelta(hours=1))
    _, gateway = await spoken(**plugin.user)
    clock.advance(minutes=59)
    await gateway.get(SECRET, "edge", "a")
    assert tokens(api) == ["Bearer token-2"]


async def test_a_token_that_the_api_server_does_not_accept_any_more_is_replaced(api, spoken, plugin, clock):
    plugin.says(until=NOW + timedelta(hours=1))
    _, gateway = await spoken(**plugin.user)
    clock.advance(minutes=1)
    api._answers.clear()
    api.answer("GET", PATH, status(401, reason="Unauthorized"), code=401)
    api.answer("GET", PATH, BODY)
    with pytest.raises(Transient):
        await gateway.get(SECRET, "edge", "a")
    assert await gateway.get(SECRET, "edge", "a") == BODY
    assert tokens(api) == ["Bearer token-1", "Bearer token-2"]


async def test_a_plugin_is_not_asked_for_every_request_that_is_refused(api, spoken, plugin):
    _, gateway = await spoken(**plugin.user)
    api._answers.clear()
    api.answer("GET", PATH, status(401, reason="Unauthorized"), code=401)
    for _ in range(5):
        with pytest.raises(Transient):
            await gateway.get(SECRET, "edge", "a")
    assert plugin.runs == 1


async def test_a_plugin_that_fails_costs_nothing_but_its_new_token(api, spoken, plugin, clock):
    plugin.says(until=NOW + timedelta(minutes=10))
    _, gateway = await spoken(**plugin.user)
    plugin.says(fails=True)
    clock.advance(minutes=9)
    assert await gateway.get(SECRET, "edge", "a") == BODY
    assert tokens(api) == ["Bearer token-1"]
    plugin.says(until=NOW + timedelta(hours=1))
    clock.advance(seconds=11)
    await gateway.get(SECRET, "edge", "a")
    assert tokens(api)[-1] == "Bearer token-3"


async def test_a_token_in_a_file_is_read_again(api, spoken, tmp_path, clock):
    file = tmp_path / "token"
    file.write_text("first")
    _, gateway = await spoken(token=None, tokenFile=str(file))
    file.write_text("second")
    await gateway.get(SECRET, "edge", "a")
    clock.advance(minutes=10)
    await gateway.get(SECRET, "edge", "a")
    assert tokens(api) == ["Bearer first", "Bearer second"]


async def test_another_client_gets_the_same_credentials(api, spoken, plugin, clock):
    plugin.says(until=NOW + timedelta(hours=1))
    identity, gateway = await spoken(**plugin.user)
    clock.advance(minutes=59)
    handed_on = await identity.credentials()
    await gateway.get(SECRET, "edge", "a")
    assert (handed_on.server, handed_on.authorization, tokens(api)) == (api.url, "Bearer token-2", ["Bearer token-2"])


@pytest.mark.parametrize(
    ("until", "expires"),
    [
        pytest.param(NOW + timedelta(hours=1), NOW + timedelta(minutes=59), id="a minute before it ends"),
        pytest.param(NOW + timedelta(seconds=20), NOW + timedelta(seconds=10), id="not at once, however short it is"),
        pytest.param(None, NOW + timedelta(minutes=30), id="in a while, where it does not say"),
    ],
)
async def test_another_client_asks_again(spoken, plugin, until, expires):
    plugin.says(until=until)
    identity, _ = await spoken(**plugin.user)
    assert (await identity.credentials()).expires == expires


async def test_a_client_certificate_needs_not_be_asked_for_again(spoken):
    identity, _ = await spoken(token=None)
    handed_on = await identity.credentials()
    assert (handed_on.authorization, handed_on.expires) == (None, None)


async def test_a_connection_takes_little_memory(spoken):
    """asyncio takes so much for each at once, and a thousand namespaces need two thousand connections."""
    await spoken()
    assert sslproto.SSLProtocol.max_size <= 32 * 1024


@pytest.mark.promise(5)
async def test_a_token_is_in_no_repr(spoken):
    identity, _ = await spoken()
    assert TOKEN not in repr(await identity.credentials())
