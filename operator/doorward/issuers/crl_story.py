"""What a new CRL says that the one before did not, as the log tells it."""

import logging
from collections.abc import Mapping

from doorward.cluster.steps import in_steps
from doorward.logged import about
from doorward.objects.meta import ObjectKey
from doorward.objects.trust_bundle import PublishedTrust
from doorward.pki.crls import PublishedCrl
from doorward.view.stores import View

logger = logging.getLogger(__name__)
MOST_TOLD = 1_000
"""Serials that entered or left one CRL, of which the log has a line each."""


async def tell(
    view: View, issuer: ObjectKey, bases: Mapping[int, tuple[PublishedCrl, ...]], trust: PublishedTrust
) -> tuple[str, ...]:
    """The CRLs that are published, and each serial that entered or left them, with its client; all these clients.

    `bases`: by generation, the CRLs that they were made from. That of a generation whose key is missing stays as it is.
    """
    number = trust.number
    logger.info("crl published", extra=_about(issuer, number=number, entries=len(trust.entries)))
    named = {serial: entry for generation in bases for serial, entry in trust.crls[generation].entries.items()}
    before = {serial for crls in bases.values() for crl in crls for serial in crl.entries}
    changed = [(serial, "serial entered the crl") for serial in sorted(named.keys() - before)]
    changed += [(serial, "serial left the crl") for serial in sorted(before - named.keys())]
    clients: dict[str, None] = {}
    async for serial, words in in_steps(changed[:MOST_TOLD]):
        record = next(iter(view.ledger.of_serial(issuer, serial)), None)
        client = str(record.holder) if record is not None else None
        if client is not None:
            clients[client] = None
        entry = named.get(serial)
        reason = entry.reason.value if entry is not None and entry.reason is not None else None
        logger.info(words, extra=_about(issuer, client=client, serial=f"{serial:x}", number=number, reason=reason))
    if len(changed) > MOST_TOLD:
        logger.info("more serials entered or left the crl", extra=_about(issuer, count=len(changed) - MOST_TOLD))
    return tuple(clients)


def _about(issuer: ObjectKey, **fields: object) -> dict[str, object]:
    return about(f"MTLSIssuer {issuer}", issuer=str(issuer), **fields)
