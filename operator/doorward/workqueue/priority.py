"""In which order keys are worked on, and how many of a kind at once."""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType


class Priority(IntEnum):
    """What a key is worked on for. A lower value goes first."""

    CUT_OFF = 0
    """Access is revoked: the ledger records, the CRL that names them, and the gates that hold it."""
    INTERACTIVE = 1
    """A person waits for it: an Ingress that opts in, a suspension that is lifted."""
    ISSUANCE = 2
    """Certificates to issue, of which there may be thousands."""
    BACKGROUND = 3
    """Nobody waits for it: background reissues and repairs of many objects."""
    CA_CREATION = 4
    """A CA key is generated, which takes seconds of CPU."""


AT_ONCE: Mapping[Priority, int] = MappingProxyType({Priority.BACKGROUND: 8, Priority.CA_CREATION: 1})
"""How many keys of a priority are worked on at once; a priority that is not here has no limit of its own.

CA keys and client keys are generated in the same two threads: one of them stays free for clients.
"""
