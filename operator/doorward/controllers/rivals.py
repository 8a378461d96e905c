"""A CA key belongs to one MTLSIssuer: to the one that publishes with it already, else to the oldest.

Creation times have whole seconds, so age alone does not tell who was first.
"""

from collections.abc import Iterator

from doorward.controllers.world import World
from doorward.objects.meta import ObjectKey
from doorward.planning.observed import Unseen
from doorward.planning.trust import PublishedTrust


def ca_keys(world: World, issuer: ObjectKey) -> frozenset[str]:
    """SHA-256 of the public keys that the issuer signs with, or would."""
    loaded = world.authorities.get(issuer, {})
    return frozenset(each.authority.public_key_sha256 for each in loaded.values())


def _publishes(world: World, issuer: ObjectKey, keys: frozenset[str]) -> bool:
    committed = world.committed.get(issuer)
    published = committed.published if committed is not None else None
    return isinstance(published, PublishedTrust) and any(
        anchor.public_key_sha256 in keys for anchor in published.anchors.values()
    )


def _rank(world: World, issuer: ObjectKey, keys: frozenset[str]) -> tuple[bool, str, str]:
    found = world.issuers.get(issuer)
    metadata = found.body["metadata"] if found is not None else {}
    return not _publishes(world, issuer, keys), metadata.get("creationTimestamp") or "", metadata.get("uid") or ""


def rival_of(world: World, issuer: ObjectKey) -> ObjectKey | Unseen | None:
    """The issuer that has this one's CA key by right; UNKNOWN where one that was not looked at yet might."""
    mine = ca_keys(world, issuer)
    if not mine:
        return None
    same = (o for o in world.authorities if o != issuer and world.issuers.get(o) and ca_keys(world, o) & mine)
    first = min(same, key=lambda other: _rank(world, other, mine), default=None)
    if first is not None and _rank(world, first, mine) < _rank(world, issuer, mine):
        return first
    unsettled = not world.issuers.synced or any(o not in world.looked_at for o in world.issuers.keys())  # noqa: SIM118 - a Store is no dict
    # A key of our own making is nobody else's before it is published; whoever publishes goes on.
    generated = any(loaded.authority.generated for loaded in world.authorities[issuer].values())
    if unsettled and not generated and not _publishes(world, issuer, mine):
        return Unseen.UNKNOWN
    return None


def concerned(world: World, issuer: ObjectKey, *, before: frozenset[str], first_look: bool) -> Iterator[ObjectKey]:
    """Issuers to look at again after this one was: those that share a key which it has, or had, and those that waited."""
    now = ca_keys(world, issuer)
    keys = before | now if before != now else frozenset()
    for other in world.authorities:
        waits = first_look and other not in world.issuer_states
        if other != issuer and (waits or ca_keys(world, other) & keys):
            yield other
