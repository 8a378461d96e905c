"""A program in a root folder of its own, started by root and by an ordinary user with Debian's default PATH."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.shell_env import ORDINARY

ROOT = Path(__file__).parents[3]
RUN = """\
import subprocess, sys
from pathlib import Path
from tests.testbed import jail
root = Path(sys.argv[1]) / "root"
jail.build(root, {})
try:
    command = jail.command(root, {}, ["sh", "-c", "id -u; test -d /var/log && ! test -e /home"])
except jail.NoNamespaces as problem:
    sys.exit(f"no namespaces: {problem}")
sys.exit(subprocess.run(command).returncode)
"""
UNPRIVILEGED = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
"""Whoever runs the tests becomes a user without any capability, who owns the same files."""


@pytest.mark.parametrize("user", [(), UNPRIVILEGED], ids=["whoever runs the tests", "an ordinary user"])
def test_a_program_runs_inside_with_the_path_of_an_ordinary_user(tmp_path, user):
    run = subprocess.run(
        [*user, sys.executable, "-c", RUN, tmp_path],
        cwd=ROOT,
        env={"PATH": ORDINARY},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (run.returncode, run.stdout) == (0, "0\n"), run.stderr
