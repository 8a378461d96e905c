"""`make bench`: the storm of 10,000 certificates, the cut-off of one client, alone and beside ten storms, the move to the next CA,
the takeover by another replica, a thousand namespaces, and three years of records; prints every figure with what it is held to.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.bench import cutoff, gate_load, gate_start, move, namespaces, storm, storms, takeover, years
from tests.testbed import background


def main() -> int:
    """Run one part or all; non-zero where a limit is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "part",
        nargs="?",
        choices=("all", "storm", "cutoff", "move", "storms", "takeover", "namespaces", "years", "gate"),
        default="all",
    )
    parser.add_argument("--certificates", type=int, default=10_000, help="how many the storm makes")
    parser.add_argument("--runs", type=int, default=100, help="cut-offs timed to the gate Secret's write")
    parser.add_argument("--refusals", type=int, default=12, help="cut-offs timed to the first refused request")
    parser.add_argument("--moves", type=int, default=300, help="clients that move to the next CA")
    parser.add_argument("--storms", type=int, default=300, help="objects in each of the ten storms")
    parser.add_argument("--beside", type=int, default=20, help="cut-offs beside each storm")
    parser.add_argument(
        "--storm", action="append", default=[], metavar="WORDS", help="only storms with these words in their name"
    )
    parser.add_argument("--clients", type=int, default=1000, help="clients with RSA-4096 keys at the takeover")
    parser.add_argument("--namespaces", type=int, default=1000, help="namespaces with a client each")
    parser.add_argument("--ledger", type=int, default=10_000, help="clients with three years of certificates")
    parser.add_argument("--known", type=int, default=100_000, help="clients that the gate service knows")
    chosen = parser.parse_args()
    background.build()
    kept = True
    with tempfile.TemporaryDirectory(prefix="doorward-bench-") as folder:
        if chosen.part in ("all", "storm"):
            kept &= storm.run(Path(folder) / "storm", chosen.certificates)
        if chosen.part in ("all", "cutoff"):
            kept &= cutoff.run(Path(folder) / "cutoff", chosen.runs, chosen.refusals)
        if chosen.part in ("all", "move"):
            kept &= move.run(Path(folder) / "move", chosen.moves)
        if chosen.part in ("all", "storms"):
            kept &= storms.run(Path(folder) / "storms", chosen.storms, chosen.beside, chosen.storm)
        if chosen.part in ("all", "takeover"):
            kept &= takeover.run(Path(folder) / "takeover", chosen.clients)
        if chosen.part in ("all", "namespaces"):
            kept &= namespaces.run(Path(folder) / "namespaces", chosen.namespaces)
        if chosen.part in ("all", "years"):
            kept &= years.run(Path(folder) / "years", chosen.ledger)
        if chosen.part in ("all", "gate"):
            kept &= gate_load.run(Path(folder) / "gate-load")
            kept &= gate_start.run(Path(folder) / "gate-start", chosen.known)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
