"""What is published of one issuer: the anchors and CRLs of its CA generations, as they were read back and verified."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from doorward.pki.crls import CrlEntry, PublishedCrl


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """One trusted CA generation, as the gates are shown it."""

    pem: bytes
    public_key_sha256: str
    subject: str
    not_after: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedTrust:
    """By generation: its anchor, and the CRL that its key signed. Never empty."""

    anchors: Mapping[int, Anchor]
    crls: Mapping[int, PublishedCrl]
    size: int
    """Bytes of the whole bundle, PEM."""
    sound: bool = True
    """Whether the bundle holds nothing else, and an anchor and a CRL of each."""
    entries: Mapping[int, CrlEntry] = field(init=False)
    """Of all CRLs, by serial."""

    def __post_init__(self) -> None:
        lists = [self.crls[generation].entries for generation in sorted(self.crls)]
        merged = lists[0] if len(lists) == 1 else {serial: entry for each in lists for serial, entry in each.items()}
        object.__setattr__(self, "entries", merged)

    @property
    def number(self) -> int:
        """The highest CRL number."""
        return max(crl.number for crl in self.crls.values())

    @property
    def this_update(self) -> datetime:
        """Of the oldest CRL."""
        return min(crl.this_update for crl in self.crls.values())

    @property
    def next_update(self) -> datetime:
        """Of the CRL that lapses first."""
        return min(crl.next_update for crl in self.crls.values())
