"""`kubectl doorward`: the real kubectl finds the plugin on the PATH that a reader has, runs it, and completes its words."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support import shell_env
from tests.support.kube import Person
from tests.support.kubectl_plugin import Kubectl, says_its_version, shows_the_status
from tests.testbed.controlplane import Cluster


@pytest.fixture
def kubectl(cluster: Cluster, tmp_path: Path) -> Kubectl:
    """kubectl as after `eval "$(make -s env)"` in the shell of an ordinary user."""
    folder = shell_env.programs(tmp_path / "bin")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("KUBE", "PYTHON", "VIRTUAL_ENV"))}
    env |= {"KUBECONFIG": str(cluster.kubeconfig), "PATH": f"{folder}:{shell_env.ORDINARY}"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["kubectl", *arguments], capture_output=True, text=True, check=False, timeout=90, env=env, cwd=tmp_path
        )

    return run


def test_kubectl_runs_the_plugin(kubectl: Kubectl):
    says_its_version(kubectl)


def test_kubectl_lists_the_plugin_without_a_warning(kubectl: Kubectl, tmp_path: Path):
    ran = kubectl("plugin", "list")
    assert str(tmp_path / "bin" / "kubectl-doorward") in ran.stdout.split()
    assert "doorward" not in ran.stderr


def test_kubectl_completes_the_words_of_the_plugin(kubectl: Kubectl):
    ran = kubectl("__complete", "doorward", "sta")
    assert ran.stdout.splitlines() == ["status", ":4"]


def test_the_plugin_names_itself_as_its_users_type_it(kubectl: Kubectl):
    assert "kubectl doorward status" in kubectl("doorward", "status", "--help").stdout
    ran = kubectl("doorward", "fly")
    assert (ran.returncode, ran.stderr.strip()) == (
        2,
        "error: No such command 'fly'. (hint: kubectl doorward --help)",
    )


def test_the_plugin_asks_the_cluster_of_kubectls_kubeconfig(kubectl: Kubectl, admin: Person, tmp_path: Path):
    shows_the_status(kubectl, admin, tmp_path)
