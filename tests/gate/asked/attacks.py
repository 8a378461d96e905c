"""Ways around client authentication, each as a client would go it: prepared first, told an answer later.

An attack is a function of a `Side` that prepares it and returns how it goes on. What it is told is a word: the HTTP status,
`alert`, `closed`, `goes on`, or `denied` where the API server refuses what the attack needs.
"""

import http.client
import json
import ssl
import urllib.parse
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.cluster.policies_support import NGINX
from tests.gate.doors import NOBODY, Door, Files
from tests.support.kube import INGRESSES, SECRETS, Kind

from .connections import TLS_1_2, TLS_1_3, connected, context
from .lasting import Stream, Upgraded, http2

ADMITTED, ALERT, CLOSED, GOES_ON, DENIED = "200", "alert", "closed", "goes on", "denied"
FORGED, ARRIVED, REPLACED, ABSENT = "edge/admin", "the forged one", "the true one", "none"
TRIES = 5
"""A connection that breaks while nginx reloads says nothing."""
BROKEN = (OSError, http.client.HTTPException)


@dataclass
class Side:
    """Hosts that are protected in one way, and who comes to them."""

    shop: Door
    """The host that is attacked."""
    desk: Door
    """A host of another issuer."""
    plain: Door
    """A host without a TLS section."""
    older: Door
    """A host that somebody in another namespace has too, by an older Ingress with `verify-client: "off"`."""
    alias: Door
    """Another name of a host, by the annotation server-alias."""
    edits: Callable[[Kind, str, Mapping[str, str]], bool]
    """Merges annotations into an Ingress, or data into a Secret, of that name, as an administrator of the namespace; whether the API server
    took it.
    """
    ingress: str
    secret: str
    """The names of the shop's Ingress, and of the Secret of its gate."""
    alice: Files
    """A client of the shop, to be cut off."""
    bob: Files
    """A client of the shop, who stays."""
    mallory: Files
    """A client of the desk."""
    signed: Files
    """Of the shop's CA, but signed by somebody else."""
    foreign: Files
    """Of a CA that is in an Ingress without a host."""
    patience: float
    """Seconds for which a stream has to go on."""
    open: ExitStack = field(default_factory=ExitStack)
    """What stays open while the attacks last."""


Told = Callable[[], str]
Attack = Callable[[Side], Told]


class Row(NamedTuple):
    """A line of the table in docs/enforcement.md."""

    group: str
    words: str
    attack: Attack
    stays: bool = False
    """Whether the gate service does not end it, and the page says so."""


def word(ask: Callable[[], int]) -> str:
    """The answer to a request, on a connection that may be closed instead."""
    try:
        return str(ask())
    except ssl.SSLError as error:
        return ALERT if (error.reason or "").startswith(("TLSV1_", "TLSV13_", "SSLV3_")) else CLOSED
    except BROKEN:
        return CLOSED


def word_anew(once: Callable[[], int]) -> str:
    """The answer to a request that makes a connection of its own, made again where that breaks."""
    told = word(once)
    for _ in range(TRIES):
        if told != CLOSED:
            break
        told = word(once)
    return told


def told_anew(door: Door, using: ssl.SSLContext, path: str = "/", headers: Mapping[str, str] | None = None, **how: object) -> str:  # fmt: skip
    """The answer on a new connection, made again where it breaks."""

    def once() -> int:
        with connected(door, using, **how) as connection:  # type: ignore[arg-type]
            return connection.ask(path, **(headers or {}))

    return word_anew(once)


def session_of(door: Door, using: ssl.SSLContext) -> ssl.SSLSession | None:
    """Of a connection on which a client got in."""
    for _ in range(TRIES):
        try:
            with connected(door, using) as connection:
                assert connection.ask() == 200
                return connection.sock.session
        except BROKEN:
            continue
    raise AssertionError(f"{door.host} gave no session")


def handshake_refused(door: Door) -> bool:
    """Whether TLS itself refuses whoever names that host."""
    return told_anew(door, context(NOBODY)) == ALERT


# Clients who were cut off


def handshake(side: Side) -> Told:
    using = context(side.alice)
    return lambda: told_anew(side.shop, using)


def open_http_1(side: Side) -> Told:
    connection = side.open.enter_context(connected(side.shop, context(side.alice)))
    assert connection.ask() == 200
    return lambda: word(connection.ask)


def open_http_2(side: Side) -> Told:
    connection = side.open.enter_context(http2(side.shop, context(side.alice)))
    assert connection.ask() == 200
    return lambda: word(connection.ask)


def opened_before(side: Side) -> Told:
    connection = side.open.enter_context(connected(side.shop, context(side.alice)))
    return lambda: word(connection.ask)


def stream(side: Side) -> Told:
    running = Stream(side.open.enter_context(connected(side.shop, context(side.alice))))
    return lambda: GOES_ON if running.goes_on(side.patience) else CLOSED


def web_socket(side: Side) -> Told:
    running = Upgraded(side.open.enter_context(connected(side.shop, context(side.alice))))
    assert running.status == 101, running.status
    return lambda: GOES_ON if running.goes_on(side.patience) else CLOSED


def resumed(version: ssl.TLSVersion, sni: bool | str) -> Attack:
    """The client resumes a session from before."""

    def attack(side: Side) -> Told:
        using = context(side.alice, version)
        session = session_of(side.shop, using)
        return lambda: told_anew(side.shop, using, session=session, sni=sni)

    return attack


def resumed_at_alias(side: Side) -> Told:
    using = context(side.alice)
    session = session_of(side.alias, using)
    return lambda: told_anew(side.alias, using, session=session)


def resumed_web_socket(side: Side) -> Told:
    """The same, to open a WebSocket."""
    using = context(side.alice)
    session = session_of(side.shop, using)

    def upgraded() -> int:
        with connected(side.shop, using, session=session) as connection:
            return Upgraded(connection).status

    return lambda: word_anew(upgraded)


# Clients of somebody else


def from_another_host(version: ssl.TLSVersion, sni: bool | str | None) -> Attack:
    """A client of the desk resumes that session for a request to the shop; `sni` None: it names the desk."""

    def attack(side: Side) -> Told:
        using = context(side.mallory, version)
        session = session_of(side.desk, using)
        name = side.desk.host if sni is None else sni
        return lambda: told_anew(side.shop, using, session=session, sni=name)

    return attack


def by_hostless_ingress(version: ssl.TLSVersion, sni: bool | str) -> Attack:
    """A certificate of the CA of an Ingress without a host."""

    def attack(side: Side) -> Told:
        return lambda: told_anew(side.shop, context(side.foreign, version), sni=sni)

    return attack


def by_shared_ca(side: Side) -> Told:
    return lambda: told_anew(side.shop, context(side.signed))


def by_shared_ca_with_header(side: Side) -> Told:
    """The same, with the certificate of a client of the shop in the header that nginx would pass it in."""
    pem = urllib.parse.quote(side.bob["tls.crt"].read_text())
    headers = {"ssl-client-cert": pem, "ssl-client-verify": "SUCCESS"}
    return lambda: told_anew(side.shop, context(side.signed), headers=headers)


# Ways beside the handshake


def over_http(door: Callable[[Side], Door], *headers: str) -> Attack:
    """Port 80, without TLS."""

    def attack(side: Side) -> Told:
        options = [word for header in headers for word in ("--header", header)]
        return lambda: str(door(side).ingress.hosts.ask(door(side).host, scheme="http", options=options).status)

    return attack


def older_ingress(side: Side) -> Told:
    return lambda: str(side.older.ask().status)


def at_alias(side: Side) -> Told:
    return lambda: told_anew(side.alias, context(NOBODY))


def satisfies_any(side: Side) -> Told:
    """Whoever may edit the Ingress lets an address range in beside what the gate service says."""
    marks = {f"{NGINX}satisfy": "any", f"{NGINX}whitelist-source-range": "0.0.0.0/0"}

    def told() -> str:
        return told_anew(side.shop, context(side.signed)) if side.edits(INGRESSES, side.ingress, marks) else DENIED

    return told


def without_crl(side: Side) -> Told:
    """Whoever may edit Secrets empties the CRL, and nginx looks at none."""

    def told() -> str:
        return told_anew(side.shop, context(side.alice)) if side.edits(SECRETS, side.secret, {"ca.crl": ""}) else DENIED

    return told


def forged_header(name: str, true: str) -> Attack:
    """A client who may enter says in a header that it is another."""

    def attack(side: Side) -> Told:
        def told() -> str:
            headers = json.loads(side.shop.ask(side.bob, "--header", f"{name}: {FORGED}").body)["headers"]
            seen = str(headers.get(name.lower(), ""))
            return ARRIVED if FORGED in seen else REPLACED if true in seen else ABSENT

        return told

    return attack


UNKNOWN = "nobody.example"
VERSIONS = {"1.2": TLS_1_2, "1.3": TLS_1_3}
SNIS: Mapping[str, bool | str] = {"with SNI": True, "without SNI": False, "with an unknown SNI": UNKNOWN}
WHILE_DOWN = "A revoked client, before the CRL is published (the operator is down)"
REVOKED = "A revoked client, once nginx has loaded the CRL"
ANOTHERS = "A client of another issuer, or of nobody"
HOSTLESS = "A certificate of any CA, which somebody put into an Ingress without a host"
BESIDE = "Ways beside the handshake"
LIES = (
    "ssl-client-verify: SUCCESS",
    "X-Forwarded-Proto: https",
    "X-Original-URL: https://shop/?verify=SUCCESS",
    "X-Forwarded-Tls-Client-Cert: MII",
)

ROWS: Mapping[str, Row] = {
    "down-handshake": Row(WHILE_DOWN, "A new connection", handshake),
    "down-http-1": Row(WHILE_DOWN, "A further request on an open HTTP/1.1 connection", open_http_1),
    "down-http-2": Row(WHILE_DOWN, "A further request on an open HTTP/2 connection", open_http_2),
    "handshake": Row(REVOKED, "A new connection", handshake),
    **{
        f"resumed-{number}-{name.replace(' ', '-')}": Row(
            REVOKED, f"Resumes its TLS {number} session {name}", resumed(version, sni)
        )
        for number, version in VERSIONS.items()
        for name, sni in SNIS.items()
    },
    "resumed-alias": Row(REVOKED, "Resumes its TLS 1.3 session at a `server-alias` of the host", resumed_at_alias),
    "resumed-web-socket": Row(REVOKED, "Resumes its TLS 1.3 session and opens a WebSocket", resumed_web_socket),
    "stream": Row(REVOKED, "A response that began before", stream, stays=True),
    "web-socket": Row(REVOKED, "A WebSocket that it opened before", web_socket, stays=True),
    # After those: by then what `worker-shutdown-timeout` ends has ended.
    "opened-before": Row(REVOKED, "The first request on a connection that it opened before", opened_before),
    **{
        f"another-{number}-{name.replace(' ', '-')}": Row(
            ANOTHERS, f"Resumes the TLS {number} session of its own host {name}", from_another_host(version, sni)
        )
        for number, version in VERSIONS.items()
        for name, sni in {"with this host's SNI": True, "with its own host's SNI": None, **SNIS}.items()
        if name != "with SNI"
    },
    "shared-ca": Row(ANOTHERS, "A certificate that somebody else signed with the issuer's CA", by_shared_ca),
    "shared-ca-header": Row(
        ANOTHERS, "The same, and a client's certificate in the header `ssl-client-cert`", by_shared_ca_with_header
    ),
    **{
        f"hostless-{number}-{name.replace(' ', '-')}": Row(
            HOSTLESS, f"TLS {number} {name}", by_hostless_ingress(version, sni)
        )
        for number, version in VERSIONS.items()
        for name, sni in SNIS.items()
        if sni is not True
    },
    "plain-http": Row(BESIDE, "Port 80 of a host without a TLS section", over_http(lambda side: side.plain)),
    "plain-http-lies": Row(BESIDE, "The same, with forged headers", over_http(lambda side: side.plain, *LIES)),
    "older-ingress": Row(
        BESIDE, 'No certificate, and an older Ingress of the host says `verify-client: "off"`', older_ingress
    ),
    "alias": Row(BESIDE, "No certificate, at a `server-alias` of the host", at_alias),
    "satisfy-any": Row(BESIDE, "An editor adds `satisfy: any` and an address range to the Ingress", satisfies_any),
    "without-crl": Row(BESIDE, "An administrator of the namespace empties `ca.crl` of the gate's Secret", without_crl),
    "forged-client": Row(
        BESIDE,
        "A client claims another identity: header `X-Doorward-Client`",
        forged_header("X-Doorward-Client", "/bob"),
    ),
}
