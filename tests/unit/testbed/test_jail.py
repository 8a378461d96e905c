"""A program in a root folder of its own, started by root and by an ordinary user with Debian's default PATH."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.testbed import jail

ROOT = Path(__file__).parents[3]
ORDINARY = "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"
"""What /etc/profile and login give to everybody but root."""
RUN = """\
import subprocess, sys
from pathlib import Path
from tests.testbed import jail
root = Path(sys.argv[1]) / "root"
jail.build(root, {})
try:
    command = jail.command(root, {}, ["sh", "-c", "echo inside; test -d /var/log && ! test -e /home"])
except jail.NoNamespaces as problem:
    sys.exit(f"no namespaces: {problem}")
sys.exit(subprocess.run(command).returncode)
"""


def test_chroot_is_found_with_the_path_of_an_ordinary_user(monkeypatch):
    monkeypatch.setenv("PATH", ORDINARY)
    assert Path(jail.administrators("chroot")).is_file()


def test_a_program_that_the_machine_lacks_is_named(monkeypatch):
    monkeypatch.setenv("PATH", ORDINARY)
    with pytest.raises(RuntimeError, match="lacks no-such-program"):
        jail.administrators("no-such-program")


def test_a_program_runs_inside_with_the_path_of_an_ordinary_user(tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", RUN, tmp_path],
        cwd=ROOT,
        env={"PATH": ORDINARY},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (run.returncode, run.stdout) == (0, "inside\n"), run.stderr
