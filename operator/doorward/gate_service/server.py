"""The HTTP side: one answer for each request, 200 or 403, without a body. Whatever goes wrong is 403."""

import asyncio
import logging
import socket
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Protocol

from doorward.clock import Clock
from doorward.gate_service.connections import REFUSED, Connections
from doorward.gate_service.identity import headers_of
from doorward.gate_service.knowledge import Answer
from doorward.gate_service.ledger import Serial
from doorward.objects.proxy_requests import envoy, ingress_nginx, traefik
from doorward.objects.proxy_requests.question import Question
from doorward.planning.admission import Verdict

logger = logging.getLogger(__name__)
BACKLOG = 1024
"""Connections that wait to be accepted: ingress-nginx opens one for each request."""
UNASKED = 5
"""Seconds for which the kernel keeps connections on which nothing was asked yet."""
REMEMBERED = 2_048
"""Texts that were read already, and headers that were made: a client asks the same again and again. No answer is among them."""


class Scope(Protocol):
    """What is read of a request: path and query as they came."""

    method: str
    path: str
    query_string: str

    def sent(self, header: str) -> list[str]:
        """The values of a header, whose name is given in lower case; one that was sent twice is there twice."""
        ...


_read_of_ingress_nginx = lru_cache(maxsize=REMEMBERED)(ingress_nginx.parse)


def _of_ingress_nginx(path: str, scope: Scope) -> Question | None:
    query = scope.query_string
    if scope.method != "GET" or len(path) + len(query) > ingress_nginx.LONGEST:
        return None
    return _read_of_ingress_nginx(path, query)


def _of_traefik(path: str, scope: Scope) -> Question | None:
    sent = scope.sent(traefik.HEADER)
    return traefik.parse(path, scope.query_string, sent) if scope.method == "GET" else None


def _of_envoy(path: str, scope: Scope) -> Question | None:
    """It asks with the method, path and query of the client."""
    return envoy.parse(path, scope.sent(envoy.HEADER))


INGRESS_NGINX, TRAEFIK, ENVOY = "ingress-nginx", "traefik", "envoy"
PROXIES: Mapping[str, Callable[[str, Scope], Question | None]] = {
    INGRESS_NGINX: _of_ingress_nginx,
    TRAEFIK: _of_traefik,
    ENVOY: _of_envoy,
}
"""How each proxy asks, by the first part of the path."""


@lru_cache(maxsize=REMEMBERED)
def _headers_of(serial: Serial) -> bytes:
    """As they are sent; an error where one is no ASCII."""
    said = headers_of(serial.client.key, serial.common_name, serial.number)
    return "".join([f"{name}: {value}\r\n" for name, value in said]).encode("ascii")


class Application:
    """What is answered; `counted` is told of every answer. Proxies that are not named are not answered."""

    def __init__(
        self,
        answer: Callable[[Question | None], Answer],
        counted: Callable[[Answer], None],
        proxies: Iterable[str] = (INGRESS_NGINX,),
    ) -> None:
        self._answer = answer
        self._counted = counted
        self._proxies = {name: PROXIES[name] for name in proxies}

    def question_of(self, scope: Scope) -> Question | None:
        """What a request asks; None: no proxy asks so."""
        parse = self._proxies.get(scope.path[1:65].partition("/")[0])
        return parse(scope.path, scope) if parse is not None else None

    def respond(self, scope: Scope) -> tuple[int, bytes]:
        """Status of the answer, and lines of headers."""
        try:
            answer = self._answer(self.question_of(scope))
            self._counted(answer)
            if answer.verdict is Verdict.ADMITTED and (found := answer.serial) is not None:
                return 200, _headers_of(found)
        except Exception:
            logger.exception("cannot answer")
        return REFUSED, b""


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
    # A connection is told of together with its first request, and not once before: half of the turns of the loop.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, UNASKED)
    return listening


async def serve(application: Application, host: str, port: int, stop: asyncio.Event, clock: Clock) -> None:
    """Answer until `stop`; requests that are under way are answered."""
    connections = Connections(application.respond, clock)
    listening = _listen(host, port)
    server = await asyncio.get_running_loop().create_server(connections.new, sock=listening, backlog=BACKLOG)
    looking_after = asyncio.ensure_future(connections.look_after())
    try:
        await stop.wait()
    finally:
        looking_after.cancel()
        server.close()
        await connections.close()
