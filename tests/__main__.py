"""`make test`: every test, in three parts side by side, since most of the time each waits for something.

The first part is shown as it runs, the others when all have ended. Whatever fails in one fails the whole. Arguments are
pytest's, such as `--shuffle SEED`.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SHOWN = ("tests/cluster",)
"""One cluster; at its end it is said which of the operator's rights were used."""
BESIDE = (("tests/gate",), ("tests/unit", "tests/faults"))


def main() -> int:
    """The exit status: 0 where all parts passed."""
    pytest = (sys.executable, "-m", "pytest", *sys.argv[1:])
    # A folder of its own: two that clean up pytest's common one at once may fail at it.
    folder = Path(tempfile.mkdtemp(prefix="doorward-tests-"))
    beside = []
    try:
        for number, rings in enumerate(BESIDE):
            apart = ("-p", "no:cacheprovider", "--basetemp", folder / str(number))
            said = (folder / f"{number}.txt").open("wb")
            beside.append(subprocess.Popen([*pytest, *apart, *rings], stdout=said, stderr=subprocess.STDOUT))
        codes = [subprocess.run([*pytest, *SHOWN], check=False).returncode]
        print(f"\n{_name(SHOWN)}: ended with {codes[0]}; waiting for {', '.join(map(_name, BESIDE))}", flush=True)
        codes += [process.wait() for process in beside]
    finally:
        for process in beside:
            process.kill()
        for number in range(len(beside)):
            sys.stdout.buffer.write((folder / f"{number}.txt").read_bytes())
        sys.stdout.flush()
    for rings, code in zip((SHOWN, *BESIDE), codes, strict=True):
        print(f"{_name(rings)}: ended with {code}")
    if not any(codes):
        shutil.rmtree(folder, ignore_errors=True)
    return next((code for code in codes if code), 0)


def _name(rings: tuple[str, ...]) -> str:
    return " and ".join(rings)


if __name__ == "__main__":
    sys.exit(main())
