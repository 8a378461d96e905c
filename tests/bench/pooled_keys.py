"""`doorward run` with a stopwatch, whose RSA keys come from a pool of four: making a thousand of 4,096 bits takes ten minutes.

Only the bench does this: `python -m tests.bench.pooled_keys FILE run ...`.
"""

import itertools
import sys
from pathlib import Path

from doorward.cli.main import main
from doorward.pki.keys import KeyAlgorithm, KeyKind, PrivateKey, generate
from doorward.runtime import process
from doorward.runtime.key_source import SystemKeySource
from tests.bench.measured import Stopwatch

POOL = 4


class PooledKeySource(SystemKeySource):
    """Each kind of RSA key is made four times, and then given out again."""

    def __init__(self) -> None:
        self._pools: dict[KeyKind, itertools.cycle[PrivateKey]] = {}

    def key(self, kind: KeyKind) -> PrivateKey:
        if kind.algorithm is not KeyAlgorithm.RSA:
            return super().key(kind)
        if kind not in self._pools:
            self._pools[kind] = itertools.cycle([generate(kind) for _ in range(POOL)])
        return next(self._pools[kind])


if __name__ == "__main__":
    process.SystemKeySource = PooledKeySource  # type: ignore[misc]
    Stopwatch(Path(sys.argv.pop(1))).install()
    sys.exit(main())
