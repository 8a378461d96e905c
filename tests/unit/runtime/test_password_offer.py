"""A keystore's password comes only from a Secret that offers it, and nobody learns what is wrong with another."""

import base64
from unittest import mock

import pytest
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12

from doorward.cluster.gateway import CLIENT_CERTIFICATE, SECRET
from doorward.pki import keystores
from tests.support.operator_bed import NAMESPACE_NAME, PEOPLE, OperatorBed
from tests.unit.given import NOW

OFFERED = {"doorward.io/keystore-password": "true"}
GOOD = b"correct horse"


@pytest.fixture
def bed():
    with OperatorBed(NOW) as made:
        made.issuer()
        made.settle()
        yield made


def ask(bed, name="alice", **reference):
    bed.apply(name, keystores={"pkcs12": {"passwordSecretRef": {"name": "theirs"} | reference}})
    bed.settle()


def hold(bed, value, labels, key="password"):
    data = {key: value if isinstance(value, str) else base64.b64encode(value).decode()}
    bed.cluster.create(SECRET, NAMESPACE_NAME, {"metadata": {"name": "theirs", "labels": labels}, "data": data}, PEOPLE)


def ready(bed, name="alice"):
    (condition,) = (c for c in bed.find(CLIENT_CERTIFICATE, name)["status"]["conditions"] if c["type"] == "Ready")
    return condition["reason"], condition["message"]


@pytest.fixture
def of_none(bed):
    """What is told where there is no Secret at all."""
    ask(bed)
    return ready(bed)


@pytest.mark.parametrize(
    ("value", "labels", "key"),
    [
        pytest.param(GOOD, {}, "password", id="not offered"),
        pytest.param(GOOD, {"doorward.io/keystore-password": "True"}, "password", id="offered in another spelling"),
        pytest.param(GOOD, {"doorward.io/role": "client"}, "password", id="marked as something else"),
        pytest.param(GOOD, OFFERED, "other", id="under another key"),
        pytest.param(b"", OFFERED, "password", id="empty"),
        pytest.param(b"1234567", OFFERED, "password", id="short"),
        pytest.param(b"x" * 257, OFFERED, "password", id="long"),
        pytest.param(b"\xff" * 12, OFFERED, "password", id="no text"),
        pytest.param("no base64!", OFFERED, "password", id="no base64"),
        pytest.param(b"1234567\n", OFFERED, "password", id="short without its line break"),
        pytest.param(b"correct\nhorse", OFFERED, "password", id="two lines"),
        pytest.param(b"correct\0horse", OFFERED, "password", id="a NUL"),
        pytest.param("correct horse".encode("utf-16"), OFFERED, "password", id="UTF-16"),
        pytest.param("\ufeffcorrect horse".encode(), OFFERED, "password", id="a byte order mark"),
    ],
)
def test_the_same_is_told_whatever_is_wrong(bed, of_none, value, labels, key):
    hold(bed, value, labels, key)
    bed.settle()
    assert of_none[0] == "PasswordMissing"
    assert ready(bed) == of_none


def test_a_password_that_is_offered_is_used(bed):
    ask(bed)
    hold(bed, GOOD, OFFERED)
    bed.settle()
    assert ready(bed)[0] == "Issued"
    assert "keystore.password" not in bed.find(SECRET, "alice-mtls")["data"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\n"], ids=repr)
def test_a_line_break_at_the_end_is_not_part_of_a_password(bed, end):
    ask(bed)
    hold(bed, GOOD + end, OFFERED)
    bed.settle()
    assert ready(bed)[0] == "Issued"
    keystore = base64.b64decode(bed.find(SECRET, "alice-mtls")["data"]["keystore.p12"])
    assert load_pkcs12(keystore, GOOD).cert is not None


def test_a_keystore_that_an_older_version_made_with_the_line_break_is_made_again_around_the_same_certificate(bed):
    ask(bed)
    with mock.patch.object(keystores, "usable_password", lambda value: value):
        hold(bed, GOOD + b"\n", OFFERED)
        bed.settle()
    before = bed.find(SECRET, "alice-mtls")["data"]
    assert load_pkcs12(base64.b64decode(before["keystore.p12"]), GOOD + b"\n").cert is not None
    bed.restart()
    bed.settle()
    after = bed.find(SECRET, "alice-mtls")["data"]
    assert load_pkcs12(base64.b64decode(after["keystore.p12"]), GOOD).cert is not None
    assert (after["tls.crt"], after["tls.key"]) == (before["tls.crt"], before["tls.key"])


@pytest.mark.parametrize("name", ["partners-ca-2", "nobody-ca-1", "a.b-ca-1234567"])
def test_no_client_takes_the_name_of_a_ca(bed, name):
    bed.apply("alice", secretName=name)
    bed.settle()
    assert ready(bed)[0] == "SecretNameReserved"
    assert bed.find(SECRET, name) is None


@pytest.mark.parametrize("name", ["partners-ca-0", "partners-ca", "partners-ca-one", "ca-1", "partners-ca-1-mtls"])
def test_a_name_that_no_ca_can_have_is_free(bed, name):
    bed.apply("alice", secretName=name)
    bed.settle()
    assert ready(bed)[0] == "Issued"
