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
WAITING = (
    "test_alerts_scraped.py",
    "test_by_hand.py",
    "test_deletion.py",
    "test_gone.py",
    "test_identity.py",
    "test_two_leaders.py",
    "test_two_replicas.py",
)
"""Of tests/cluster, what waits most of the time: for the next look at everything, a token to end, a gate to settle."""
WAITING_GATES = (
    "asked/test_why.py",
    "test_any_csr.py",
    "test_ca_that_ended.py",
    "test_canary.py",
    "test_closed.py",
    "test_held_gates.py",
    "test_pages_that_wait.py",
    "test_planted_ca.py",
    "test_probes.py",
    "test_replayed.py",
    "test_rotation.py",
)
"""Of tests/gate, what waits most of the time: for a gate to settle, or for the next probe."""
VERSIONED_GATES = ("test_tutorial.py", "test_cut_off.py", "test_opened_hosts.py")


def attackers() -> tuple[Path, ...]:
    """The files of tests/cluster that act as attackers, and those of the policies."""
    return tuple(sorted(path for name in ATTACKERS for path in (TESTS / "cluster").glob(name)))


def waiting() -> tuple[Path, ...]:
    """The files of tests/cluster that wait most of the time: any other work fits beside them."""
    return tuple(TESTS / "cluster" / name for name in WAITING)


def operators_work() -> tuple[Path, ...]:
    """All other files of tests/cluster: together they use each of the operator's rights."""
    return tuple(sorted(set((TESTS / "cluster").glob("test_*.py")) - set(attackers()) - set(waiting())))


def waiting_gates() -> tuple[Path, ...]:
    """The files of tests/gate that wait most of the time."""
    return tuple(TESTS / "gate" / name for name in WAITING_GATES)


def other_gates() -> tuple[Path, ...]:
    """All other files of tests/gate."""
    return tuple(sorted(set((TESTS / "gate").rglob("test_*.py")) - set(waiting_gates())))


def versioned_gates() -> tuple[Path, ...]:
    """The files of tests/gate that run on each version of Kubernetes: granting, revoking, admission policies."""
    return tuple(TESTS / "gate" / name for name in VERSIONED_GATES)


def operator_units() -> tuple[Path, ...]:
    """The files of tests/unit that run a whole operator over a cluster in memory: they compute most of the time of all."""
    return tuple(sorted((TESTS / "unit" / "runtime").rglob("test_*.py")))


def other_units() -> tuple[Path, ...]:
    """All other files of tests/unit."""
    return tuple(sorted(set((TESTS / "unit").rglob("test_*.py")) - set(operator_units())))
