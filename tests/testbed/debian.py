"""Tools that the machine may lack: its own where it has them, else Debian's packages, unpacked into the cache."""

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.testbed import cache, process, programs

PACKAGES = ("nginx", "libnginx-mod-http-headers-more-filter")
MODULE = "ngx_http_headers_more_filter_module.so"
SYSTEM_MODULES = Path("/usr/lib/nginx/modules")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A program that can run, with what its environment needs besides."""

    binary: Path
    env: Mapping[str, str] = field(default_factory=dict)

    def run(
        self, *arguments: str | Path, stdin: bytes | None = None, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run it to its end, at most five minutes; what it gave back is the caller's to judge."""
        return subprocess.run(
            [self.binary, *arguments],
            input=stdin if stdin is not None else b"",
            capture_output=True,
            check=False,
            timeout=300,
            env={**os.environ, **self.env, **(env or {})},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Nginx:
    """An nginx that can run; all below `prefix` where that is not the machine's own."""

    binary: Path
    module: Path
    libraries: Path | None = None

    @property
    def version(self) -> tuple[int, ...]:
        """1.22.1 as (1, 22, 1)."""
        env = {"LD_LIBRARY_PATH": str(self.libraries)} if self.libraries else None
        said = subprocess.run([self.binary, "-v"], capture_output=True, text=True, check=True, env=env).stderr
        return parse_version(said)


def parse_version(said: str) -> tuple[int, ...]:
    """The number in what `nginx -v` says."""
    found = re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", said)
    if found is None:
        raise ValueError(f"not a version of nginx: {said!r}")
    return tuple(int(number) for number in found.groups())


def nginx() -> Nginx:
    """The nginx to run."""
    installed = programs.find("nginx")
    if installed and (SYSTEM_MODULES / MODULE).exists():
        return Nginx(binary=Path(installed), module=SYSTEM_MODULES / MODULE)
    folder = _unpacked("nginx", PACKAGES)
    libraries = _library_folders(folder)
    return Nginx(
        binary=folder / "usr/sbin/nginx",
        module=folder / "usr/lib/nginx/modules" / MODULE,
        libraries=libraries[0] if libraries else None,
    )


def tool(name: str, *, package: str) -> Tool:
    """The program of that name: the one on the machine, else the one in Debian's package, which is not installed."""
    installed = programs.find(name)
    return Tool(binary=Path(installed)) if installed else tool_below(_unpacked(package, (package,)), name)


def library(name: str, *, package: str) -> Path:
    """The shared library of that name in Debian's package, which is not installed; RuntimeError if it is not there."""
    folder = _unpacked(package, (package,))
    found = sorted(path for path in folder.rglob(name) if path.is_file())
    if not found:
        raise RuntimeError(f"no {name} in what was unpacked to {folder}")
    return found[0]


def unpacked(*names: str) -> Path:
    """The folder with those of Debian's packages, which are not installed, and with what they need that the machine lacks."""
    return _unpacked("+".join(names), names)


def with_libraries(folder: Path) -> dict[str, str]:
    """The environment in which a program of that folder finds the libraries that came with it."""
    libraries = ":".join(map(str, _library_folders(folder)))
    return {"LD_LIBRARY_PATH": libraries} if libraries else {}


def tool_below(folder: Path, name: str) -> Tool:
    """The program of that name among the unpacked packages, with their libraries; RuntimeError if it is not there."""
    found = sorted(path for path in (folder / "usr").glob(f"**/bin/{name}") if path.is_file())
    if not found:
        raise RuntimeError(f"no {name} in what was unpacked to {folder}")
    return Tool(binary=found[0], env=with_libraries(folder))


def _library_folders(folder: Path) -> list[Path]:
    return sorted({found.parent for top in ("usr/lib", "lib") for found in (folder / top).glob("*/lib*.so*")})


def _unpacked(name: str, packages: tuple[str, ...]) -> Path:
    """The cache's folder with those packages; made where it is missing."""
    return cache.entry(f"{name}-{_distribution()}-{platform.machine()}", lambda folder: _unpack(folder, packages))


def _distribution() -> str:
    release = platform.freedesktop_os_release()
    return f"{release.get('ID', 'linux')}-{release.get('VERSION_CODENAME', release.get('VERSION_ID', 'unknown'))}"


def _unpack(folder: Path, packages: tuple[str, ...]) -> None:
    """Fetch the packages, and those of their dependencies that the machine lacks, without installing anything."""
    if shutil.which("apt-get") is None:
        raise RuntimeError(f"the machine lacks {' and '.join(packages)}, and has no apt-get to fetch Debian's")
    with cache.progress(f"unpacking {packages[0]} from Debian's packages"):
        apt = _private_apt(folder / "apt")
        process.run([*apt, "update"])
        plan = process.run([*apt, "install", "--simulate", "--no-install-recommends", *packages])
        wanted = needed(plan) or list(packages)
        process.run([*apt, "download", *wanted], cwd=folder / "apt")
        for package in (folder / "apt").glob("*.deb"):
            process.run(["dpkg-deb", "--extract", package, folder])
        shutil.rmtree(folder / "apt")
        relink(folder)


def relink(folder: Path) -> None:
    """Turn links to absolute paths that were unpacked too into relative ones: a JRE's configuration is such a link."""
    for link in (path for path in folder.rglob("*") if path.is_symlink()):
        target = link.readlink()
        inside = folder / target.relative_to("/") if target.is_absolute() else None
        if inside is not None and (inside.exists() or inside.is_symlink()):
            link.unlink()
            link.symlink_to(os.path.relpath(inside, link.parent))


def needed(plan: str) -> list[str]:
    """The packages that apt's simulation would install."""
    return re.findall(r"^Inst (\S+)", plan, re.MULTILINE)


def _private_apt(folder: Path) -> list[str | Path]:
    """apt-get with lists of its own: the machine's may be old, and are not ours to renew."""
    (folder / "lists" / "partial").mkdir(parents=True)
    (folder / "archives" / "partial").mkdir(parents=True)
    options = {
        "Dir::State::Lists": folder / "lists",
        "Dir::Cache": folder,
        "Dir::State::status": "/var/lib/dpkg/status",
        "APT::Sandbox::User": "",
    }
    return ["apt-get", "--quiet=2", *(f"-o{name}={value}" for name, value in options.items())]
