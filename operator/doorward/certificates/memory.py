"""What is remembered of each ClientCertificate; dropped with it.

Nothing of it is the truth: it saves reads, or (a signed certificate whose Secret is not written) lets one life of the
process do better than a restart could.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from doorward.cluster.gateway import Object
from doorward.objects.client_secret import Broken, ClientSecret, Contents
from doorward.objects.meta import ObjectKey
from doorward.pki.certificates import Leaf
from doorward.planning.observed import Pending


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A signed certificate whose Secret is not written yet; it must not be signed twice."""

    pending: Pending
    leaf: Leaf
    record: Object
    recorded: bool
    contents: Contents
    failures: int = 0


@dataclass(frozen=True, slots=True)
class SecretView:
    """What was read of the client's Secret."""

    secret: ObjectKey
    versions: tuple[int, int]
    """Of the Secret, and of the one with its keystore's password (0: there is none)."""
    held: ClientSecret | Broken
    since: datetime
    """When this process first saw it so."""


@dataclass(frozen=True, slots=True)
class Signature:
    """Which CA generation signed a leaf, checked once for each set of CAs."""

    leaf_sha256: str
    cas: frozenset[tuple[int, str]]
    """Generations and fingerprints of the CAs that were tried."""
    generation: int
    """0: none of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateMemory:
    """Of one name of a ClientCertificate."""

    signed: Signed | None = None
    view: SecretView | None = None
    signature: Signature | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to remember."""
        return self.signed is None and self.view is None and self.signature is None

    def view_of(self, secret: ObjectKey) -> ClientSecret | Broken | None:
        """What was read of that Secret last; None: nothing."""
        return self.view.held if self.view is not None and self.view.secret == secret else None


NOTHING = CertificateMemory()


class CertificateMemories:
    """By the name of a ClientCertificate. The reconciler and the applier write, each for the one that is worked on."""

    def __init__(self) -> None:
        self._known: dict[ObjectKey, CertificateMemory] = {}
        self._era = 0

    @property
    def era(self) -> int:
        """Changes when all that was read is forgotten; see `keep`."""
        return self._era

    def __len__(self) -> int:
        return len(self._known)

    def get(self, certificate: ObjectKey) -> CertificateMemory:
        """An empty one where nothing is remembered."""
        return self._known.get(certificate, NOTHING)

    def keep(self, certificate: ObjectKey, memory: CertificateMemory, era: int | None = None) -> None:
        """What was learned; in a look that began in an earlier era, nothing that was read counts."""
        if era not in (None, self._era):
            memory = replace(memory, view=None)
        if memory.is_empty:
            self._known.pop(certificate, None)
        else:
            self._known[certificate] = memory

    def forget_views(self) -> None:
        """The cluster was rolled back."""
        self._era += 1
        for certificate, memory in tuple(self._known.items()):
            self.keep(certificate, replace(memory, view=None))
