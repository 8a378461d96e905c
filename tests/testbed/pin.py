"""Another version of Kubernetes for the test cluster: its module folder, with the hash of each module in go.sum."""

import json
import re
import shutil
from pathlib import Path

from tests.testbed import binaries, process

_STAGED = re.compile(r"^\s*(?:replace )?(k8s\.io/\S+) => \./staging/src/\S+$", re.MULTILINE)
"""Kubernetes' own parts, which its go.mod takes from its source tree: each is a module of the same minor and patch."""


def pin(version: str) -> Path:
    """Make `go/kubernetes-<version>`, such as of 1.34.4; its modules are fetched, and nothing is built."""
    upstream = json.loads(_go(["mod", "download", "-json", f"k8s.io/kubernetes@v{version}"], binaries.MODULES))["GoMod"]
    folder = binaries.MODULES / f"{binaries.KUBERNETES}-{version}"
    folder.mkdir()
    try:
        shutil.copy(binaries.MODULES / binaries.KUBERNETES / "tools.go", folder)
        (folder / "go.mod").write_text(go_mod(version, Path(upstream).read_text()))
        _go(["mod", "tidy"], folder)
    except BaseException:
        shutil.rmtree(folder)  # half of it would look like a version that can be built
        raise
    return folder


def go_mod(version: str, upstream: str) -> str:
    """The go.mod that asks for Kubernetes of that version, given Kubernetes' own."""
    language = re.search(r"^go \S+$", upstream, re.MULTILINE)
    assert language, "Kubernetes' go.mod names no version of Go"
    parts = [f"replace {part} => {part} v0.{version.removeprefix('1.')}" for part in _STAGED.findall(upstream)]
    blocks = ["module doorward.io/testbed/kubernetes", language[0], f"require k8s.io/kubernetes v{version}", *parts]
    return "\n\n".join(blocks) + "\n"


def _go(arguments: list[str], folder: Path) -> str:
    env = {"GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-mod=mod"}
    return process.run([binaries.go(), *arguments], cwd=folder, env=env)
