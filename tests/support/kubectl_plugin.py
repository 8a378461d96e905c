"""What `kubectl doorward` does, however it was installed."""

import json
import subprocess
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from tests.support.home import Home, issuer
from tests.support.kube import ISSUERS, Person

Kubectl = Callable[..., subprocess.CompletedProcess[str]]
"""Runs kubectl with these arguments."""


def says_its_version(kubectl: Kubectl) -> None:
    """The plugin is found, and is ours."""
    ran = kubectl("doorward", "version")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith(f"doorward {version('doorward')} ")


def shows_the_status(kubectl: Kubectl, admin: Person, folder: Path) -> None:
    """It asks the cluster of kubectl's kubeconfig."""
    home = Home.found(admin, folder, consent=False)
    home.make(ISSUERS, issuer("partners"))
    ran = kubectl("doorward", "status", "-n", home.namespace, "-o", "json")
    assert ran.returncode == 0, ran.stderr
    assert f"{home.namespace}/partners" in json.dumps(json.loads(ran.stdout))
