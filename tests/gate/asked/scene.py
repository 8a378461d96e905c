"""Where the attacks of `attacks` are tried: hosts with the gate service and hosts without, side by side behind one ingress-nginx."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from doorward.objects.meta import ObjectKey, gate_secret_name
from tests.cluster.policies_support import NGINX, SECRET, VERIFY
from tests.gate.doors import CLOSED, IN, IN_A_ROW, OVERLAP, REFUSED, Door, Files, Street, read_again
from tests.support.ca import OpensslCa
from tests.support.home import client, issuer
from tests.support.installation import OperatorProcess
from tests.support.kube import CERTIFICATES, INGRESSES, ISSUERS, Kind, Object, eventually
from tests.testbed.ingress_nginx import IngressNginx

from . import attacks
from .asking import without_operator
from .attacks import HOSTLESS, ROWS, WHILE_DOWN, Attack, Side, Told

SETTINGS = {"ssl-reject-handshake": "true", "ssl-session-cache": "false", "worker-shutdown-timeout": "1s"}
"""Of the controller's ConfigMap."""
ALIAS = f"{NGINX}server-alias"
HANDSHAKE, GATE_SERVICE = "Handshake", "EveryRequest"
MODES = (HANDSHAKE, GATE_SERVICE)
TELLINGS = 5
"""How often a story of open connections is told, where nginx ends them: it reloads as the hosts of another test go."""


def _name(mode: str) -> str:
    """Of an issuer, and of its hosts' Ingresses."""
    return mode.lower()


@dataclass(frozen=True)
class Scene:
    """The hosts of both modes; `run` makes clients of its own, so it can be run again with other settings."""

    street: Street
    away: Street
    """Hosts of a stranger in another namespace."""
    operator: OperatorProcess
    cas: Mapping[str, OpensslCa]
    """The CA of each mode's issuer, which somebody else can sign with."""
    foreign: OpensslCa

    @classmethod
    def build(cls, street: Street, away: Street, operator: OperatorProcess, folder: Path) -> "Scene":
        """All issuers and hosts."""
        home = street.home
        foreign = _ca(folder, "foreign")
        away.home.secret("foreign", {"ca.crt": foreign.certificate.read_bytes()})
        home.make(ISSUERS, issuer("desk", enforcement={"mode": HANDSHAKE}))
        cas = {mode: _ca(folder, _name(mode)) for mode in MODES}
        for mode, ca in cas.items():
            files = {"tls.crt": ca.certificate.read_bytes(), "tls.key": ca.key.read_bytes()}
            home.secret(_name(mode), files)
            spec = {"ca": {"secretRef": {"name": _name(mode)}}, "enforcement": {"mode": mode}}
            home.make(ISSUERS, issuer(_name(mode), **spec))
            home.signing(_name(mode))
        scene = cls(street, away, operator, cas, foreign)
        scene._put_up()
        return scene

    def _put_up(self) -> None:
        """The hosts; a stranger's are older by a second at least, as timestamps tell it."""
        street = self.street
        street.door("desk", issuer="desk")
        for mode in MODES:
            self.away.home.make(INGRESSES, self._older(mode))
        since = time.time()
        eventually(lambda: time.time() > since + 1, "the next second")
        for mode in MODES:
            name = _name(mode)
            bodies = [street.manifest(f"{name}-{which}", issuer=name) for which in ("shop", "plain", "older")]
            del bodies[1]["spec"]["tls"]
            alias = {ALIAS: street.host(f"{name}-alias"), f"{NGINX}force-ssl-redirect": "true"}
            bodies.append(street.manifest(f"{name}-aliased", issuer=name, **alias))
            for body in bodies:
                street.home.make(INGRESSES, body)

    def _older(self, mode: str) -> Object:
        """A stranger's Ingress of the host, for a path of his own."""
        own = {SECRET: f"{self.away.home.namespace}/foreign", VERIFY: "off"}
        body = self.away.manifest(f"{_name(mode)}-older", issuer=None, **own)
        host = self.street.host(f"{_name(mode)}-older")
        body["spec"]["tls"] = [{"hosts": [host]}]
        body["spec"]["rules"][0] |= {"host": host}
        body["spec"]["rules"][0]["http"]["paths"][0]["path"] = "/theirs"
        return body

    def _door(self, mode: str, which: str) -> Door:
        return Door(self.street.ingress, self.street.host(f"{_name(mode)}-{which}"))

    def _edits(self, kind: Kind, name: str, what: Mapping[str, str]) -> bool:
        change = {"metadata": {"annotations": what}} if kind == INGRESSES else {"data": what}
        home = self.street.home
        answer = home.admin.patch(kind, home.here({"metadata": {"name": name}}), change)
        assert answer.ok or answer.status in (403, 422), answer.message
        return answer.ok

    def _client(self, name: str, issuer: str) -> Files:
        self.street.home.make(CERTIFICATES, client(name, issuer=issuer))
        self.street.home.issued(name)
        return self.street.home.files(name)

    @contextmanager
    def _sides(self, number: int, patience: float) -> Iterator[Mapping[str, Side]]:
        """A side for each mode, with clients that nobody used before."""
        desk = Door(self.street.ingress, self.street.host("desk"))
        mallory = self._client(f"mallory-{number}", "desk")
        desk.comes_to_tell(mallory, IN)
        with ExitStack() as stack:
            sides = {}
            for mode in MODES:
                alice, bob = (self._client(_numbered(who, mode, number), _name(mode)) for who in ("alice", "bob"))
                side = Side(
                    shop=self._door(mode, "shop"),
                    desk=desk,
                    plain=self._door(mode, "plain"),
                    older=self._door(mode, "older"),
                    alias=self._door(mode, "alias"),
                    edits=self._edits,
                    ingress=f"{_name(mode)}-shop",
                    secret=gate_secret_name(ObjectKey(self.street.home.namespace, _name(mode))),
                    alice=alice,
                    bob=bob,
                    mallory=mallory,
                    signed=self.cas[mode].client(f"signed-{number}"),
                    foreign=self.foreign.client(f"foreign-{number}-{_name(mode)}"),
                    patience=patience,
                    open=stack.enter_context(ExitStack()),
                )
                for door in (side.shop, side.plain, side.alias):
                    door.comes_to_tell(alice, IN)
                eventually(lambda side=side: side.older.ask().status in (200, 403), "both Ingresses are loaded")
                sides[mode] = side
            yield sides

    def run(self, number: int, *, patience: float) -> dict[str, dict[str, str]]:
        """What each attack is told, by row and mode."""
        home = self.street.home
        told: dict[str, dict[str, str]] = {}
        with self._sides(number, patience) as sides:
            with without_operator(self.operator):
                told |= self._while_down(sides, number)
            others = [row for row, said in ROWS.items() if said.group not in (WHILE_DOWN, HOSTLESS)]
            prepared = _prepared(sides, others)
            for mode in MODES:
                home.respec(CERTIFICATES, _numbered("alice", mode, number), revoked=True)
            for side in sides.values():
                side.shop.comes_to_tell(side.alice, REFUSED)
            told |= _asked(prepared)
            with self._hostless():
                told |= _asked(_prepared(sides, [row for row, said in ROWS.items() if said.group == HOSTLESS]))
        return told

    def _while_down(self, sides: Mapping[str, Side], number: int) -> dict[str, dict[str, str]]:
        """Alice is suspended while nobody publishes that; told again where nginx reloaded meanwhile."""
        home = self.street.home
        rows = [row for row, said in ROWS.items() if said.group == WHILE_DOWN]
        told: dict[str, dict[str, str]] = {}
        gate = sides[GATE_SERVICE]
        for _ in range(TELLINGS):
            prepared = _prepared(sides, rows)
            for mode in MODES:
                home.respec(CERTIFICATES, _numbered("alice", mode, number), suspended=True)
            eventually(lambda: gate.shop.tells(gate.alice) == CLOSED, "the gate service refuses her", pause=0.01)
            told = _asked(prepared)
            for mode in MODES:
                home.respec(CERTIFICATES, _numbered("alice", mode, number), suspended=False)
            eventually(lambda: gate.shop.tells(gate.alice) == IN, "the suspension is lifted")
            if attacks.CLOSED not in {word for row in told.values() for word in row.values()}:
                break
        return told

    @contextmanager
    def _hostless(self) -> Iterator[None]:
        """Somebody's Ingress without a host, with his own CA, for the length of a block."""
        own = {SECRET: f"{self.away.home.namespace}/foreign"}
        body = self.away.manifest("any", issuer=None, **own)
        del body["spec"]["rules"][0]["host"], body["spec"]["tls"]
        hosts = self.street.ingress.hosts

        def served() -> bool:
            return hosts.ask("any.example", scheme="http").status != 404

        self.away.home.make(INGRESSES, body)
        read_again(self.away.home, "any")
        try:
            _settles(served, "it is loaded")
            yield
        finally:
            self.away.home.remove(INGRESSES, "any")
            _settles(lambda: not served(), "it is gone")


def _ca(folder: Path, name: str) -> OpensslCa:
    ca = OpensslCa(folder / name)
    ca.create(f"/CN={name}")
    return ca


def _numbered(who: str, mode: str, number: int) -> str:
    return f"{who}-{_name(mode)}-{number}"


def _prepared(sides: Mapping[str, Side], rows: Sequence[str]) -> dict[str, dict[str, Told]]:
    return {row: {mode: _ready(ROWS[row].attack, side) for mode, side in sides.items()} for row in rows}


def _ready(attack: Attack, side: Side) -> Told:
    """Prepared, again where a connection broke."""
    for _ in range(TELLINGS - 1):
        try:
            return attack(side)
        except attacks.BROKEN:
            continue
    return attack(side)


def _asked(prepared: Mapping[str, Mapping[str, Told]]) -> dict[str, dict[str, str]]:
    return {row: {mode: ask() for mode, ask in asks.items()} for row, asks in prepared.items()}


@contextmanager
def configured(ingress: IngressNginx, settings: Mapping[str, str]) -> Iterator[None]:
    """The controller with these settings, loaded, for the length of a block."""
    unknown = Door(ingress, "unknown.example")
    rejecting = settings.get("ssl-reject-handshake") == "true"
    try:
        ingress.configure(settings)
        _settles(lambda: attacks.handshake_refused(unknown) == rejecting, "nginx has the settings")
        yield
    finally:
        ingress.configure({})
        _settles(lambda: not attacks.handshake_refused(unknown), "nginx has its defaults again")


def _settles(holds: Callable[[], bool], what: str) -> None:
    """Wait until it holds for good: nginx's old workers answer beside the new ones for a moment."""
    seen: list[bool] = []
    since = time.monotonic()

    def settled() -> bool:
        nonlocal since
        seen.append(holds())
        if not seen[-1]:
            since = time.monotonic()
        return all(seen[-IN_A_ROW:]) and len(seen) >= IN_A_ROW and time.monotonic() - since > OVERLAP

    eventually(settled, what)
