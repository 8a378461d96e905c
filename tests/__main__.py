"""`make test`: every test, in eight parts side by side, since most of the time each waits for something.

The first part is shown as it runs, the others when all have ended. Whatever fails in one fails the whole. What a part took
of the cores is that of all processes that it started. Arguments are pytest's, such as `--shuffle SEED`.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.parts import (
    attackers,
    operator_units,
    operators_work,
    other_gates,
    other_units,
    waiting,
    waiting_gates,
)

SHOWN = "tests/cluster, the operator's work"
PARTS: Mapping[str, tuple[str | Path, ...]] = {
    SHOWN: operators_work(),
    "tests/cluster, attackers": attackers(),
    "tests/cluster, those that wait": waiting(),
    "tests/gate, those that wait": waiting_gates(),
    "tests/gate, the others": other_gates(),
    "tests/faults": ("tests/faults",),
    "tests/unit, the whole operator": operator_units(),
    "tests/unit, the others": other_units(),
}
BEHIND: Mapping[str, int] = {
    "tests/cluster, attackers": 1,
    "tests/faults": 1,
    "tests/unit, the whole operator": 3,
    "tests/unit, the others": 3,
}
"""How nice these parts are to the others. Those of tests/unit compute all the time, and no other part should wait for a core; the
longest part, that of tests/gate, should not end after all others. Where Linux shares the cores out by sessions
(`kernel.sched_autogroup_enabled`), each part has a share of its own, and this changes nothing between them.
"""


def run(parts: Mapping[str, tuple[str | Path, ...]], arguments: Sequence[str]) -> int:
    """Run these parts side by side, of which SHOWN is one; the exit status, 0 where all passed."""
    pytest = (sys.executable, "-m", "pytest", *arguments)
    # A folder of its own: two that clean up pytest's common one at once may fail at it.
    folder = Path(tempfile.mkdtemp(prefix="doorward-tests-"))
    running: dict[int, tuple[str, subprocess.Popen[bytes]]] = {}
    beside = [name for name in parts if name != SHOWN]
    codes: dict[str, int] = {}
    begun = time.monotonic()
    try:
        for number, name in enumerate(beside):
            apart = ("-p", "no:cacheprovider", "--basetemp", folder / str(number))
            command = ("nice", "-n", str(BEHIND.get(name, 0)), *pytest, *apart, *parts[name])
            with (folder / f"{number}.txt").open("wb") as said:
                # Linux may share the cores out by sessions: in one with all others, what a test runs has too little of them.
                process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, start_new_session=True)
            running[process.pid] = name, process
        process = subprocess.Popen([*pytest, *parts[SHOWN]])
        running[process.pid] = SHOWN, process
        while running:
            pid, status, used = os.wait4(-1, 0)
            name, process = running.pop(pid)
            codes[name] = process.returncode = os.waitstatus_to_exitcode(status)
            seconds, cores = time.monotonic() - begun, used.ru_utime + used.ru_stime
            print(f"\n{name}: ended with {codes[name]} after {seconds:.0f} s, {cores:.0f} s on the cores", flush=True)
    finally:
        for _, process in running.values():
            process.kill()
        for number in range(len(beside)):
            sys.stdout.buffer.write((folder / f"{number}.txt").read_bytes())
        sys.stdout.flush()
    for name, code in codes.items():
        print(f"{name}: ended with {code}")
    if not any(codes.values()):
        shutil.rmtree(folder, ignore_errors=True)
    return max(codes.values(), key=abs)


if __name__ == "__main__":
    sys.exit(run(PARTS, sys.argv[1:]))
