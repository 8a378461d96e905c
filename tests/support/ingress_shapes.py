"""Ingresses that opted in, as somebody who may edit one would change them: those that ingress-nginx protects, and those that
it is not known to protect. The policy, the operator and the real controller are asked about the same ones.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any

Object = dict[str, Any]
Change = Callable[[Object], None]
NGINX = "nginx.ingress.kubernetes.io/"
SERVICE: Object = {"service": {"name": "app", "port": {"number": 80}}}
RESOURCE: Object = {"resource": {"apiGroup": "example.com", "kind": "Bucket", "name": "files"}}


def spec(**fields: Any) -> Change:
    """Other fields of the spec; None: without it."""

    def change(body: Object) -> None:
        body["spec"] = {k: v for k, v in (body["spec"] | fields).items() if v is not None}

    return change


def rules(change: Callable[[Object], list[Object]]) -> Change:
    """Other rules, from the one rule."""
    return lambda body: body["spec"].update(rules=change(copy.deepcopy(body["spec"]["rules"][0])))


def setting(name: str, value: str) -> Change:
    """One annotation of ingress-nginx."""
    return lambda body: body["metadata"].setdefault("annotations", {}).update({NGINX + name: value})


def path(text: str, kind: str = "Prefix") -> Change:
    """Another path."""
    return rules(lambda rule: [rule | {"http": {"paths": [{"path": text, "pathType": kind, "backend": SERVICE}]}}])


def changed(body: Object, change: Change) -> Object:
    """A copy of the Ingress with the change."""
    made = copy.deepcopy(body)
    change(made)
    return made


_BARE = {"host": "bare.example"}
_UNKNOWN_RULES: Mapping[str, Change] = {
    "no rules": spec(rules=None, defaultBackend=SERVICE),
    "a host without http": rules(lambda rule: [{"host": rule["host"]}]),
    "a host without http, and a defaultBackend": lambda body: body["spec"].update(
        rules=[{"host": body["spec"]["rules"][0]["host"]}], defaultBackend=SERVICE
    ),
    "a second host without http, and a defaultBackend": lambda body: body["spec"].update(
        rules=[*body["spec"]["rules"], _BARE], defaultBackend=SERVICE
    ),
    "a first host without http, and a defaultBackend": lambda body: body["spec"].update(
        rules=[_BARE, *body["spec"]["rules"]], defaultBackend=SERVICE
    ),
    "a wildcard without http, and a defaultBackend": lambda body: body["spec"].update(
        rules=[*body["spec"]["rules"], {"host": "*.bare.example"}], defaultBackend=SERVICE
    ),
    "the host twice, once without http": rules(lambda rule: [rule, {"host": rule["host"]}]),
    "no host": rules(lambda rule: [{"http": rule["http"]}]),
    "an empty host": rules(lambda rule: [rule | {"host": ""}]),
    "a second rule without a host": rules(lambda rule: [rule, {"http": rule["http"]}]),
    "a rule with nothing in it": rules(lambda rule: [rule, {}]),
    "a resource as its backend": rules(
        lambda rule: [
            rule | {"http": {"paths": [{"path": "/", "pathType": "ImplementationSpecific", "backend": RESOURCE}]}}
        ]
    ),
    "a resource as its defaultBackend": spec(defaultBackend=RESOURCE),
    "a setting with capitals in its prefix": lambda body: body["metadata"]["annotations"].update(
        {NGINX.upper() + "ssl-passthrough": "true"}
    ),
    "a path that the controller ignores": path("/etc/nginx", "ImplementationSpecific"),
    "a path with Lua": path("/access_by_lua", "ImplementationSpecific"),
    "a path that opens a block": path("/a{", "ImplementationSpecific"),
    "a path that ends a directive": path("/a;", "ImplementationSpecific"),
    "a path with a space": path("/a b", "ImplementationSpecific"),
    "a path with a line break": path("/a\nb", "ImplementationSpecific"),
    "a path with a quote": path('/a"', "ImplementationSpecific"),
    "a path with an open bracket": path("/a(", "ImplementationSpecific"),
    "a path with an open class": path("/[a", "ImplementationSpecific"),
    "a path with a range from behind": path("/[z-a]", "ImplementationSpecific"),
    "a path that repeats a repetition": path("/a**", "ImplementationSpecific"),
    "an expression of type Prefix": path("/a(/|$)(.*)", "Prefix"),
    "an expression of type Exact": path("/a.*", "Exact"),
}
_UNKNOWN_SETTINGS: Mapping[str, tuple[str, ...]] = {
    "ssl-passthrough": ("true", "True", "TRUE", "t", "T", "1", " true", "true ", "yes", "", "False", "0", "f"),
    "ssl-redirect": ("false", "False", "0", "f", "F", "FALSE", "", " true"),
    "canary": ("true", "True", "1", "t"),
    "canary-weight": ("100",),
    "server-snippet": ("ssl_verify_client off;", " "),
    "configuration-snippet": ("return 200;", "}"),
    "stream-snippet": ("server {}",),
    "auth-snippet": ("a b;",),
    "modsecurity-snippet": ("SecRuleEngine Off",),
    "server-alias": ("~^.*$", "a.example;", "a example", "*", "_"),
    "satisfy": ("any", "Any", "any ", ""),
    "custom-http-errors": ("400", "401", "403", "404,403", "495", "496", "4,5", "404;", ""),
    "auth-tls-error-page": (
        "/sorry",
        "@named",
        "https://a.example /sorry",
        "https://a.example/a/b",
        "",
        "ftp://a/",
        "//a/",
    ),
    "auth-tls-match-cn": (
        *("CN=a b", "CN=a;", "CN=(", "bob", "CN=a#(\n){}", 'CN="a"'),
        *("CN=*", "CN=a**", "CN=^*", "CN=", "CN=a^*"),
    ),
    "auth-tls-pass-certificate-to-upstream": ("True", "yes"),
    "auth-tls-verify-depth": ("one", "-1", "1.0"),
    "auth-url": (
        "http://a.example/;",
        "http://a.example/ b",
        "http://a.example/$nosuch",
        "http://a.example/#;load_module",
    ),
    "auth-keepalive": ("1",),
    "mirror-target": ("https://a.example/;",),
    "proxy-body-size": ("large", "8 m"),
    "ssl-ciphers": ("NONE",),
    "rewrite-target": ("/$nosuch", "/a b", "a;"),
    "permanent-redirect": ("/elsewhere", "https://a.example/;"),
    "app-root": ("https://a.example", "/a;"),
    "SSL-Passthrough": ("true",),
    "no-such-setting": ("true",),
    "affinity": ("Cookie", "ip", ""),
    "affinity-canary-behavior": ("Sticky", "none"),
    "affinity-mode": ("random",),
    "auth-request-redirect": ("https://$host/", "/back"),
    "auth-secret-type": ("auth-none",),
    "auth-type": ("Basic", "oauth", "none"),
    "backend-protocol": ("AJP", "HTTP2", "http, https", ""),
    "client-body-buffer-size": ("1g", "1.5m", "-1"),
    "connection-proxy-header": ("Close", "upgrade", "keepalive"),
    "cors-allow-methods": ("GET POST2", "GET;", "*", ","),
    "cors-allow-headers": (",", "a,,b", "*"),
    "cors-allow-origin": ("https://a*b.example", "https://*", "ftp://a.example", "null;"),
    "default-backend": ("App", "other/app", "1app", "app-", "a" * 64),
    "denylist-source-range": ("10.0.0.0/33", "all"),
    "fastcgi-index": (" ",),
    "global-rate-limit-ignored-cidrs": ("10.0.0",),
    "limit-allowlist": ("10.0.0.256", "1.2.3", "::1::", "fe80::/129", "10.0.0.0/8;", "a", ",", "10.0.0.1,,10.0.0.2"),
    "limit-whitelist": ("1.2.3.4.5", ":::", "12345::"),
    "load-balance": ("ip_hash", "least_conn", "EWMA"),
    "proxy-buffer-size": ("8g", "8 k"),
    "proxy-http-version": ("2", "1.2", "1"),
    "proxy-next-upstream": (" ", "http_418", "error;"),
    "proxy-ssl-protocols": ("SSLv3", "TLSv1.4", " "),
    "session-cookie-samesite": ("any", "Lax;"),
    "whitelist-source-range": ("0.0.0.0/0/0", "300.1.1.1", "2001:db8::/200", ""),
    "use-regex": ("True", "yes"),
}
_KNOWN: Mapping[str, Change] = {
    "as it is": lambda _: None,
    "a wildcard": rules(lambda rule: [rule | {"host": f"*.{rule['host']}"}]),
    "two hosts": rules(lambda rule: [rule, rule | {"host": f"two.{rule['host']}"}]),
    "the host twice": rules(lambda rule: [rule, rule]),
    "a defaultBackend beside": spec(defaultBackend=SERVICE),
    "a path of type Exact": path("/", "Exact"),
    "a path of the controller's own type": path("/", "ImplementationSpecific"),
    "an expression": path("/api(/|$)(.*)", "ImplementationSpecific"),
    "another expression": path(r"/[a-z0-9_]+/\d*[.]html$", "ImplementationSpecific"),
    "a challenge of ACME": path("/.well-known/acme-challenge/abc-DEF_1", "Exact"),
}
_KNOWN_SETTINGS: Mapping[str, tuple[str, ...]] = {
    "ssl-passthrough": ("false",),
    "ssl-redirect": ("true",),
    "force-ssl-redirect": ("true", "false"),
    "canary": ("false",),
    "server-alias": ("alias.example", "a.example, *.b.example"),
    "satisfy": ("all",),
    "custom-http-errors": ("404", "500,503"),
    "default-backend": ("app",),
    "auth-tls-error-page": ("https://help.example/certificates", "http://help.example:8443/"),
    "auth-tls-match-cn": ("CN=alice.example", "CN=^a.*$"),
    "enable-global-auth": ("true",),
    "rewrite-target": ("/", "/$2"),
    "use-regex": ("true",),
    "from-to-www-redirect": ("true",),
    "permanent-redirect": ("https://new.example/a?b=c",),
    "app-root": ("/start",),
    "proxy-body-size": ("8m", "0"),
    "whitelist-source-range": (
        "10.0.0.0/8, 192.168.1.1",
        "2001:db8::/32,::1, fe80::1:2:3:4, 1:2:3:4:5:6:7:8/128, ::/0,0.0.0.0/0",
    ),
    "limit-allowlist": ("10.0.0.0/8,2001:db8::a00:1",),
    "backend-protocol": ("HTTPS", "grpc", "Auto_HTTP"),
    "affinity": ("cookie",),
    "affinity-mode": ("persistent",),
    "auth-request-redirect": ("https://back.example/here?a=b",),
    "client-body-buffer-size": ("1m",),
    "connection-proxy-header": ("keep-alive",),
    "cors-allow-methods": ("GET, POST,PUT",),
    "cors-allow-headers": ("X-A, X_B,c",),
    "load-balance": ("ewma", "round_robin"),
    "proxy-buffer-size": ("8k",),
    "proxy-http-version": ("1.1",),
    "proxy-ssl-protocols": ("TLSv1.2 TLSv1.3",),
    "session-cookie-samesite": ("Lax", "strict"),
    "proxy-next-upstream": ("error timeout http_502",),
    "enable-cors": ("true",),
    "cors-allow-origin": ("https://a.example, https://*.b.example", "*"),
}
_BESIDE_SETTINGS: Mapping[str, tuple[str, ...]] = {
    "auth-url": (
        "https://$host/oauth2/auth",
        "http://auth.default.svc.cluster.local/check?to=$scheme",
        "http://doorward-gate.doorward-system.svc.cluster.local/ingress-nginx/edge/edge/other?verify=SUCCESS",
    ),
    "auth-cache-key": ("$cookie_user", "x"),
    "auth-cache-duration": ("200 202 30m", "401 5m"),
    "auth-signin": ("https://in.example/start?to=$escaped_request_uri", "https://in.example/"),
    "auth-signin-redirect-param": ("to",),
    "auth-method": ("GET", "POST"),
    "enable-global-auth": ("false",),
}


def _settings(table: Mapping[str, tuple[str, ...]]) -> dict[str, Change]:
    return {f"{name}: {value!r}": setting(name, value) for name, values in table.items() for value in values}


UNKNOWN: Mapping[str, Change] = dict(_UNKNOWN_RULES) | _settings(_UNKNOWN_SETTINGS)
"""Changes after which ingress-nginx may let somebody in without a certificate, or may go on with what it had, by name."""
KNOWN: Mapping[str, Change] = dict(_KNOWN) | _settings(_KNOWN_SETTINGS)
"""Changes after which it protects the host as before."""
BESIDE: Mapping[str, Change] = _settings(_BESIDE_SETTINGS)
"""Changes after which ingress-nginx would ask somebody else than Doorward, keep an answer or ask nobody: they open no host."""
