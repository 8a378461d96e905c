"""nginx: the machine's where it has the module that is needed, else Debian's packages, unpacked into the cache."""

import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.testbed import cache, process

PACKAGES = ("nginx", "libnginx-mod-http-headers-more-filter")
MODULE = "ngx_http_headers_more_filter_module.so"
SYSTEM_MODULES = Path("/usr/lib/nginx/modules")


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
    on_path = shutil.which("nginx")
    if on_path and (SYSTEM_MODULES / MODULE).exists():
        return Nginx(binary=Path(on_path), module=SYSTEM_MODULES / MODULE)
    folder = cache.entry(f"nginx-{_distribution()}-{platform.machine()}", _unpack)
    libraries = sorted({found.parent for found in (folder / "usr" / "lib").glob("*/lib*.so.*")})
    return Nginx(
        binary=folder / "usr/sbin/nginx",
        module=folder / "usr/lib/nginx/modules" / MODULE,
        libraries=libraries[0] if libraries else None,
    )


def _distribution() -> str:
    release = platform.freedesktop_os_release()
    return f"{release.get('ID', 'linux')}-{release.get('VERSION_CODENAME', release.get('VERSION_ID', 'unknown'))}"


def _unpack(folder: Path) -> None:
    """Fetch the packages, and those of their dependencies that the machine lacks, without installing anything."""
    if shutil.which("apt-get") is None:
        raise RuntimeError(f"no nginx with {MODULE} in {SYSTEM_MODULES}, and no apt-get to fetch Debian's")
    with cache.progress("unpacking nginx from Debian's packages"):
        apt = _private_apt(folder / "apt")
        process.run([*apt, "update"])
        plan = process.run([*apt, "install", "--simulate", "--no-install-recommends", *PACKAGES])
        wanted = needed(plan) or list(PACKAGES)
        process.run([*apt, "download", *wanted], cwd=folder / "apt")
        for package in (folder / "apt").glob("*.deb"):
            process.run(["dpkg-deb", "--extract", package, folder])
        shutil.rmtree(folder / "apt")


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
