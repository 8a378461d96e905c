"""Programs are found by root and by an ordinary user with Debian's default PATH, which has no sbin."""

from pathlib import Path

import pytest

from tests.support.shell_env import ORDINARY
from tests.testbed import debian, images, programs


@pytest.fixture(autouse=True)
def path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", ORDINARY)


def test_an_administrators_program_is_found():
    assert Path(programs.needed("chroot", package="coreutils")).is_file()


def test_what_is_on_the_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    mine = tmp_path / "chroot"
    mine.write_text("#!/bin/sh\n")
    mine.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{ORDINARY}")
    assert programs.find("chroot") == str(mine)


def test_a_program_that_the_machine_lacks_is_named_with_its_package():
    assert programs.find("no-such-program") is None
    with pytest.raises(RuntimeError, match="lacks no-such-program; on Debian it is in the package none"):
        programs.needed("no-such-program", package="none")


def test_a_tool_in_sbin_is_the_machines_own():
    assert debian.tool("chroot", package="none").binary == Path(str(programs.find("chroot")))


def test_an_installed_nginx_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "nginx").write_text("#!/bin/sh\n")
    (tmp_path / "nginx").chmod(0o755)
    (tmp_path / debian.MODULE).touch()
    monkeypatch.setattr(programs, "_ADMINISTRATORS", (str(tmp_path),))
    monkeypatch.setattr(debian, "SYSTEM_MODULES", tmp_path)
    assert debian.nginx() == debian.Nginx(binary=tmp_path / "nginx", module=tmp_path / debian.MODULE)


def test_a_container_needs_no_sbin_on_the_path(tmp_path: Path):
    settings = {"User": "65532:65532", "Env": [], "Entrypoint": ["doorward"]}
    script = images.contained(tmp_path, settings, [], {})[4]
    assert "\nexec /" in script
