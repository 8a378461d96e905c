"""Which held serials come back when deletions are undone: those of a client's last deletion, and of no client that was created again.

A client may be deleted because its file was stolen, and created again. Its old serials look like those of a wrong prune, so they
come back only where a person names the client; serials from before its last deletion only where a person names the serial.
"""

from collections.abc import Iterable, Iterator, Sequence

from doorward.objects.ledger_record import Record
from doorward.planning import timing
from doorward.planning.revocation import AFTER_DELETION

CREATED_AGAIN = "left alone: the client was created again"
NEWER = "left alone: the client has newer certificate {serial}"
EARLIER = "left alone: held by an earlier deletion, before certificate {serial}"


def newer(record: Record, of_issuer: Iterable[Record]) -> Iterator[Record]:
    """The certificates that the client got from this issuer after the serial was held."""
    assert record.revocation is not None
    held = record.revocation.time
    for other in of_issuer:
        if other.holder == record.holder and other.issuer == record.issuer and other.key != record.key:
            issued = timing.issued_at(other)
            if issued > held or (issued == held and other.holder_uid != record.holder_uid):
                yield other


def why_not(later: Sequence[Record], *, created_again: bool, named: bool) -> str | None:
    """Why the serial stays held; None: it comes back. `later`: what `newer` gives, `named`: a person names its client.

    A name undoes one deletion: not a second one before it, nor one before a certificate that was revoked.
    """
    live = [other for other in later if not other.refused]
    between = next(filter(_was_deleted, later), None) or (None if live else next(iter(later), None))
    if between is not None:
        return EARLIER.format(serial=f"{between.serial:x}")
    if named or not (live or created_again):
        return None
    return NEWER.format(serial=f"{live[0].serial:x}") if live else CREATED_AGAIN


def _was_deleted(record: Record) -> bool:
    """Whether the certificate's client was deleted, undone or not."""
    revocation = record.revocation
    return revocation is not None and (revocation.held_by == "Deletion" or revocation.reason == AFTER_DELETION)
