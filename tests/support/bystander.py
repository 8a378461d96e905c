"""Somebody who watches the API server and keeps every version of what he sees, in order."""

import contextlib
import json
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import urllib3
from kubernetes import client

from tests.support.kube import Kind, Object, eventually


class Bystander:
    """Watches kinds in one namespace. Versions of one etcd are one count, whatever the kind."""

    def __init__(self, api: client.ApiClient, namespace: str, kinds: Sequence[Kind]) -> None:
        self._api = api
        self._namespace = namespace
        self._kinds = kinds
        self._seen: list[tuple[int, Kind, Object]] = []
        self._streams: list[urllib3.BaseHTTPResponse] = []
        self._over = threading.Event()

    def seen(self) -> list[Object]:
        """Every version that was there, by resourceVersion; what went is not in it."""
        return [body for _, _, body in sorted(self._seen, key=lambda found: found[0])]

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """For the length of a block; at its end all was seen that was there then."""
        threads = [threading.Thread(target=self._watch, args=(kind,), daemon=True) for kind in self._kinds]
        for thread in threads:
            thread.start()
        eventually(lambda: len(self._streams) == len(self._kinds), "the watches are open")
        try:
            yield
            eventually(self._caught_up, "all was seen")
        finally:
            self._over.set()
            for stream in self._streams:
                stream.shutdown()
            for thread in threads:
                thread.join(10)

    def _ask(self, kind: Kind, query: str = "", **options: Any) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": "application/json"}
        self._api.update_params_for_auth(headers, [], ["BearerToken"], kind.path(self._namespace), "GET", None)
        url = self._api.configuration.host + kind.path(self._namespace) + query
        answer: urllib3.BaseHTTPResponse = self._api.rest_client.pool_manager.request(
            "GET", url, headers=headers, **options
        )
        return answer

    def _watch(self, kind: Kind) -> None:
        stream = self._ask(kind, "?watch=1&resourceVersion=0", preload_content=False)
        self._streams.append(stream)
        rest = b""
        with contextlib.suppress(urllib3.exceptions.HTTPError, OSError):
            for chunk in stream.stream():
                *lines, rest = (rest + chunk).split(b"\n")
                for event in map(json.loads, lines):
                    if event["type"] != "DELETED":
                        self._seen.append((int(event["object"]["metadata"]["resourceVersion"]), kind, event["object"]))
        assert self._over.is_set(), f"the watch of {kind.plural} broke"

    def _caught_up(self) -> bool:
        seen = {(kind, version) for version, kind, _ in tuple(self._seen)}
        there = [(kind, item) for kind in self._kinds for item in json.loads(self._ask(kind).data)["items"]]
        return all((kind, int(item["metadata"]["resourceVersion"])) in seen for kind, item in there)
