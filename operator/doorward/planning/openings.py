"""What leaves a host open though its own target is right: seen over all targets of the cluster, and where they are served."""

from collections.abc import Iterable
from dataclasses import dataclass

from doorward.api.conditions import Condition, said
from doorward.objects.meta import ObjectKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Openings:
    """Of one target. Each text says why, and what to do; empty: it is not so."""

    plain: str = ""
    """Its hosts answer over plain HTTP as well, where nobody is asked for a certificate."""
    plain_path: str = ""
    """A path of it that does."""
    unasked_path: str = ""
    """A path of it at which the gate service is never asked, wherever it is installed."""
    path_taken: tuple[str, ObjectKey] | None = None
    """A path of it that is served from another target, which decides otherwise who is admitted, and that target."""
    unserved: str = ""
    """No data plane that Doorward configures serves it."""
    catches_all: ObjectKey | None = None
    """Another target that sets the trust bundle for clients that name no host."""
    elsewhere: tuple[str, ObjectKey] | None = None
    """A Service of it to which another target routes without protection, and which target."""


NONE = Openings()


def first(o: Openings, issuer: ObjectKey, *, asked: bool) -> Condition | None:
    """What opens the host while the gate itself is as it should be; None: nothing that can be seen.

    `asked`: the gate service is to be asked at every request.
    """
    if o.plain:
        return said("PlainHTTP", issuer=issuer, fix=o.plain)
    if o.catches_all is not None:
        return said("HostlessAuthTLS", other=o.catches_all)
    if o.elsewhere is not None:
        service, other = o.elsewhere
        return said("SameServiceElsewhere", service=service, other=other)
    if asked and o.unasked_path:
        return said("NoAuthLocation", path=o.unasked_path)
    if asked and o.path_taken is not None:
        place, other = o.path_taken
        return said("PathShared", place=place, other=other)
    if o.plain_path:
        return said("PlainHTTP", issuer=issuer, fix=_move(o.plain_path))
    return None


def _move(path: str) -> str:
    return f"remove the path {path}, which is never redirected to HTTPS, or move it to an Ingress with a Service of its own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """Another target that routes to the same Service and does not protect it by itself."""

    key: ObjectKey
    hosts: frozenset[str]
    opted_in: bool
    overrides: bool


def elsewhere(hosts: frozenset[str], others: Iterable[Neighbour], *, handshake_alone: bool) -> ObjectKey | None:
    """The first of the others through which a client gets to the Service unprotected.

    One that has not opted in and has none but hosts of this target is under its trust bundle: where the handshake alone decides
    (`handshake_alone`), that is all the protection there is, and it has it.
    """
    for other in others:
        covered = (
            handshake_alone
            and not other.opted_in
            and not other.overrides
            and other.hosts <= hosts
            and bool(other.hosts)
        )
        if not covered:
            return other.key
    return None
