"""What Traefik asks is read; nothing else is."""

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given as for_any
from hypothesis import strategies as st

from doorward.objects.meta import ObjectKey
from doorward.objects.proxy_requests.question import Gate, Presented, Question
from doorward.objects.proxy_requests.traefik import LONGEST, parse
from tests.unit import given

from .mutations import MILLION, mutated

PATH = "/traefik/shop/issuers/partners"
GATE = Gate("shop", ObjectKey("issuers", "partners"))
DER = given.leaf().certificate.public_bytes(Encoding.DER)
SENT = base64.b64encode(DER).decode()


def element(content: bytes) -> bytes:
    """A SEQUENCE of DER with a length in two octets."""
    return b"\x30\x82" + len(content).to_bytes(2, "big") + content


def test_the_certificate_is_named_by_the_digest_that_the_ledger_has():
    expected = Presented(bytes.fromhex(given.leaf().sha1), None)
    assert parse(PATH, "", [SENT]) == Question(GATE, expected)


@for_any(st.binary(min_size=256, max_size=1024))
def test_whatever_certificate_is_sent_its_digest_is_read(content):
    der = element(content)
    expected = Presented(hashlib.sha1(der).digest(), None)
    assert parse(PATH, "", [base64.b64encode(der).decode()]) == Question(GATE, expected)


def test_without_the_header_there_is_no_certificate():
    assert parse(PATH, "", []) == Question(GATE, None)


@pytest.mark.parametrize(
    ("path", "query", "sent"),
    [
        pytest.param(PATH, "", [""], id="an empty header"),
        pytest.param(PATH, "", [SENT, SENT], id="the header twice"),
        pytest.param(PATH, "", [f"{SENT},{SENT}"], id="two certificates"),
        pytest.param(PATH, "", [f"{SENT}\n"], id="a line more"),
        pytest.param(PATH, "", [f" {SENT}"], id="a space before"),
        pytest.param(PATH, "", [SENT.replace("+", "-").replace("/", "_")], id="the alphabet of URLs"),
        pytest.param(PATH, "", [SENT[:-1]], id="a letter less"),
        pytest.param(PATH, "", [base64.b64encode(DER + b"\0").decode()], id="a byte after the certificate"),
        pytest.param(PATH, "", [base64.b64encode(DER[:-1]).decode()], id="a byte less"),
        pytest.param(PATH, "", [base64.b64encode(DER * 2).decode()], id="one certificate after the other"),
        pytest.param(PATH, "", ["-----BEGIN CERTIFICATE-----" + SENT], id="armour"),
        pytest.param(PATH, "", ['Subject="CN=alice"'], id="what `info:` sends"),
        pytest.param(PATH, "", [f"Hash={'a' * 64}"], id="what Envoy sends"),
        pytest.param(PATH, "", ["A" * (LONGEST + 4)], id="too long"),
        pytest.param(PATH, "", [base64.b64encode(element(b"a" * LONGEST)).decode()], id="a certificate too long"),
        pytest.param("shop/issuers/partners", "", [SENT], id="no proxy"),
        pytest.param(PATH, "x=y", [SENT], id="a query"),
        pytest.param(PATH + "/x", "", [SENT], id="a longer path"),
        pytest.param("/traefik/shop/partners", "", [SENT], id="no namespace"),
        pytest.param("/traefik/shop/issuers/..", "", [SENT], id="a way up"),
        pytest.param("/ingress-nginx/shop/issuers/partners", "", [SENT], id="another proxy"),
    ],
)
def test_what_traefik_does_not_send_is_not_read(path, query, sent):
    assert parse(path, query, sent) is None


def test_of_a_million_texts_none_is_read_that_is_not_one_certificate_in_base64():
    seeds = [base64.b64encode(element(bytes([n]) * 256)).decode() for n in range(3)]
    known = frozenset(seeds)
    read = 0
    for text in mutated(seeds, [*seeds, "MIIB", "AAAA", "=", "==", ",", "+", "/", "%2B"], MILLION):
        if text in known:
            read += 1
            continue
        found = parse(PATH, "", [text])
        if found is None:
            continue
        der = base64.b64decode(text, validate=True)
        assert base64.b64encode(der).decode() == text
        assert der == element(der[4:])
        assert found == Question(GATE, Presented(hashlib.sha1(der).digest(), None))
    assert read > 1_000
