"""`make test`: every test, in eight parts side by side, since most of the time each waits for something.

The first part is shown as it runs, the others when all have ended. Whatever fails in one fails the whole. Arguments are
pytest's, such as `--shuffle SEED`.
"""

import shutil
import subprocess
import sys
import tempfile
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
BEHIND = ("nice", "-n", "3")
"""How the parts of tests/unit are started: they compute all the time, and no other part should wait for a core."""


def run(parts: Mapping[str, tuple[str | Path, ...]], arguments: Sequence[str]) -> int:
    """Run these parts side by side, of which SHOWN is one; the exit status, 0 where all passed."""
    pytest = (sys.executable, "-m", "pytest", *arguments)
    # A folder of its own: two that clean up pytest's common one at once may fail at it.
    folder = Path(tempfile.mkdtemp(prefix="doorward-tests-"))
    beside: dict[str, subprocess.Popen[bytes]] = {}
    codes: dict[str, int] = {}
    try:
        for number, name in enumerate(name for name in parts if name != SHOWN):
            apart = ("-p", "no:cacheprovider", "--basetemp", folder / str(number))
            command = (*(BEHIND if name.startswith("tests/unit") else ()), *pytest, *apart, *parts[name])
            with (folder / f"{number}.txt").open("wb") as said:
                beside[name] = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        codes[SHOWN] = subprocess.run([*pytest, *parts[SHOWN]], check=False).returncode
        print(f"\n{SHOWN}: ended with {codes[SHOWN]}; waiting for the others", flush=True)
        for name, process in beside.items():
            codes[name] = process.wait()
    finally:
        for process in beside.values():
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
