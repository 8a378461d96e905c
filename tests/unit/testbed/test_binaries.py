"""Which binary is taken: one that the machine has and that fits, else the one of the cache, keyed by what it is made from."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.testbed import binaries

KUBECTL = binaries.RECIPES["kubectl"]


def program(folder: Path, name: str, says: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def _nothing_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(binaries.CHOICE, raising=False)


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = tmp_path / "go"
    shutil.copytree(binaries.MODULES, copy)
    monkeypatch.setattr(binaries, "MODULES", copy)
    return copy


def test_the_key_names_the_version_of_the_module() -> None:
    version = re.escape(binaries.module_version("kubernetes"))
    assert re.fullmatch(rf"kubectl-{version}-\w+-[0-9a-f]{{12}}", binaries.key(KUBECTL))


@pytest.mark.parametrize("file", ["go.mod", "go.sum"])
def test_the_key_follows_the_modules_it_is_made_from(modules: Path, file: str) -> None:
    before = binaries.key(KUBECTL)
    with (modules / "kubernetes" / file).open("a") as changed:
        changed.write("\n")
    assert binaries.key(KUBECTL) != before


def test_the_key_does_not_follow_other_modules(modules: Path) -> None:
    before = binaries.key(KUBECTL)
    (modules / "etcd" / "go.sum").write_text("")
    assert binaries.key(KUBECTL) == before


@pytest.mark.parametrize("version", ["v1.35.4", "v1.36.3", "v1.37.0"])
def test_a_kubectl_within_one_minor_version_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    found = program(tmp_path / "bin", "kubectl", f"Client Version: {version}")
    monkeypatch.setenv("PATH", str(found.parent))
    assert binaries.resolve("kubectl") == found


@pytest.mark.parametrize("version", ["v1.32.4", "v1.38.0", "nonsense"])
def test_another_kubectl_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    found = program(tmp_path / "bin", "kubectl", f"Client Version: {version}")
    monkeypatch.setenv("PATH", str(found.parent))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    built = tmp_path / "doorward" / "testbed" / binaries.key(KUBECTL)
    built.mkdir(parents=True)
    assert binaries.resolve("kubectl") == built / "kubectl"


def test_the_assets_that_the_user_names_come_before_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    says = "Client Version: v1.36.0"
    monkeypatch.setenv("PATH", str(program(tmp_path / "bin", "kubectl", says).parent))
    asset = program(tmp_path / "assets", "kubectl", says)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(asset.parent))
    assert binaries.resolve("kubectl") == asset


def test_each_version_of_kubernetes_has_a_key_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {version: binaries.key(KUBECTL) for version in chosen_in_turn(monkeypatch)}
    assert len(set(keys.values())) == len(keys)
    assert all(key.startswith(f"kubectl-v{version}-") for version, key in keys.items())


def test_each_version_is_linked_as_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for version in chosen_in_turn(monkeypatch):
        assert f".gitVersion=v{version} " in binaries.link_flags(KUBECTL)
        assert binaries.link_flags(KUBECTL).endswith(f".gitMinor={binaries.kubernetes_minor()}")


def test_a_chosen_version_changes_no_other_module(monkeypatch: pytest.MonkeyPatch) -> None:
    before = binaries.key(binaries.RECIPES["etcd"])
    assert {binaries.key(binaries.RECIPES["etcd"]) for _ in chosen_in_turn(monkeypatch)} == {before}


def test_a_version_without_a_module_is_an_error_that_names_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(binaries.CHOICE, "1.19.0")
    with pytest.raises(
        binaries.UnknownVersion, match=r"no go\.mod of Kubernetes 1\.19\.0 .* one of 1\.36\.3, .*pin 1\.19\.0"
    ):
        binaries.resolve("kubectl")


@pytest.mark.parametrize(
    ("chosen", "says", "taken"),
    [
        ("1.34.4", "v1.35.0", True),
        ("1.34.4", "v1.36.3", False),
        ("1.37.2", "v1.36.3", True),
        ("1.37.2", "v1.35.0", False),
    ],
)
def test_which_kubectl_is_taken_follows_the_chosen_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: str, says: str, taken: bool
) -> None:
    found = program(tmp_path / "bin", "kubectl", f"Client Version: {says}")
    monkeypatch.setenv("PATH", str(found.parent))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv(binaries.CHOICE, chosen)
    (tmp_path / "doorward" / "testbed" / binaries.key(KUBECTL)).mkdir(parents=True)
    assert (binaries.resolve("kubectl") == found) is taken


def chosen_in_turn(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for version in binaries.kubernetes_versions():
        monkeypatch.setenv(binaries.CHOICE, version)
        yield version
