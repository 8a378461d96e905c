"""`doorward export`: the file that a client is handed, and nobody else may read."""

import os
import plistlib
import stat

import pytest
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12

from doorward.cli.errors import UserError
from doorward.cli.export import export
from doorward.cli.main import main
from doorward.cluster.gateway import CLIENT_CERTIFICATE, SECRET
from doorward.objects.ca_secret import decode
from doorward.objects.exported import Form, mobileconfig
from doorward.objects.meta import ObjectKey
from doorward.pki.certificates import read_leaf
from doorward.pki.keys import fits
from tests.unit.runtime.looks import serial

ALICE = ObjectKey("edge", "alice")
SECRET_AT = ObjectKey("edge", "alice-mtls")


@pytest.fixture
def exports(person, tmp_path, monkeypatch):
    """Export alice, into a directory that was empty."""
    monkeypatch.chdir(tmp_path)

    def run(form=Form.P12, output=None, *, name="alice", force=False) -> int:
        return person.asks(lambda reader: export(reader, name, form, output, force=force))

    return run


def password(bed) -> bytes:
    return decode(bed.find(SECRET, "alice-mtls")["data"]["keystore.password"])


def test_a_p12_opens_with_the_password_that_the_hint_shows_and_nobody_else_may_read_it(bed, exports, tmp_path, capsys):
    os.umask(0)
    assert exports() == 0
    file = tmp_path / "alice.p12"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    found = load_pkcs12(file.read_bytes(), password(bed))
    assert found.cert.certificate.serial_number == serial(bed, "alice")
    said = capsys.readouterr().out
    assert "kubectl -n edge get secret alice-mtls" in said
    assert password(bed).decode() not in said


def test_pem_holds_the_key_and_its_certificate(exports, tmp_path, capsys):
    exports(Form.PEM)
    text = (tmp_path / "alice.pem").read_bytes()
    assert fits(
        text[: text.index(b"-----BEGIN CERTIFICATE")],
        read_leaf(text[text.index(b"-----BEGIN CERT") :]).certificate.public_key(),
    )
    assert "PRIVATE KEY" not in capsys.readouterr().out


def test_a_profile_holds_the_keystore_and_not_its_password(bed, exports, tmp_path):
    exports(Form.MOBILECONFIG)
    text = (tmp_path / "alice.mobileconfig").read_bytes()
    assert password(bed) not in text
    (payload,) = plistlib.loads(text)["PayloadContent"]
    assert payload["PayloadType"] == "com.apple.security.pkcs12"
    assert load_pkcs12(payload["PayloadContent"], password(bed)).key is not None


def test_what_is_in_a_name_is_text_in_a_profile():
    name = "</string><key>Password</key><string>&amp;"
    found = plistlib.loads(mobileconfig(b"x", client=ObjectKey("edge", name), uid="1", serial=1))
    assert found["PayloadDisplayName"] == f"Client certificate edge/{name}"
    assert "Password" not in found["PayloadContent"][0]


@pytest.mark.parametrize("link", [False, True])
def test_a_file_is_replaced_only_by_force_and_a_link_is_not_followed(exports, tmp_path, link):
    file, other = tmp_path / "alice.p12", tmp_path / "other"
    other.write_text("mine")
    if link:
        file.symlink_to(other)
    else:
        file.write_text("mine")
        file.chmod(0o644)
    with pytest.raises(UserError, match=r"alice[.]p12 exists") as refused:
        exports()
    assert "--force" in refused.value.hint
    assert file.read_text() == "mine"
    assert exports(force=True) == 0
    assert (other.read_text(), file.is_symlink()) == ("mine", False)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sorted(each.name for each in tmp_path.iterdir()) == ["alice.p12", "other"]


def test_standard_output_gets_the_file_and_nothing_else(bed, exports, tmp_path, capsysbinary):
    exports(output="-")
    assert load_pkcs12(capsysbinary.readouterr().out, password(bed)).key is not None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("force", [False, True])
def test_what_cannot_be_written_is_told_in_one_line(exports, force):
    with pytest.raises(UserError, match=r"cannot write missing/alice[.]p12: No such file"):
        exports(output="missing/alice.p12", force=force)


@pytest.mark.parametrize(
    ("patch", "why"),
    [
        ({"metadata": {"annotations": {"doorward.io/client-certificate": "bob"}}}, "not the Secret of"),
        ({"metadata": {"labels": {"doorward.io/role": None}}}, "not the Secret of"),
        ({"data": {"tls.key": ""}}, "no private key"),
        ({"data": {"tls.key": "bm9uZQ=="}}, "no private key"),
        ({"data": {"tls.crt": "bm9uZQ=="}}, "cannot be read"),
        ({"data": {"keystore.p12": None}}, "no keystore.p12"),
    ],
)
def test_a_secret_that_holds_no_such_file_is_told_of_and_nothing_is_written(bed, exports, tmp_path, patch, why):
    bed.cluster.merge_patch(SECRET, SECRET_AT, patch, "somebody", "")
    with pytest.raises(UserError, match=why):
        exports()
    assert list(tmp_path.iterdir()) == []


def test_a_client_or_a_secret_that_is_not_there_is_told_of(bed, exports):
    with pytest.raises(UserError, match="there is no ClientCertificate edge/nobody"):
        exports(name="nobody")
    bed.cluster.delete(SECRET, SECRET_AT, "somebody")
    with pytest.raises(UserError, match="there is no Secret edge/alice-mtls"):
        exports()


@pytest.mark.parametrize("field", ["revoked", "suspended"])
def test_whoever_exports_a_client_that_is_cut_off_is_told_so(bed, exports, capsys, field):
    bed.cluster.merge_patch(CLIENT_CERTIFICATE, ALICE, {"spec": {field: True}}, "somebody", "")
    exports()
    assert f"spec.{field}: true" in capsys.readouterr().err


def test_one_form_at_a_time(capsys):
    assert main(["export", "alice", "--pem", "--mobileconfig"]) == 2
    assert "either" in capsys.readouterr().err
