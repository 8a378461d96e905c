"""How reading commands ask the cluster: with the rights of their user, of which any may be missing."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from doorward.cli.errors import UserError, missing_right
from doorward.cli.session import default_namespace, in_cluster
from doorward.clock import Clock, SystemClock
from doorward.cluster.errors import Forbidden, NotFound
from doorward.cluster.gateway import Gateway, Kind, Object
from doorward.objects.meta import ObjectKey


@dataclass(slots=True)
class Reader:
    """Reads; what it may not read it notes."""

    gateway: Gateway
    clock: Clock
    namespace: str | None
    """Where to look; None: everywhere."""
    is_default: bool = False
    """The user did not say where."""
    notes: list[str] = field(default_factory=list)
    _denied: set[tuple[str, str | None]] = field(default_factory=set)

    @property
    def now(self) -> datetime:
        """By the API server's clock, once it was heard."""
        return (self.clock.now() - self.gateway.skew()).replace(microsecond=0)

    async def list(self, kind: Kind, namespace: str | None, *, metadata_only: bool = False) -> list[Object] | None:
        """All of them; None, and a note, where the right is missing."""
        try:
            found, _ = await self.gateway.list(kind, namespace, metadata_only=metadata_only)
        except Forbidden as error:
            self._note(error, kind, namespace)
            return None
        return found

    async def get(self, kind: Kind, at: ObjectKey) -> Object | None:
        """The object; None where it is not there, and, with a note, where the right is missing."""
        try:
            return await self.gateway.get(kind, at.namespace or None, at.name)
        except NotFound:
            return None
        except Forbidden as error:
            self._note(error, kind, at.namespace)
            return None

    def was_denied(self, kind: Kind, namespace: str | None) -> bool:
        """Whether the right to look there was missing."""
        return (kind.plural, namespace) in self._denied

    def _note(self, error: Forbidden, kind: Kind, namespace: str | None) -> None:
        self._denied.add((kind.plural, namespace))
        missing = missing_right(error)
        said = f"not looked at: you have no right to {missing}" if missing else str(error)
        if said not in self.notes:
            self.notes.append(said)

    def named(self, text: str) -> ObjectKey:
        """`<name>`, in the namespace to look in, or `<namespace>/<name>`."""
        before, slash, name = text.rpartition("/")
        if "/" in before or not name or (slash and not before):
            raise UserError(f"write {text!r} as <name> or <namespace>/<name>", status=2)
        if slash:
            return ObjectKey(before, name)
        if self.namespace is None:
            raise UserError(f"say in which namespace {name} is", f"write <namespace>/{name}", status=2)
        return ObjectKey(self.namespace, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """The cluster, and where to look in it, as the options say."""

    kubeconfig: str | None
    context: str | None
    namespace: str | None = None
    everywhere: bool = False

    def read(self, work: Callable[[Reader], Awaitable[int]]) -> int:
        """Do the work; its exit status."""
        if self.everywhere and self.namespace is not None:
            raise UserError("say either --namespace or --all-namespaces", status=2)
        namespace = None if self.everywhere else self.namespace or default_namespace(self.kubeconfig, self.context)
        return in_cluster(
            self.kubeconfig,
            self.context,
            lambda gateway: work(Reader(gateway, SystemClock(), namespace, is_default=self.namespace is None)),
        )
