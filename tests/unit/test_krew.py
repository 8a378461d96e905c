"""The archive of the plugin and krew's manifest of it, made from any folder."""

import hashlib
import os
import tarfile
from pathlib import Path

import pytest
import yaml

from tests.support import krew


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "built"
    (folder / "_internal").mkdir(parents=True)
    (folder / krew.PROGRAM).write_text("program")
    (folder / krew.PROGRAM).chmod(0o700)
    (folder / "_internal" / "data").write_text("data")
    (folder / "_internal" / "link").symlink_to("data")
    return folder


def packed(built: Path, name: str) -> Path:
    archive = built.parent / name
    krew.pack(built, archive)
    return archive


def test_krew_finds_the_program_at_the_top_and_may_run_it(built: Path) -> None:
    with tarfile.open(packed(built, "one.tar.gz")) as archive:
        assert sorted(archive.getnames()) == ["LICENSE", "_internal", "_internal/data", "_internal/link", krew.PROGRAM]
        assert archive.getmember(krew.PROGRAM).mode == 0o755
        assert archive.getmember("_internal/data").mode == 0o644
        assert archive.getmember("_internal/link").linkname == "data"


def test_the_same_content_gives_the_same_archive(built: Path) -> None:
    first = packed(built, "one.tar.gz").read_bytes()
    os.utime(built / "_internal" / "data", (1, 1))
    assert packed(built, "two.tar.gz").read_bytes() == first


def test_the_manifest_has_what_krew_demands(built: Path) -> None:
    archive = packed(built, krew.ARCHIVE)
    body = yaml.safe_load(krew.manifest(archive, "https://releases.example/doorward/"))
    assert (body["apiVersion"], body["kind"]) == ("krew.googlecontainertools.github.com/v1alpha2", "Plugin")
    assert body["metadata"]["name"] == Path(krew.MANIFEST).stem
    assert body["spec"]["version"].startswith("v")
    assert len(body["spec"]["shortDescription"]) <= 50
    [platform] = body["spec"]["platforms"]
    assert platform["uri"] == f"https://releases.example/doorward/{krew.ARCHIVE}"
    assert platform["sha256"] == hashlib.sha256(archive.read_bytes()).hexdigest()
    assert platform["bin"] == krew.PROGRAM == f"kubectl-{body['metadata']['name']}"
