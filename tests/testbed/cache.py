"""The user's cache folder: each entry is built beside its place and renamed, under a lock, so a killed build does no harm."""

import fcntl
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def folder() -> Path:
    """Where everything built or unpacked lies."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "doorward" / "testbed"


def entry(name: str, fill: Callable[[Path], None]) -> Path:
    """The folder of that name; where it is missing, `fill` makes its content in a folder of its own first."""
    target = folder() / name
    if not target.exists():
        with locked(name):
            if not target.exists():
                _fill(target, fill)
    return target


def _fill(target: Path, fill: Callable[[Path], None]) -> None:
    # We hold the lock: whatever lies here of the same name is of a build that was killed.
    for left in target.parent.glob(f".{target.name}-*"):
        shutil.rmtree(left, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        fill(scratch)
        scratch.chmod(0o755)
        scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the lock of that name, across processes; the kernel lets go of it when we end, however we end."""
    folder().mkdir(parents=True, exist_ok=True)
    with (folder() / f".lock.{name}").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with progress(f"waiting for another run that makes {name}"):
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def progress(what: str, *, every: float = 10.0) -> Iterator[None]:
    """Say what takes long, with the time so far."""
    begun = time.monotonic()
    done = threading.Event()

    def tell() -> None:
        while not done.wait(every):
            _say(f"{what}: {time.monotonic() - begun:.0f} s so far")

    _say(f"{what} ...")
    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    _say(f"{what}: done in {time.monotonic() - begun:.1f} s")


def _say(line: str) -> None:
    print(f"testbed: {line}", file=sys.stderr, flush=True)
