"""Files with private keys: readable by their owner alone, and never written over by accident."""

import contextlib
import os
import sys
import tempfile
from pathlib import Path

from doorward.cli.errors import UserError
from doorward.pki.keys import SecretBytes

TERMINAL = "-"


def write(path: str, content: SecretBytes, *, force: bool) -> None:
    """Write it, `-` for standard output; UserError where it is there already, or cannot be written."""
    if path == TERMINAL:
        sys.stdout.buffer.write(content.reveal())
        sys.stdout.buffer.flush()
        return
    try:
        if force:
            _replace(Path(path), content)
        else:
            _create(path, content)
    except FileExistsError:
        raise UserError(f"{path} exists", "add --force to replace it, or name another file with -o") from None
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}", "name another file with -o") from None


def _create(path: str, content: SecretBytes) -> None:
    """A link in its place is not followed: O_EXCL."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        _fill(handle, content)
    except OSError:
        Path(path).unlink()
        raise


def _replace(path: Path, content: SecretBytes) -> None:
    """By a new file: the old one may be open to others, or be a link."""
    handle, new = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:64]}.")  # mode 0600
    try:
        _fill(handle, content)
        Path(new).replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            Path(new).unlink()
        raise


def _fill(handle: int, content: SecretBytes) -> None:
    with os.fdopen(handle, "wb") as file:
        file.write(content.reveal())
