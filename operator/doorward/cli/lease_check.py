"""Whether an operator is at work, by its Lease: what people run while none may is not begun beside one."""

import asyncio

from doorward.cluster import lease
from doorward.cluster.gateway import LEASE, Gateway, get_if_there
from doorward.cluster.lease import Seen
from doorward.objects.meta import ObjectKey


async def holder(gateway: Gateway, at: ObjectKey) -> str:
    """Who holds the Lease; empty: nobody. Raises ApiError where it cannot be read.

    As an operator that wants it would: no other host's clock is trusted, so one that is named there is watched. It renews its
    Lease every few seconds, or it has ended without releasing it.
    """
    loop, seen = asyncio.get_running_loop(), None
    while True:
        body, before = await get_if_there(gateway, LEASE, at), seen
        if body is None:
            return ""
        seen = lease.look(body, before, loop.time())
        if lease.may_take(seen, "", loop.time()):
            return ""
        if _renewed(before, seen):
            return seen.holder
        await asyncio.sleep(lease.next_look(seen, loop.time()))


def _renewed(before: Seen | None, now: Seen) -> bool:
    return before is not None and before.version != now.version
