"""A cluster: etcd, kube-apiserver and kube-controller-manager of our own, or the one that the user points at."""

import contextlib
import json
import os
import shutil
import signal
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from tests.testbed import binaries, flags, identity, ports
from tests.testbed.process import Process

THEIRS = "DOORWARD_TEST_KUBECONFIG"
ADMINS = "system:masters"


class NotOurs(RuntimeError):
    """Asked of a cluster that the user points at: we neither stop it nor read its files."""


class Cluster:
    """A running control plane, as `start` gives it. `kubeconfig` is the administrator's."""

    def __init__(self, run_dir: Path, kubeconfig: Path, kubectl: Path, control_plane: "ControlPlane | None") -> None:
        self.run_dir = run_dir
        self.kubeconfig = kubeconfig
        self._kubectl = kubectl
        self._control_plane = control_plane
        self._shown = ""

    @classmethod
    @contextlib.contextmanager
    def start(cls, run_dir: Path, *, unsafe_no_fsync: bool = False) -> Iterator[Self]:
        """A cluster for the length of a block; its logs and data stay in `run_dir`, which is the caller's to remove."""
        run_dir = run_dir.resolve()
        run_dir.mkdir(parents=True, exist_ok=True)
        kubectl = binaries.resolve("kubectl")
        if theirs := os.environ.get(THEIRS):
            yield cls(run_dir, Path(theirs).resolve(), kubectl, None)
            return
        control_plane = ControlPlane(run_dir, unsafe_no_fsync=unsafe_no_fsync)
        try:
            control_plane.start()
            yield cls(run_dir, control_plane.kubeconfig, kubectl, control_plane)
        finally:
            control_plane.stop()

    @property
    def ours(self) -> bool:
        """Whether we started it, and so may stop it and read its audit log."""
        return self._control_plane is not None

    @property
    def control_plane(self) -> "ControlPlane":
        """The processes. Raises NotOurs."""
        if self._control_plane is None:
            raise NotOurs(f"the cluster of {THEIRS} is not ours to touch")
        return self._control_plane

    @property
    def audit_log(self) -> Path:
        """The file of audit events. Raises NotOurs."""
        return self.control_plane.places.audit_log

    def audit_events(self) -> Iterator[dict[str, Any]]:
        """Every request so far: user.username, userAgent, verb, objectRef, responseStatus.code, and how RBAC decided."""
        with self.audit_log.open() as lines:
            # The last line may be half written.
            yield from (json.loads(line) for line in lines if line.endswith("\n"))

    def kubectl(
        self,
        *arguments: str,
        input: str | None = None,  # noqa: A002 - as subprocess calls it
        kubeconfig: Path | None = None,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl, as the administrator or whoever `kubeconfig` names. Raises CalledProcessError with what it said."""
        done = subprocess.run(
            [self._kubectl, *arguments],
            input=input,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "KUBECONFIG": str(kubeconfig or self.kubeconfig)},
        )
        if check and done.returncode:
            failed = subprocess.CalledProcessError(done.returncode, done.args, done.stdout, done.stderr)
            failed.add_note(done.stderr)
            raise failed
        return done

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """Server-side apply of whole objects, as the administrator."""
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        self.kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=testbed", "-f", "-", input=listed)

    def kubeconfig_for(self, user: str, groups: Sequence[str] = ()) -> Path:
        """A kubeconfig for that user: with a client certificate, or where the CA is not ours by impersonation."""
        file = self._kubeconfig_file("user", user, *groups)
        content = self._admin()
        if self._control_plane is not None:
            content["users"][0]["user"] = identity.client_user(*self._control_plane.client_ca.client(user, groups))
        else:
            content["users"][0]["user"] |= {"as": user, "as-groups": list(groups)}
        return identity.write_kubeconfig(file, content)

    def kubeconfig_for_service_account(self, namespace: str, name: str, *, duration: str = "24h") -> Path:
        """A kubeconfig with a token that the API issued for that service account, which must exist."""
        file = self._kubeconfig_file("service-account", namespace, name)
        token = self.kubectl("create", "token", name, f"--namespace={namespace}", f"--duration={duration}")
        content = self._admin()
        content["users"][0]["user"] = {"token": token.stdout.strip()}
        return identity.write_kubeconfig(file, content)

    def _admin(self) -> identity.Kubeconfig:
        """The administrator's kubeconfig, one of everything, nothing in other files; kubectl shows it once, it stays the same."""
        if not self._shown:
            shown = self.kubectl("config", "view", "--raw", "--flatten", "--minify", "--output=json")
            self._shown = shown.stdout
        content: identity.Kubeconfig = json.loads(self._shown)
        return content

    def _kubeconfig_file(self, *parts: str) -> Path:
        folder = self.run_dir / "kubeconfigs"
        folder.mkdir(exist_ok=True)
        return folder / ("-".join(parts).replace(":", "-").replace("/", "-") + ".kubeconfig")


class ControlPlane:
    """Our own etcd, API server and controller manager."""

    def __init__(self, run_dir: Path, *, unsafe_no_fsync: bool) -> None:
        names = ("etcd", "kube-apiserver", "kube-controller-manager")
        etcd, api_server, controller_manager = (binaries.resolve(name) for name in names)
        if (run_dir / "etcd").exists():
            raise FileExistsError(f"{run_dir} holds the data of another cluster: choose a new folder, or remove it")
        self._ports = ports.lease(3)
        client, peer, api = self._ports
        self.places = flags.Places(folder=run_dir, etcd_client=client, etcd_peer=peer, api=api)
        self.client_ca, self.kubeconfig = _write_identities(self.places)
        (run_dir / "audit-policy.json").write_text(json.dumps(flags.AUDIT_POLICY))
        options = flags.etcd(self.places, unsafe_no_fsync=unsafe_no_fsync)
        self._etcd = Process("etcd", [etcd, *options], run_dir / "etcd.log")
        self._api = Process(
            "kube-apiserver", [api_server, *flags.api_server(self.places)], run_dir / "kube-apiserver.log"
        )
        options = flags.controller_manager(self.places, self.kubeconfig)
        log = run_dir / "kube-controller-manager.log"
        self._controllers = Process("kube-controller-manager", [controller_manager, *options], log)
        self._tls = _client_context(self.places)

    def start(self) -> None:
        """Start all; on return the API answers and the controllers work."""
        self._etcd.start()
        self.start_api_server()
        self._controllers.start()
        # The last thing a new cluster gets from its controllers.
        self._controllers.wait_until(lambda: self._answers("/api/v1/namespaces/default/serviceaccounts/default"))

    def stop(self) -> None:
        """End all, the API server before etcd: it would wait for it."""
        self._controllers.stop(signal.SIGKILL)
        self.stop_api_server()
        self._etcd.stop()
        ports.give_back(self._ports)

    def stop_api_server(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Take the API server away; SIGKILL, as when its machine dies, or SIGTERM as at an upgrade. etcd stays."""
        self._api.stop(number, patience=5.0)

    def start_api_server(self) -> None:
        """Start the API server, again on the same port and data; on return it is ready."""
        self._api.start()
        self._api.wait_until(lambda: self._answers("/readyz"))

    def restart_api_server(self) -> None:
        """An outage of a few seconds."""
        self.stop_api_server()
        self.start_api_server()

    def snapshot(self, folder: Path) -> None:
        """Copy etcd's data as it stands, into a folder that is not there yet; etcd is frozen for the moment."""
        self._etcd.send(signal.SIGSTOP)
        try:
            shutil.copytree(self.places.folder / "etcd", folder)
        finally:
            self._etcd.send(signal.SIGCONT)

    def put_back(self, folder: Path) -> None:
        """Put etcd back to that copy, as after a disaster: all is stopped, and started on the older data."""
        self._controllers.stop(signal.SIGKILL)
        self.stop_api_server()
        self._etcd.stop(signal.SIGKILL)
        shutil.rmtree(self.places.folder / "etcd")
        shutil.copytree(folder, self.places.folder / "etcd")
        self.start()

    @property
    def pids(self) -> dict[str, int]:
        """The process ids, by name: to read what they cost."""
        return {process.name: process.pid for process in (self._api, self._etcd)}

    def pause(self) -> None:
        """Freeze the API server: connections stay open, nothing is answered."""
        self._api.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._api.send(signal.SIGCONT)

    def _answers(self, path: str) -> bool:
        try:
            with urllib.request.urlopen(self.places.server + path, context=self._tls, timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def _write_identities(places: flags.Places) -> tuple[identity.Authority, Path]:
    """All keys and certificates; the CA of the cluster's users, and the administrator's kubeconfig."""
    pki = places.pki
    pki.mkdir(mode=0o700, exist_ok=True)
    client_ca, server_ca = identity.Authority(pki, "client-ca"), identity.Authority(pki, "server-ca")
    front_proxy = identity.Authority(pki, "front-proxy-ca").client("front-proxy-client")
    identity.new_key(pki / "service-accounts.key")
    admin = client_ca.client("admin", [ADMINS])
    for name, pair in {"server": server_ca.server(), "front-proxy-client": front_proxy, "admin": admin}.items():
        (pki / f"{name}.crt").write_bytes(pair[0])
        identity.write_secret(pki / f"{name}.key", pair[1])
    ca = server_ca.certificate_file.read_bytes()
    content = identity.kubeconfig(places.server, ca, identity.client_user(*admin))
    return client_ca, identity.write_kubeconfig(places.folder / "kubeconfig", content)


def _client_context(places: flags.Places) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(places.pki / "server-ca.crt"))
    context.load_cert_chain(places.pki / "admin.crt", places.pki / "admin.key")
    return context
