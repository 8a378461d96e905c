"""The gate service, installed and running, and an operator that knows of it."""

from collections.abc import Iterator

import pytest

from tests.cluster.policies_support import ISSUER, NGINX, ingress
from tests.support.installation import GATE_SERVICE, ROOT, GateServiceProcess, OperatorProcess
from tests.support.kube import INGRESSES, Person, eventually
from tests.testbed.controlplane import Cluster
from tests.testbed.ingress_nginx import IngressNginx

OWN = sorted(path for path in (ROOT / "deploy" / "gate-service").glob("*.yaml") if path.name != "kustomization.yaml")


@pytest.fixture(scope="module")
def gate_service(cluster: Cluster, ingress_nginx: IngressNginx, admin: Person) -> Iterator[GateServiceProcess]:
    """Installed as deploy/gate-service says; at the end it is uninstalled."""
    files = [word for path in OWN for word in ("-f", str(path))]
    cluster.kubectl("apply", "--server-side", "--force-conflicts", *files)
    process = GateServiceProcess(cluster, ingress_nginx.gate_port)
    body = ingress("default", {ISSUER: "partners", NGINX + "auth-response-headers": "X-User"})
    try:
        process.start()
        eventually(
            lambda: "auth-response-headers" in admin.create(INGRESSES, body, dry_run=True).message, "its policies hold"
        )
        yield process
    finally:
        process.close()
        cluster.kubectl("delete", "--ignore-not-found", "--wait=false", *files)
        eventually(lambda: admin.create(INGRESSES, body, dry_run=True).ok, "its policies are gone")


@pytest.fixture(scope="module")
def running_operator(
    cluster: Cluster,
    gate_service: GateServiceProcess,  # noqa: ARG001 - it runs
) -> Iterator[OperatorProcess]:
    """The operator, told of the gate service as the Deployment is."""
    operator = OperatorProcess(cluster, arguments=[f"--gate-service={GATE_SERVICE}"])
    operator.start()
    yield operator
    operator.close()
