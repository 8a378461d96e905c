"""What the command line says of one operator process."""

from dataclasses import dataclass

from doorward.objects.meta import ObjectKey
from doorward.runtime.probing import Controller


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the command line says; no namespaces: all of them."""

    kubeconfig: str | None = None
    namespaces: tuple[str, ...] = ()
    health_port: int | None = 8080
    account: str = "doorward-system:doorward"
    """The service account that it runs as, for the commands that it tells people to run."""
    lease: ObjectKey | None = None
    """The Lease that says which of several processes works; None: this one is alone."""
    identity: str = ""
    """This process's own name in that Lease, which no other process ever has."""
    most_files: int = 0
    """How many files it may have open; 0: not known."""
    controller: Controller | None = None
    """Where the replicas of the ingress controller are; None: nothing is probed."""
    gate_service: str | None = None
    """`http://` and the host of the gate service; None: it is not installed."""
    controllers: tuple[str, ...] = ()
    """What IngressClasses call ingress-nginx; none: its own name."""
    controller_settings: ObjectKey | None = None
    """The ConfigMap of ingress-nginx; None: where its own chart puts it."""
