"""Proxies and libraries that come as Python wheels, locked with hashes here; each is unpacked into the cache when it is first needed."""

import hashlib
import platform
import sys
from pathlib import Path

from tests.testbed import cache, process

FOLDER = Path(__file__).parent
PROGRAMS = {"traefik": "bin/traefik", "envoy": "envoy/_bin/envoy"}
"""Where each lies in its wheel. Traefik has 185 MB, Envoy 107 MB."""


def resolve(name: str) -> Path:
    """The program of that name."""
    return unpacked(name) / PROGRAMS[name]


def unpacked(name: str) -> Path:
    """The folder with what `NAME.txt` locks, for PYTHONPATH."""
    locked = FOLDER / f"{name}.txt"
    digest = hashlib.sha256(locked.read_bytes()).hexdigest()[:12]
    return cache.entry(f"{name}-{platform.machine()}-{digest}", lambda folder: _unpack(name, locked, folder))


def _unpack(name: str, locked: Path, folder: Path) -> None:
    with cache.progress(f"unpacking {name} from its wheel"):
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--no-compile"]
        process.run([*pip, "--only-binary=:all:", "--target", folder, "-r", locked])
