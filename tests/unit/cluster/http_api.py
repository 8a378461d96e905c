"""An HTTP server on loopback that answers what it was told to: what stands in for the API server under the gateway."""

import json
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import aiohttp
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

NOW = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
TOKEN = "token-that-nobody-may-read"
LIMITS = aiohttp.ClientTimeout(total=60, sock_connect=60)
HASTY = aiohttp.ClientTimeout(total=0.2, sock_connect=0.2)
"""For answers that never come: a busy machine may be late with others."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def status(code, *, reason="", message=""):
    """The API server's answer when it says no."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message,
    }


def kubeconfig(path, url, **user):
    cluster = {"name": "it", "cluster": {"server": url}}
    named = {name: value for name, value in ({"token": TOKEN} | user).items() if value is not None}
    user = {"name": "me", "user": named}
    context = {"name": "here", "context": {"cluster": "it", "user": "me"}}
    document = {"clusters": [cluster], "users": [user], "contexts": [context], "current-context": "here"}
    path.write_text(yaml.safe_dump(document | {"apiVersion": "v1", "kind": "Config"}))
    return str(path)


class HttpApi:
    """Answers by method and path, in order, the last one for ever; keeps what was asked."""

    def __init__(self):
        self._answers: dict[tuple[str, str], list[Handler]] = defaultdict(list)
        self.asked = []
        self.bodies = []
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        self.server = TestServer(app)

    @property
    def url(self):
        return str(self.server.make_url("")).rstrip("/")

    def answer(self, method, path, body, *, code=200, headers=None):
        """JSON for a dict, else the text as it is."""
        text = json.dumps(body) if isinstance(body, dict) else body

        async def handler(_request):
            return web.Response(status=code, text=text, headers=headers, content_type="application/json")

        self.behave(method, path, handler)

    def behave(self, method, path, handler):
        """Anything at all."""
        self._answers[method, path].append(handler)

    async def _serve(self, request):
        self.asked.append(request)
        self.bodies.append(await request.text())
        answers = self._answers[request.method, request.path]
        if not answers:
            return web.json_response(status(404, reason="NotFound", message="nothing here"), status=404)
        return await (answers.pop(0) if len(answers) > 1 else answers[0])(request)


def stream(*lines, cut=False):
    """A watch: each line as it stands; `cut`: the connection is torn in the middle of another one."""

    async def handler(request):
        answer = web.StreamResponse(headers={"Content-Type": "application/json"})
        answer.enable_chunked_encoding()
        await answer.prepare(request)
        for line in lines:
            await answer.write((json.dumps(line) if isinstance(line, dict) else line).encode() + b"\n")
        if cut:
            await answer.write(b'{"type": "ADD')
            request.transport.close()
        return answer

    return handler
