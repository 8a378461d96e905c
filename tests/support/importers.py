"""The programs that people import a keystore into: openssl, Java's keytool, NSS (Firefox, Chromium on Linux).

Each imports for good, private key and all, and tells what it then has. What fails is an AssertionError with what was said.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.support.openssl import OpenSsl
from tests.testbed import debian

UTF8 = {"LC_ALL": "C.UTF-8"}
_QUICK_START = ("-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC")


class Imported(NamedTuple):
    """What an importer has: its name for the private key's entry, the leaf's SHA-256, how many certificates in all."""

    name: str
    sha256: str
    certificates: int


Importer = Callable[[Path, str, Path], Imported]
"""Takes the keystore, its password and an empty folder."""


def _ran(tool: debian.Tool, *arguments: str | Path) -> str:
    ended = tool.run(*arguments, env=UTF8)
    assert ended.returncode == 0, (ended.stdout + ended.stderr).decode()
    return ended.stdout.decode()


def _fingerprint(openssl: OpenSsl, certificate: str) -> str:
    said = openssl.says("x509", "-noout", "-fingerprint", "-sha256", stdin=certificate.encode())
    return said.strip().partition("=")[2].replace(":", "").lower()


def with_openssl(keystore: Path, password: str, folder: Path) -> Imported:
    """`openssl pkcs12`."""
    openssl = OpenSsl(folder)
    opened = ("pkcs12", "-in", keystore, "-passin", f"file:{openssl.file(password.encode())}")
    certificates = openssl.says(*opened, "-nokeys")
    leaf = openssl.says(*opened, "-nokeys", "-clcerts")
    key = openssl.makes(*opened, "-nocerts", "-noenc")
    fits = openssl.says("x509", "-noout", "-pubkey", stdin=leaf.encode())
    assert openssl.says("pkey", "-pubout", stdin=key) == fits, "the private key is another's"
    name = re.search(r"friendlyName: (.+)", key.decode())
    return Imported(
        name=name[1] if name else "",
        sha256=_fingerprint(openssl, leaf),
        certificates=certificates.count("BEGIN CERTIFICATE"),
    )


def with_keytool(keystore: Path, password: str, folder: Path) -> Imported:
    """`keytool -importkeystore` into a keystore of Java's own making, which is then listed."""
    keytool = debian.tool("keytool", package="default-jre-headless")
    secret, own = folder / "password", folder / "own.p12"
    secret.write_text(password)
    source = ("-srckeystore", keystore, "-srcstoretype", "PKCS12", "-srcstorepass:file", secret)
    _ran(keytool, *_QUICK_START, "-importkeystore", *source, "-destkeystore", own, "-deststorepass", "changeit")
    listed = _ran(keytool, *_QUICK_START, "-list", "-v", "-keystore", own, "-storepass", "changeit")
    entry = re.search(r"Alias name: (.+)\n.*\nEntry type: PrivateKeyEntry\nCertificate chain length: (\d+)", listed)
    sha256 = re.search(r"SHA256: (\S+)", listed)
    assert entry is not None, listed
    assert sha256 is not None, listed
    return Imported(name=entry[1], sha256=sha256[1].replace(":", "").lower(), certificates=int(entry[2]))


def with_nss(keystore: Path, password: str, folder: Path) -> Imported:
    """`pk12util -i` into a new database, which certutil then lists."""
    pk12util, certutil = (debian.tool(name, package="libnss3-tools") for name in ("pk12util", "certutil"))
    secret, database = folder / "password", f"sql:{folder}"
    secret.write_text(password)
    _ran(certutil, "-N", "-d", database, "--empty-password")
    _ran(pk12util, "-i", keystore, "-d", database, "-w", secret)
    key = re.search(r"^< 0> \S+ +[0-9a-f]+ +(.+)$", _ran(certutil, "-K", "-d", database), re.MULTILINE)
    assert key is not None, "no private key was imported"
    listed = re.findall(r"^.+ [CTPpcuw]*,[CTPpcuw]*,[CTPpcuw]* *$", _ran(certutil, "-L", "-d", database), re.MULTILINE)
    leaf = _ran(certutil, "-L", "-d", database, "-n", key[1], "-a")
    return Imported(name=key[1], sha256=_fingerprint(OpenSsl(folder), leaf), certificates=len(listed))
