"""An operator that probes the controller of the test cluster."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.home import Home
from tests.support.installation import OperatorProcess
from tests.support.kube import ISSUERS, Object, eventually
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


def comes_to_say(home: Home, condition: str, reason: str, words: str = "", *, name: str = "partners") -> Object:
    """Wait until an issuer says that for the reason, with these words in its message; the condition as it was seen then. The next probe may
    have found something else by the time that it is read again: a connection that nginx ended for a reload shows nothing.
    """
    seen: Object = {}

    def there() -> bool:
        seen.clear()
        seen.update(home.condition(ISSUERS, name, condition))
        return seen.get("reason") == reason and words in seen["message"]

    try:
        eventually(there, f"{name}: {condition} for the reason {reason}")
    except AssertionError as error:
        raise AssertionError(f"{error}; it says {seen}") from None
    return seen
