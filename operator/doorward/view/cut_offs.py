"""Who is told of each change, to follow how long cut-offs take."""

from typing import Any, Protocol

from doorward.cluster.gateway import Kind
from doorward.objects.meta import ObjectKey
from doorward.view.trust_domains import TrustDomain


class CutOffWatch(Protocol):
    """Told in the order of the changes: it must neither wait nor raise."""

    def changed(self, kind: Kind, key: ObjectKey, before: Any, now: Any) -> None:
        """An object is another one than before; either may be None. Values are those of the kind's store."""
        ...

    def published(self, issuer: ObjectKey, before: TrustDomain | None, now: TrustDomain) -> None:
        """What a look found to be published of an issuer, and whether its gates hold it; before None: the first look."""
        ...


class NobodyWatches:
    """See `CutOffWatch`; keeps nothing."""

    def changed(self, kind: Kind, key: ObjectKey, before: Any, now: Any) -> None: ...

    def published(self, issuer: ObjectKey, before: TrustDomain | None, now: TrustDomain) -> None: ...
