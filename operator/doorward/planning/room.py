"""How much fits into the trust bundle of an issuer, and which CA generations leave it where more is to be refused than fits.

All anchors and CRLs of an issuer are stored in one ConfigMap and, copied, in one Secret of each gate. Sizes are computed
from the entries, before anything is signed, and never too small.
"""

from collections.abc import Mapping

from doorward.objects.crl_configmap import MAX_BYTES
from doorward.planning.crl import CrlContent

ROOM = MAX_BYTES
"""Bytes, PEM, of all anchors and CRLs of an issuer."""
_LINE = 48
"""Bytes in one line of PEM, which has 65 characters."""
_MARKERS = 64
"""Of one PEM block, and the line that is not full."""
_FRAME = 256
"""Bytes, DER, of a CRL without its entries, and without what its CA's certificate holds as well: name, identifier, signature."""
_WIDEST_ENTRY = 55
"""Bytes, DER: a serial of 20 octets, a time after 2049, and a reason."""
_WIDEST_ANCHOR = 16 * 1024
"""Bytes kept for anchor and frame of one generation."""

_IN_WORK = 100
"""Serials that are signed while others are counted: there are 72 workers."""

CRL_ENTRIES = (ROOM - _WIDEST_ANCHOR) * _LINE // 65 // _WIDEST_ENTRY - _IN_WORK
"""So many serials fit into the CRL of a CA generation for certain, whatever is said of each."""


def size_of(content: CrlContent, anchor_pem: bytes) -> int:
    """Bytes, PEM, that an anchor and its CRL take at most: a few hundred more than they do."""
    entries = sum(_size(entry.serial, entry.revoked_at.year, entry.reason) for entry in content.entries.values())
    return len(anchor_pem) + _pem(entries + _FRAME + len(anchor_pem))


def _size(serial: int, year: int, reason: object) -> int:
    """Bytes, DER: a sequence of the serial, the time, and an extension that is the reason (RFC 5280 §5.1.2.6)."""
    return 4 + serial.bit_length() // 8 + 1 + (15 if year < 2050 else 17) + (14 if reason is not None else 0)


def _pem(size: int) -> int:
    return -(-size // _LINE) * 65 + _MARKERS


def overflowing(sizes: Mapping[int, int]) -> frozenset[int]:
    """The generations that must leave so that the others fit; `sizes`: of anchor and CRL, by generation.

    The oldest one that makes room enough, whose clients change to a newer CA anyway; where none does, the largest first.
    """
    left = dict(sizes)
    while left and (excess := sum(left.values()) - ROOM) > 0:
        enough = [generation for generation, size in left.items() if size >= excess]
        del left[min(enough) if enough else max(left, key=lambda generation: (left[generation], -generation))]
    return frozenset(sizes.keys() - left.keys())
