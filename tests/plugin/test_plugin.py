"""The plugin's archive, unpacked into an empty folder, works where there is no Python."""

import hashlib
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.chart_templates import ROOT
from tests.support.krew import ARCHIVE, MANIFEST, PROGRAM
from tests.support.kube import Person
from tests.support.kubectl_plugin import Kubectl, says_its_version, shows_the_status
from tests.testbed import binaries
from tests.testbed.controlplane import Cluster

BUILD = ROOT / "build"


@pytest.fixture(scope="module")
def platform() -> Any:
    """The only platform of krew's manifest."""
    [only] = yaml.safe_load((BUILD / MANIFEST).read_text())["spec"]["platforms"]
    return only


@pytest.fixture(scope="module")
def programs(platform: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with kubectl, and the plugin as krew links it there; the only one on PATH."""
    store, folder = tmp_path_factory.mktemp("store"), tmp_path_factory.mktemp("bin")
    with tarfile.open(BUILD / ARCHIVE) as archive:
        archive.extractall(store, filter="data")
    assert platform["files"] == [{"from": "*", "to": "."}]
    (folder / PROGRAM).symlink_to(store / platform["bin"])
    (folder / "kubectl").symlink_to(binaries.resolve("kubectl"))
    assert [name for name in ("python", "python3") if shutil.which(name, path=folder)] == []
    return folder


@pytest.fixture
def kubectl(cluster: Cluster, programs: Path, tmp_path: Path) -> Kubectl:
    env = {"PATH": str(programs), "HOME": str(tmp_path), "KUBECONFIG": str(cluster.kubeconfig), "LANG": "C.UTF-8"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [programs / "kubectl", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=90, env=env, cwd=tmp_path)

    return run


def test_the_manifest_names_the_archive_and_its_hash(platform: Any):
    assert platform["sha256"] == hashlib.sha256((BUILD / ARCHIVE).read_bytes()).hexdigest()
    assert platform["uri"].endswith(f"/{ARCHIVE}")


def test_the_archive_holds_the_license(programs: Path):
    store = (programs / PROGRAM).resolve().parent
    assert (store / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_it_says_its_version(kubectl: Kubectl):
    says_its_version(kubectl)


def test_every_verb_is_in_it(kubectl: Kubectl):
    from doorward.cli.app import VERBS
    from doorward.cli.services import HELP

    failed = {verb: ran.stderr for verb in (*VERBS, *HELP) if (ran := kubectl("doorward", verb, "--help")).returncode}
    assert failed == {}


def test_it_shows_the_status_of_a_cluster(kubectl: Kubectl, admin: Person, tmp_path: Path):
    shows_the_status(kubectl, admin, tmp_path)
