"""What is asked, whichever proxy asks."""

import re
from dataclasses import dataclass
from typing import NamedTuple

from doorward.objects.meta import ObjectKey

NAME = "[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
"""Of a namespace, or of an MTLSIssuer."""
GATE = f"({NAME})/({NAME})/({NAME})"
_GATE = re.compile(GATE)


class Gate(NamedTuple):
    """A gate, as the path of a question names it."""

    namespace: str
    """Of the host."""
    issuer: ObjectKey

    def __str__(self) -> str:
        return f"{self.namespace}/{self.issuer.namespace}/{self.issuer.name}"


class Presented(NamedTuple):
    """A certificate that the proxy verified, or whose holder proved to it to have the key."""

    digest: bytes
    """Of the whole certificate: SHA-1 in 20 bytes, or SHA-256 in 32."""
    serial: int | None
    """None: the proxy does not say."""


@dataclass(frozen=True, slots=True)
class Question:
    """Whether a request gets in at a gate."""

    gate: Gate
    certificate: Presented | None
    """None: the proxy verified none."""
    ingress: str | None = None
    """The Ingress in the gate's namespace at whose paths the request is; None: the proxy knows no Ingresses. Empty: it does not say."""


def gate_of(text: str) -> Gate | None:
    """The gate that `<namespace>/<namespace of the issuer>/<issuer>` names; None: none."""
    found = _GATE.fullmatch(text)
    return Gate(found[1], ObjectKey(found[2], found[3])) if found else None
