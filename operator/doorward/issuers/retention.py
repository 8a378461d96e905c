"""Everything about the ledger of one issuer that retention looks at."""

from datetime import datetime

from doorward.api.kinds import MTLSIssuerSpec
from doorward.cluster.gateway import Gateway
from doorward.issuers.memory import IssuerMemories
from doorward.objects.ledger_record import Record
from doorward.objects.meta import ObjectKey
from doorward.planning import retention
from doorward.planning.observed import Unseen
from doorward.planning.retention import LedgerObserved
from doorward.view.stores import View


class LedgerObserver:
    """Looks at one ledger. It changes nothing."""

    def __init__(self, view: View, gateway: Gateway, memories: IssuerMemories) -> None:
        self._view = view
        self._gateway = gateway
        self._memories = memories

    def observe(self, key: ObjectKey, now: datetime) -> LedgerObserved | None:
        """The ledger of an MTLSIssuer at `now`; None where there is none."""
        view = self._view
        found = view.issuers.get(key)
        if found is None:
            return None
        records = view.ledger.of_issuer(key)
        opted_in = view.opted_in.get(key.namespace)
        return LedgerObserved(
            key=key,
            spec=found.spec,
            records=records,
            named=retention.named_by(self._memories.get(key).published),
            last=self._last(key, found.spec, records, now),
            index=Unseen.UNKNOWN if opted_in is None else view.archives.index(key) if opted_in else Unseen.DENIED,
            skew=self._gateway.skew(),
        )

    def _last(
        self, key: ObjectKey, spec: MTLSIssuerSpec | str, records: tuple[Record, ...] | Unseen, now: datetime
    ) -> frozenset[ObjectKey] | Unseen:
        """The newest record of each ClientCertificate of this issuer that has records whose time is over."""
        view = self._view
        if not view.certificates.synced or isinstance(records, Unseen) or isinstance(spec, str):
            return Unseen.UNKNOWN
        last: set[ObjectKey] = set()
        over = retention.horizon(spec, now)
        for client in {record.holder for record in records if record.not_after <= over}:
            found = view.certificates.get(client)
            if found is not None or not view.serves(client.namespace):
                newest = retention.last_of(record for record in view.ledger.of_client(client) if record.issuer == key)
                last.update({newest.key} if newest is not None else ())
        return frozenset(last)
