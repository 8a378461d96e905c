"""What is left out, and what people write, where no mutating policy is served."""

from pathlib import Path

import pytest
import yaml

from tests.cluster import test_attacks_without_mutating
from tests.support import older
from tests.testbed import binaries

PATH = "/apis/networking.k8s.io/v1/namespaces/edge/ingresses"


@pytest.mark.parametrize(("version", "mutates"), [("1.35.4", False), ("1.36.3", True)])
def test_they_are_served_from_1_36(monkeypatch: pytest.MonkeyPatch, version: str, mutates: bool) -> None:
    monkeypatch.setenv(binaries.CHOICE, version)
    assert older.mutates() is mutates


def test_only_the_mutating_policies_are_left_out(tmp_path: Path) -> None:
    def listed(folder: Path) -> list[str]:
        return list(yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"])

    less = listed(older.manifests(tmp_path / "less"))
    assert sorted(set(listed(older.MANIFESTS)) - set(less)) == ["mutating-finalizer.yaml", "mutating-ingress.yaml"]
    assert less == [name for name in listed(older.MANIFESTS) if name in less]


@pytest.mark.parametrize(
    ("issuer", "secret"), [("partners", "edge/doorward.edge.partners"), ("ca/staff", "edge/doorward.ca.staff")]
)
def test_who_opts_in_writes_the_name_of_the_secret(issuer: str, secret: str) -> None:
    body = {"metadata": {"name": "app", "annotations": {older.ISSUER: issuer}}, "spec": {}}
    written = {**body, "metadata": {"name": "app", "annotations": {older.ISSUER: issuer, older.SECRET: secret}}}
    assert older.with_its_secret(PATH, body) == older.with_its_secret(f"{PATH}/app", body) == written


@pytest.mark.parametrize(
    ("path", "annotations"),
    [
        pytest.param(PATH, {}, id="does not opt in"),
        pytest.param(PATH, {older.ISSUER: None}, id="opts out"),
        pytest.param(PATH, {older.ISSUER: "No!"}, id="names no issuer"),
        pytest.param(PATH, {older.ISSUER: "partners", older.SECRET: "edge/own"}, id="names another Secret"),
        pytest.param(PATH, {older.ISSUER: "partners", older.SECRET: None}, id="takes it off"),
        pytest.param(PATH.replace("ingresses", "services"), {older.ISSUER: "partners"}, id="is no Ingress"),
    ],
)
def test_nothing_else_is_touched(path: str, annotations: dict[str, str | None]) -> None:
    body = {"metadata": {"annotations": annotations}}
    assert older.with_its_secret(path, body) is body


@pytest.mark.parametrize(("version", "names_it"), [("1.35.4", True), ("1.36.3", False)])
def test_a_manifest_names_the_secret_where_no_policy_does(
    monkeypatch: pytest.MonkeyPatch, version: str, names_it: bool
) -> None:
    monkeypatch.setenv(binaries.CHOICE, version)
    metadata = {"namespace": "edge", "annotations": {older.ISSUER: "partners"}}
    written = older.as_written({"kind": "Ingress", "metadata": metadata})["metadata"]["annotations"]
    assert (older.SECRET in written) is names_it
    service = {"kind": "Service", "metadata": metadata}
    assert older.as_written(service) is service


def test_the_page_of_attacks_names_the_version_that_the_tests_emulate() -> None:
    page = (older.MANIFESTS.parents[1] / "docs" / "attacks.md").read_text()
    section = page.partition("### An API server without mutating policies\n")[2].partition("\n###")[0]
    assert f"emulated Kubernetes {test_attacks_without_mutating.VERSION}" in section
