"""A CA made by hand, as the tutorial makes one: openssl and nothing else, so that what it signs is a stranger's to Doorward."""

import subprocess
from pathlib import Path

CONFIG = """\
[ca]
default_ca = ca
[ca]
database = {folder}/index.txt
serial = {folder}/serial
crlnumber = {folder}/crlnumber
new_certs_dir = {folder}
certificate = {folder}/ca.crt
private_key = {folder}/ca.key
default_md = sha256
default_days = 30
default_crl_days = 30
policy = any
crl_extensions = crl
unique_subject = no
[any]
commonName = supplied
[crl]
authorityKeyIdentifier = keyid
[req]
distinguished_name = none
[none]
"""


class OpensslCa:
    """A folder with ca.crt, ca.key and openssl's own database."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.certificate, self.key = folder / "ca.crt", folder / "ca.key"
        self._config = folder / "openssl.cnf"
        self._config.write_text(CONFIG.format(folder=folder))
        for name, content in {"index.txt": "", "serial": "1000\n", "crlnumber": "1000\n"}.items():
            (folder / name).write_text(content)

    def create(self, subject: str, *, newkey: str = "rsa:2048", days: int = 30) -> None:
        """A self-signed CA, by the tutorial's command."""
        self.openssl("req", "-newkey", newkey, "-x509", "-keyout", self.key, "-out", self.certificate,
                     "-days", str(days), "-nodes", "-subj", subject)  # fmt: skip

    def client(self, name: str) -> dict[str, Path]:
        """A client's certificate and key, as tls.crt and tls.key."""
        request = self.folder / f"{name}.csr"
        pair = {"tls.crt": self.folder / f"{name}.crt", "tls.key": self.folder / f"{name}.key"}
        self.openssl("req", "-newkey", "rsa:2048", "-keyout", pair["tls.key"], "-out", request, "-nodes",
                     "-subj", f"/CN={name}")  # fmt: skip
        self.openssl("ca", "-batch", "-config", self._config, "-in", request, "-out", pair["tls.crt"], "-notext")
        return pair

    def revoke(self, certificate: Path) -> None:
        """Into the database; the next CRL names it."""
        self.openssl("ca", "-config", self._config, "-revoke", certificate)

    def crl(self) -> bytes:
        """A new CRL, PEM."""
        path = self.folder / "ca.crl"
        self.openssl("ca", "-config", self._config, "-gencrl", "-out", path)
        return path.read_bytes()

    def openssl(self, *arguments: str | Path) -> str:
        """Run it; what it said."""
        done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout
