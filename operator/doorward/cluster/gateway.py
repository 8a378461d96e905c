"""The API server as the operator needs it: a Protocol, so that tests can stand something else in its place."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from doorward.api.fields import API_VERSION
from doorward.cluster.errors import NotFound
from doorward.objects.meta import ObjectKey

Object = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object: where the API server keeps it."""

    api_version: str
    name: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str | None, name: str | None = None) -> str:
        """The URL path of a collection, or of one object in it."""
        root = "/api/" if "/" not in self.api_version else "/apis/"
        middle = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{root}{self.api_version}{middle}/{self.plural}" + (f"/{name}" if name else "")


SECRET = Kind("v1", "Secret", "secrets")
CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")
NAMESPACE = Kind("v1", "Namespace", "namespaces", namespaced=False)
EVENT = Kind("v1", "Event", "events")
ROLE_BINDING = Kind("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings")
LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases")
INGRESS = Kind("networking.k8s.io/v1", "Ingress", "ingresses")
INGRESS_CLASS = Kind("networking.k8s.io/v1", "IngressClass", "ingressclasses", namespaced=False)
ISSUER = Kind(API_VERSION, "MTLSIssuer", "mtlsissuers")
CLIENT_CERTIFICATE = Kind(API_VERSION, "ClientCertificate", "clientcertificates")
ISSUED_CERTIFICATE = Kind(API_VERSION, "IssuedCertificate", "issuedcertificates")

LAST_LOOK: ContextVar[Callable[[], None] | None] = ContextVar("LAST_LOOK", default=None)
"""Of the request that is made in this context: called just before its bytes leave; what it raises holds them back."""

FIELD_MANAGER = "doorward"
"""As whom the operator writes."""
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One line of a watch."""

    type: str
    object: Object


class Gateway(Protocol):
    """Reads and writes; every method raises the types of `cluster.errors`."""

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Object: ...

    async def list(
        self, kind: Kind, namespace: str | None, *, selector: str = "", metadata_only: bool = False
    ) -> tuple[list[Object], str]:
        """All objects and the resourceVersion to watch from."""
        ...

    async def collect(
        self,
        take: Callable[[Object], T],
        kind: Kind,
        namespace: str | None,
        *,
        selector: str = "",
        metadata_only: bool = False,
    ) -> tuple[Sequence[T], str]:
        """As `list`, but of each object only what `take` makes of it, page by page: never are all of them in memory at once."""
        ...

    async def create(self, kind: Kind, namespace: str, body: Object, *, dry_run: bool = False) -> Object:
        """POST; `dry_run`: the API server answers as it would, after all its checks, and stores nothing."""
        ...

    async def replace(self, kind: Kind, namespace: str, name: str, body: Object) -> Object:
        """PUT; with `metadata.resourceVersion` in the body a stale one raises Conflict."""
        ...

    async def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        body: Object,
        *,
        content_type: str = MERGE_PATCH,
        subresource: str = "",
        query: Mapping[str, str] | None = None,
    ) -> Object: ...

    async def delete(
        self, kind: Kind, namespace: str, name: str, *, version: str | None = None, uid: str | None = None
    ) -> None:
        """With `version`, a resourceVersion, only that version, and with `uid` only that object: any other raises Conflict.

        That it succeeds does not mean that the object is gone: a finalizer keeps it, with all that it holds.
        """
        ...

    def watch(
        self, kind: Kind, namespace: str | None, version: str, *, selector: str = "", metadata_only: bool = False
    ) -> AsyncIterator[WatchEvent]:
        """Events after `version`, until the server ends the stream; Gone: list again."""
        ...

    def skew(self) -> timedelta:
        """By how much the local clock is ahead of the API server's `Date`; zero until it was heard."""
        ...


async def get_if_there(gateway: Gateway, kind: Kind, at: ObjectKey) -> Object | None:
    """The object as the API server has it now; None where it says that there is none. Raises any other ApiError."""
    try:
        return await gateway.get(kind, at.namespace, at.name)
    except NotFound:
        return None
