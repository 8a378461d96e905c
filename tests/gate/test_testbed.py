"""The test cluster leaves nothing behind: no process, no mount, however it ends."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.installation import DOORWARD, ROOT
from tests.support.kube import eventually
from tests.testbed import background
from tests.up import WITH


def processes(run_dir: Path) -> list[str]:
    """Every process whose command line names the folder."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has just ended
        if str(run_dir) in command:
            found.append(command)
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name)
def test_a_cluster_that_is_interrupted_leaves_no_process_and_no_mount(tmp_path: Path, number: signal.Signals):
    run_dir = tmp_path / "testbed"
    command = [sys.executable, "-m", "tests.testbed", "serve", f"--run-dir={run_dir}", "--unsafe-no-fsync"]
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    eventually((run_dir / "state.json").exists, "the cluster is up", seconds=240)
    assert len(processes(run_dir)) > 3
    os.kill(server.pid, number)
    server.wait(120)
    eventually(lambda: not processes(run_dir), "nothing runs any more")
    assert str(run_dir) not in Path("/proc/mounts").read_text()


def test_what_make_up_starts_is_at_work_and_make_down_ends_it(tmp_path: Path):
    run_dir = tmp_path / "testbed"
    testbed = [sys.executable, "-m", "tests.testbed"]
    up = ["up", "--unsafe-no-fsync", *(f"--with={companion}" for companion in WITH)]
    try:
        subprocess.run([*testbed, *up, f"--run-dir={run_dir}"], cwd=ROOT, check=True)
        state = background.find(run_dir)
        env = {**os.environ, "KUBECONFIG": state.kubeconfig}
        issuer = ["apply", "-f", ROOT / "examples" / "issuer-minimal.yaml"]
        subprocess.run([state.kubectl, *issuer], env=env, check=True)
        said = subprocess.run([DOORWARD, "status", "-A"], env=env, capture_output=True, text=True, check=True).stdout
    finally:
        subprocess.run([*testbed, "down", f"--run-dir={run_dir}"], cwd=ROOT, check=True)
    assert re.search(r"working: \S+ holds Lease doorward-system/doorward, renewed", said)
    eventually(lambda: not processes(run_dir), "nothing runs any more")
