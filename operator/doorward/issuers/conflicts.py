"""A CA key belongs to one MTLSIssuer: to the one that publishes with it already, else to the oldest.

Creation times have whole seconds, so age alone does not tell who was first.
"""

from collections.abc import Iterator

from doorward.issuers.memory import IssuerMemories, IssuerMemory
from doorward.objects.meta import ObjectKey
from doorward.planning.observed import Unseen
from doorward.view.stores import View


def _published(memory: IssuerMemory) -> frozenset[str]:
    return frozenset(memory.published_keys().values())


def _rank(view: View, issuer: ObjectKey, memory: IssuerMemory, keys: frozenset[str]) -> tuple[bool, str, str]:
    found = view.issuers.get(issuer)
    metadata = found.body["metadata"] if found is not None else {}
    return not keys & _published(memory), metadata.get("creationTimestamp") or "", metadata.get("uid") or ""


def owner_of_key(
    view: View, memories: IssuerMemories, issuer: ObjectKey, memory: IssuerMemory
) -> ObjectKey | Unseen | None:
    """The other issuer that has this one's CA key by right; UNKNOWN where one that was not looked at yet might."""
    mine = memory.ca_keys
    if not mine:
        return None
    others = {o: memories.get(o).ca_keys & mine for o in memories if o != issuer and view.issuers.get(o)}
    ranks = {_rank(view, other, memories.get(other), keys): (other, keys) for other, keys in others.items() if keys}
    for rank in sorted(ranks):
        other, keys = ranks[rank]
        if rank < _rank(view, issuer, memory, keys):
            return other
    unsettled = not view.issuers.synced or any(
        other != issuer and not memories.get(other).looked_at
        for other in view.issuers.keys()  # noqa: SIM118 - a Store is no dict
    )
    # A key of our own making is nobody else's before it is published; whoever publishes goes on.
    generated = any(loaded.authority.generated for loaded in memory.held.values())
    if unsettled and not generated and mine - _published(memory):
        return Unseen.UNKNOWN
    return None


def concerned(
    memories: IssuerMemories,
    issuer: ObjectKey,
    before: IssuerMemory,
    now: IssuerMemory,
    *,
    waiting: frozenset[ObjectKey],
) -> Iterator[ObjectKey]:
    """Issuers to look at again after this one was: those that share a key which it has, or had, and after its first look
    those that are `waiting` for it.
    """
    first_look = now.looked_at and not before.looked_at
    keys = before.ca_keys | now.ca_keys if before.ca_keys != now.ca_keys else frozenset()
    for other in memories:
        held = memories.get(other).ca_keys
        if other != issuer and held and ((first_look and other in waiting) or held & keys):
            yield other
