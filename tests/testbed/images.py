"""Container images without a container engine: Debian's buildah as root, on a base image that mmdebstrap makes.

Nothing is installed and nothing of the machine is changed. Both tools come from Debian's packages, unpacked into the cache.
"""

import json
import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.testbed import cache, debian, process, programs

SUITE = "bookworm"
PACKAGES = "python3,python3-venv"
"""What the Containerfile asks of its base image."""
BASE = "localhost/base"
BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
ANYTHING = {"default": [{"type": "insecureAcceptAnything"}]}


class Builder:
    """Images in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._buildah = debian.tool("buildah", package="buildah")
        (folder / "policy.json").write_text(json.dumps(ANYTHING))
        (folder / "registries.conf").write_text("")
        (folder / "pip.conf").write_text("[global]\ncert = /tmp/ca.crt\n")

    def make_base(self) -> None:
        """The base image, from the cache's archive."""
        policy = f"--signature-policy={self._folder}/policy.json"
        container = self._run("from", policy, "scratch").strip()
        self._run("add", "--quiet", container, str(_base() / "base.tar"), "/")
        self._run("commit", "--quiet", policy, container, BASE)

    def build(self, context: Path, name: str) -> None:
        """`buildah build` of the Containerfile there, on the base image. pip trusts what this machine trusts."""
        self._run(
            "build",
            "--quiet",
            "--isolation=chroot",
            "--pull-never",
            f"--signature-policy={self._folder}/policy.json",
            f"--build-arg=BASE={BASE}",
            f"--volume={BUNDLE}:/tmp/ca.crt:ro",
            f"--volume={self._folder}/pip.conf:/etc/pip.conf:ro",
            f"--file={context}/Containerfile",
            f"--tag={name}",
            str(context),
        )

    def settings(self, name: str) -> dict[str, Any]:
        """What the image says of itself: User, Env, Entrypoint."""
        found = json.loads(self._run("inspect", "--type=image", name))
        return dict(found["OCIv1"]["config"])

    def size(self, name: str) -> str:
        """As `buildah images` shows it."""
        return self._run("images", "--format={{.Size}}", name).strip()

    def unpack(self, name: str) -> Path:
        """The image's files as a folder."""
        container = self._run("from", f"--signature-policy={self._folder}/policy.json", name).strip()
        return Path(self._run("mount", container).strip())

    def _run(self, *arguments: str) -> str:
        state = ["--root", self._folder / "images", "--runroot", self._folder / "run", "--storage-driver", "vfs"]
        command = [self._buildah.binary, *state, "--registries-conf", self._folder / "registries.conf", *arguments]
        return process.run([*self._with_libraries(), *command])

    def _with_libraries(self) -> list[str]:
        """buildah starts itself again with an empty environment: its libraries are found by the linker's cache, which is
        another one in a mount namespace of its own."""
        folders = self._buildah.env.get("LD_LIBRARY_PATH")
        if folders is None:
            return []
        listed, made = self._folder / "ld.conf", self._folder / "ld.cache"
        if not made.exists():
            listed.write_text("\n".join([*folders.split(":"), "include /etc/ld.so.conf", ""]))
            process.run([programs.needed("ldconfig", package="libc-bin"), "-X", "-C", made, "-f", listed])
        script = f'mount --bind {shlex.quote(str(made))} /etc/ld.so.cache && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", script, "sh"]


def _base() -> Path:
    return cache.entry(f"image-base-{SUITE}-{PACKAGES.replace(',', '-')}", _make_base)


def _make_base(folder: Path) -> None:
    with cache.progress(f"making a base image of Debian {SUITE}"):
        tool = debian.tool("mmdebstrap", package="mmdebstrap")
        sbin = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
        options = ["--variant=minbase", f"--include={PACKAGES}", SUITE, folder / "base.tar"]
        process.run([tool.binary, *options], env={**tool.env, "PATH": sbin})


def contained(root: Path, settings: Mapping[str, Any], arguments: list[str], binds: Mapping[str, Path]) -> list[str]:
    """The command that runs the image as its Deployment says: its user, its environment and entry point, a read-only root file
    system, a /tmp in memory of 16 MiB, and `binds`, a path inside to a folder outside."""
    quoted, chroot = shlex.quote(str(root)), shlex.quote(programs.needed("chroot", package="coreutils"))
    script = ["set -e", "mount --make-rprivate /", f"mount --bind {quoted} {quoted}"]
    for inside, outside in {"/proc": Path("/proc"), "/dev": Path("/dev"), **binds}.items():
        script += [f"mkdir -p {quoted}{inside}", f"mount --rbind {shlex.quote(str(outside))} {quoted}{inside}"]
    script += [
        f"mount -t tmpfs -o size=16m,mode=1777 tmpfs {quoted}/tmp",
        f"mount -o remount,bind,ro {quoted}",
        f"cd {quoted}",
        f'exec {chroot} --userspec={settings["User"]} --groups= {quoted} env -i "$@"',
    ]
    program = [*settings["Env"], *service_of(binds), *settings["Entrypoint"], *arguments]
    return ["unshare", "--mount", "sh", "-c", "\n".join(script), "sh", *program]


def service_of(binds: Mapping[str, Path]) -> list[str]:
    """What a kubelet tells a Pod of the API server, from the file `server` beside the token."""
    for outside in binds.values():
        if (outside / "server").exists():
            host, _, port = (outside / "server").read_text().rpartition("//")[2].partition(":")
            return [f"KUBERNETES_SERVICE_HOST={host}", f"KUBERNETES_SERVICE_PORT={port}"]
    return []


def ran(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run it to its end, at most two minutes."""
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
