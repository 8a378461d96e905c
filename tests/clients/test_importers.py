"""The programs that people import a keystore into read the exported .p12 files: openssl, Java's keytool, NSS's pk12util."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.importers import Imported, Importer, with_keytool, with_nss, with_openssl
from tests.support.openssl import OpenSsl

from .site import HOLDERS, Exported

IMPORTERS: Mapping[str, Importer] = {"openssl": with_openssl, "keytool": with_keytool, "pk12util": with_nss}
ONLY_IN_NEWER_NSS = [holder for holder in HOLDERS if holder.startswith("ed25519")]
ROWS = [
    (program, holder)
    for program in IMPORTERS
    for holder in HOLDERS
    if not (program == "pk12util" and holder in ONLY_IN_NEWER_NSS)
]


def expected(openssl: OpenSsl, files: Exported, holder: str) -> Imported:
    """What an importer should have: the name, the leaf that is in the PEM file too, and nothing besides."""
    said = openssl.says("x509", "-noout", "-fingerprint", "-sha256", "-in", files.pem)
    sha256 = said.strip().partition("=")[2].replace(":", "").lower()
    return Imported(name=f"{holder}.example", sha256=sha256, certificates=1)


@pytest.mark.parametrize(("program", "holder"), ROWS)
def test_an_exported_keystore_is_imported_with_its_key(
    program: str, holder: str, exported: Mapping[str, Exported], openssl: OpenSsl, tmp_path: Path
):
    files = exported[holder]
    imported = IMPORTERS[program](files.p12, files.password.read_text(), tmp_path)
    assert imported == expected(openssl, files, holder)


@pytest.mark.parametrize("holder", ONLY_IN_NEWER_NSS)
def test_nss_imports_an_ed25519_key_or_says_that_it_cannot(
    holder: str, exported: Mapping[str, Exported], openssl: OpenSsl, tmp_path: Path
):
    """That of Debian 12, NSS 3.87, cannot."""
    files = exported[holder]
    try:
        told: object = with_nss(files.p12, files.password.read_text(), tmp_path)
    except AssertionError as error:
        told = str(error)
    assert told == expected(openssl, files, holder) or "SEC_ERROR_PKCS12_UNABLE_TO_IMPORT_KEY" in str(told)
