"""The gateway over the real API server: dicts in and out through the `kubernetes` package's own client.

Its typed models cost about twice the CPU of dicts (measured), so only configuration, authentication and
connections are used of it.
"""

import asyncio
from asyncio import sslproto
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import client

from doorward.clock import Clock, SystemClock
from doorward.cluster.answers import AS_IT_IS, COMPRESSED, Answered, answered
from doorward.cluster.arriving import Page
from doorward.cluster.errors import Transient, from_answer, seconds_of
from doorward.cluster.gateway import FIELD_MANAGER, LAST_LOOK, MERGE_PATCH, Kind, Object, WatchEvent
from doorward.cluster.identity import Identity
from doorward.cluster.lists import AS_THEY_ARE, Lists, page_of_specs, whole
from doorward.cluster.skew import Skew
from doorward.cluster.steps import in_steps

T = TypeVar("T")
REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=15.0, sock_connect=3.0)
WATCH_SECONDS = 290
TLS_BUFFER = 32 * 1024
"""Bytes that asyncio holds for each TLS connection. Its own 256 KiB are 512 MB at a thousand namespaces, of two watches each
(measured)."""
LONGEST_SILENCE = 75.0
"""The API server sends a bookmark every minute: a watch that is silent for longer (seconds) has lost its connection."""
_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


async def connect(kubeconfig: str | None, context: str | None = None) -> client.ApiClient:
    """A client from a kubeconfig file, or from the Pod's service account when None. Without `context` its current one."""
    return await connect_as(Identity(kubeconfig, SystemClock(), context))


async def connect_as(identity: Identity) -> client.ApiClient:
    """A client that speaks as this identity; ConfigException where that cannot be read."""
    await identity.load()
    configuration = identity.configuration
    sslproto.SSLProtocol.max_size = TLS_BUFFER
    # No limit: each namespace that takes part holds two watches, and at 100 nothing else would ever be asked again.
    configuration.connection_pool_maxsize = 0
    # Else aiohttp looks for a .netrc file before every request (5 % of the operator's CPU in a storm, measured).
    # A body is decompressed in one step where it is read: aiohttp does it in many, and holds all of a page twice.
    configuration.client_session_kwargs = {
        "trust_env": False,
        "trace_configs": [_last_look()],
        "auto_decompress": False,
    }
    api = client.ApiClient(configuration)
    api.user_agent = FIELD_MANAGER
    return api


def _last_look() -> aiohttp.TraceConfig:
    """Between asking for a write and its bytes leaving lie a connection and turns of the event loop: in a storm a process
    that was paused there wrote when it went on, after another had taken over (measured).
    """

    async def ask(*_: object) -> None:
        if (look := LAST_LOOK.get()) is not None:
            look()

    tracing = aiohttp.TraceConfig()
    tracing.on_request_headers_sent.append(ask)
    tracing.on_request_chunk_sent.append(ask)
    return tracing


class LiveGateway:
    """See `Gateway`."""

    def __init__(
        self,
        api: client.ApiClient,
        clock: Clock,
        *,
        limits: aiohttp.ClientTimeout = REQUEST_TIMEOUT,
        identity: Identity | None = None,
        lists: Lists = AS_THEY_ARE,
    ) -> None:
        """`identity`: told where the API server does not accept the credentials; `lists`: how lists and watches are read."""
        self._api = api
        self._clock = clock
        self._identity = identity
        self._skew = Skew(clock)
        self._date = ""
        self._limits = limits
        self._lists = lists

    async def close(self) -> None:
        """Let go of the connections."""
        await self._api.close()  # type: ignore[no-untyped-call]  # kubernetes.aio has no types

    def skew(self) -> timedelta:
        return self._skew.now()

    async def _open(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        accept: str = "application/json",
        content_type: str = "application/json",
        encoding: str = COMPRESSED,
        limits: aiohttp.ClientTimeout | None = None,
    ) -> aiohttp.ClientResponse:
        headers = {"Accept": accept, "Content-Type": content_type, "User-Agent": self._api.user_agent}
        headers["Accept-Encoding"] = encoding
        await self._api.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        url = self._api.configuration.host + path + (f"?{urlencode(query)}" if query else "")
        try:
            answer = await self._api.rest_client.request(  # type: ignore[no-untyped-call]  # kubernetes.aio has no types
                method, url, headers=headers, body=body, _request_timeout=limits or self._limits
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Transient(f"{method} {path}: {type(error).__name__}: {error}") from error
        response: aiohttp.ClientResponse = answer.response
        self._hear_date(response.headers.get("Date"))
        if response.status == 401 and self._identity is not None:
            self._identity.refused()
        if response.status >= 400:
            asked = seconds_of(response.headers.get("Retry-After"), self._clock.now_precise() - self._skew.now())
            raise from_answer(response.status, *await _status_of(response), retry_after=asked)
        return response

    async def _ask(self, method: str, path: str, **options: Any) -> Answered:
        return await answered(await self._open(method, path, **options), f"{method} {path}")

    async def _request(self, method: str, path: str, **options: Any) -> Object:
        return (await self._ask(method, path, **options)).read(whole)

    def _hear_date(self, header: str | None) -> None:
        if header and header != self._date:  # many answers come within a second
            self._date = header
            try:
                self._skew.hear(parsedate_to_datetime(header))
            except (ValueError, TypeError, OverflowError):
                return

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Object:
        return await self._request("GET", kind.path(namespace, name))

    async def list(
        self, kind: Kind, namespace: str | None, *, selector: str = "", metadata_only: bool = False
    ) -> tuple[list[Object], str]:
        def whole(body: Object) -> Object:
            return body

        items, version = await self.collect(whole, kind, namespace, selector=selector, metadata_only=metadata_only)
        return [*items], version

    async def collect(
        self,
        take: Callable[[Object], T],
        kind: Kind,
        namespace: str | None,
        *,
        selector: str = "",
        metadata_only: bool = False,
    ) -> tuple[Sequence[T], str]:
        items: list[T] = []
        query = {"limit": str(self._lists.page)} | ({"labelSelector": selector} if selector else {})
        accept = _METADATA_LIST if metadata_only else "application/json"
        path = kind.path(namespace)
        while True:
            cut = self._lists.cut(kind, metadata_only=metadata_only)
            if cut is not None:
                page = Page(await self._open("GET", path, query=query), f"GET {path}", cut, page_of_specs)
                async with aclosing(page.objects()) as found:
                    items.extend([take(body) async for body in found])
                metadata = page.metadata
            else:
                answer = (await self._ask("GET", path, query=query, accept=accept)).read(whole)
                await asyncio.sleep(0)  # a page is read in one step, which is long enough
                items.extend([take(body) async for body in in_steps(answer.get("items") or ())])
                metadata = answer["metadata"]
                del answer  # a page is in memory once
            if not (token := metadata.get("continue")):
                return items, metadata["resourceVersion"]
            query["continue"] = token

    async def create(self, kind: Kind, namespace: str, body: Object, *, dry_run: bool = False) -> Object:
        query = {"fieldManager": FIELD_MANAGER} | ({"dryRun": "All"} if dry_run else {})
        return await self._request("POST", kind.path(namespace), body=body, query=query)

    async def replace(self, kind: Kind, namespace: str, name: str, body: Object) -> Object:
        return await self._request("PUT", kind.path(namespace, name), body=body, query={"fieldManager": FIELD_MANAGER})

    async def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        body: Object,
        *,
        content_type: str = MERGE_PATCH,
        subresource: str = "",
        query: Mapping[str, str] | None = None,
    ) -> Object:
        path = kind.path(namespace, name) + (f"/{subresource}" if subresource else "")
        return await self._request(
            "PATCH", path, body=body, content_type=content_type, query={"fieldManager": FIELD_MANAGER, **(query or {})}
        )

    async def delete(
        self, kind: Kind, namespace: str, name: str, *, version: str | None = None, uid: str | None = None
    ) -> None:
        only = {key: value for key, value in (("resourceVersion", version), ("uid", uid)) if value is not None}
        body = {"preconditions": only} if only else None
        await self._request("DELETE", kind.path(namespace, name), body=body)

    async def watch(
        self, kind: Kind, namespace: str | None, version: str, *, selector: str = "", metadata_only: bool = False
    ) -> AsyncIterator[WatchEvent]:
        query = {
            "watch": "1",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        } | ({"labelSelector": selector} if selector else {})
        read = self._lists.event_reader(kind, metadata_only=metadata_only)
        response = await self._open(
            "GET",
            kind.path(namespace),
            query=query,
            accept=_METADATA if metadata_only else "application/json",
            encoding=AS_IT_IS,
            limits=aiohttp.ClientTimeout(total=None, sock_connect=3.0, sock_read=LONGEST_SILENCE),
        )
        try:
            async for line in response.content:
                event = read(line)
                if event["type"] == "ERROR":
                    status = event["object"]
                    raise from_answer(status.get("code", 500), status.get("reason", ""), status.get("message", ""))
                yield WatchEvent(event["type"], event["object"])
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError, KeyError, TypeError) as error:
            raise Transient(f"watch {kind.plural}: {type(error).__name__}: {error}") from error
        finally:
            response.close()


async def _status_of(response: aiohttp.ClientResponse) -> tuple[str, str]:
    """Reason and message of the API's Status object, as far as the body is one."""
    try:
        status = (await answered(response, "status")).read(whole)
        return str(status.get("reason", "")), str(status.get("message", ""))[:2000]
    except (AttributeError, Transient):
        return "", ""
