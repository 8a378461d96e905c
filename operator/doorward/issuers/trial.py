"""A throw-away client at a throw-away gate, in memory: whether OpenSSL admits whom a CA vouches for, before a gate is shown it.

What a twin is made of was read and found well. OpenSSL is asked all the same: it is what nginx asks, and its rules are more
than anybody writes down twice.
"""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from doorward.pki.certificates import CertificateAuthority, LeafTemplate, build_ca, build_leaf
from doorward.pki.crls import build_crl
from doorward.pki.keys import KeyAlgorithm, KeyKind, generate, private_key_pem
from doorward.pki.pem import certificate_pem
from doorward.pki.subjects import AltNames, Subject

_KIND = KeyKind(algorithm=KeyAlgorithm.ECDSA, size=256)
_NAME = Subject(common_name="nobody")
_ONCE, _LASTS = datetime(2000, 1, 1, tzinfo=UTC), timedelta(seconds=2)
_NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python does not name: dates are compared elsewhere."""
_CIPHERS = "DEFAULT:@SECLEVEL=1"
"""As OpenSSL's own default: what this machine asks for beyond that, no gate need ask for."""
_MOST_TURNS = 8
"""Of the two in a handshake; 3 are enough."""


def refusal(ca: CertificateAuthority) -> str:
    """Why a gate that is shown the CA's anchor would refuse its clients, in OpenSSL's words; empty: it would admit them.

    The client's certificate is good for the first two seconds of the CA, and its key is forgotten at once: nobody could use
    it. 10 ms and two signatures: call it from a thread.
    """
    key, begin = generate(_KIND), ca.anchor.not_valid_before_utc
    template = LeafTemplate(
        subject=_NAME,
        alt_names=AltNames(),
        public_key=key.public_key(),
        serial=1,
        not_before=begin,
        not_after=begin + _LASTS,
    )
    try:
        leaf = build_leaf(template, ca)
    except ValueError as error:
        return str(error)
    crl = build_crl(ca=ca, entries=(), number=1, this_update=begin, next_update=begin + _LASTS)
    client = private_key_pem(key).reveal() + certificate_pem(leaf)
    return _handshake(trust=certificate_pem(ca.anchor) + crl, client=client)


def _handshake(*, trust: bytes, client: bytes) -> str:
    """The server's reason to break it off; empty: there is none."""
    try:
        first, second = _client(client), _server(trust)
    except ssl.SSLError as error:
        return _said(error)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        first.wrap_bio(to_client, to_server),
        second.wrap_bio(to_server, to_client, server_side=True),
    )
    for _ in range(_MOST_TURNS):
        left = []
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                left.append(end)
            except ssl.SSLError as error:
                return _said(error)
        if not left:
            return ""
    return "the handshake does not end"


def _said(error: ssl.SSLError) -> str:
    return str(getattr(error, "verify_message", None) or error.reason)


def _server(trust: bytes) -> ssl.SSLContext:
    """As nginx with `ssl_client_certificate`, `ssl_crl` and `ssl_verify_client on`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers(_CIPHERS)
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN | _NO_CHECK_TIME
    with _file(trust) as path:
        context.load_verify_locations(path)
    with _file(_identity()) as path:
        context.load_cert_chain(path)
    return context


def _client(pem: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers(_CIPHERS)
    with _file(pem) as path:
        context.load_cert_chain(path)
    return context


@lru_cache(maxsize=1)
def _identity() -> bytes:
    """Key and certificate of the server, which nobody verifies; PEM."""
    key = generate(_KIND)
    certificate = build_ca(subject=_NAME, key=key, serial=1, not_before=_ONCE, not_after=_ONCE + _LASTS)
    return private_key_pem(key).reveal() + certificate_pem(certificate)


@contextmanager
def _file(content: bytes) -> Iterator[str]:
    """The path of a file with that content: Python's TLS takes keys and CRLs from files alone. It is never on a disk."""
    with os.fdopen(os.memfd_create("trial"), "wb") as file:
        file.write(content)
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"
