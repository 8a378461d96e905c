"""The go.mod of another version of Kubernetes."""

from pathlib import Path

import pytest

from tests.testbed import binaries, pin

UPSTREAM = """
module k8s.io/kubernetes

go 1.24.0

godebug default=go1.24

require (
\tk8s.io/api v0.0.0
\tk8s.io/utils v0.0.0-20250604170112-4c0f3b243397
)

replace (
\tk8s.io/api => ./staging/src/k8s.io/api
\tk8s.io/client-go => ./staging/src/k8s.io/client-go
)
"""


def test_kubernetes_own_parts_come_in_the_version_of_the_whole() -> None:
    assert pin.go_mod("1.34.4", UPSTREAM).split("\n\n") == [
        "module doorward.io/testbed/kubernetes",
        "go 1.24.0",
        "require k8s.io/kubernetes v1.34.4",
        "replace k8s.io/api => k8s.io/api v0.34.4",
        "replace k8s.io/client-go => k8s.io/client-go v0.34.4\n",
    ]


@pytest.mark.parametrize("folder", binaries.kubernetes_versions().values(), ids=lambda folder: folder.name)
def test_each_version_that_is_there_is_whole(folder: Path) -> None:
    version = binaries.pinned(folder).removeprefix("v")
    assert folder.name in {binaries.KUBERNETES, f"{binaries.KUBERNETES}-{version}"}
    text = (folder / "go.mod").read_text()
    assert f"\nreplace k8s.io/api => k8s.io/api v0.{version.removeprefix('1.')}\n" in text
    assert f"k8s.io/kubernetes v{version} h1:" in (folder / "go.sum").read_text()
    tools = (folder / "tools.go").read_text()
    assert all(
        f'"{recipe.package}"' in tools for recipe in binaries.RECIPES.values() if recipe.module == binaries.KUBERNETES
    )
