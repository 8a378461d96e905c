"""The parts of the suite that run side by side: each test file is in one of them."""

from pathlib import Path

TESTS = Path(__file__).parents[1]
ATTACKERS = (
    "test_attacks_*.py",
    "test_crl_overflow.py",
    "test_key_owner.py",
    "test_missing_rights.py",
    "test_planted_ca.py",
    "test_policies_*.py",
    "test_stolen_token.py",
)
"""Of tests/cluster, what accounts of every role may not do: as much as all the rest, and a cluster of its own."""
WAITING_GATES = ("test_closed.py", "test_held_gates.py", "test_planted_ca.py", "test_rotation.py")


def attackers() -> tuple[Path, ...]:
    """The files of tests/cluster that act as attackers, and those of the policies."""
    return tuple(sorted(path for name in ATTACKERS for path in (TESTS / "cluster").glob(name)))


def operators_work() -> tuple[Path, ...]:
    """All other files of tests/cluster: together they use each of the operator's rights."""
    return tuple(sorted(set((TESTS / "cluster").glob("test_*.py")) - set(attackers())))


def waiting_gates() -> tuple[Path, ...]:
    """The files of tests/gate that wait most of the time, 30 s at once for a gate to settle: any other work fits beside them."""
    return tuple(TESTS / "gate" / name for name in WAITING_GATES)


def other_gates() -> tuple[Path, ...]:
    """All other files of tests/gate."""
    return tuple(sorted(set((TESTS / "gate").rglob("test_*.py")) - set(waiting_gates())))
