"""The annotations of ingress-nginx that an Ingress with a gate may carry, and the values that they may have.

It is an allow-list. ingress-nginx goes on with the configuration that it had when it refuses a value, and a host that was open
stays open, whatever its Ingress says since then. So a value is accepted only where every controller from 1.11 to 1.15 takes it,
and where nginx loads what it makes of it. What can open the host has no place here: snippets, canaries, TLS that passes by.

deploy/manifests/validating-ingress.yaml holds the same two tables; a test compares them.
"""

PREFIX = "nginx.ingress.kubernetes.io/"

_V4 = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_V6 = "[0-9a-fA-F]{1,4}"
_CIDR4 = f"{_V4}(?:[.]{_V4}){{3}}(?:/(?:3[0-2]|[12]?[0-9]))?"
_SHORTENED = "|".join(f"(?:{_V6}:){{1,{n}}}(?::{_V6}){{1,{7 - n}}}" for n in range(1, 7))
_CIDR6 = (
    f"(?:(?:{_V6}:){{7}}{_V6}|(?:{_V6}:){{1,7}}:|:(?:(?::{_V6}){{1,7}}|:)|{_SHORTENED})"
    "(?:/(?:12[0-8]|1[01][0-9]|[1-9]?[0-9]))?"
)
_CIDR = f"(?:{_CIDR4}|{_CIDR6})"
_DNS = r"(?:[*][.])?[a-z0-9-]+(?:[.][a-z0-9-]+)*"
_URL = r"[A-Za-z0-9._~:/?&=-]"
_ORIGIN = "(?:https?://)?(?:[*][.])?[A-Za-z0-9.-]+(?::[0-9]+)?"
_HEADER = "[A-Za-z0-9_-]+"
_UPSTREAM = "(?:error|timeout|invalid_header|http_(?:500|502|503|504|403|404|429)|non_idempotent|off)"
_VARIABLE = r"[$](?:host|http_host|scheme|request_uri|escaped_request_uri|server_name|ingress_name|ssl_client_[a-z_]+)"

VALUES = {
    "all": "all",
    "authtype": "basic|digest",
    "balance": "round_robin|ewma|chash|chashsubset|sticky_balanced|sticky_persistent",
    "basic": "[A-Za-z0-9._~:/-]{1,253}",
    "bool": "true|false",
    "cidrs": f"{_CIDR}(?:, ?{_CIDR})*",
    "cn": "CN=[.^]?(?:[A-Za-z0-9._-][*]?)+[$]?",
    "codes": "(?:404|405|408|410|413|429|5[0-9][0-9])(?:,(?:404|405|408|410|413|429|5[0-9][0-9]))*",
    "connection": "close|keep-alive",
    "cookie": "cookie",
    "duration": "[0-9]+(?:ms|s|m|h)",
    "durations": "[0-9A-Za-z, ]+",
    "false": "false",
    "headers": f"{_HEADER}(?:, ?{_HEADER})*",
    "hosts": f"{_DNS}(?:, ?{_DNS})*",
    "httpversion": "1[.][01]",
    "int": "[0-9]{1,9}",
    "memory": "[0-9]{1,9}[kKmM]?",
    "methods": "[A-Za-z]+(?:, ?[A-Za-z]+)*",
    "mode": "balanced|persistent",
    "onoff": "on|off",
    "origins": f"[*]|{_ORIGIN}(?:, ?{_ORIGIN})*",
    "page": "https?://[A-Za-z0-9.-]+(?::[0-9]+)?/[A-Za-z0-9.-]*",
    "protocol": "(?i:auto_http|http|https|grpc|grpcs|fcgi)",
    "redirect": f"https?://{_URL}+",
    "samesite": "(?i:none|lax|strict)",
    "secrettype": "auth-file|auth-map",
    "service": "[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?",
    "size": "[0-9]{1,9}[kKmMgG]?",
    "sticky": "sticky|legacy",
    "target": "/(?:[A-Za-z0-9._~/-]|[$][1-9])*",
    "tls": "TLSv1[.][23](?: TLSv1[.][23])*",
    "true": "true",
    "upstreams": f"{_UPSTREAM}(?: {_UPSTREAM})*",
    "url": f"https?://(?:{_URL}|{_VARIABLE})+",
    "variable": "[A-Za-z0-9$_-]+",
    "word": "[A-Za-z0-9_-]{1,64}",
    "words": "[A-Za-z0-9._-][A-Za-z0-9 ._-]{0,252}",
}
"""What a value matches from end to end, by the name of its kind."""

ANNOTATIONS = {
    "affinity": "cookie",
    "affinity-canary-behavior": "sticky",
    "affinity-mode": "mode",
    "allowlist-source-range": "cidrs",
    "app-root": "target",
    "auth-always-set-cookie": "bool",
    "auth-cache-duration": "durations",
    "auth-cache-key": "variable",
    "auth-method": "word",
    "auth-proxy-set-headers": "basic",
    "auth-realm": "words",
    "auth-request-redirect": "redirect",
    "auth-response-headers": "headers",
    "auth-secret": "basic",
    "auth-secret-type": "secrettype",
    "auth-signin": "url",
    "auth-signin-redirect-param": "word",
    "auth-tls-error-page": "page",
    "auth-tls-match-cn": "cn",
    "auth-tls-pass-certificate-to-upstream": "bool",
    "auth-tls-secret": "basic",
    "auth-tls-verify-client": "word",
    "auth-tls-verify-depth": "int",
    "auth-type": "authtype",
    "auth-url": "url",
    "backend-protocol": "protocol",
    "canary": "false",
    "client-body-buffer-size": "memory",
    "connection-proxy-header": "connection",
    "cors-allow-credentials": "bool",
    "cors-allow-headers": "headers",
    "cors-allow-methods": "methods",
    "cors-allow-origin": "origins",
    "cors-expose-headers": "headers",
    "cors-max-age": "int",
    "custom-headers": "basic",
    "custom-http-errors": "codes",
    "default-backend": "service",
    "denylist-source-range": "cidrs",
    "disable-proxy-intercept-errors": "bool",
    "enable-access-log": "bool",
    "enable-cors": "bool",
    "enable-global-auth": "bool",
    "enable-modsecurity": "bool",
    "enable-opentelemetry": "bool",
    "enable-owasp-core-rules": "bool",
    "enable-rewrite-log": "bool",
    "fastcgi-index": "words",
    "fastcgi-params-configmap": "basic",
    "force-ssl-redirect": "bool",
    "from-to-www-redirect": "bool",
    "global-rate-limit": "int",
    "global-rate-limit-ignored-cidrs": "cidrs",
    "global-rate-limit-key": "variable",
    "global-rate-limit-window": "duration",
    "http2-push-preload": "bool",
    "limit-allowlist": "cidrs",
    "limit-burst-multiplier": "int",
    "limit-connections": "int",
    "limit-rate": "int",
    "limit-rate-after": "int",
    "limit-rpm": "int",
    "limit-rps": "int",
    "limit-whitelist": "cidrs",
    "load-balance": "balance",
    "opentelemetry-operation-name": "word",
    "opentelemetry-trust-incoming-span": "bool",
    "permanent-redirect": "redirect",
    "permanent-redirect-code": "int",
    "preserve-trailing-slash": "bool",
    "proxy-body-size": "size",
    "proxy-buffer-size": "memory",
    "proxy-buffering": "onoff",
    "proxy-buffers-number": "int",
    "proxy-busy-buffers-size": "memory",
    "proxy-connect-timeout": "int",
    "proxy-cookie-domain": "basic",
    "proxy-cookie-path": "basic",
    "proxy-http-version": "httpversion",
    "proxy-max-temp-file-size": "memory",
    "proxy-next-upstream": "upstreams",
    "proxy-next-upstream-timeout": "int",
    "proxy-next-upstream-tries": "int",
    "proxy-read-timeout": "int",
    "proxy-redirect-from": "basic",
    "proxy-redirect-to": "basic",
    "proxy-request-buffering": "onoff",
    "proxy-send-timeout": "int",
    "proxy-ssl-name": "basic",
    "proxy-ssl-protocols": "tls",
    "proxy-ssl-secret": "basic",
    "proxy-ssl-server-name": "onoff",
    "proxy-ssl-verify": "onoff",
    "proxy-ssl-verify-depth": "int",
    "relative-redirects": "bool",
    "rewrite-target": "target",
    "satisfy": "all",
    "server-alias": "hosts",
    "service-upstream": "bool",
    "session-cookie-change-on-failure": "bool",
    "session-cookie-conditional-samesite-none": "bool",
    "session-cookie-domain": "basic",
    "session-cookie-expires": "int",
    "session-cookie-max-age": "int",
    "session-cookie-name": "word",
    "session-cookie-partitioned": "bool",
    "session-cookie-path": "basic",
    "session-cookie-samesite": "samesite",
    "session-cookie-secure": "bool",
    "ssl-passthrough": "false",
    "ssl-prefer-server-ciphers": "bool",
    "ssl-redirect": "true",
    "temporal-redirect": "redirect",
    "temporal-redirect-code": "int",
    "upstream-hash-by": "variable",
    "upstream-hash-by-subset": "bool",
    "upstream-hash-by-subset-size": "int",
    "upstream-vhost": "basic",
    "use-port-in-redirects": "bool",
    "use-regex": "bool",
    "whitelist-source-range": "cidrs",
    "x-forwarded-prefix": "target",
}
"""The kind of value of each, by its name after the prefix."""

BESIDE = (
    "auth-cache-duration",
    "auth-cache-key",
    "auth-method",
    "auth-signin",
    "auth-signin-redirect-param",
    "auth-url",
    "enable-global-auth",
)
"""Of these, those that an Ingress may not have newly once it opts in: they open no host by themselves, and decide beside Doorward
whom ingress-nginx asks at a request. The policy accepts Doorward's own `auth-url` and `enable-global-auth: "true"`, the default.
"""

_ATOM = r"(?:[A-Za-z0-9._~%/-]|\\[.dwsDWS/-]|\[\^?(?:a-z|A-Z|0-9|[A-Za-z0-9_.])+-?\])[*+?]?"
PATHS = {
    "Exact": "/[A-Za-z0-9._/-]*",
    "Prefix": "/[A-Za-z0-9._/-]*",
    "ImplementationSpecific": rf"/(?:{_ATOM}|[$]|\((?:[?]:)?(?:{_ATOM}|[$|])*\)[*+?]?)*",
}
"""What a path matches from end to end, by its type: no expression that nginx cannot compile, or would read as a directive."""
NO_PATH = "/etc/(?:passwd|shadow|group|nginx|ingress-controller)|/var/run/secrets|_by_lua"
"""Where ingress-nginx finds this in a path, it ignores the Ingress."""
