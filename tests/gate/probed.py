"""An operator that probes the controller of the test cluster."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.installation import OperatorProcess
from tests.testbed.controlplane import Cluster
from tests.testbed.ingress_nginx import IngressNginx


@contextmanager
def probing(cluster: Cluster, ingress: IngressNginx, *arguments: str) -> Iterator[OperatorProcess]:
    """It is told where the controller listens: no EndpointSlice may hold a loopback address."""
    address = f"{ingress.address}:{ingress.https_port}:{ingress.http_port}"
    operator = OperatorProcess(cluster, arguments=[f"--controller-address={address}", *arguments])
    operator.start()
    yield operator
    operator.close()
