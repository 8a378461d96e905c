"""Which of the CAs in Secrets are an issuer's: those that it made, and those that a backup brought after it had made another."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from doorward.api.conditions import Condition, said
from doorward.issuers.memory import IssuerMemory, Unusable
from doorward.objects.ca_proof import CaProof
from doorward.objects.meta import ObjectKey, ca_secret_name
from doorward.planning import timing
from doorward.view.ledger import Ledger
from doorward.view.trust_domains import LoadedCa

RESTORE = timing.BACKDATE + timedelta(hours=1)
"""So long after a CA was made it is asked whether the ledger has certificates that are older: a restore is under way."""

FEW = 2000
"""Records that take no time to walk through; with more of them it is asked once in a while."""
ASK_AGAIN = timedelta(minutes=1)


def proven(
    issuer: ObjectKey, cas: Iterable[tuple[int, LoadedCa | Unusable]], proof: CaProof, ledger: Ledger, now: datetime
) -> tuple[frozenset[int], list[tuple[int, LoadedCa | Condition]]]:
    """By generation the CA, or what is wrong with it, of two Secrets with one key the one that has its number; and the numbers of
    CAs that a backup brought in place of others. Decisions 0017 and 0024.
    """
    cas = tuple(cas)
    loaded = [(generation, ca.authority.public_key_sha256) for generation, ca in cas if isinstance(ca, LoadedCa)]
    restored: set[int] = set()
    found: list[tuple[int, LoadedCa | Condition]] = []
    for generation, ca in cas:
        if isinstance(ca, Unusable):
            found.append((generation, ca.why))
            continue
        a, name = ca.authority, ca_secret_name(issuer.name, generation)
        if proof.accepts(generation, a.public_key_sha256, loaded) and proof.is_same(a.public_key_sha256, a.identity):
            pass
        elif proof.restores(generation, a.not_before, ledger.oldest(issuer, generation, now)):
            restored.add(generation)
        else:
            found.append((generation, said("CaReplaced", secret=name, subject=proof.subject(generation))))
            continue
        found.append((generation, ca))
    return frozenset(restored), found


def is_asked(memory: IssuerMemory, records: int, now: datetime) -> bool:
    """Whether `contradicted` is worth its time now: it walks through all records, at each look at the issuer."""
    last = memory.asked_at
    return records <= FEW or bool(memory.not_restored) or last is None or not last <= now < last + ASK_AGAIN


def contradicted(
    issuer: ObjectKey, held: Iterable[LoadedCa], proof: CaProof, ledger: Ledger, before: frozenset[int], now: datetime
) -> frozenset[int]:
    """The CA generations of the operator's making that cannot have signed all that the ledger has of them: their CA was not restored
    with it, so far. `before`: those that were known already. All records are walked through, so only young CAs are asked about.
    """
    authorities = [loaded.authority for loaded in held if loaded.authority.generated]
    return frozenset(
        a.generation
        for a in authorities
        if (a.generation in before or now < a.not_before + RESTORE)
        and proof.contradicts(a.public_key_sha256, ledger.oldest(issuer, a.generation, now))
    )
