"""`kill -9` before and after each write of each kind of action, and the operator started again: all comes right.

Which writes there are is recorded from one run that nothing disturbs, so a write that is new is covered by itself.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.faults.conftest import MATRIX, NOT_MADE, PASSED
from tests.faults.faulty import FaultyOperator, Point
from tests.faults.scenes import Scene, broken
from tests.gate.doors import CLOSED, NO_CERTIFICATE, NOBODY
from tests.support.home import client, issuer
from tests.support.kube import CERTIFICATES, ISSUERS, Person, eventually
from tests.support.openssl import OpenSsl
from tests.testbed.ingress_nginx import IngressNginx


@dataclass(frozen=True, kw_only=True)
class Action:
    """What is done in a scene, and who must get in after it, with how many good serials; everybody else is out."""

    before: tuple[str, ...]
    act: Callable[[Scene], object]
    entitled: Mapping[str, int]
    out: set[str] = field(default_factory=set)


def _found(scene: Scene) -> None:
    scene.home.make(ISSUERS, issuer())
    scene.home.make(CERTIFICATES, client("alice"))


ACTIONS = {
    "found": Action(before=(), act=_found, entitled={"alice": 1}),
    "issue": Action(
        before=("bob",),
        act=lambda scene: scene.home.make(CERTIFICATES, client("alice")),
        entitled={"alice": 1, "bob": 1},
    ),
    "renew": Action(
        before=("alice", "bob"),
        act=lambda scene: scene.home.respec(CERTIFICATES, "alice", reissue="again"),
        entitled={"alice": 2, "bob": 1},
    ),
    "revoke": Action(
        before=("alice", "bob"),
        act=lambda scene: scene.home.respec(CERTIFICATES, "alice", revoked=True),
        entitled={"bob": 1},
        out={"alice"},
    ),
    "suspend": Action(
        before=("alice", "bob"),
        act=lambda scene: scene.home.respec(CERTIFICATES, "alice", suspended=True),
        entitled={"bob": 1},
        out={"alice"},
    ),
    "rotate": Action(
        before=("alice",),
        act=lambda scene: scene.home.respec(ISSUERS, "partners", ca={"generate": {"rotate": "now"}}),
        entitled={"alice": 2},
    ),
    "delete": Action(
        before=("alice", "bob"),
        act=lambda scene: scene.home.remove(CERTIFICATES, "alice"),
        entitled={"bob": 1},
        out={"alice"},
    ),
}


@dataclass(frozen=True)
class Theatre:
    """Where scenes of one action are built, and disturbed one after the other."""

    admin: Person
    folder: Path
    operator: FaultyOperator
    ingress: IngressNginx
    openssl: OpenSsl
    scenes: list[Scene] = field(default_factory=list)

    def build(self, action: Action, count: int) -> list[Scene]:
        """So many scenes at once, ready for the action."""
        made = [Scene.build(self.admin, self.folder, self.ingress, self.openssl, "crash-") for _ in range(count)]
        self.scenes.extend(made)
        if action.before:
            for scene in made:
                scene.people(*action.before)
            for scene in made:
                scene.settled(*action.before)
        self.operator.rest()
        return made

    def points(self, action: Action) -> list[Point]:
        """Before and after each write of an undisturbed run."""
        (scene,) = self.build(action, 1)
        namespace = scene.home.namespace
        first = len(self.operator.writes(namespace))
        action.act(scene)
        scene.comes_right(action.entitled, action.out)
        self.operator.rest()
        counted: Counter[str] = Counter()
        points = []
        for write in self.operator.writes(namespace)[first:]:
            counted[write] += 1
            points += [Point(write, counted[write], when) for when in ("before", "after")]
        return points

    def disturb(self, action: Action, scene: Scene, point: Point) -> str:
        """One point: killed there, started again, and looked at by the API and openssl."""
        self.operator.kill_at(point, scene.home.namespace)
        action.act(scene)
        try:
            killed = self._killed(action, scene, point)
            scene.comes_right(action.entitled, action.out)
        except AssertionError as error:
            return str(error)
        finally:
            self.operator.spare()
        return PASSED if killed else NOT_MADE

    def _killed(self, action: Action, scene: Scene, point: Point) -> bool:
        """False where another write was not needed this time: how many there are is a matter of milliseconds. An Ingress is told
        once more where it is looked at between its issuer and its gate.
        """
        if point.nth == 1 or not point.write.endswith("/status"):
            try:
                return bool(eventually(lambda: self.operator.was_killed, f"the operator dies {point}"))
            except AssertionError:
                if point.nth == 1 or broken(scene, action.entitled, action.out):
                    raise
                return False
        eventually(
            lambda: self.operator.was_killed or not broken(scene, action.entitled, action.out), f"{point} is over"
        )
        if not self.operator.was_killed:
            self.operator.rest()
        return self.operator.was_killed

    def ask(self, action: Action, outcomes: dict[str, str], scenes: list[Scene]) -> None:
        """What the real hosts tell, once the last of them is loaded."""
        scenes[-1].comes_to_tell(action.entitled, action.out)
        for point, scene in zip(outcomes, scenes, strict=True):
            if scene.door.tells(NOBODY) == CLOSED:  # nobody gets in there for now (seen once), but that must not last
                scene.door.comes_to_tell(NOBODY, NO_CERTIFICATE)
            if wrong := scene.mistold(action.entitled, action.out):
                outcomes[point] = "; ".join(wrong)


@pytest.fixture
def theatre(
    admin: Person, tmp_path: Path, operator: FaultyOperator, ingress_nginx: IngressNginx, openssl: OpenSsl
) -> Iterator[Theatre]:
    theatre = Theatre(admin, tmp_path, operator, ingress_nginx, openssl)
    yield theatre
    for scene in theatre.scenes:
        scene.home.abandon()


@pytest.mark.promise(6)
@pytest.mark.parametrize("name", ACTIONS)
def test_killed_at_any_write_the_operator_brings_the_action_to_its_end(
    name: str, theatre: Theatre, record_property: Callable[[str, object], None]
):
    action = ACTIONS[name]
    points = theatre.points(action)
    scenes = theatre.build(action, len(points))
    outcomes = {str(p): theatre.disturb(action, s, p) for p, s in zip(points, scenes, strict=True)}
    theatre.ask(action, outcomes, scenes)
    record_property(MATRIX, (name, outcomes))
    assert points
    assert {point: said for point, said in outcomes.items() if said not in (PASSED, NOT_MADE)} == {}
