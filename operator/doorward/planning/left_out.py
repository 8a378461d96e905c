"""Which CA generations no gate may trust: those that a person distrusts, and those that had to be closed; and what is known of
the identities of generations.
"""

from collections.abc import Container, Iterable, Mapping

from doorward.objects.trust_bundle import PublishedTrust
from doorward.planning.observed import Authority, IssuerObserved


def distrusted(named: Iterable[int], keys: Mapping[int, str]) -> frozenset[int]:
    """Those that are `named`, and all others over their keys: whoever has a key signs for any name and identifier."""
    named = frozenset(named)
    out = {keys[generation] for generation in named if generation in keys}
    return named | {generation for generation, key in keys.items() if key in out}


def present(held: Iterable[Authority], published: PublishedTrust | None) -> tuple[dict[int, str], dict[int, str]]:
    """By generation, the public keys and the identities of those that are published, or whose keys are held."""
    shown = published.anchors if published is not None else {}
    keys = {generation: anchor.public_key_sha256 for generation, anchor in shown.items()}
    identities = {generation: anchor.identity for generation, anchor in shown.items()}
    for authority in held:
        keys[authority.generation] = authority.public_key_sha256
        identities[authority.generation] = authority.identity
    return keys, identities


def told_apart(o: IssuerObserved, identities: Mapping[int, str]) -> dict[int, str]:
    """The identities of the generations that were told by them from the first, those that are new included."""
    return {**{g: each for g, each in identities.items() if g not in o.known}, **o.identities}


def untold(o: IssuerObserved, authority: Authority, keys: Mapping[int, str]) -> frozenset[int]:
    """The other generations over the key of this one that an older version published. It told generations by their keys: where
    the CA got another identifier, and later the first one again, certificates of theirs name this CA.
    """
    over = {g for g, key in {**o.known, **keys}.items() if key == authority.public_key_sha256}
    return frozenset(over & o.known.keys()) - o.identities.keys() - {authority.generation}


def closed(
    o: IssuerObserved,
    keys: Mapping[int, str],
    identities: Mapping[int, str],
    unexpired: Container[int],
    overflowing: frozenset[int],
) -> dict[int, str]:
    """By generation, the public keys of those that were closed before, and of those that overflow now; forgotten when all their
    certificates have expired and their keys are gone. A closed CA never signs again under another number.
    """
    before = {g: key for g, key in o.closed.items() if g in unexpired or key in keys.values()}
    cas = {(key, o.identities.get(generation)) for generation, key in before.items()}
    again = {g for g, key in keys.items() if (key, None) in cas or (key, identities.get(g)) in cas}
    return before | {generation: keys[generation] for generation in overflowing | again if generation in keys}
