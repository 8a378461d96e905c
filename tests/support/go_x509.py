"""Go, asked as a stranger: whether its crypto/x509 can read what gates are shown, as every controller in Go must."""

import hashlib
import subprocess
from pathlib import Path

from tests.testbed import binaries, cache, process

SOURCE = binaries.MODULES / "x509" / "main.go"


def unreadable(pem: bytes) -> str:
    """What Go says of the first certificate or CRL that it cannot read; empty: it can read all of them."""
    ended = subprocess.run([_binary()], input=pem, capture_output=True, check=True, timeout=60)
    return ended.stdout.decode().strip()


def _binary() -> Path:
    digest = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:12]
    return cache.entry(f"x509-{digest}", _build) / "x509"


def _build(folder: Path) -> None:
    env = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    process.run([binaries.go(), "build", "-trimpath", "-o", folder / "x509", SOURCE], cwd=folder, env=env)
