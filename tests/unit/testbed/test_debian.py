"""Tools of the machine come first; of what is unpacked elsewhere, programs, libraries and links are found."""

from pathlib import Path

import pytest

from tests.testbed import cache, debian


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bare_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with one empty folder, and a cache of its own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def test_a_tool_on_the_path_is_taken(bare_path: Path) -> None:
    mine = program(bare_path / "pk12util", "echo mine")
    assert debian.tool("pk12util", package="libnss3-tools") == debian.Tool(binary=mine)


@pytest.mark.usefixtures("bare_path")
def test_a_tool_that_the_machine_lacks_comes_from_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def unpack(folder: Path, packages: tuple[str, ...]) -> None:
        program(folder / "usr/bin" / packages[0], "echo unpacked")

    monkeypatch.setattr(debian, "_unpack", unpack)
    found = debian.tool("certutil", package="certutil")
    assert found.binary.is_relative_to(cache.folder())


@pytest.mark.usefixtures("bare_path")
def test_without_apt_the_message_names_the_package_that_is_missing() -> None:
    with pytest.raises(RuntimeError, match="lacks libnss3-tools, and has no apt-get"):
        debian.tool("pk12util", package="libnss3-tools")


@pytest.mark.parametrize("place", ["usr/bin", "usr/lib/jvm/java-17-openjdk-amd64/bin"])
def test_a_program_is_found_wherever_its_package_has_it(tmp_path: Path, place: str) -> None:
    made = program(tmp_path / place / "keytool", "true")
    assert debian.tool_below(tmp_path, "keytool").binary == made


def test_a_program_that_was_not_unpacked_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no keytool in what was unpacked"):
        debian.tool_below(tmp_path, "keytool")


def test_an_unpacked_program_gets_the_libraries_that_came_with_it(tmp_path: Path) -> None:
    program(tmp_path / "usr/bin/tool", "true")
    folders = [tmp_path / "lib/x86_64-linux-gnu", tmp_path / "usr/lib/x86_64-linux-gnu"]
    for folder in folders:
        program(folder / "libtool.so.1", "true")
    assert debian.tool_below(tmp_path, "tool").env == {"LD_LIBRARY_PATH": ":".join(map(str, folders))}


def test_a_tool_runs_with_its_environment_and_gives_back_what_it_said(tmp_path: Path) -> None:
    tool = debian.Tool(binary=program(tmp_path / "tool", 'cat; echo "$GREETING $1"; exit 3'), env={"GREETING": "hello"})
    ended = tool.run("you", stdin=b"input ")
    assert (ended.returncode, ended.stdout) == (3, b"input hello you\n")


def test_a_link_to_what_was_unpacked_too_leads_there(tmp_path: Path) -> None:
    folder, moved = tmp_path / "scratch", tmp_path / "entry"
    (folder / "etc/java").mkdir(parents=True)
    (folder / "etc/java/java.security").write_text("policy")
    (folder / "usr/lib/jvm/conf").mkdir(parents=True)
    (folder / "usr/lib/jvm/conf/java.security").symlink_to("/etc/java/java.security")
    debian.relink(folder)
    folder.rename(moved)
    assert (moved / "usr/lib/jvm/conf/java.security").read_text() == "policy"


def test_a_link_to_the_machine_itself_stays(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    debian.relink(tmp_path)
    assert (tmp_path / "link").readlink() == Path("/etc/passwd")


def test_apts_plan_names_the_packages_that_are_missing() -> None:
    plan = "Inst libpcre2-8-0 (10.42 Debian:12 [amd64])\nInst nginx (1.22.1 Debian:12 [amd64])\nConf nginx (1.22.1)\n"
    assert debian.needed(plan) == ["libpcre2-8-0", "nginx"]


def test_the_version_of_nginx() -> None:
    assert debian.parse_version("nginx version: nginx/1.22.1\n") == (1, 22, 1)


def test_what_is_no_version_of_nginx_is_an_error() -> None:
    with pytest.raises(ValueError, match="not a version"):
        debian.parse_version("httpd")
