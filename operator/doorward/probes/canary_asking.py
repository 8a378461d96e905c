"""One round of a canary at one place: the revoked one, the live one, and those that resume a TLS session."""

from dataclasses import replace
from typing import Protocol

from doorward.objects.endpoints import Replica
from doorward.pki.canaries import CanaryClient
from doorward.planning.canary import Access, Asker, judge
from doorward.planning.enforcement import Asked
from doorward.probes import connection
from doorward.probes.connection import Session
from doorward.probes.prober import NAMES

PROMISED = 2**62
"""Bytes of a body that is never sent: nginx answers 413 to whom it admits, and asks neither gate service nor application."""
EXPECTED = 1
"""Bytes of a body that nginx asks for before it lets the application answer, and after it asked the gate service."""
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
        answers[Asker.UNNAMED] = await _unnamed(replica, asked, live)
        if asked.every_request:
            answers[Asker.WAITING] = await _ask(replica, asked, Asker.WAITING, live, Session())
        return answers


async def _unnamed(replica: Replica, asked: Asked, live: CanaryClient) -> tuple[Access, str]:
    """The worst of the ways in which a session can be resumed without the name of its host. Each has a session of its own: OpenSSL spoils
    that of a handshake that is refused.
    """
    for name in NAMES.values():
        session = Session()
        answer = await _ask(replica, asked, Asker.LIVE, live, session)
        if answer[0] is not Access.ADMITTED:
            return Access.UNCLEAR, answer[1] or "the live one is refused as well"
        if session.kept is not None:
            answer = await _ask(replica, asked, Asker.UNNAMED, None, session, name)
            if answer[0] is not Access.REFUSED:
                return answer
    return Access.REFUSED, ""


async def _ask(
    replica: Replica,
    asked: Asked,
    asker: Asker,
    client: CanaryClient | None,
    session: Session,
    name: str | None = None,
) -> tuple[Access, str]:
    expects = asker is Asker.WAITING
    promised = EXPECTED if expects else PROMISED
    heard = await connection.ask(
        replica,
        asked.host,
        asked.path,
        tls=True,
        client=client,
        promised=promised,
        expects=expects,
        session=session,
        name=name,
    )
    return judge(asked, asker, heard)
