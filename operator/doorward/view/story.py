"""What happened to a certificate or to an object, as the log tells it: each step in the same words, whoever took it."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from doorward.api.conditions import instant
from doorward.logged import about
from doorward.objects.ledger_record import Record, Revocation
from doorward.objects.meta import ObjectKey
from doorward.planning import revocation
from doorward.view.keys import Key
from doorward.view.teller import Teller

logger = logging.getLogger(__name__)
OPERATOR, ANOTHER = "operator", "another"
"""Who took the step: this process; or a person, or another process."""
_CHATTY = frozenset({"True"})
"""Statuses whose messages change with each CRL and each renewal: they are told by their reason alone."""


def step(before: Revocation | None, now: Revocation) -> str:
    """What happened to the serial, in words that never change."""
    was_refused = before is not None and not before.lifted
    if now.lifted:
        return "hold lifted" if was_refused else "lifted hold changed"
    if now.reason == revocation.HOLD:
        return "hold changed" if was_refused else "certificate held"
    final = before is not None and was_refused and not before.is_hold
    return "revocation changed" if final else "certificate revoked"


def tell_revocation(record: Record, now: Revocation, *, by: str) -> None:
    """A step of the serial whose record was `record`."""
    logger.info(
        step(record.revocation, now),
        extra=_of(
            record,
            reason=now.reason,
            since=instant(now.time),
            held_by=now.held_by,
            final_at=instant(now.final_at) if now.final_at is not None else None,
            by=by,
        ),
    )


def _of(record: Record, **fields: object) -> dict[str, object]:
    client, issuer = str(record.holder), str(record.issuer)
    return about(f"ClientCertificate {client}", client=client, issuer=issuer, serial=f"{record.serial:x}", **fields)


class LedgerStory:
    """Tells what others did to the ledger, which this process hears of; one that stands by says nothing, since the one that leads
    says it.
    """

    def __init__(self, leads: Callable[[], bool], teller: Teller | None = None) -> None:
        self._leads = leads
        self._teller = teller
        self._under_way: dict[ObjectKey, tuple[Revocation, ...]] = {}
        """By record, what this process writes into it: the watch may tell of that before the API server has answered. An issuer
        and its ClientCertificate may write into the same one at once; then one of them is refused.
        """

    @contextmanager
    def writing(self, record: Record, now: Revocation) -> Iterator[None]:
        """A step of the serial that this process takes within the block; told when it is taken."""
        self._under_way[record.key] = (*self._under_way.get(record.key, ()), now)
        try:
            yield
        finally:
            left = list(self._under_way.pop(record.key))
            left.remove(now)
            if left:
                self._under_way[record.key] = tuple(left)
        self._tell(record, now, by=OPERATOR)

    def changed(self, before: Record | None, now: Record | None) -> None:
        """A record is another one than before; what is new to this process is no news: it may have just started."""
        if before is None or not self._leads():
            return
        if now is None:
            logger.info("record deleted", extra=_of(before, by=ANOTHER))
        elif now.revocation is not None and now.revocation != before.revocation and not self._is_ours(now):
            self._tell(before, now.revocation, by=ANOTHER)

    def _tell(self, record: Record, now: Revocation, *, by: str) -> None:
        tell_revocation(record, now, by=by)
        if self._teller is not None:
            self._teller.revocation(record, now, by_operator=by == OPERATOR)

    def _is_ours(self, record: Record) -> bool:
        now = record.revocation
        ours = self._under_way.get(record.key, ())
        return now is not None and any((each.reason, each.lifted) == (now.reason, now.lifted) for each in ours)


def tell_conditions(key: Key, before: Iterable[Mapping[str, Any]], now: Iterable[Mapping[str, Any]]) -> None:
    """Each condition that changed: another answer or reason, or another message of what is wrong."""
    known = {item.get("type"): item for item in before if isinstance(item, Mapping)}
    for item in now:
        old = known.pop(item["type"], {})
        names = ["status", "reason"] if item["status"] in _CHATTY else ["status", "reason", "message"]
        if any(old.get(name) != item[name] for name in names):
            told = {name: item[name] for name in ("status", "reason", "message")}
            logger.info("condition changed", extra=_at(key, condition=item["type"], **told))
    for name in known:
        logger.info("condition ended", extra=_at(key, condition=name))


def _at(key: Key, **fields: object) -> dict[str, object]:
    kind = "client" if key.kind == "certificate" else "issuer"
    return about(key, **{kind: str(key.at)}, **fields)
