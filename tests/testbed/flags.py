"""The command lines of etcd, kube-apiserver and kube-controller-manager: everything on loopback, nothing taken by default."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# No kubelet, no scheduler: only what keeps the API's own promises.
CONTROLLERS = (
    "clusterrole-aggregation-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "resourcequota-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "validatingadmissionpolicy-status-controller",
)

AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the parts of one cluster lie and listen."""

    folder: Path
    etcd_client: int
    etcd_peer: int
    api: int

    @property
    def pki(self) -> Path:
        return self.folder / "pki"

    @property
    def audit_log(self) -> Path:
        return self.folder / "audit.log"

    @property
    def server(self) -> str:
        return f"https://127.0.0.1:{self.api}"


def etcd(places: Places, *, unsafe_no_fsync: bool) -> list[str]:
    """One member, without TLS."""
    client, peer = f"http://127.0.0.1:{places.etcd_client}", f"http://127.0.0.1:{places.etcd_peer}"
    flags = {
        "data-dir": places.folder / "etcd",
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"default={peer}",
        "log-level": "warn",
    }
    return [*_render(flags), *(["--unsafe-no-fsync"] if unsafe_no_fsync else [])]


def api_server(places: Places) -> list[str]:
    """RBAC, client certificates, service-account tokens, a front proxy and an audit log."""
    pki = places.pki
    flags = {
        "etcd-servers": f"http://127.0.0.1:{places.etcd_client}",
        "bind-address": "127.0.0.1",
        "advertise-address": "127.0.0.1",
        "secure-port": places.api,
        # There is no Service network, and loopback is refused as an endpoint.
        "endpoint-reconciler-type": "none",
        "service-cluster-ip-range": "10.96.0.0/16",
        "tls-cert-file": pki / "server.crt",
        "tls-private-key-file": pki / "server.key",
        "client-ca-file": pki / "client-ca.crt",
        "requestheader-client-ca-file": pki / "front-proxy-ca.crt",
        "requestheader-allowed-names": "front-proxy-client",
        "requestheader-username-headers": "X-Remote-User",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        "proxy-client-cert-file": pki / "front-proxy-client.crt",
        "proxy-client-key-file": pki / "front-proxy-client.key",
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": pki / "service-accounts.key",
        "service-account-signing-key-file": pki / "service-accounts.key",
        "authorization-mode": "RBAC",
        "audit-policy-file": places.folder / "audit-policy.json",
        "audit-log-path": places.audit_log,
        "audit-log-maxsize": 4_000,  # megabytes: by default the log begins anew after 100, and a whole run writes more
        "profiling": "false",
    }
    return _render(flags)


def controller_manager(places: Places, kubeconfig: Path) -> list[str]:
    """Garbage collection, namespaces, service accounts; each controller with its own account, as in a real cluster."""
    flags = {
        "kubeconfig": kubeconfig,
        "controllers": ",".join(CONTROLLERS),
        "use-service-account-credentials": "true",
        "service-account-private-key-file": places.pki / "service-accounts.key",
        "root-ca-file": places.pki / "server-ca.crt",
        "leader-elect": "false",
        "secure-port": 0,
        "profiling": "false",
    }
    return _render(flags)


def _render(flags: Mapping[str, object]) -> list[str]:
    return [f"--{name}={value}" for name, value in flags.items()]
