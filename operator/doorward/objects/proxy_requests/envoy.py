"""What Envoy asks: `ext_authz` over HTTP, with a path prefix that names the gate, and `x-forwarded-client-cert` set by Envoy itself.

The listener must sanitize and set that header (`SANITIZE_SET`) without any further details of the certificate: then it is the
hash alone. Whatever else it holds may have come from a client, and a second element is what parsers took for the first.
"""

import re
from collections.abc import Sequence

from doorward.objects.proxy_requests.question import GATE, Gate, Presented, Question, gate_of

PREFIX = "/envoy/"
HEADER = "x-forwarded-client-cert"

_PATH = re.compile(f"{PREFIX}({GATE})/.*", re.DOTALL)
_HASH = re.compile("Hash=([0-9a-f]{64})")


def parse(path: str, sent: Sequence[str]) -> Question | None:
    """What is asked; None: Envoy does not ask so. The client's own path follows the gate. `sent`: all headers of that name."""
    found = _PATH.fullmatch(path)
    gate: Gate | None = gate_of(found[1]) if found else None
    if gate is None:
        return None
    if not sent:
        return Question(gate, None)
    digest = _HASH.fullmatch(sent[0]) if len(sent) == 1 else None
    return Question(gate, Presented(bytes.fromhex(digest[1]), None)) if digest else None
