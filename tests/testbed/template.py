"""The controller's own nginx template, made to load in an nginx without Lua.

What was Lua is replaced by what it amounts to with one application behind every Service; all else stays the controller's.
"""

import re

MARK_HTTP2 = "# http2 on;"
_LUA_BLOCK = re.compile(r"(?P<kind>\w+)_by_lua_block\s*(?P<variable>\$\w+\s*)?\{")
_LUA_LINES = re.compile(r"^[ \t]*(?:lua_\w+ .*;|\{\{ buildLuaSharedDictionaries .*\}\})[ \t]*\n", re.MULTILINE)
# The balancer would ignore it; without Lua it would be one of two servers.
_PLACEHOLDER = re.compile(r"^[ \t]*server 0\.0\.0\.1; # placeholder\n", re.MULTILINE)

# What `lua_ingress.rewrite` does with a plain request: it depends on the annotation, the controller's setting and whether
# the host has a certificate, all of which the template knows too.
_REDIRECT = """
            {{ if not (isLocationInLocationList $location $all.Cfg.NoTLSRedirectLocations) }}
            {{ if or $location.Rewrite.ForceSSLRedirect (and $location.Rewrite.SSLRedirect $server.SSLCert) }}
            if ($scheme = http) {
                return {{ $all.Cfg.HTTPRedirectCode }} https://$host$request_uri;
            }
            {{ end }}
            {{ end }}
"""

_TARGET = (
    'set $target {{ if contains $externalAuth.URL "//doorward-gate." }}'
    '{{ changeHostPort $externalAuth.URL "127.0.0.1:PORT" }}{{ else }}{{ $externalAuth.URL }}{{ end }};'
)


def strip(template: str, *, application_port: int, gate_port: int, module: str, http2_directive: bool) -> str:
    """The template without Lua, listening on loopback alone, with every upstream the application on that port.

    Whoever is asked at `doorward-gate.…`, a name that nothing resolves here, is asked on `gate_port` of loopback.
    """
    text = _replace_lua(template, application_port)
    text = _LUA_LINES.sub("", text)
    text = _PLACEHOLDER.sub("", _without_stream(text))
    text = text.replace("set_escape_uri $escaped_request_uri $request_uri;", "set $escaped_request_uri $request_uri;")
    # The default server has no address of its own in the configuration: it would listen everywhere.
    text = text.replace("listen {{ $all.ListenPorts.Default }}", "listen 127.0.0.1:{{ $all.ListenPorts.Default }}")
    text = text.replace("set $target {{ $externalAuth.URL }};", _TARGET.replace("PORT", str(gate_port)))
    # The application answers for every Service: this tells it for which.
    text = text.replace(
        "{{ $proxySetHeader }} X-Scheme ",
        "{{ $proxySetHeader }} X-Testbed-Upstream $proxy_upstream_name;\n{{ $proxySetHeader }} X-Scheme ",
    )
    if not http2_directive:
        text = text.replace("http2 on;", MARK_HTTP2)
    # Workers stay who the master is: without root no other user exists in here.
    return f"load_module {module};\nuser root;\n{text}"


def _replace_lua(text: str, application_port: int) -> str:
    parts: list[str] = []
    position = 0
    while found := _LUA_BLOCK.search(text, position):
        end = end_of_block(text, found.end() - 1)
        parts += [text[position : found.start()], _instead(found, text[found.end() : end - 1], application_port)]
        position = end
    return "".join([*parts, text[position:]])


def _instead(found: re.Match[str], body: str, application_port: int) -> str:
    match found["kind"]:
        case "balancer":
            return f"server 127.0.0.1:{application_port};"
        case "content":
            return _status(body)
        case "set":
            return f'set {found["variable"].strip()} "";'
        case "rewrite" if "lua_ingress.rewrite" in body:
            return _REDIRECT
        case _:
            return ""


def _status(body: str) -> str:
    """What the status server answers: that it has back ends, that it took new ones, or that it knows nothing."""
    if "HTTP_NOT_FOUND" in body:
        return "return 404;"
    return "return 200;" if "HTTP_OK" in body else "return 201;"


def _without_stream(text: str) -> str:
    """TCP and UDP services go; on their port something still answers, since the controller speaks to it."""
    found = re.search(r"^stream \{", text, re.MULTILINE)
    if found is None:
        return text
    end = end_of_block(text, found.end() - 1)
    before = text[: found.start()].rstrip()
    if not before.endswith("}"):
        raise ValueError("the template's http block does not end before its stream block")
    server = "    server {\n        listen 127.0.0.1:{{ .StreamPort }};\n        return 200;\n    }\n}\n"
    return before[:-1] + server + text[end:]


def end_of_block(text: str, opening: int) -> int:
    """The position after the brace that closes the one at `opening`; the template's own double braces balance too."""
    depth = 0
    for position in range(opening, len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return position + 1
    raise ValueError(f"the block at {opening} never ends")
