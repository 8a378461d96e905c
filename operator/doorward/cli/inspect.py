"""`doorward inspect FILE`: what a certificate, CRL, request or keystore says. It asks no cluster."""

import getpass
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from doorward.cli import inspected
from doorward.cli.errors import UserError
from doorward.cli.inspected import MOST, MOST_ENTRIES, Found, NeedsPassword
from doorward.cli.options import Output
from doorward.cli.printed import Facts, Format, Part, Table, show
from doorward.clock import SystemClock
from doorward.pki.pem import PkiError

LOCKED = "the keystore is encrypted, and the password is missing or wrong"


def inspect(path: str, password_file: Path | None, output: Format) -> int:
    """Read, and print."""
    content = _content(path)
    found = _read(content, path, password_file)
    parts = [part for each in found for part in _parts(each)]
    show([each.data for each in found], parts, output)
    return 0


def _content(path: str) -> bytes:
    try:
        if path == "-":
            content = sys.stdin.buffer.read(MOST + 1)
        else:
            with Path(path).open("rb") as file:
                content = file.read(MOST + 1)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    if len(content) > MOST:
        raise UserError(f"{path} has more than {MOST // 2**20} MiB")
    return content


def _read(content: bytes, path: str, password_file: Path | None) -> list[Found]:
    now = SystemClock().now()
    try:
        return list(inspected.read(content, _password(password_file), now))
    except NeedsPassword:
        if password_file is None and sys.stdin.isatty() and path != "-":
            return _asked(lambda: list(inspected.read(content, getpass.getpass("Password: ").encode(), now)))
        raise UserError(LOCKED, "write it into a file, and name that with --password-file") from None
    except PkiError as error:
        raise UserError(f"cannot read {path}: {error}", "give PEM, DER, or a PKCS#12 keystore (.p12, .pfx)") from error


def _asked(read: Callable[[], list[Found]]) -> list[Found]:
    try:
        return read()
    except NeedsPassword:
        raise UserError(LOCKED) from None


def _password(path: Path | None) -> bytes | None:
    """Without the line break at its end, which nobody types."""
    if path is None:
        return None
    try:
        return path.read_bytes().rstrip(b"\r\n")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error


def _parts(found: Found) -> list[Part]:
    entries = found.facts.get("revoked")
    facts = [(name, value) for name, value in found.facts.items() if name != "revoked"]
    if entries is None:
        return [Facts(title=found.kind, rows=facts)]
    rows = [(each["serial"], each["time"], each["reason"]) for each in entries[:MOST_ENTRIES]]
    more = f", the first {MOST_ENTRIES}: -o json lists all" if len(entries) > MOST_ENTRIES else ""
    table = Table(title=f"Revoked: {len(entries)}{more}", head=("SERIAL", "TIME", "REASON"), rows=rows)
    return [Facts(title=found.kind, rows=facts), table]


def command(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="PEM or DER: certificates, a CRL, a certificate request; or PKCS#12. - is standard input.",
        ),
    ],
    *,
    password_file: Annotated[
        Path | None,
        typer.Option(
            "--password-file",
            metavar="PATH",
            help="File with the password of a PKCS#12 keystore. Defaults to asking for it.",
        ),
    ] = None,
    output: Output = None,
) -> int:
    """Show what is in a file: certificates, CRLs, requests, keystores. Private keys are named and never shown."""
    return inspect(file, password_file, output)
