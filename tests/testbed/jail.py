"""A root folder of its own for one program, in mount and process namespaces that vanish with it: nothing on the host changes."""

import os
import shlex
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.testbed import programs

# The machine's programs and libraries; each is a folder, or a link to one.
_SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "opt")
_FILES = ("passwd", "group", "nsswitch.conf", "hosts", "resolv.conf", "ld.so.cache", "ssl/openssl.cnf")


class NoNamespaces(RuntimeError):
    """The machine lets us have no mount namespace, neither as root nor through a user namespace."""


def build(root: Path, binds: Mapping[str, Path]) -> None:
    """Lay out the root folder: the system's folders, `binds` (a path inside to a file or folder outside), its own /etc."""
    root.mkdir()
    for name in _SYSTEM:
        outside = Path("/") / name
        if outside.is_symlink():
            (root / name).symlink_to(outside.readlink())
        elif outside.is_dir():
            (root / name).mkdir(parents=True)
    for name in ("dev", "proc", "sys", "tmp", "run", "etc/ssl", "var/log"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in _FILES:
        with suppress(FileNotFoundError):
            (root / "etc" / name).write_bytes((Path("/etc") / name).read_bytes())
    for inside, outside in binds.items():
        target = root / inside.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if outside.is_dir():
            target.mkdir(exist_ok=True)
        else:
            target.touch()


def command(root: Path, binds: Mapping[str, Path], program: list[str]) -> list[str]:
    """The command line that runs the program inside."""
    mounts = ["set -e", "mount --make-rprivate /"]
    system = [f"/{name}" for name in _SYSTEM if (root / name).is_dir() and not (root / name).is_symlink()]
    everything = {name: Path(name) for name in (*system, "/dev", "/sys")} | dict(binds)
    mounts += [
        f"mount --rbind {shlex.quote(str(outside))} {shlex.quote(f'{root}{inside}')}"
        for inside, outside in everything.items()
    ]
    mounts.append(f"mount -t proc proc {shlex.quote(f'{root}/proc')}")
    chroot = programs.needed("chroot", package="coreutils")
    mounts.append(f"exec {shlex.quote(chroot)} {shlex.quote(str(root))} {shlex.join(program)}")
    # When unshare dies its child dies too, and with that child, the first of its process namespace, all others.
    return [*_unshare(), "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "sh", "-c", "\n".join(mounts)]


def _unshare() -> list[str]:
    for options in ([], ["--map-root-user"]):
        said = subprocess.run(["unshare", *options, "--mount", "true"], capture_output=True, text=True, check=False)
        if said.returncode == 0:
            return ["unshare", *options]
    raise NoNamespaces(f"needed to run ingress-nginx: {said.stderr.strip()}")


def inside(pid: int) -> dict[int, str]:
    """The processes that run inside by their ids, each with its program, given the process id of the outer command."""
    found: dict[int, str] = {}
    waiting = [pid]
    while waiting:
        for children in Path(f"/proc/{waiting.pop()}/task").glob("*/children"):
            with suppress(FileNotFoundError, ProcessLookupError):
                for child in map(int, children.read_text().split()):
                    found[child] = Path(f"/proc/{child}/cmdline").read_bytes().partition(b"\0")[0].decode()
                    waiting.append(child)
    return found


def end(pid: int) -> None:
    """End all that runs inside, given the process id of the outer command; on return of its wait, nothing is left."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    with suppress(FileNotFoundError, ProcessLookupError):
        for child in children.read_text().split():
            os.kill(int(child), signal.SIGKILL)
