"""The real ingress-nginx controller and the nginx it drives, in a root folder of their own, with one application behind."""

import json
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.testbed import application, asking, binaries, debian, half_written, jail, manifests, ports, template
from tests.testbed.controlplane import ADMINS, Cluster
from tests.testbed.process import Process, answers

SYNC_RATE_LIMIT = 0.3  # the controller's own default: at most one reload in 3.3 s
_HTTP2_DIRECTIVE_SINCE = (1, 25, 1)

# nginx before 1.25.1 takes HTTP/2 as a word of `listen`, which the controller writes in code, not in its template.
_WRAPPER = f"""#!/bin/sh
[ "$1" = -c ] && grep -qs '{template.MARK_HTTP2}' "$2" && sed -i 's/^\\(.*listen .*\\) ssl;/\\1 ssl http2;/' "$2"
exec /testbed/nginx "$@"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where the controller and its nginx listen."""

    http: int
    https: int
    default: int
    status: int
    stream: int
    healthz: int
    profiler: int
    application: int
    gate: int


class IngressNginx:
    """A running controller, as `start` gives it."""

    address = "127.0.0.1"

    def __init__(self, cluster: Cluster, leased: Ports, ingress_class: str, root: Path, process: Process) -> None:
        self.ingress_class = ingress_class
        self.http_port = leased.http
        self.https_port = leased.https
        self.gate_port = leased.gate
        """Where its nginx asks the gate service."""
        self.hosts = asking.Hosts(self.address, leased.https, leased.http, before=self._reload_again)
        """Where clients ask."""
        self._reloads = half_written.Reloads(root, process.log)
        self._health = f"http://127.0.0.1:{leased.healthz}/healthz"
        self._cluster = cluster
        self._root = root
        self._process = process

    @classmethod
    @contextmanager
    def start(
        cls,
        cluster: Cluster,
        *,
        settings: Mapping[str, str] | None = None,
        sync_rate_limit: float = SYNC_RATE_LIMIT,
        ingress_class: str = "nginx",
        arguments: Sequence[str] = (),
    ) -> Iterator[Self]:
        """A controller for the length of a block; `settings` are its ConfigMap's, `arguments` more of its flags."""
        cluster.apply(*manifests.controller(ingress_class, settings or {}))
        with ExitStack() as stack:
            numbers = ports.lease(9)
            stack.callback(ports.give_back, numbers)
            leased = Ports(**dict(zip(Ports.__slots__, numbers, strict=True)))
            stack.enter_context(application.running(leased.application))
            root = cluster.run_dir / "ingress-nginx"
            flags = [*_flags(leased, sync_rate_limit), *arguments]
            process = Process(
                "ingress-nginx", _prepare(cluster, root, leased, flags), cluster.run_dir / "ingress-nginx.log"
            )
            controller = cls(cluster, leased, ingress_class, root, process)
            stack.callback(controller.stop)
            controller.resume()
            yield controller

    def stop(self) -> None:
        """End controller and nginx at once, as when their machine dies; they leave nothing to tidy up."""
        if self._process.running:
            jail.end(self._process.pid)
        # The outer command ends by itself once nothing is left inside: until then nginx still holds its ports.
        self._process.stop(signal.SIGCONT)

    def resume(self) -> None:
        """Start it, again after `stop`; on return its first configuration is loaded."""
        # Each pod begins so; what the last one wrote is not the next one's.
        (self._root / "etc/nginx/nginx.conf").write_bytes((_module() / "nginx.conf").read_bytes())
        (self._root / "tmp/nginx/nginx.pid").unlink(missing_ok=True)
        self._process.start()
        self._process.wait_until(self._healthy)

    @contextmanager
    def frozen(self, *, nginx: bool) -> Iterator[None]:
        """Stopped by SIGSTOP for the length of a block: the controller, which then loads nothing, and with `nginx` all that answers."""
        stopped: list[int] = []
        try:
            # Again until nothing else runs: nginx may reload, which starts workers, and ends others, after they were looked for.
            while running := self._running(nginx=nginx) - set(stopped):
                for pid in running:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGSTOP)
                stopped += running
            assert stopped
            yield
        finally:
            for pid in stopped:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def _running(self, *, nginx: bool) -> set[int]:
        """The process ids of the controller, and with `nginx` of all that runs beside it."""
        inside = jail.inside(self._process.pid)
        return {pid for pid, program in inside.items() if nginx or "controller" in program}

    def _reload_again(self) -> None:
        """What its next reload would do: nginx loads the configuration that it could not load a moment ago."""
        for file in self._reloads.failed():
            self.hosts.broken.append(f"nginx was reloaded again: {file} was half-written")
            for pid, program in jail.inside(self._process.pid).items():
                if program.startswith("nginx: master"):
                    os.kill(pid, signal.SIGHUP)

    def read_again(self, host: str) -> None:
        """Let the controller read the Ingresses of a host again, as the next change of one would."""
        found = json.loads(self._cluster.kubectl("get", "ingresses", "--all-namespaces", "--output=json").stdout)[
            "items"
        ]
        for body in found:
            if host in {rule.get("host") for rule in body["spec"]["rules"]}:
                at = ("--namespace", body["metadata"]["namespace"], body["metadata"]["name"])
                self._cluster.kubectl("label", "--overwrite", "ingress", *at, f"read={time.monotonic_ns()}")
        self.hosts.broken.append("the controller read an Ingress again: it had lost that its Secret was deleted")

    def configure(self, settings: Mapping[str, str]) -> None:
        """Give the controller's ConfigMap these settings, beside those that keep it on loopback."""
        self._cluster.apply(manifests.configuration(settings))

    def back(self, namespace: str, host: str, **options: object) -> None:
        """Create a Service, its endpoint and an Ingress for the host; `options` as of `manifests.backing`."""
        self._cluster.apply(*manifests.backing(namespace, host, ingress_class=self.ingress_class, **options))  # type: ignore[arg-type]

    def _healthy(self) -> bool:
        return answers(self._health)


def _module() -> Path:
    """The controller's own files, in the sources that it was built from."""
    return binaries.module_folder("ingress-nginx", "k8s.io/ingress-nginx") / "rootfs/etc/nginx"


def _prepare(cluster: Cluster, root: Path, leased: Ports, flags: list[str]) -> list[str]:
    """Lay out the root folder; the command line that runs the controller in it."""
    nginx = debian.nginx()
    binds = {
        "/testbed/controller": binaries.resolve("nginx-ingress-controller"),
        "/testbed/nginx": nginx.binary,
        f"/testbed/{nginx.module.name}": nginx.module,
    }
    env = {
        "POD_NAME": manifests.POD,
        "POD_NAMESPACE": manifests.NAMESPACE,
        "NGINX_BINARY": "/testbed/bin/nginx",
        "PATH": "/testbed/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    }
    if nginx.libraries is not None:
        binds["/testbed/libraries"] = nginx.libraries
        env["LD_LIBRARY_PATH"] = "/testbed/libraries"
    jail.build(root, binds)
    for folder in (
        "etc/nginx/template",
        "etc/ingress-controller/telemetry",
        "tmp/nginx",
        "var/log/nginx",
        "var/lib/nginx",
    ):
        (root / folder).mkdir(parents=True, exist_ok=True)
    stripped = template.strip(
        (_module() / "template/nginx.tmpl").read_text(),
        application_port=leased.application,
        gate_port=leased.gate,
        module=f"/testbed/{nginx.module.name}",
        http2_directive=nginx.version >= _HTTP2_DIRECTIVE_SINCE,
    )
    (root / "etc/nginx/template/nginx.tmpl").write_text(stripped)
    # What it says of a file's type is the application's business.
    (root / "etc/nginx/mime.types").write_text("types { text/html html; }\n")
    wrapper = root / "testbed/bin/nginx"
    wrapper.parent.mkdir()
    wrapper.write_text(_WRAPPER)
    wrapper.chmod(0o755)
    kubeconfig = root / "etc/ingress-controller/kubeconfig"
    kubeconfig.write_bytes(cluster.kubeconfig_for("ingress-nginx", [ADMINS]).read_bytes())
    program = ["env", "-i", *(f"{name}={value}" for name, value in env.items()), "/testbed/controller", *flags]
    return jail.command(root, binds, program)


def _flags(leased: Ports, sync_rate_limit: float) -> list[str]:
    flags = {
        "kubeconfig": "/etc/ingress-controller/kubeconfig",
        "configmap": f"{manifests.NAMESPACE}/{manifests.CONFIGMAP}",
        "sync-rate-limit": sync_rate_limit,
        "http-port": leased.http,
        "https-port": leased.https,
        "default-server-port": leased.default,
        "status-port": leased.status,
        "stream-port": leased.stream,
        "healthz-host": "127.0.0.1",
        "healthz-port": leased.healthz,
        # It insists on a free one even when it profiles nothing.
        "profiler-port": leased.profiler,
        "profiling": "false",
        "enable-metrics": "false",
        # An address in an Ingress' status would be a write that no test asked for.
        "update-status": "false",
        "disable-leader-election": "true",
        # As it is by default since 1.12: where it refuses one annotation, it keeps or drops the whole Ingress.
        "enable-annotation-validation": "true",
        "shutdown-grace-period": 0,
        "post-shutdown-grace-period": 0,
    }
    return [f"--{name}={value}" for name, value in flags.items()]
