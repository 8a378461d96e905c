"""The replicas of the ingress controller, from the EndpointSlices of its Service, or as they are given."""

from collections.abc import Callable

from doorward.cluster.gateway import Gateway, Kind
from doorward.cluster.reflector import Source, follow
from doorward.cluster.store import Store
from doorward.objects.endpoints import SERVICE_LABEL, Replica, parse, replicas
from doorward.objects.meta import ObjectKey
from doorward.planning.enforcement import NOT_KNOWN

ENDPOINT_SLICE = Kind("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")
ROLE = "doorward-probes"
Listed = Callable[[tuple[Replica, ...], str], None]
"""Told the replicas, and why there are none (empty: there are)."""


def consent(namespace: str, account: str) -> str:
    """The command that lets the operator see the replicas."""
    return f"kubectl -n {namespace} create rolebinding {ROLE} --clusterrole={ROLE} --serviceaccount={account}"


class Replicas:
    """Follows the EndpointSlices of one Service."""

    def __init__(self, gateway: Gateway, service: ObjectKey, account: str, listed: Listed) -> None:
        self._gateway = gateway
        self._service = service
        self._account = account
        self._listed = listed
        self._slices: Store[tuple[Replica, ...]] = Store(parse)
        self._why = NOT_KNOWN

    async def keep(self) -> None:
        """For ever."""
        source = Source(
            kind=ENDPOINT_SLICE,
            namespace=self._service.namespace,
            store=self._slices,
            changed=lambda _key, _before, _now: self._tell(),
            listed=self._now_listed,
            denied=self._denied,
            failed=self._failed,
            selector=f"{SERVICE_LABEL}={self._service.name}",
        )
        await follow(self._gateway, source)

    def _now_listed(self) -> None:
        self._why = ""
        self._tell()

    def _denied(self, _error: Exception) -> None:
        command = consent(self._service.namespace, self._account)
        self._why = f"the operator may not read the EndpointSlices of Service {self._service}: run {command}"
        self._listed((), self._why)

    def _failed(self, _error: Exception) -> None:
        """Those that are known are probed on."""
        if self._why != NOT_KNOWN:
            self._why = f"the EndpointSlices of Service {self._service} cannot be read"
        self._tell()

    def _tell(self) -> None:
        found = replicas(self._slices.values())
        nobody = (
            f"Service {self._service} has no endpoints: name the Service of the ingress controller with --controller"
        )
        self._listed(found, "" if found else self._why or nobody)
