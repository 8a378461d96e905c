"""A protected host with a server certificate that clients check, and what clients hold, as `doorward export` wrote it."""

import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from doorward.cli.main import main
from tests.gate.doors import IN, REFUSED, Door, Street
from tests.support.home import Home, client
from tests.support.kube import CERTIFICATES, eventually
from tests.support.openssl import OpenSsl

SERVER = "subjectAltName=DNS:{host}\nextendedKeyUsage=serverAuth\nkeyUsage=critical,digitalSignature\n"
KEYS: Mapping[str, Mapping[str, Any]] = {
    "p256": {"algorithm": "ECDSA", "size": 256},
    "p384": {"algorithm": "ECDSA", "size": 384},
    "rsa2048": {"algorithm": "RSA", "size": 2048},
    "rsa3072": {"algorithm": "RSA", "size": 3072},
    "rsa4096": {"algorithm": "RSA", "size": 4096},
    "ed25519": {"algorithm": "Ed25519"},
}
PROFILES = ("Modern2023", "LegacyDES")
HOLDERS: Mapping[str, Mapping[str, Any]] = {
    f"{key}-{profile}".lower(): {"privateKey": dict(spec), "keystores": {"pkcs12": {"profile": profile}}}
    for key, spec in KEYS.items()
    for profile in PROFILES
}
"""A client for every key type and profile."""
UNTOUCHED = "untouched"
"""One who is never revoked."""


@dataclass(frozen=True)
class Exported:
    """The files of one client."""

    pem: Path
    """Key and certificate."""
    p12: Path
    password: Path


@dataclass(frozen=True)
class Site:
    """The host, and who signed its own certificate."""

    door: Door
    ca: Path

    @property
    def port(self) -> int:
        """Where it is asked, on this machine."""
        return self.door.ingress.https_port


def server_certificate(home: Home, openssl: OpenSsl, folder: Path) -> Path:
    """Make the Secret `server` with a certificate for the host; the file of the CA that signed it."""
    host = host_of(home)
    authority = openssl.ca("Server CA")
    own = openssl.issue(host, authority, extensions=SERVER.format(host=host))
    home.secret("server", {"tls.crt": own.certificate, "tls.key": own.key}, type="kubernetes.io/tls")
    ca = folder / "server-ca.crt"
    ca.write_bytes(authority.certificate)
    return ca


def host_of(home: Home) -> str:
    """The name of the host."""
    return f"shop.{home.namespace}.example"


def built(street: Street, ca: Path) -> Site:
    """The host, once it shows its certificate."""
    site = Site(street.door("shop"), ca)
    assert site.door.host == host_of(street.home)
    eventually(lambda: _is_believed(site), f"{site.door.host} shows its certificate")
    return site


def _is_believed(site: Site) -> bool:
    context = ssl.create_default_context(cafile=str(site.ca))
    try:
        with (
            socket.create_connection((site.door.ingress.address, site.port), timeout=10) as connection,
            context.wrap_socket(connection, server_hostname=site.door.host),
        ):
            return True
    except OSError:
        return False


def exported(
    home: Home, kubeconfig: Path, folder: Path, wanted: Mapping[str, Mapping[str, Any]]
) -> dict[str, Exported]:
    """Make these clients, each by its name and spec: their files."""
    for name, spec in wanted.items():
        home.make(CERTIFICATES, client(name, **spec))
    for name in wanted:
        home.issued(name)
    return {name: _export(home, kubeconfig, folder, name) for name in wanted}


def revoke(home: Home, site: Site, files: Mapping[str, Exported], names: Sequence[str]) -> None:
    """Revoke these clients; on return the host refuses them, and admits the one who was not revoked."""
    for name in names:
        home.respec(CERTIFICATES, name, revoked=True)
    for name in names:
        site.door.comes_to_tell({"tls.crt": files[name].pem}, REFUSED)
    site.door.comes_to_tell({"tls.crt": files[UNTOUCHED].pem}, IN)


def _export(home: Home, kubeconfig: Path, folder: Path, name: str) -> Exported:
    files = Exported(*(folder / f"{name}.{end}" for end in ("pem", "p12", "password")))
    command = ["export", name, f"--namespace={home.namespace}", f"--kubeconfig={kubeconfig}"]
    for arguments in (["--pem", f"--output={files.pem}"], [f"--output={files.p12}"]):
        assert main([*command, *arguments]) == 0
    files.password.write_bytes(home.data(f"{name}-mtls")["keystore.password"])
    return files
