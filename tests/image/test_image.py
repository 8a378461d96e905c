"""Operator and gate service run from the image with the arguments of their Deployments, as user 65532, on a read-only root file
system, with the token of their account where a kubelet puts it."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import helm, installation
from tests.support.chart_templates import CHART, ROOT
from tests.support.home import Home
from tests.support.kube import Person
from tests.testbed import images, ports
from tests.testbed.controlplane import Cluster
from tests.testbed.process import Process, answers

NAME = "localhost/doorward:test"
TOKENS = "/run/secrets/kubernetes.io/serviceaccount"
"""The image's /var/run is a link to here."""


@dataclass(frozen=True)
class Image:
    """What was built."""

    root: Path
    settings: dict[str, Any]

    def command(
        self, *arguments: str, entry: list[str] | None = None, binds: dict[str, Path] | None = None
    ) -> list[str]:
        settings = self.settings | ({} if entry is None else {"Entrypoint": entry})
        return images.contained(self.root, settings, list(arguments), binds or {})


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    folder = tmp_path_factory.mktemp("image")
    builder = images.Builder(folder)
    builder.make_base()
    builder.build(ROOT, NAME)
    print(f"size of the image: {builder.size(NAME)}, of its base: {builder.size(images.BASE)}")
    yield Image(builder.unpack(NAME), builder.settings(NAME))
    shutil.rmtree(folder, ignore_errors=True)


def test_it_is_nobodys_and_begins_with_doorward(image: Image):
    assert image.settings["User"] == "65532:65532"
    assert image.settings["Entrypoint"] == ["doorward"]
    ran = images.ran(image.command("version"))
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("doorward ")


def test_it_holds_what_the_lock_file_says_and_no_tools(image: Image):
    script = "import importlib.metadata as m; print(*sorted(f'{d.name}=={d.version}' for d in m.distributions()))"
    ran = images.ran(image.command("-c", script, entry=["python3", "-I"]))
    installed = {re.sub("[-_.]+", "-", each).lower() for each in ran.stdout.split()}
    locked = re.findall(r"(?m)^([^ \\;]+==[^ \\;]+)", (ROOT / "requirements" / "run.txt").read_text())
    ours = {each for each in installed if each.startswith("doorward==")}
    assert len(ours) == 1
    assert installed - ours <= {re.sub("[-_.]+", "-", each).lower() for each in locked}
    assert {"kopf", "cryptography", "httptools"} <= {each.partition("==")[0] for each in installed}


def test_nothing_of_the_build_stays(image: Image):
    assert not (image.root / "build").exists()
    assert not (image.root / "etc/pip.conf").exists() or not (image.root / "etc/pip.conf").read_text()
    assert not list((image.root / "opt").glob("tools*"))


def test_its_root_file_system_is_not_written(image: Image):
    ran = images.ran(image.command("-c", "id -u; touch /opt/x /tmp/y; ls /tmp", entry=["sh"]))
    assert ran.stdout.split() == ["65532", "y"]
    assert "Read-only file system" in ran.stderr


# Against a cluster


def arguments(path: str) -> list[str]:
    """Those of the Deployment in that file."""
    bodies = yaml.safe_load_all((ROOT / "deploy" / path).read_text())
    [deployment] = [body for body in bodies if body["kind"] == "Deployment"]
    return list(deployment["spec"]["template"]["spec"]["containers"][0]["args"])


class Pod:
    """A container of the image, with an account of the cluster."""

    def __init__(self, image: Image, cluster: Cluster, account: str, given: list[str], free: list[str]) -> None:
        self._ports = ports.lease(len(free))
        self.port = self._ports[-1]
        """That of /readyz."""
        folder = cluster.run_dir / f"{account}-token"
        folder.mkdir()
        user = yaml.safe_load(cluster.kubeconfig_for_service_account(installation.NAMESPACE, account).read_text())
        (folder / "token").write_text(user["users"][0]["user"]["token"])
        (folder / "namespace").write_text(installation.NAMESPACE)
        (folder / "server").write_text(user["clusters"][0]["cluster"]["server"])
        shutil.copy(cluster.run_dir / "pki" / "server-ca.crt", folder / "ca.crt")
        for path in (folder, *folder.iterdir()):
            path.chmod(0o755)
        flags = [f"{flag}={port}" for flag, port in zip(free, self._ports, strict=True)]
        command = image.command(*given, *flags, binds={TOKENS: folder})
        self.process = Process(account, command, cluster.run_dir / f"{account}.log")

    def ready(self) -> bool:
        return answers(f"http://127.0.0.1:{self.port}/readyz")

    def start(self) -> "Pod":
        self.process.start()
        self.process.wait_until(self.ready)
        return self

    def close(self) -> None:
        self.process.stop()
        ports.give_back(self._ports)


@pytest.fixture(scope="module")
def pods(image: Image, cluster: Cluster, admin: Person) -> Iterator[tuple[Pod, Pod]]:
    """The operator and the gate service. Only their ports are others than in the Deployments: all Pods share this machine's."""
    assert admin
    for name in ("serviceaccount-gate", "clusterrole-gate"):
        cluster.kubectl("apply", "--server-side", "-f", str(ROOT / "deploy" / "gate-service" / f"{name}.yaml"))
    operator = Pod(image, cluster, installation.ACCOUNT, arguments("manifests/deployment.yaml"), ["--health-port"])
    gate = Pod(
        image,
        cluster,
        installation.GATE_ACCOUNT,
        arguments("gate-service/deployment-gate.yaml"),
        ["--port", "--health-port"],
    )
    try:
        yield operator.start(), gate.start()
    finally:
        gate.close()
        operator.close()


def test_the_operator_issues_and_the_gate_service_is_ready(pods: tuple[Pod, Pod], admin: Person, tmp_path: Path):
    home = Home.found(admin, tmp_path)
    home.partners("alice")
    assert {"tls.crt", "tls.key", "keystore.p12"} <= set(home.data("alice-mtls"))
    assert all(pod.ready() for pod in pods)
    home.abandon()


def test_helm_test_finds_both_ready(image: Image, pods: tuple[Pod, Pod]):
    text = helm.rendered(CHART, {"gate": {"enabled": True}}, "access")["doorward/templates/tests/ready.yaml"]
    [container] = yaml.safe_load(text)["spec"]["containers"]
    script, *asked = container["args"]
    assert len(asked) == len(pods)
    urls = [f"http://127.0.0.1:{pod.port}/readyz" for pod in pods]
    ran = images.ran(image.command(script, *urls, entry=container["command"]))
    assert (ran.returncode, ran.stdout.count("\n")) == (0, 2), ran.stderr
    ran = images.ran(image.command(script, "http://127.0.0.1:1/readyz", entry=container["command"]))
    assert ran.returncode != 0
