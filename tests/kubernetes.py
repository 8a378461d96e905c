"""`make test-kubernetes VERSION=1.34.4`: tests/cluster on another Kubernetes, and a real ingress-nginx in front of it.

Arguments are the version and pytest's. What fails in one part fails the whole.
"""

import os
import platform
import sys

from tests.__main__ import SHOWN, run
from tests.support.parts import attackers, operators_work, versioned_gates, waiting
from tests.testbed import background, binaries

PARTS = {
    SHOWN: operators_work(),
    "tests/cluster, attackers": attackers(),
    "tests/cluster, those that wait": waiting(),
    "tests/gate, the main job": versioned_gates(),
}


def main(version: str, *arguments: str) -> int:
    """Build what is missing, and run; the exit status."""
    os.environ[binaries.CHOICE] = version
    try:
        found = background.build()
    except binaries.UnknownVersion as problem:
        print(f"test-kubernetes: {problem}", file=sys.stderr)
        return 2
    code = run(PARTS, arguments)
    for name, path in found.items():
        print(f"{name:26} {path}")
    print(f"{'Python':26} {platform.python_version()}")
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
