"""`doorward inspect`: what is in a file, whatever its form; and no key, no traceback and no moved terminal for whatever is."""

import base64
import json
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doorward.cli.inspected import MOST_ENTRIES
from doorward.cli.main import main
from doorward.clock import SystemClock
from tests.unit import given as worlds

NOW = SystemClock().now()
HOUR = timedelta(hours=1)
KEY = worlds.key(3)
PASSWORD = b"correct horse"
HOSTILE = "\x1b[2J\u202e[bold]x[/]\nfake: line"


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(text: str = "alice", *, begins=-HOUR, ends=HOUR, serial: int = 0xA1) -> x509.Certificate:
    builder = x509.CertificateBuilder(name("ca"), name(text), KEY.public_key(), serial, NOW + begins, NOW + ends)
    return builder.sign(KEY, hashes.SHA256())


def crl(count: int = 1, *, ends=HOUR) -> x509.CertificateRevocationList:
    builder = x509.CertificateRevocationListBuilder(name("ca"), NOW - 2 * HOUR, NOW + ends)
    builder = builder.add_extension(x509.CRLNumber(77), critical=False)
    for number in range(1, count + 1):
        revoked = x509.RevokedCertificateBuilder(number, NOW - HOUR)
        builder = builder.add_revoked_certificate(
            revoked.add_extension(x509.CRLReason(x509.ReasonFlags.certificate_hold), critical=False).build()
        )
    return builder.sign(KEY, hashes.SHA256())


def request() -> x509.CertificateSigningRequest:
    return x509.CertificateSigningRequestBuilder(name("bob")).sign(KEY, hashes.SHA256())


def private_key() -> bytes:
    return KEY.private_bytes(Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def keystore(password: bytes | None = PASSWORD) -> bytes:
    locked = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return pkcs12.serialize_key_and_certificates(b"alice", KEY, certificate(), [certificate("ca")], locked)


@pytest.fixture
def inspect(tmp_path, capsys):
    """What it says of these bytes, for programs."""

    def read(content: bytes, *options: str, status: int = 0):
        path = tmp_path / "file"
        path.write_bytes(content)
        assert main(["inspect", str(path), "-o", "json", *options]) == status
        out, err = capsys.readouterr()
        return json.loads(out) if status == 0 else err

    return read


@pytest.mark.parametrize("form", [Encoding.PEM, Encoding.DER])
def test_a_certificate_is_told(inspect, form):
    (said,) = inspect(certificate().public_bytes(form))
    assert (said["kind"], said["subject"], said["issuer"], said["serial"]) == ("certificate", "CN=alice", "CN=ca", "a1")
    assert said["state"].startswith("valid, expires in ")
    assert said["key"] == "ECDSA 256"


@pytest.mark.parametrize(
    ("begins", "ends", "state"), [(-2 * HOUR, -HOUR, "expired"), (HOUR, 2 * HOUR, "not valid yet")]
)
def test_a_certificate_that_is_not_valid_says_so(inspect, begins, ends, state):
    (said,) = inspect(certificate(begins=begins, ends=ends).public_bytes(Encoding.PEM))
    assert said["state"] == state


@pytest.mark.parametrize("form", [Encoding.PEM, Encoding.DER])
def test_a_crl_is_told_with_its_entries(inspect, form):
    (said,) = inspect(crl(3).public_bytes(form))
    assert (said["kind"], said["number"], said["issuer"]) == ("CRL", 77, "CN=ca")
    assert said["state"].startswith("current, nextUpdate in ")
    assert [each["serial"] for each in said["revoked"]] == ["1", "2", "3"]
    assert said["revoked"][0]["reason"] == "certificateHold"


def test_a_crl_that_expired_says_so(inspect):
    (said,) = inspect(crl(ends=-HOUR).public_bytes(Encoding.PEM))
    assert said["state"] == "EXPIRED"


def test_of_a_long_crl_people_see_the_first_entries(tmp_path, capsys):
    path = tmp_path / "crl"
    path.write_bytes(crl(MOST_ENTRIES + 5).public_bytes(Encoding.DER))
    assert main(["inspect", str(path)]) == 0
    out = capsys.readouterr().out
    assert f"Revoked: {MOST_ENTRIES + 5}, the first {MOST_ENTRIES}" in out
    assert out.count("certificateHold") == MOST_ENTRIES


@pytest.mark.parametrize("form", [Encoding.PEM, Encoding.DER])
def test_a_request_is_told(inspect, form):
    (said,) = inspect(request().public_bytes(form))
    assert (said["kind"], said["subject"], said["signature"]) == ("certificate request", "CN=bob", "good")


def test_several_blocks_are_told_in_their_order_and_a_key_is_never_shown(inspect):
    blocks = [certificate().public_bytes(Encoding.PEM), private_key(), crl().public_bytes(Encoding.PEM)]
    said = inspect(b"".join(blocks))
    assert [each["kind"] for each in said] == ["certificate", "private key", "CRL"]
    assert private_key().split(b"\n")[1].decode() not in json.dumps(said)


@pytest.mark.parametrize("label", ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY"])
def test_a_private_key_of_any_kind_is_named_and_not_read(inspect, label):
    (said,) = inspect(f"-----BEGIN {label}-----\nMAMCAQE=\n-----END {label}-----\n".encode())
    assert said["kind"] == "private key"
    assert "MAMCAQE" not in json.dumps(said)
    assert said["note"].startswith("not shown")


def test_a_keystore_is_told_with_its_password(inspect, tmp_path):
    path = tmp_path / "password"
    path.write_bytes(PASSWORD + b"\n")
    store, own, other = inspect(keystore(), "--password-file", str(path))
    assert (store["kind"], store["privateKey"]) == ("PKCS#12 keystore", "yes, not shown")
    assert (own["subject"], own["name"], other["subject"]) == ("CN=alice", "alice", "CN=ca")


def test_a_keystore_without_a_password_is_told(inspect):
    assert inspect(keystore(None))[0]["kind"] == "PKCS#12 keystore"


def test_a_keystore_is_not_read_without_its_password(inspect, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert "password is missing or wrong" in inspect(keystore(), status=1)
    path = tmp_path / "password"
    path.write_bytes(b"wrong")
    assert "password is missing or wrong" in inspect(keystore(), "--password-file", str(path), status=1)


def damaged() -> dict[str, bytes]:
    pem = certificate().public_bytes(Encoding.PEM)
    return {
        "nothing": b"",
        "text": b"hello",
        "no end": pem[:-30],
        "no base64": pem.replace(b"M", b"!"),
        "cut DER": certificate().public_bytes(Encoding.DER)[:-3],
        "an empty block": b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        "a wrong label": pem.replace(b"CERTIFICATE", b"X509 CRL"),
        "a label without an end": b"-----BEGIN ",
        "a long label": b"-----BEGIN " + b"A" * 9999 + b"-----\n-----END " + b"A" * 9999 + b"-----\n",
        "a cut keystore": keystore()[:-9],
    }


@pytest.mark.parametrize("content", damaged().values(), ids=damaged())
def test_what_cannot_be_read_is_one_line(inspect, content):
    err = inspect(content, status=1)
    assert err.startswith("error: cannot read ")
    assert err.count("\n") == 1


GOOD = (certificate().public_bytes(Encoding.DER), crl().public_bytes(Encoding.DER), keystore())


@given(st.binary(max_size=300), st.booleans(), st.sampled_from([0, 1, 2]), st.integers(0, 900))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_whatever_bytes_there_are_nothing_falls_over(tmp_path, capsys, junk, whole, which, at):
    path = tmp_path / "file"
    good = GOOD[which]
    content = good[:at] + junk + (good[at + len(junk) :] if whole else b"")
    wrapped = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(content) + b"-----END CERTIFICATE-----\n"
    for each in (junk, content, wrapped):
        path.write_bytes(each)
        assert main(["inspect", str(path)]) in (0, 1)
        out, err = capsys.readouterr()
        assert all(char.isprintable() or char == "\n" for char in out + err)
        assert bool(out) is not err.startswith("error: ")


def test_names_of_strangers_move_no_terminal(tmp_path, capsys):
    path = tmp_path / "file"
    path.write_bytes(certificate(HOSTILE).public_bytes(Encoding.PEM))
    assert main(["inspect", str(path)]) == 0
    out = capsys.readouterr().out
    assert all(char.isprintable() or char == "\n" for char in out)
    assert not any(line.startswith("fake") for line in out.splitlines())


def test_a_file_that_is_not_there_is_one_line(capsys, tmp_path):
    assert main(["inspect", str(tmp_path / "none")]) == 1
    assert "No such file" in capsys.readouterr().err
