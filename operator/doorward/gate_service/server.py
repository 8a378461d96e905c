"""The HTTP side: one answer for each request, 200 or 403, without a body. Whatever goes wrong is 403."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Protocol

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from doorward.gate_service.identity import headers_of
from doorward.gate_service.knowledge import Answer
from doorward.gate_service.ledger import Serial
from doorward.objects.proxy_requests import envoy, ingress_nginx, traefik
from doorward.objects.proxy_requests.question import Question
from doorward.planning.admission import Verdict

logger = logging.getLogger(__name__)
BACKLOG = 1024
"""Connections that wait to be accepted: ingress-nginx opens one for each request."""
LONGEST_HEAD = 64 * 1024
"""Bytes of a request's line and headers: nginx passes on what the client sent, of which it takes 32 KiB itself."""
REMEMBERED = 2_048
"""Texts that were read already, and headers that were made: a client asks the same again and again. No answer is among them."""

Headers = list[tuple[str, str]]


class Sent(Protocol):
    """The headers of a request."""

    def items(self) -> Headers:
        """Names in lower case, and values; a header that was sent twice is there twice."""
        ...


class Scope(Protocol):
    """What is read of a request; granian gives path and query as they came."""

    method: str
    path: str
    query_string: str

    @property
    def headers(self) -> Sent: ...


def _sent(scope: Scope, header: str) -> list[str]:
    return [value for name, value in scope.headers.items() if name == header]


_read_of_ingress_nginx = lru_cache(maxsize=REMEMBERED)(ingress_nginx.parse)


def _of_ingress_nginx(path: str, scope: Scope) -> Question | None:
    query = scope.query_string
    if scope.method != "GET" or len(path) + len(query) > ingress_nginx.LONGEST:
        return None
    return _read_of_ingress_nginx(path, query)


def _of_traefik(path: str, scope: Scope) -> Question | None:
    sent = _sent(scope, traefik.HEADER)
    return traefik.parse(path, scope.query_string, sent) if scope.method == "GET" else None


def _of_envoy(path: str, scope: Scope) -> Question | None:
    """It asks with the method, path and query of the client."""
    return envoy.parse(path, _sent(scope, envoy.HEADER))


INGRESS_NGINX, TRAEFIK, ENVOY = "ingress-nginx", "traefik", "envoy"
PROXIES: Mapping[str, Callable[[str, Scope], Question | None]] = {
    INGRESS_NGINX: _of_ingress_nginx,
    TRAEFIK: _of_traefik,
    ENVOY: _of_envoy,
}
"""How each proxy asks, by the first part of the path."""


@lru_cache(maxsize=REMEMBERED)
def _headers_of(serial: Serial) -> Headers:
    return headers_of(serial.client.key, serial.common_name, serial.number)


class Application:
    """The RSGI application; `counted` is told of every answer. Proxies that are not named are not answered."""

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
        path = scope.path  # each look makes a new text
        parse = self._proxies.get(path[1:65].partition("/")[0])
        return parse(path, scope) if parse is not None else None

    async def __rsgi__(self, scope: Scope, protocol: Any) -> None:
        status, headers = self.respond(scope)
        protocol.response_empty(status, headers)

    def respond(self, scope: Scope) -> tuple[int, Headers]:
        """Status and headers of the answer."""
        try:
            answer = self._answer(self.question_of(scope))
            self._counted(answer)
            if answer.verdict is Verdict.ADMITTED and (found := answer.serial) is not None:
                return 200, _headers_of(found)
        except Exception:
            logger.exception("cannot answer")
        return 403, []


async def serve(application: Application, host: str, port: int, stop: asyncio.Event) -> None:
    """Answer until `stop`; requests that are under way are answered."""
    server = Server(
        application,
        address=host,
        port=port,
        interface=Interfaces.RSGI,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(keep_alive=True, max_buffer_size=LONGEST_HEAD),
        websockets=False,
        backlog=BACKLOG,
        log_enabled=False,
    )
    serving = asyncio.ensure_future(server.serve())
    stopped = asyncio.ensure_future(stop.wait())
    await asyncio.wait((serving, stopped), return_when=asyncio.FIRST_COMPLETED)
    server.stop()  # type: ignore[no-untyped-call]  # granian has no types here
    stopped.cancel()
    await serving
