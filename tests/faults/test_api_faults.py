"""The API server away, refusing, slow, forgetful: the operator comes to the right end, and nobody is cut off by the fault."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.faults.faulty import FaultyOperator
from tests.faults.scenes import Scene
from tests.support.api_proxy import EXPIRED, ApiProxy, Asked, Fault, every
from tests.support.home import client, issuer
from tests.support.installation import ACCOUNT, NAMESPACE
from tests.support.kube import CERTIFICATES, ISSUERS, SECRETS, Person, eventually
from tests.support.openssl import OpenSsl
from tests.testbed.controlplane import Cluster
from tests.testbed.ingress_nginx import IngressNginx

AWAY = 60.0
A_WHILE = 5.0
MOST_REQUESTS = 20
"""A second, of a whole operator, but for the namespaces of other tests: more would be a hot loop."""


@pytest.fixture(scope="module")
def proxy(cluster: Cluster) -> Iterator[ApiProxy]:
    with ApiProxy.running(cluster) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def operator(cluster: Cluster, proxy: ApiProxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyOperator]:
    """The operator, which knows the API server by way of the proxy alone."""
    folder = tmp_path_factory.mktemp("faults")
    kubeconfig = proxy.kubeconfig(folder / "kubeconfig", (NAMESPACE, ACCOUNT))
    operator = FaultyOperator(cluster, folder, name="proxied", kubeconfig=kubeconfig)
    operator.start()
    yield operator
    operator.close()


@pytest.fixture
def scene(
    admin: Person, tmp_path: Path, operator: FaultyOperator, ingress_nginx: IngressNginx, openssl: OpenSsl
) -> Iterator[Scene]:
    """Alice, bob and dave are in."""
    scene = Scene.build(admin, tmp_path, ingress_nginx, openssl, "api-faults-")
    scene.people("alice", "bob", "dave")
    scene.settled("alice", "bob", "dave")
    operator.rest()
    yield scene
    scene.home.abandon()


def change(scene: Scene) -> None:
    """Alice is revoked, dave deleted, carol comes."""
    scene.home.respec(CERTIFICATES, "alice", revoked=True)
    scene.home.remove(CERTIFICATES, "dave")
    scene.home.make(CERTIFICATES, client("carol"))


def all_is_right(scene: Scene) -> None:
    """Bob and carol are in, alice and dave out, and no serial was lost on the way."""
    entitled, out = {"bob": 1, "carol": 1}, {"alice", "dave"}
    scene.comes_right(entitled, out)
    scene.comes_to_tell(entitled, out)
    assert len(scene.home.records()) == len(entitled) + len(out)


def own(scene: Scene, asked: list[Asked]) -> list[Asked]:
    """Without what concerns the namespaces of other tests, which begin to go five seconds after they were deleted."""
    here = f"/namespaces/{scene.home.namespace}"
    return [each for each in asked if "/namespaces/" not in each.path or here in each.path]


def test_the_api_server_away_for_a_minute(scene: Scene, proxy: ApiProxy, operator: FaultyOperator):
    lives, begun = operator.pids, time.monotonic()
    with proxy.away():
        change(scene)
        time.sleep(AWAY)
    asked, lasted = own(scene, proxy.since(begun)), time.monotonic() - begun
    all_is_right(scene)
    assert operator.pids == lives
    assert len(asked) < lasted * MOST_REQUESTS


def _any(_: Asked) -> bool:
    return True


def _write(asked: Asked) -> bool:
    return asked.write


FAULTS: dict[str, Callable[[ApiProxy], AbstractContextManager[None]]] = {
    "every second write conflicts": lambda p: p.failing(every(2, Fault(409, reason="Conflict"), _write)),
    "every write conflicts for a while": lambda p: p.failing(every(1, Fault(409, reason="Conflict"), _write)),
    "every second request is one too many": lambda p: p.failing(every(2, Fault(429, {"Retry-After": "1"}), _any)),
    "every request is one too many for a while": lambda p: p.failing(every(1, Fault(429, {"Retry-After": "1"}), _any)),
    "every second request fails": lambda p: p.failing(every(2, Fault(500), _any)),
    "every request fails for a while": lambda p: p.failing(every(1, Fault(500), _any)),
    "of every second write the answer is lost": lambda p: p.failing(every(2, Fault(0, lost=True), _write)),
    "every answer takes a second": lambda p: p.failing(every(1, Fault(delay=1.0), _any)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_change_during_a_fault_is_brought_to_its_end(
    fault: str, scene: Scene, proxy: ApiProxy, operator: FaultyOperator
):
    lives, begun = operator.pids, time.monotonic()
    with FAULTS[fault](proxy):
        change(scene)
        time.sleep(A_WHILE)
        asked, lasted = own(scene, proxy.since(begun)), time.monotonic() - begun
    all_is_right(scene)
    assert operator.pids == lives
    assert len(asked) < lasted * MOST_REQUESTS


def test_watches_that_are_cut_again_and_again(scene: Scene, proxy: ApiProxy, operator: FaultyOperator):
    lives = operator.pids
    for act in (lambda: change(scene), lambda: None, lambda: None):
        proxy.cut_connections()
        act()
    all_is_right(scene)
    assert operator.pids == lives


def no_watch(asked: Asked) -> Fault | None:
    return Fault(500) if asked.watch else None


def once_expired() -> Callable[[Asked], Fault | None]:
    """Each watch is told once that it begins too long ago."""
    told: set[str] = set()

    def choose(asked: Asked) -> Fault | None:
        if not asked.watch or asked.path in told:
            return None
        told.add(asked.path)
        return EXPIRED

    return choose


def test_what_was_deleted_while_nobody_watched_is_noticed_when_watches_begin_too_long_ago(
    scene: Scene, proxy: ApiProxy, operator: FaultyOperator
):
    lives = operator.pids
    scene.home.make(ISSUERS, issuer("staff"))
    scene.home.signing("staff")
    scene.home.make(CERTIFICATES, client("erin", issuer="staff"))
    scene.home.issued("erin")
    with proxy.failing(no_watch):
        proxy.cut_connections()
        change(scene)
        scene.home.remove(ISSUERS, "staff")
        scene.home.remove(SECRETS, "bob-mtls")
    with proxy.failing(once_expired()):
        scene.home.says(CERTIFICATES, "erin", "Ready", "IssuerNotFound")
        scene.home.says(CERTIFICATES, "alice", "Admitted", "Revoked")
        scene.home.gone(CERTIFICATES, "dave")
        eventually(lambda: scene.home.get(SECRETS, "bob-mtls").ok, "bob has a Secret again")
    assert operator.pids == lives
