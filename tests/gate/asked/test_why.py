"""`doorward why` and `doorward who` against the gates themselves: ingress-nginx, which a client asks, and the gate service behind it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from doorward.cli.main import main
from tests.gate.doors import CLOSED, IN, NOBODY, REFUSED, Door, Files, Street
from tests.support.ca import OpensslCa
from tests.support.home import Home, client, issuer
from tests.support.kube import CERTIFICATES, INGRESSES, ISSUERS, eventually

from .asking import without_operator

ALLOW = "doorward.io/allow"
ADMITTED, TURNED_AWAY = "admitted", "refused"


@dataclass(frozen=True)
class Command:
    """The command line, as the administrator runs it."""

    kubeconfig: Path
    capsys: Any

    def run(self, *arguments: str) -> Any:
        """What it prints for programs."""
        assert main([*arguments, "-o", "json", "--kubeconfig", str(self.kubeconfig)]) == 0
        return json.loads(self.capsys.readouterr().out)

    def why(self, host: str, certificate: Path) -> list[tuple[str, str]]:
        """Answer and rule, by Ingress."""
        return [(each["answer"], each["rule"]) for each in self.run("why", host, "--cert", str(certificate))["answers"]]

    def who(self, host: str) -> set[str]:
        """The names of the clients that have access."""
        return {each["client"].partition("/")[2] for each in self.run("who", host)["admitted"]}


@pytest.fixture
def command(cluster, capsys) -> Command:
    return Command(cluster.kubeconfig, capsys)


@pytest.fixture
def desk(home: Home, street: Street) -> dict[str, Door]:
    """A host at which the gate service is asked, and one of another issuer at which the handshake alone decides."""
    home.make(ISSUERS, issuer())
    home.make(ISSUERS, issuer("desk", enforcement={"mode": "Handshake"}))
    for name in ("partners", "desk"):
        home.signing(name)
    return {"partners": street.door("shop"), "desk": street.door("desk", issuer="desk")}


def files_of(home: Home, name: str, of: str) -> Files:
    body = client(name, issuer=of)
    home.make(CERTIFICATES, body | {"metadata": body["metadata"] | {"labels": {"role": "ops"}}})
    home.issued(name)
    return home.files(name)


def agree(command: Command, door: Door, files: Files, told: str, *answers: tuple[str, str]) -> None:
    """Wait until the host tells a client that, and the command says so."""
    door.comes_to_tell(files, told)
    seen: list[Any] = []

    def same() -> bool:
        seen[:] = command.why(door.host, files["tls.crt"])
        return seen == list(answers)

    eventually(same, f"doorward why says {answers}: {seen}")
    assert door.tells(files) == told


@pytest.mark.usefixtures("gate_service")
def test_the_command_says_what_the_gates_do_through_a_clients_life(home, desk, command, running_operator, tmp_path):
    """Both hosts, side by side; what each client is told by nginx is asked before and after."""
    modes = {"partners": "gate service", "desk": "TLS handshake"}
    handshake = (TURNED_AWAY, "TLS handshake")
    alice = {name: files_of(home, f"alice-{name}", name) for name in modes}
    bob = {name: files_of(home, f"bob-{name}", name) for name in modes}
    for name, rule in modes.items():
        agree(command, desk[name], alice[name], IN, (ADMITTED, rule))
        eventually(
            lambda name=name: command.who(desk[name].host) == {f"alice-{name}", f"bob-{name}"}, "both are listed"
        )
        other = alice["desk" if name == "partners" else "partners"]
        agree(command, desk[name], other, REFUSED, handshake)
    stranger = OpensslCa(tmp_path / "ca")
    stranger.create("/CN=stranger")
    agree(command, desk["partners"], stranger.client("eve"), REFUSED, handshake)

    def both(change: Callable[[str], None], told: str, *, released: bool = False) -> None:
        for name in modes:
            change(name)
        for name, rule in modes.items():
            agree(command, desk[name], alice[name], told, (ADMITTED, rule) if released else handshake)

    with without_operator(running_operator):
        for name in modes:
            home.respec(CERTIFICATES, f"alice-{name}", suspended=True)
        agree(command, desk["partners"], alice["partners"], CLOSED, (TURNED_AWAY, "gate service"))
        agree(command, desk["desk"], alice["desk"], IN, (ADMITTED, "TLS handshake"))
    both(lambda _: None, REFUSED)
    both(lambda name: home.respec(CERTIFICATES, f"alice-{name}", suspended=False), IN, released=True)
    both(lambda name: home.respec(CERTIFICATES, f"alice-{name}", revoked=True), REFUSED)
    for name, rule in modes.items():
        assert command.who(desk[name].host) == {f"bob-{name}"}
        old = dict(bob[name])
        agree(command, desk[name], old, IN, (ADMITTED, rule))
        (tmp_path / name).mkdir()
        old |= {each: _copied(old[each], tmp_path / name) for each in ("tls.crt", "tls.key")}
        first = home.body(CERTIFICATES, f"bob-{name}")["status"]["serialNumber"]
        home.respec(CERTIFICATES, f"bob-{name}", reissue="now")
        eventually(
            lambda name=name, first=first: home.body(CERTIFICATES, f"bob-{name}")["status"]["serialNumber"] != first,
            "bob has another certificate",
        )
        for files in (old, home.files(f"bob-{name}")):
            agree(command, desk[name], files, IN, (ADMITTED, rule))
        home.remove(CERTIFICATES, f"bob-{name}")
        agree(command, desk[name], old, REFUSED, handshake)
        # His other serial may be on the next CRL only.
        eventually(lambda name=name: command.who(desk[name].host) == set(), "nobody is listed")


def _copied(path: Path, folder: Path) -> Path:
    return Path(shutil.copy(path, folder))


@pytest.mark.usefixtures("gate_service", "running_operator")
def test_the_command_says_who_gets_in_where_a_certificate_is_optional(home, street, command):
    """By the handshake alone: whoever shows a certificate is refused if it is not good, and whoever shows none is not."""
    home.make(ISSUERS, issuer("lobby", enforcement={"mode": "Handshake"}, gates={"allowOptional": True}))
    home.signing("lobby")
    lobby = street.door("lobby", issuer="lobby", **{"doorward.io/verify-client": "optional"})
    alice = files_of(home, "alice", "lobby")
    agree(command, lobby, alice, IN, (ADMITTED, "TLS handshake"))
    lobby.comes_to_tell(NOBODY, IN)
    assert any("everybody without one has access" in each for each in command.run("who", lobby.host)["warnings"])
    home.respec(CERTIFICATES, "alice", revoked=True)
    agree(command, lobby, alice, REFUSED, (TURNED_AWAY, "TLS handshake"))


@pytest.mark.usefixtures("gate_service", "running_operator")
def test_the_command_says_whom_an_access_list_selects_at_each_ingress_of_a_host(home, street, desk, command):
    shop = desk["partners"]
    alice, bob = (files_of(home, name, "partners") for name in ("alice", "bob"))
    body = street.manifest("admin", **{ALLOW: "bob"})
    path = body["spec"]["rules"][0]["http"]["paths"][0] | {"path": "/admin", "pathType": "Prefix"}
    body["spec"]["rules"] = [{"host": shop.host, "http": {"paths": [path]}}]
    body["spec"]["tls"] = [{"hosts": [shop.host]}]
    home.make(INGRESSES, body)

    def told(files: Files) -> dict[str, bool]:
        given = {"cert": files["tls.crt"], "key": files["tls.key"]}
        asked = (("admin", "/admin"), ("shop", "/"))
        return {name: shop.ingress.hosts.ask(shop.host, path, **given).status == 200 for name, path in asked}

    def said(files: Files) -> dict[str, bool]:
        found = command.run("why", shop.host, "--cert", str(files["tls.crt"]))["answers"]
        assert {each["answer"] for each in found} <= {ADMITTED, TURNED_AWAY}
        return {each["ingress"].partition("/")[2]: each["answer"] == ADMITTED for each in found}

    def told_by(ingress: str) -> bool:
        return "doorward.io/gate" in home.body(INGRESSES, ingress)["metadata"].get("annotations", {})

    eventually(lambda: told_by("admin") and told_by("shop"), "the operator has looked at both")
    for files, wanted in ((alice, {"admin": False, "shop": True}), (bob, {"admin": True, "shop": True})):
        eventually(lambda files=files, wanted=wanted: told(files) == wanted, "the gate has the list")
        eventually(lambda files=files, wanted=wanted: said(files) == wanted, "and the command says so")


@pytest.mark.usefixtures("gate_service", "running_operator")
def test_the_command_says_that_a_gate_without_an_issuer_refuses_everybody(home, street, command):
    home.make(ISSUERS, issuer())
    alice = files_of(home, "alice", "partners")
    agree(command, street.door("lost", issuer="lost"), alice, CLOSED, (TURNED_AWAY, "gate"))
