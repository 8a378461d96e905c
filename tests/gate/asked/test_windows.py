"""While everything changes, clients who should not get in never do: they ask every 10 ms."""

import signal
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster.policies_support import ISSUER
from tests.gate.doors import ENDPOINTS, IN, NOBODY, REFUSED, SERVICES, Door, Files, Street, admitted
from tests.support.ca import OpensslCa
from tests.support.home import Home, client, issuer
from tests.support.installation import GateServiceProcess, OperatorProcess
from tests.support.kube import CERTIFICATES, INGRESSES, ISSUERS, eventually
from tests.testbed import manifests

from .connections import context
from .tireless import Client, Crowd, crowd

CREATED, OPTED_IN = 200, 50
MODES = {"asked": "EveryRequest", "shake": "Handshake"}
"""An issuer for each mode, whose hosts take turns."""
SAMPLE = 9
"""Of so many hosts one is asked while processes restart and issuers change."""
WRITERS = 8
OPEN = "open"
"""The Service of hosts that are not protected yet."""


@dataclass(frozen=True)
class Town:
    """Both issuers, each with a client who stays and one who was revoked; and `staff`, whose client is carol."""

    street: Street
    stays: dict[str, Files]
    revoked: dict[str, Files]
    foreign: Files

    @classmethod
    def build(cls, street: Street, folder: Path) -> "Town":
        home = street.home
        theirs = OpensslCa(folder / "theirs")
        theirs.create("/CN=theirs")
        for kind, body in zip((SERVICES, ENDPOINTS), manifests.service(home.namespace, OPEN), strict=True):
            home.make(kind, body)
        stays, revoked = {}, {}
        for name, mode in MODES.items():
            home.make(ISSUERS, issuer(name, enforcement={"mode": mode}))
        home.make(ISSUERS, issuer("staff"))
        home.make(CERTIFICATES, client("carol", issuer="staff"))
        for name in MODES:
            door = street.door(f"first-{name}", issuer=name)
            stays[name] = admitted(home, door, f"bob-{name}", issuer=name)
            revoked[name] = admitted(home, door, f"alice-{name}", issuer=name)
            home.respec(CERTIFICATES, f"alice-{name}", revoked=True)
            door.comes_to_tell(revoked[name], REFUSED)
        home.issued("carol")
        return cls(street, stays, revoked, theirs.client("mallory"))

    def hosts(self, names: Sequence[str]) -> list[str]:
        return [self.street.host(name) for name in names]

    def strangers(self) -> dict[str, Client]:
        """Who should not get in; the revoked one comes with the certificate of the host's first issuer."""
        revoked = {name: context(files) for name, files in self.revoked.items()}
        nobody, foreign = context(NOBODY), context(self.foreign)

        def as_revoked(host: str) -> ssl.SSLContext:
            return revoked[mode_of(host.partition(".")[0])]

        return {"nobody": lambda _: nobody, "foreign": lambda _: foreign, "revoked": as_revoked}

    def put_up(self, names: Sequence[str], *, protected: bool) -> None:
        """Create Ingresses; those that are open lead to another Service, or they would be refused."""

        def one(name: str) -> None:
            body = self.street.manifest(name, issuer=mode_of(name) if protected else None)
            if not protected:
                body["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"] = OPEN
            self.street.home.make(INGRESSES, body)

        side_by_side(one, names)

    def mark(self, names: Sequence[str], issuer: str | None = None) -> None:
        """Opt Ingresses in, each to the issuer in its name; or switch them to another."""

        def one(name: str) -> None:
            said = {ISSUER: issuer or mode_of(name)}
            self.street.home.change(INGRESSES, name, {"metadata": {"annotations": said}})

        side_by_side(one, names)

    def tells(self, name: str, files: Files, wanted: str) -> None:
        Door(self.street.ingress, self.street.host(name)).comes_to_tell(files, wanted)


def mode_of(name: str) -> str:
    """The issuer in the name of an Ingress."""
    return name.rpartition("-")[2]


def names(kind: str, count: int) -> list[str]:
    """Of Ingresses."""
    return [f"{kind}-{number}-{list(MODES)[number % len(MODES)]}" for number in range(count)]


def side_by_side(one: Callable[[str], object], names: Sequence[str]) -> None:
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(one, names))


@pytest.fixture
def town(street: Street, tmp_path: Path) -> Town:
    return Town.build(street, tmp_path)


@pytest.mark.promise(3)
def test_in_no_window_does_anybody_get_in_who_should_not(
    home: Home, town: Town, gate_service: GateServiceProcess, running_operator: OperatorProcess
):
    created, opened = names("created", CREATED), names("opened", OPTED_IN)
    watched = [*created[::SAMPLE], *opened[::SAMPLE]]
    switched, kept = watched[::3], watched[1::3]
    town.put_up(opened, protected=False)
    town.tells(opened[-1], NOBODY, IN)
    with crowd(town.street.ingress, town.strangers()) as strangers:
        strangers.go_to(town.hosts(created))
        town.put_up(created, protected=True)
        strangers.are_refused()
        rotate(home)
        strangers.go_to(town.hosts(opened), closed=False)
        town.mark(opened)
        strangers.are_refused()
        strangers.go_to(town.hosts(watched))
        town.mark(switched, "staff")
        town.tells(switched[-1], home.files("carol"), IN)
        restart(town, strangers, gate_service, running_operator)
        rotated(home)
        for name in MODES:
            town.tells(next(each for each in kept if mode_of(each) == name), town.stays[name], IN)
        delete_issuers(home)
        strangers.ask_once_more()
    assert strangers.got_in() == []


def restart(town: Town, strangers: Crowd, gate_service: GateServiceProcess, operator: OperatorProcess) -> None:
    """Operator and gate service, then the controller."""
    operator.stop(signal.SIGKILL)
    gate_service.stop()
    strangers.ask_once_more()
    operator.start()
    gate_service.start()
    town.street.ingress.stop()
    town.street.ingress.resume()
    strangers.ask_once_more()


def rotate(home: Home) -> None:
    """Both issuers get another CA; it signs after 30 s."""
    for name in MODES:
        home.respec(ISSUERS, name, ca={"generate": {"commonName": f"{name} CA", "rotate": "today"}})


def rotated(home: Home) -> None:
    """Wait until clients who stay have certificates of the next CA."""

    def generations() -> set[int]:
        return {int(home.body(CERTIFICATES, f"bob-{name}")["status"]["issuerGeneration"]) for name in MODES}

    eventually(lambda: generations() == {2}, "certificates of the next CA")


def delete_issuers(home: Home) -> None:
    for name in (*MODES, "staff"):
        home.remove(ISSUERS, name)
    for name in (*MODES, "staff"):
        home.gone(ISSUERS, name)
