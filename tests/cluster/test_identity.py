"""A kubeconfig whose user is an exec plugin, with tokens that soon expire: Kopf's watches and the operator's own requests go on."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
import yaml

from tests.support.home import Home, client
from tests.support.installation import OperatorProcess
from tests.support.kube import CERTIFICATES, Person, eventually
from tests.testbed.controlplane import Cluster

LASTS = 75
"""Seconds; it is replaced a minute before."""


@pytest.fixture(scope="module")
def served(admin: Person, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    home = Home.found(admin, tmp_path_factory.mktemp("identity"), prefix="identity-")
    yield home
    home.abandon()


class Plugin:
    """An exec plugin that hands out the token that a kubeconfig had, and counts how often."""

    def __init__(self, folder: Path, kubeconfig: Path) -> None:
        self._runs = folder / "runs"
        document = yaml.safe_load(kubeconfig.read_text())
        (entry,) = document["users"]
        (folder / "token").write_text(entry["user"]["token"])
        program = folder / "plugin"
        program.write_text(
            "#!/bin/sh\n"
            f"echo >> {self._runs}\n"
            f'until=$(date -u -d "+{LASTS} seconds" +%Y-%m-%dT%H:%M:%SZ)\n'
            'printf \'{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",'
            f' "status": {{"token": "%s", "expirationTimestamp": "%s"}}}}\' "$(cat {folder}/token)" "$until"\n'
        )
        program.chmod(0o755)
        version = "client.authentication.k8s.io/v1"
        entry["user"] = {"exec": {"command": str(program), "apiVersion": version, "interactiveMode": "Never"}}
        kubeconfig.write_text(yaml.safe_dump(document))

    @property
    def runs(self) -> int:
        return len(self._runs.read_text().splitlines())


@pytest.fixture(scope="module")
def plugin(cluster: Cluster, served: Home) -> Iterator[tuple[OperatorProcess, Plugin]]:
    operator = OperatorProcess(
        cluster,
        name="plugged",
        arguments=[f"--namespace={served.namespace}"],
        env={"KUBECONFIG": "/nonexistent"},  # it has --kubeconfig, and Kopf has nothing else to go by
    )
    plugin = Plugin(served.folder, cluster.run_dir / "plugged.kubeconfig")
    operator.start()
    yield operator, plugin
    operator.close()


def test_new_clients_are_heard_of_with_each_new_token(served: Home, plugin: tuple[OperatorProcess, Plugin]) -> None:
    operator, program = plugin
    served.partners()
    names = (f"client-{number}" for number in count())

    def another_is_heard_of() -> bool:
        """The full list comes only every five minutes: Kopf's watch tells of it. Whether its requests took a new token."""
        runs, name = program.runs, next(names)
        served.make(CERTIFICATES, client(name))
        served.issued(name)
        return program.runs > runs

    for _ in range(3):
        eventually(another_is_heard_of, "the token is replaced", pause=2.0)
    assert "kopf watcher restarts" not in operator.log
