"""What Envoy asks is read; nothing else is."""

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from doorward.objects.meta import ObjectKey
from doorward.objects.proxy_requests.envoy import parse
from doorward.objects.proxy_requests.question import Gate, Presented, Question

from .mutations import MILLION, mutated

GATE = Gate("shop", ObjectKey("issuers", "partners"))
PATH = "/envoy/shop/issuers/partners/"
HASH = "0123456789abcdef" * 4
SENT = f"Hash={HASH}"
ASKED = Question(GATE, Presented(bytes.fromhex(HASH), None))


@for_any(st.text())
def test_the_path_of_the_client_follows_and_changes_nothing(path):
    assert parse(PATH + path, [SENT]) == ASKED


@for_any(st.binary(min_size=32, max_size=32))
def test_the_certificate_is_named_by_its_hash(digest):
    assert parse(PATH, [f"Hash={digest.hex()}"]) == Question(GATE, Presented(digest, None))


def test_without_the_header_there_is_no_certificate():
    assert parse(PATH, []) == Question(GATE, None)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param([""], id="nothing"),
        pytest.param([SENT, SENT], id="the header twice"),
        pytest.param([f"{SENT},{SENT}"], id="two elements"),
        pytest.param([f"{SENT},By=spiffe://a"], id="an element of somebody else after it"),
        pytest.param([f"By=spiffe://a,{SENT}"], id="an element of somebody else before it"),
        pytest.param([f'{SENT};Subject="CN=alice"'], id="more details"),
        pytest.param([f'Subject=",Hash={HASH}"'], id="a hash in quotes"),
        pytest.param([f"Hash={HASH.upper()}"], id="capitals"),
        pytest.param([f"hash={HASH}"], id="another key"),
        pytest.param([f"Hash={HASH}\n"], id="a line more"),
        pytest.param([f" Hash={HASH}"], id="a space"),
        pytest.param([f"Hash={HASH[:40]}"], id="a SHA-1"),
        pytest.param([f'Hash="{HASH}"'], id="quotes"),
    ],
)
def test_what_envoy_does_not_send_is_not_read(sent):
    assert parse(PATH, sent) is None


@pytest.mark.parametrize(
    "path",
    [
        "/envoy/shop/issuers/partners",
        "/envoy/shop/issuers/",
        "/envoy//shop/issuers/partners/",
        "/envoy/a/b/C/",
        "/a/b/c/",
        "*",
    ],
)
def test_a_path_without_a_gate_is_not_read(path):
    assert parse(path, [SENT]) is None


def test_of_a_million_texts_none_is_read_that_is_not_one_hash():
    read = 0
    for text in mutated([SENT], ["Hash=", "By=", ",", ";", HASH, '"', "=", "0a", "Subject="], MILLION):
        if (found := parse(PATH, [text])) is None:
            continue
        read += 1
        assert found.certificate is not None
        assert text == f"Hash={found.certificate.digest.hex()}"
    assert read > 1_000
