"""One round of a canary at one place: the revoked one, the live one, and one that resumes a TLS session."""

from dataclasses import replace
from typing import Protocol

from doorward.objects.endpoints import Replica
from doorward.pki.canaries import CanaryClient
from doorward.planning.canary import Access, Asker, judge
from doorward.planning.enforcement import Asked
from doorward.probes import connection
from doorward.probes.connection import Session

PROMISED = 2**62
"""Bytes of a body that is never sent: nginx answers 413 to whom it admits, and asks neither gate service nor application."""
Answers = dict[Asker, tuple[Access, str]]


class CanaryProber(Protocol):
    """What lets canaries ask."""

    async def canary(
        self, replica: Replica, asked: Asked, revoked: CanaryClient, live: CanaryClient, session: Session
    ) -> Answers:
        """What they were answered. `session`: of the revoked one while it was live, if there is one; then of the live one."""
        ...


class NetworkCanaries:
    """Over the network."""

    async def canary(
        self, replica: Replica, asked: Asked, revoked: CanaryClient, live: CanaryClient, session: Session
    ) -> Answers:
        """See `CanaryProber`. The others ask only where the revoked one is refused: until then they have nothing to show."""
        answers = {Asker.REVOKED: await _ask(replica, asked, Asker.REVOKED, revoked, Session())}
        if answers[Asker.REVOKED][0] is not Access.REFUSED:
            return answers
        of_live = Session()
        answers[Asker.LIVE] = await _ask(replica, asked, Asker.LIVE, live, of_live)
        if answers[Asker.LIVE][0] is not Access.ADMITTED:
            return answers
        resumed = session if session.kept is not None else replace(of_live)
        if resumed.kept is None:
            answers[Asker.RESUMED] = Access.REFUSED, ""  # there is no session that anybody could resume
        else:
            answers[Asker.RESUMED] = await _ask(replica, asked, Asker.RESUMED, None, resumed)
        session.kept, session.context = of_live.kept, of_live.context
        return answers


async def _ask(
    replica: Replica, asked: Asked, asker: Asker, client: CanaryClient | None, session: Session
) -> tuple[Access, str]:
    heard = await connection.ask(
        replica, asked.host, asked.path, tls=True, client=client, promised=PROMISED, session=session
    )
    return judge(asked, asker, heard)
