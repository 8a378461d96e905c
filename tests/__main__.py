"""`make test`: every test, in two halves side by side, since most of the time both wait for something.

The first half is shown as it runs, the second when both have ended. Whatever fails in either fails the whole. Arguments
are pytest's, such as `--shuffle SEED`.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FIRST = ("tests/cluster", "tests/gate")
"""One cluster; at its end it is said which of the operator's rights were used."""
SECOND = ("tests/unit", "tests/faults")


def main() -> int:
    """The exit status: 0 where both halves passed."""
    pytest = (sys.executable, "-m", "pytest", *sys.argv[1:])
    # A folder of its own: two that clean up pytest's common one at once may fail at it.
    folder = Path(tempfile.mkdtemp(prefix="doorward-tests-"))
    apart = ("-p", "no:cacheprovider", "--basetemp", folder / "second")
    with tempfile.TemporaryFile() as said:
        second = subprocess.Popen([*pytest, *apart, *SECOND], stdout=said, stderr=subprocess.STDOUT)
        try:
            first = subprocess.run([*pytest, *FIRST], check=False).returncode
            print(f"\n{' and '.join(FIRST)}: ended with {first}; waiting for {' and '.join(SECOND)}", flush=True)
            last = second.wait()
        finally:
            second.kill()
            said.seek(0)
            sys.stdout.buffer.write(said.read())
            sys.stdout.flush()
    print(f"\n{' and '.join(SECOND)}: ended with {last}")
    if last == 0:
        shutil.rmtree(folder, ignore_errors=True)
    return first or last


if __name__ == "__main__":
    sys.exit(main())
