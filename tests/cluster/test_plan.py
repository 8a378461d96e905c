"""`doorward plan` at the real API server, beside the real kubectl: what it says of files is so once kubectl has applied them."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from doorward.cli.main import main
from tests.support import older
from tests.support.home import client, issuer
from tests.support.kube import CERTIFICATES, RECORDS, bind, eventually
from tests.support.shell_env import programs
from tests.testbed.controlplane import Cluster

from .policies_support import ISSUER, Place, host_of, ingress


class Repository:
    """A directory with an issuer, an Ingress and alice, and the commands that are run on it."""

    def __init__(self, place: Place, cluster: Cluster, capsys, folder: Path) -> None:
        self.place, self.cluster, self.folder = place, cluster, folder
        self._capsys = capsys
        at = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress"} | ingress(place.namespace, {ISSUER: "partners"})
        at["spec"]["tls"] = [{"hosts": [host_of(place.namespace)]}]
        self.write(partners=issuer(), ingress=older.as_written(at), alice=client("alice"))

    def write(self, **files: Any) -> None:
        for name, body in files.items():
            (self.folder / f"{name}.yaml").write_text(yaml.safe_dump(body))

    def plan(self, *arguments: str, kubeconfig: Path | None = None) -> tuple[int, dict[str, Any], str]:
        where = ["-n", self.place.namespace, "-o", "json", "--kubeconfig", str(kubeconfig or self.cluster.kubeconfig)]
        status = main(["plan", *(arguments or ["-f", str(self.folder)]), *where])
        out, err = self._capsys.readouterr()
        assert "Traceback" not in err
        return status, json.loads(out) if out else {}, err

    def apply(self, *options: str) -> None:
        self.cluster.kubectl("apply", f"--namespace={self.place.namespace}", *options, "-f", str(self.folder))

    def foretold(self, effect: str, who: str, *options: str) -> None:
        """The plan says it, kubectl does it, and then there is nothing left to do."""
        status, said, _ = self.plan()
        assert status == 2, said
        assert {(each["client"], each["host"]) for each in said[effect]} == {
            (f"{self.place.namespace}/{who}", host_of(self.place.namespace))
        }
        assert not said["loses" if effect == "gains" else "gains"]
        self.apply(*options)
        status, said, _ = self.plan()
        assert (status, {each["change"] for each in said["objects"]}) == (0, {"unchanged"}), said


@pytest.fixture
def repository(edge: Place, cluster: Cluster, capsys, tmp_path) -> Repository:
    folder = tmp_path / "files"
    folder.mkdir()
    return Repository(edge, cluster, capsys, folder)


@pytest.mark.parametrize("options", [(), ("--server-side",)], ids=["client-side apply", "server-side apply"])
def test_what_the_plan_says_is_so_once_kubectl_has_applied_the_files(repository, options):
    """Also of a field that the file no longer has, and of one that it never had."""
    alice = client("alice")
    repository.foretold("gains", "alice", *options)
    repository.write(alice=client("alice", suspended=True))
    repository.foretold("loses", "alice", *options)
    repository.write(alice=alice)
    repository.foretold("gains", "alice", *options)
    home = repository.place
    assert main(["suspend", "alice", "-n", home.namespace, "--kubeconfig", str(repository.cluster.kubeconfig)]) == 0
    repository._capsys.readouterr()
    assert repository.plan()[0] == 0, "a file that says nothing of it undoes nobody's suspension"
    repository.apply(*options)
    assert repository.plan()[0] == 0


def test_what_the_api_server_refuses_is_told_with_its_file(repository):
    repository.apply()
    repository.write(alice=client("alice", issuer="others"), bob=client("bob", commonName="system:bob"))
    status, said, _ = repository.plan()
    assert status == 1
    refused = {each["object"].rpartition("/")[2]: each for each in said["refused"]}
    assert "issuerRef is immutable" in refused["alice"]["why"]
    assert refused["alice"]["file"].endswith("alice.yaml:1")
    assert set(refused) == {"alice", "bob"}
    assert (said["gains"], said["loses"]) == ([], [])
    assert repository.place.admin.get(CERTIFICATES, repository.place.namespace, "bob").status == 404


def test_a_kustomization_is_built_by_kubectl(repository, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", f"{programs(tmp_path / 'bin')}:{os.environ['PATH']}")
    resources = sorted(path.name for path in repository.folder.glob("*.yaml"))
    (repository.folder / "kustomization.yaml").write_text(yaml.safe_dump({"resources": resources}))
    status, said, _ = repository.plan("-k", str(repository.folder))
    assert status == 2
    assert {each["client"] for each in said["gains"]} == {f"{repository.place.namespace}/alice"}
    status, said, err = repository.plan("-k", str(tmp_path / "nowhere"))
    assert (status, said, err.count("\n")) == (1, {}, 1)
    assert "kubectl kustomize" in err


def test_whoever_may_only_read_is_told_who_gains_and_that_the_api_server_was_not_asked(repository):
    repository.apply()
    repository.write(alice=client("alice", suspended=True), bob=client("bob"))
    place = repository.place
    viewer = f"viewer.{place.namespace}"
    bind(place.admin, place.namespace, viewer, "view")
    eventually(lambda: place.admin.alias(viewer).may("list", RECORDS, place.namespace), "view includes doorward-viewer")
    status, said, err = repository.plan(kubeconfig=repository.cluster.kubeconfig_for(viewer))
    assert status == 2
    assert {each["client"].rpartition("/")[2] for each in said["gains"]} == {"bob"}
    assert {each["client"].rpartition("/")[2] for each in said["loses"]} == {"alice"}
    assert "the API server was not asked what it would refuse: you have no right to create" in err
    assert all(line.startswith("note: ") for line in err.splitlines())
