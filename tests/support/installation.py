"""Doorward in a test cluster, as the README installs it: CRDs, manifests, and the operator as a process of its own account."""

import base64
import contextlib
import json
import shutil
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from doorward.objects.meta import FINALIZER
from tests.support import older
from tests.support.kube import eventually
from tests.support.scraped import Scraped
from tests.testbed import manifests, ports
from tests.testbed.controlplane import Cluster
from tests.testbed.ingress_nginx import IngressNginx
from tests.testbed.nursery import Nursery
from tests.testbed.process import Process, answers

ROOT = Path(__file__).parents[2]
NAMESPACE = "doorward-system"
ACCOUNT = "doorward"
GATE_ACCOUNT = "doorward-gate"
GATE_SERVICE = f"http://doorward-gate.{NAMESPACE}.svc.cluster.local"
"""What the Deployment of deploy/gate-service tells the operator."""
CONSENT = (
    "kubectl -n {namespace} create rolebinding doorward-secrets --clusterrole=doorward-secrets"
    f" --serviceaccount={NAMESPACE}:{ACCOUNT}"
)
"""What the README says to run once in each namespace that takes part."""
DOORWARD = Path(sys.executable).parent / "doorward"


def install(cluster: Cluster) -> None:
    """The README's two commands, in a cluster with an ingress-nginx, as far as the API server shows."""
    cluster.apply(manifests.class_of_nginx("nginx"))
    apply = ("apply", "--server-side", "--force-conflicts")
    cluster.kubectl(*apply, "-f", str(ROOT / "deploy/crds"))
    cluster.kubectl("wait", "--for=condition=Established", "-f", str(ROOT / "deploy/crds"), "--timeout=180s")
    folder = older.MANIFESTS if older.mutates() else older.manifests(cluster.run_dir / "manifests")
    cluster.kubectl(*apply, "-k", str(folder))
    # The API server's policies come into force, and learn of a new kind, some seconds after it is Established; in between
    # they refuse it with 503.
    eventually(
        lambda: _in_force(cluster),
        "a ClientCertificate is taken, and given its finalizer where that is served",
        pause=0.1,
    )


def _in_force(cluster: Cluster) -> bool:
    probe = {
        "apiVersion": "doorward.io/v1alpha1",
        "kind": "ClientCertificate",
        "metadata": {"name": "probe", "namespace": "default"},
        "spec": {"issuerRef": {"name": "none"}, "commonName": "probe.example"},
    }
    create = ("create", "--dry-run=server", "-f", "-", "--output=jsonpath={.metadata.finalizers}")
    tried = cluster.kubectl(*create, input=json.dumps(probe), check=False)
    return FINALIZER in tried.stdout if older.mutates() else tried.returncode == 0


class OperatorProcess:
    """`doorward run` with the rights of deploy/manifests and no others.

    It is alone, and works from its first moment; `elected`: it may be one of several, and waits for the Lease. Where a
    nursery is open, that forks it; `forked` False: it is the script that people install, all the same.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        name: str = "doorward",
        program: Sequence[str | Path] = (DOORWARD,),
        arguments: Sequence[str] = (),
        elected: bool = False,
        env: Mapping[str, str] | None = None,
        forked: bool = True,
    ) -> None:
        (self._port,) = self._ports = ports.lease(1)
        issued = cluster.kubeconfig_for_service_account(NAMESPACE, ACCOUNT)
        kubeconfig = shutil.move(
            issued, cluster.run_dir / f"{name}.kubeconfig"
        )  # its token is its own: the audit log tells
        self.credential = _credential(kubeconfig)
        """What the audit log calls this process, which shares its account with others."""
        election = "--leader-election" if elected else "--no-leader-election"
        command = [*program, "run", f"--kubeconfig={kubeconfig}", f"--health-port={self._port}", election, *arguments]
        nursery = Nursery.current if forked and tuple(program) == (DOORWARD,) else None
        fork = None if nursery is None else nursery.fork
        self._process = Process(name, command, cluster.run_dir / f"{name}.log", env=env, fork=fork)

    @property
    def pid(self) -> int:
        """The process id of the running operator."""
        return self._process.pid

    @property
    def health_port(self) -> int:
        """Where it shows its metrics."""
        return self._port

    @property
    def log(self) -> str:
        """All that it said so far."""
        return self._process.log.read_text()

    @property
    def part(self) -> str:
        """What it says that it does beside others; empty where it does not answer, or is not ready."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/readyz", timeout=5) as answer:
                return str(answer.read().decode().strip())
        except (urllib.error.URLError, OSError):
            return ""

    def metrics(self) -> Scraped:
        """What it shows at `/metrics` now."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=30) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            return Scraped(answer.read().decode())

    def send(self, number: signal.Signals) -> None:
        """A signal to the running process."""
        self._process.send(number)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Stopped by SIGSTOP for the length of a block: it sees nothing of what passes in it."""
        self.send(signal.SIGSTOP)
        try:
            yield
        finally:
            self.send(signal.SIGCONT)

    def ended(self, seconds: float) -> int:
        """Wait until it has ended by itself; its exit status."""
        return self._process.ended(seconds)

    def start(self) -> None:
        """Start it; on return its caches are filled."""
        self._process.start()
        self._process.wait_until(self._ready)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it: by SIGTERM as Kubernetes does, or SIGKILL as when its node dies."""
        self._process.stop(number, patience=15.0)

    def restart(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop and start."""
        self.stop(number)
        self.start()

    def close(self) -> None:
        """End it for good."""
        self.stop()
        ports.give_back(self._ports)

    def _ready(self) -> bool:
        return self.part != ""


class GateServiceProcess:
    """`doorward gate` with the rights of deploy/gate-service and no others, where ingress-nginx asks it."""

    def __init__(
        self,
        cluster: Cluster,
        port: int,
        *,
        program: Sequence[str | Path] = (DOORWARD,),
        arguments: Sequence[str] = (),
    ) -> None:
        (self.health_port,) = self._ports = ports.lease(1)
        kubeconfig = cluster.kubeconfig_for_service_account(NAMESPACE, GATE_ACCOUNT)
        command = [*program, "gate", f"--kubeconfig={kubeconfig}", "--host=127.0.0.1", f"--port={port}"]
        command += [f"--health-port={self.health_port}", *arguments]
        self._process = Process("doorward-gate", command, cluster.run_dir / "doorward-gate.log")

    @property
    def pid(self) -> int:
        """The process id of the running gate service."""
        return self._process.pid

    @property
    def log(self) -> str:
        """All that it said so far."""
        return self._process.log.read_text()

    def start(self) -> None:
        """Start it; on return it knows all that there is."""
        self._process.start()
        self._process.wait_until(self._ready)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it."""
        self._process.stop(number, patience=15.0)

    def close(self) -> None:
        """End it for good."""
        self.stop()
        ports.give_back(self._ports)

    def metrics(self) -> Scraped:
        """What it shows at `/metrics` now."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}/metrics", timeout=30) as answer:
            return Scraped(answer.read().decode())

    def _ready(self) -> bool:
        return answers(f"http://127.0.0.1:{self.health_port}/readyz")


def _credential(kubeconfig: Path) -> str:
    """The id of the token in there, as the audit log has it."""
    token = yaml.safe_load(kubeconfig.read_text())["users"][0]["user"]["token"]
    payload = token.split(".")[1]
    return "JTI=" + str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["jti"])


@contextlib.contextmanager
def running(cluster: Cluster, *, elected: bool = False) -> Iterator[OperatorProcess]:
    """Installed, and the operator at work, for the length of a block."""
    install(cluster)
    operator = OperatorProcess(cluster, forked=False, elected=elected)
    try:
        operator.start()
        eventually(lambda: operator.part == "leads", "the operator leads")
        yield operator
    finally:
        operator.close()


@contextlib.contextmanager
def with_application(cluster: Cluster, _ingress: IngressNginx) -> Iterator[OperatorProcess]:
    """The same, with a namespace `edge` and a Service `app` in it: what the examples take for granted.

    As deploy/manifests has it, the operator holds the Lease: `doorward status` looks there.
    """
    edge = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "edge"}}
    cluster.apply(edge, *manifests.service("edge", "app"))
    with running(cluster, elected=True) as operator:
        yield operator
