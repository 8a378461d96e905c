"""The Secret of a CA: ours, or a person's in either of two shapes; anything else is said in a sentence."""

from typing import Any

import pytest

from doorward.objects import ca_secret
from doorward.objects.meta import is_ours
from doorward.pki.ca_loading import load_ca
from doorward.pki.keys import SecretBytes, private_key_pem
from doorward.pki.pem import certificate_pem
from tests.unit.given import ISSUER, NOW, ca, key
from tests.unit.objects.given import NO_BASE64, NOISE, b64, with_data

CERTIFICATE = certificate_pem(ca().certificate)
KEY = private_key_pem(key(100))


def ours() -> dict[str, Any]:
    return ca_secret.render(ISSUER, 1, CERTIFICATE, KEY)


def holding(**values: bytes) -> dict[str, Any]:
    return with_data({"data": {}}, **values)


def test_what_was_rendered_is_read_back() -> None:
    read = ca_secret.parse(ours())
    assert (read.certificate, read.key, read.chain) == (CERTIFICATE, KEY, CERTIFICATE)


def test_what_was_rendered_can_sign() -> None:
    read = ca_secret.parse(ours())
    loaded = load_ca(certificate=read.certificate, key=read.key.reveal(), chain=read.chain, now=NOW)
    assert (loaded.certificate, loaded.chain) == (ca().certificate, ())


def test_ours_carries_our_labels_and_outlives_its_issuer() -> None:
    body = ours()
    assert is_ours(body, "ca")
    assert "ownerReferences" not in body["metadata"]
    assert (body["metadata"]["name"], body["type"]) == ("partners-ca-1", "kubernetes.io/tls")


@pytest.mark.parametrize(
    ("values", "chain"),
    [
        ({"tls_crt": b"certificate", "tls_key": b"key"}, None),
        ({"tls_crt": b"certificate", "tls_key": b"key", "ca_crt": b"upper"}, b"upper"),
        ({"tls_crt": b"certificate", "tls_key": b"key", "ca_crt": b""}, None),
        ({"ca_crt": b"certificate", "ca_key": b"key"}, None),
        ({"tls_crt": b"certificate", "tls_key": b"key", "ca_key": b"another"}, None),
        ({"tls_crt": b"", "tls_key": b"", "ca_crt": b"certificate", "ca_key": b"key"}, None),
    ],
    ids=[
        "kubernetes.io/tls",
        "with its chain",
        "with an empty chain",
        "as openssl leaves it",
        "both kinds of key",
        "kubernetes.io/tls with empty files",
    ],
)
def test_a_persons_own_ca_is_read(values: dict[str, bytes], chain: bytes | None) -> None:
    read = ca_secret.parse(holding(**values))
    assert (read.certificate, read.key.reveal(), read.chain) == (b"certificate", b"key", chain)


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        ({}, "ca.crt and ca.key"),
        ({"data": None}, "ca.crt and ca.key"),
        (holding(ca_crt=b"certificate"), "ca.key"),
        (holding(tls_crt=b"certificate"), "tls.key"),
        (holding(tls_crt=b"certificate", ca_key=b"key"), "tls.key"),
        (holding(tls_crt=b"", tls_key=b"key"), "tls.crt"),
        (holding(tls_crt=b"", tls_key=b""), "tls.crt and tls.key"),
        (holding(tls_crt=b"", tls_key=b"", ca_crt=b"certificate"), "ca.key"),
        (holding(other=b"value"), "ca.crt and ca.key"),
    ],
    ids=[
        "no data",
        "null",
        "no CA key",
        "no TLS key",
        "keys of both shapes",
        "an empty certificate",
        "both empty",
        "only a CA",
        "others",
    ],
)
def test_what_is_missing_is_named_with_what_it_needs(body: dict[str, Any], missing: str) -> None:
    with pytest.raises(ca_secret.NotACaSecret) as caught:
        ca_secret.parse(body)
    assert str(caught.value) == f"{missing} missing or empty: it needs tls.crt and tls.key, or ca.crt and ca.key"


@pytest.mark.parametrize("value", NO_BASE64.values(), ids=NO_BASE64)
@pytest.mark.parametrize("name", ["tls.crt", "tls.key", "ca.crt"])
def test_what_is_no_base64_is_refused_without_a_quote(name: str, value: str) -> None:
    body = ours()
    body["data"][name] = value
    with pytest.raises(ca_secret.NotACaSecret, match=r"^a value that is no base64$"):
        ca_secret.parse(body)


@pytest.mark.parametrize("value", NOISE.values(), ids=NOISE)
def test_decoding_gives_back_any_bytes(value: bytes) -> None:
    assert ca_secret.decode(b64(value)) == value


@pytest.mark.parametrize("value", [None, 7, ["QUJD"], {}], ids=["null", "a number", "a list", "a map"])
def test_what_is_no_text_is_no_base64(value: object) -> None:
    with pytest.raises(ValueError, match="no base64"):
        ca_secret.decode(value)


@pytest.mark.promise(5)
def test_the_key_is_not_in_the_repr() -> None:
    read = ca_secret.parse(holding(tls_crt=b"certificate", tls_key=b"hunter2"))
    assert read.key == SecretBytes(b"hunter2")
    assert "hunter2" not in repr(read)
