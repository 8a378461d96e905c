"""A CA key belongs to one MTLSIssuer: to the one that publishes with it already, else to the oldest.

Creation times have whole seconds, so age alone does not tell who was first.
"""

from collections.abc import Iterator

from doorward.controllers.world import LoadedCa, World
from doorward.objects.meta import ObjectKey
from doorward.pki.crls import PublishedCrl
from doorward.planning.observed import Unseen


def ca_key(world: World, issuer: ObjectKey) -> str | None:
    """SHA-256 of the public key that the issuer signs with, or would; None where it has no usable CA."""
    loaded = world.authorities.get(issuer)
    return loaded.authority.public_key_sha256 if isinstance(loaded, LoadedCa) else None


def _publishes(world: World, issuer: ObjectKey) -> bool:
    loaded, committed = world.authorities.get(issuer), world.committed.get(issuer)
    return (
        isinstance(loaded, LoadedCa)
        and committed is not None
        and committed.ca == loaded.authority.sha256
        and isinstance(committed.published, PublishedCrl)
    )


def _rank(world: World, issuer: ObjectKey) -> tuple[bool, str, str]:
    found = world.issuers.get(issuer)
    metadata = found.body["metadata"] if found is not None else {}
    return not _publishes(world, issuer), metadata.get("creationTimestamp") or "", metadata.get("uid") or ""


def rival_of(world: World, issuer: ObjectKey) -> ObjectKey | Unseen | None:
    """The issuer that has this one's CA key by right; UNKNOWN where one that was not looked at yet might."""
    mine = world.authorities.get(issuer)
    if not isinstance(mine, LoadedCa):
        return None
    same = (
        o
        for o in world.authorities
        if o != issuer and world.issuers.get(o) and ca_key(world, o) == ca_key(world, issuer)
    )
    first = min(same, key=lambda other: _rank(world, other), default=None)
    if first is not None and _rank(world, first) < _rank(world, issuer):
        return first
    unsettled = not world.issuers.synced or any(o not in world.looked_at for o in world.issuers.keys())  # noqa: SIM118 - a Store is no dict
    # A key of our own making is nobody else's before it is published; whoever publishes goes on.
    if unsettled and not mine.authority.generated and not _publishes(world, issuer):
        return Unseen.UNKNOWN
    return None


def concerned(world: World, issuer: ObjectKey, *, before: str | None, first_look: bool) -> Iterator[ObjectKey]:
    """Issuers to look at again after this one was: those that share a key which it has, or had, and those that waited."""
    now = ca_key(world, issuer)
    keys = {before, now} - {None} if before != now else set()
    for other in world.authorities:
        waits = first_look and other not in world.issuer_states
        if other != issuer and (waits or ca_key(world, other) in keys):
            yield other
