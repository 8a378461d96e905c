"""What `doorward restore` cannot do: certificates that stay refused though their holds were ended, and those without a hold."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from doorward.cli.ledgers import trusted_of
from doorward.cluster.errors import ApiError, NotFound
from doorward.cluster.gateway import ISSUER, Gateway, Object
from doorward.objects.ledger_record import Record
from doorward.objects.meta import ObjectKey

FOR_GOOD = "{client}: serial {serial} stays refused, it is revoked for good as {reason}"
NO_ISSUER = "MTLSIssuer {issuer} does not exist: its gates admit nobody until it is created again"
NOT_PUBLISHING = "MTLSIssuer {issuer} cannot publish a CRL now, so what was restored stays refused until it can: {why}"
NOT_TRUSTED = (
    "{client}: serial {serial} stays refused, the gates do not trust CA generation {generation} that signed it"
)


def is_final(record: Record, now: datetime) -> bool:
    """Whether an unexpired certificate is revoked for good."""
    return record.refused and record.revocation is not None and not record.revocation.is_hold and now < record.not_after


def for_good(records: Iterable[Record]) -> Iterator[str]:
    """The certificates of these clients that nothing brings back: somebody may have one of them as a file."""
    for _, record in sorted({record.key: record for record in records}.items()):
        assert record.revocation is not None
        yield FOR_GOOD.format(client=record.holder, serial=f"{record.serial:x}", reason=record.revocation.reason)


async def problems(gateway: Gateway, issuer: ObjectKey, ended: Iterable[Record]) -> list[str]:
    """Why certificates whose holds were ended stay refused; nothing: the next CRL lets them in."""
    try:
        body = await gateway.get(ISSUER, issuer.namespace, issuer.name)
    except NotFound:
        return [NO_ISSUER.format(issuer=issuer)]
    except ApiError:
        return []
    status = body.get("status") or {}
    trusted = trusted_of(body) or frozenset()
    said = [
        NOT_TRUSTED.format(client=record.holder, serial=f"{record.serial:x}", generation=record.generation)
        for record in ended
        if trusted and record.generation not in trusted
    ]
    blocked = next((each for each in status.get("conditions") or () if _blocks(each)), None)
    return said if blocked is None else [*said, NOT_PUBLISHING.format(issuer=issuer, why=blocked["message"])]


def _blocks(condition: Object) -> bool:
    """Whether it says that the issuer cannot publish."""
    old = condition["type"] == "CRLCurrent" and condition["status"] != "True"
    return bool(old or condition["reason"] == "CaKeyNotLoaded")
