"""`make demo`: the main job, told on screen as it happens on a real API server and a real ingress-nginx, each step timed."""

import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from tests.support import installation
from tests.testbed import background, binaries
from tests.testbed.controlplane import Cluster
from tests.testbed.ingress_nginx import IngressNginx

HOST = "app.example.com"
EXAMPLES = installation.ROOT / "examples"
PATIENCE = 30.0
BOB = """\
apiVersion: doorward.io/v1alpha1
kind: ClientCertificate
metadata: {name: bob, namespace: edge}
spec:
  issuerRef: {name: partners}
  commonName: bob.edge.example
"""


class Story:
    """A shell on screen: what is typed, what comes back, and how long it took."""

    def __init__(self, cluster: Cluster, ingress: IngressNginx, folder: Path) -> None:
        self._folder = folder
        self._ingress = ingress
        self._env = os.environ | {"KUBECONFIG": str(cluster.kubeconfig)}
        self._kubectl = binaries.resolve("kubectl")
        self.begun = time.monotonic()

    def tell(self, text: str) -> None:
        """A heading."""
        print(f"\n# {text}", flush=True)

    def run(self, command: str, *, show: Callable[[str], str] = str.rstrip, stdin: str | None = None) -> str:
        """Run a shell command, with `kubectl` and `curl` as the reader would type them. Raises SystemExit if it fails."""
        begun = time.monotonic()
        print(f"$ {command}" + (f" <<END\n{stdin}END" if stdin else ""), flush=True)
        done = self._shell(command, stdin)
        output = show(done.stdout + done.stderr)
        if output:
            print("\n".join(f"  {line}" for line in output.splitlines()))
        print(f"  ({time.monotonic() - begun:.2f} s)", flush=True)
        if done.returncode:
            raise SystemExit(f"demo: that failed with {done.returncode}")
        return done.stdout

    def curl(self, client: str = "", *, status: int, either: int = 0) -> None:
        """Ask for the page; the answer must be `status` in the end, or `either`, and it says how long that took."""
        print(f"$ curl {f'--cert {client}.crt --key {client}.key ' if client else ''}https://{HOST}/", flush=True)
        files = {"cert": self._folder / f"{client}.crt", "key": self._folder / f"{client}.key"} if client else {}
        begun = time.monotonic()
        while (seen := self._ingress.hosts.ask(HOST, **files).status) not in (status, either or status):
            if time.monotonic() - begun > PATIENCE:
                raise SystemExit(f"demo: HTTP {seen}, and not {status} within {PATIENCE:.0f} s")
            time.sleep(0.02)
        print(f"  HTTP {seen}  ({time.monotonic() - begun:.2f} s)", flush=True)

    def session(self, client: str, *, resume: bool, status: int) -> None:
        """Ask for the page by openssl, which keeps the TLS session in a file, or resumes the one in there."""
        named = f"-servername {HOST} -cert {client}.crt -key {client}.key -sess_out {client}.session"
        named += f" -sess_in {client}.session" if resume else ""
        print(f"$ printf 'GET / HTTP/1.1 ...' | openssl s_client -connect {HOST}:443 {named}", flush=True)
        ask = f"printf 'GET / HTTP/1.1\\r\\nHost: {HOST}\\r\\nConnection: close\\r\\n\\r\\n'"
        command = (
            f"{ask} | openssl s_client -ign_eof -connect {self._ingress.address}:{self._ingress.https_port} {named}"
        )
        begun = time.monotonic()
        while True:
            said = self._shell(command).stdout
            seen = re.search(r"^HTTP/1.1 (\d+)", said, re.MULTILINE)
            how = re.search(r"^(New|Reused), TLSv[\d.]+", said, re.MULTILINE)
            if seen and how and int(seen[1]) == status:
                break
            if time.monotonic() - begun > PATIENCE:
                raise SystemExit(f"demo: not HTTP {status} within {PATIENCE:.0f} s: {seen and seen[0]}")
        print(f"  {how[0]}: HTTP {status}  ({time.monotonic() - begun:.2f} s)", flush=True)

    def _shell(self, command: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        alias = f'kubectl() {{ {shlex.quote(str(self._kubectl))} "$@"; }}\n'
        return subprocess.run(
            ["bash", "-c", alias + command],
            cwd=self._folder,
            env=self._env,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )


def tell(story: Story) -> None:
    """The whole of it."""
    print("\ncurl is given -k and the testbed's port too: the server's certificate is none of Doorward's business.")
    story.tell("A namespace takes part by consent; a Service `app` is there")
    story.run(installation.CONSENT.format(namespace="edge"))
    story.tell("An Ingress that opts in is closed before anything else exists")
    story.run(f"kubectl apply -f {EXAMPLES / 'ingress.yaml'}")
    story.curl(status=403)

    story.tell("An issuer and a client: two objects")
    story.run(f"kubectl apply -f {EXAMPLES / 'issuer-minimal.yaml'} -f {EXAMPLES / 'client.yaml'}")
    story.run("kubectl -n edge wait --for=condition=Ready mtlsissuer/partners clientcertificate/alice --timeout=30s")
    _take(story, "alice")
    story.curl("alice", status=200)
    story.curl(status=400)

    story.tell("The same for a browser: the p12, as openssl reads it")
    story.run("openssl pkcs12 -in alice.p12 -passin file:alice.password -nokeys -info -clcerts", show=_only_facts)

    story.tell("A second client")
    _client(story, "bob")
    story.curl("bob", status=200)
    story.run("kubectl -n edge get clientcertificates")

    _suspend(story)
    story.tell("Alice is put out, for good")
    _revoke(story, "alice")
    story.curl("bob", status=200)

    story.tell("Bob's entry is deleted: no entry, no entry")
    story.run("kubectl -n edge delete clientcertificate bob")
    story.curl("bob", status=400)


def ask_at_every_request(story: Story, install: Callable[[], object]) -> None:
    """A session that outlives its revocation, until the gate service is asked; `install` starts its processes."""
    story.tell("Carol has a TLS session, and is revoked")
    _client(story, "carol")
    story.curl("carol", status=200)
    story.session("carol", resume=False, status=200)
    _revoke(story, "carol")
    story.tell("nginx looks at the CRL at a full handshake only: she resumes her session, and is admitted")
    story.session("carol", resume=True, status=200)

    story.tell("The gate service is installed: ingress-nginx asks it at every request")
    folder = installation.ROOT / "deploy/gate-service"
    story.run(f"kubectl apply --server-side --force-conflicts -k {folder}", show=_of_the_gate_service)
    install()
    story.session("carol", resume=True, status=403)

    story.tell("Through the gate service: the seconds to a refusal")
    _client(story, "dave")
    story.curl("dave", status=200)
    _revoke(story, "dave", either=403)
    story.tell("What was ever signed, and the CRL as openssl prints it")
    story.run("kubectl -n edge get issuedcertificates")
    story.run(
        "kubectl -n edge get configmap partners-crl -o jsonpath='{.data.ca\\.crl}' | openssl crl -noout -text",
        show=_without_signature,
    )


def _client(story: Story, name: str) -> None:
    """One more, whose files are there."""
    story.run("kubectl apply -f -", stdin=BOB.replace("bob", name))
    story.run(f"kubectl -n edge wait --for=condition=Ready clientcertificate/{name} --timeout=30s")
    _take(story, name)


def _revoke(story: Story, client: str, *, either: int = 0) -> None:
    """For good, until it is refused."""
    begun = time.monotonic()
    patch = '{"spec":{"revoked":true,"revocationReason":"keyCompromise"}}'
    story.run(f"kubectl -n edge patch clientcertificate {client} --type=merge -p '{patch}'")
    answered = time.monotonic()
    story.curl(client, status=400, either=either)
    refused = time.monotonic()
    print(
        f"  refused {refused - answered:.2f} s after the API server's answer, {refused - begun:.2f} s after the command"
    )


def _suspend(story: Story) -> None:
    """Out for a while, and in again with the very same file."""
    for asked, answer, heading in (
        ("true", 400, "Alice is put out for a while"),
        ("false", 200, "And is in again, with the same certificate and key"),
    ):
        story.tell(heading)
        story.run(
            f'kubectl -n edge patch clientcertificate alice --type=merge -p \'{{"spec":{{"suspended":{asked}}}}}\''
        )
        story.curl("alice", status=answer)


def _take(story: Story, client: str) -> None:
    """Certificate, key and p12 out of the Secret, into files."""
    for key, file in {
        "tls.crt": "crt",
        "tls.key": "key",
        "keystore.p12": "p12",
        "keystore.password": "password",
    }.items():
        path = key.replace(".", "\\.")
        command = (
            f"kubectl -n edge get secret {client}-mtls -o jsonpath='{{.data.{path}}}' | base64 -d > {client}.{file}"
        )
        story.run(command)


def _of_the_gate_service(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if "gate-service" in line or "doorward-gate" in line)


def _only_facts(text: str) -> str:
    wanted = ("MAC:", "PKCS7", "subject=", "issuer=", "friendlyName", "Shrouded", "Certificate bag")
    return "\n".join(line.strip() for line in text.splitlines() if line.strip().startswith(wanted))


def _without_signature(text: str) -> str:
    lines = text.splitlines()
    end = next((i for i, line in enumerate(lines) if line.strip().startswith("Signature Value")), len(lines))
    return "\n".join(lines[:end])


def _gate_service(
    cluster: Cluster, ingress: IngressNginx, operator: installation.OperatorProcess, later: ExitStack
) -> None:
    """What the Deployments of deploy/gate-service would do: it runs, and the operator is told of it."""
    begun = time.monotonic()
    service = installation.GateServiceProcess(cluster, ingress.gate_port)
    later.callback(service.close)
    service.start()
    operator.stop()
    told = installation.OperatorProcess(cluster, name="told", arguments=[f"--gate-service={installation.GATE_SERVICE}"])
    later.callback(told.close)
    told.start()
    print(f"  the gate service runs, and the operator again ({time.monotonic() - begun:.2f} s)", flush=True)


def main() -> int:
    """Start everything, tell the story, leave nothing behind."""
    signal.signal(signal.SIGTERM, _end)
    background.build()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="doorward-demo-") as folder:
        print(
            "Starting kube-apiserver, etcd, ingress-nginx and the operator, as plain processes on loopback ...",
            flush=True,
        )
        run_dir = Path(folder)
        with (
            Cluster.start(run_dir / "cluster") as cluster,
            IngressNginx.start(cluster) as ingress,
            installation.with_application(cluster, ingress) as operator,
            ExitStack() as later,
        ):
            print(f"up in {time.monotonic() - begun:.1f} s", flush=True)
            (run_dir / "client").mkdir(mode=0o700)
            story = Story(cluster, ingress, run_dir / "client")
            tell(story)
            ask_at_every_request(story, lambda: _gate_service(cluster, ingress, operator, later))
            print(f"\nTold in {time.monotonic() - story.begun:.1f} s.")
    print(f"Everything, with start and stop: {time.monotonic() - begun:.1f} s.")
    return 0


def _end(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(143)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
