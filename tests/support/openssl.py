"""openssl, asked as a stranger: what it makes of our certificates and CRLs, and CAs and keys as it leaves them.

Nothing of the code under test is used here. Files lie in the folder that is given, pytest's own.
"""

import itertools
import re
import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tests.testbed import debian

CA_EXTENSIONS = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"
LEAF_EXTENSIONS = (
    "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n"
)
EC_KEY = ("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A certificate that openssl made, PEM, with its key."""

    certificate: bytes
    key: bytes


class OpenSsl:
    """The command with a configuration of its own, so that the machine's changes nothing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tool = debian.tool("openssl", package="openssl")
        self._names = itertools.count()
        self._env = {"OPENSSL_CONF": str(self.file(b"[req]\ndistinguished_name=dn\nx509_extensions=ca\n[dn]\n[ca]\n"))}

    def file(self, content: bytes) -> Path:
        """A file with that content."""
        path = self._folder / f"file-{next(self._names)}"
        path.write_bytes(content)
        return path

    def run(self, *arguments: str | Path, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        """The command as it ended."""
        return self._tool.run(*arguments, stdin=stdin, env=self._env)

    def says(self, *arguments: str | Path, stdin: bytes | None = None) -> str:
        """Standard output, as text; AssertionError with what went wrong if it fails."""
        return self.makes(*arguments, stdin=stdin).decode()

    def makes(self, *arguments: str | Path, stdin: bytes | None = None) -> bytes:
        """Standard output, as bytes; AssertionError with what went wrong if it fails."""
        ended = self.run(*arguments, stdin=stdin)
        assert ended.returncode == 0, ended.stderr.decode(errors="replace")
        return ended.stdout

    def text(self, certificate: bytes) -> str:
        """`x509 -text`."""
        return self.says("x509", "-noout", "-text", stdin=certificate)

    def crl_text(self, crl: bytes) -> str:
        """`crl -text`."""
        return self.says("crl", "-noout", "-text", stdin=crl)

    def crl_entries(self, crl: bytes) -> dict[str, str]:
        """The reason of each serial that it lists, as openssl words them; "" where none is said."""
        entries = self.crl_text(crl).split("Serial Number: ")[1:]
        found = ((entry.split()[0].lower(), re.search(r"CRL Reason Code: *\n *(.+)", entry)) for entry in entries)
        return {serial: reason[1].strip() if reason else "" for serial, reason in found}

    def crl_serials(self, crl: Path) -> set[str]:
        """The serials that a CRL lists, lower-case hex."""
        return set(self.crl_entries(crl.read_bytes()))

    def subject(self, certificate: bytes) -> list[str]:
        """The subject's attributes, each as `NAME=value`, unescaped."""
        options = ("-nameopt", "sep_multiline,sname,utf8")
        said = self.says("x509", "-noout", "-subject", *options, stdin=certificate)
        return [line.strip() for line in said.split("\n")[1:] if line]

    def verdict(
        self,
        leaf: bytes,
        *,
        anchor: bytes,
        crl: bytes | None,
        at: datetime,
        purpose: str = "sslclient",
        strict: bool = True,
    ) -> str:
        """`verify` of a TLS client at that instant, every CRL demanded if one is given: "OK", or openssl's reasons.

        `strict`: also what RFC 5280 asks for and nginx does not.
        """
        crls = () if crl is None else ("-crl_check_all", "-CRLfile", self.file(crl))
        ended = self.run(
            *(
                "verify",
                *(("-x509_strict",) if strict else ()),
                "-purpose",
                purpose,
                "-attime",
                str(int(at.timestamp())),
            ),
            *("-no-CApath", "-no-CAstore", "-CAfile", self.file(anchor), *crls, self.file(leaf)),
        )
        if ended.returncode == 0:
            return "OK"
        said = re.findall(r"^error \d+ at \d+ depth lookup: (.+)$", ended.stderr.decode(), re.MULTILINE)
        return "; ".join(dict.fromkeys(said))

    def ca(self, name: str, *, extensions: str = CA_EXTENSIONS, key: bytes | None = None) -> Issued:
        """A self-signed CA, valid for 30 days from now."""
        key = key or self.makes(*EC_KEY)
        request = self.request(name, key)
        return Issued(certificate=self._sign(request, extensions, "-key", self.file(key)), key=key)

    def issue(self, name: str, signer: Issued, *, extensions: str) -> Issued:
        """A certificate below `signer`, valid for 30 days from now."""
        key = self.makes(*EC_KEY)
        with_signer = ("-CA", self.file(signer.certificate), "-CAkey", self.file(signer.key), "-CAcreateserial")
        by_key = "" if "authorityKeyIdentifier" in extensions else "authorityKeyIdentifier=keyid\n"
        extended = extensions + by_key
        return Issued(certificate=self._sign(self.request(name, key), extended, *with_signer), key=key)

    def request(self, name: str, key: bytes, *options: str) -> bytes:
        """A certificate request, PEM."""
        return self.makes("req", "-new", "-utf8", "-subj", f"/CN={name}", "-key", self.file(key), *options)

    def _sign(self, request: bytes, extensions: str, *signer: str | Path) -> bytes:
        said = self.file(extensions.encode())
        return self.makes("x509", "-req", "-days", "30", "-sha256", "-extfile", said, *signer, stdin=request)
