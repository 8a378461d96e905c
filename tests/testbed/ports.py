"""Free loopback ports, kept for as long as we live, so that two clusters can run side by side and restart on their ports."""

import random
import socket
from pathlib import Path

# Below where Linux takes the ports of outgoing connections from, or one of those could sit on a port between a
# server's end and its restart.
FIRST, LAST = 20000, 29999
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")

_held: dict[int, socket.socket] = {}


def lease(count: int) -> list[int]:
    """So many ports that nobody listens on, and that no other testbed is given before we give them back or end."""
    first, last = _candidates()
    leased: list[int] = []
    for port in random.sample(range(first, last + 1), last + 1 - first):
        if _take(port):
            leased.append(port)
        if len(leased) == count:
            return leased
    give_back(leased)
    raise RuntimeError(f"no {count} free ports between {first} and {last}")


def give_back(ports: list[int]) -> None:
    """Let others have them."""
    for port in ports:
        if (mark := _held.pop(port, None)) is not None:
            mark.close()


def _candidates() -> tuple[int, int]:
    lowest_outgoing = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else LAST + 1
    return (FIRST, min(LAST, lowest_outgoing - 1)) if lowest_outgoing > FIRST + 1000 else (FIRST, LAST)


def _take(port: int) -> bool:
    # The mark is a socket without a file: the kernel forgets it when we end, and it has the ports' own scope.
    mark = socket.socket(socket.AF_UNIX)
    try:
        mark.bind(f"\0doorward-testbed-port-{port}")
        if _is_free(port):
            _held[port] = mark
            return True
    except OSError:
        pass
    mark.close()
    return False


def _is_free(port: int) -> bool:
    """Free on every address: the ingress controller insists, although its nginx listens on loopback alone."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
