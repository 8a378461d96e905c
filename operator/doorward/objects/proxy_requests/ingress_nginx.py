"""What ingress-nginx asks: the annotation `auth-url`, whose query nginx fills from its own variables.

No header is read. nginx passes on the headers of the client, and sets ssl-client-* only where the host has a client CA. The
variables say what nginx itself verified on this connection; no part of a request reaches them (measured).
"""

import re

from doorward.objects.meta import ObjectKey
from doorward.objects.proxy_requests.question import GATE, Gate, Presented, Question

PREFIX = "/ingress-nginx/"
EARLIER_QUERY = "verify=$ssl_client_verify&serial=$ssl_client_serial&fingerprint=$ssl_client_fingerprint"
"""Of Doorward before access lists: it does not say which Ingress asks. Ingresses from then have it until the operator writes.

`$ssl_client_fingerprint` is the SHA-1 of the whole certificate. A second certificate with the same SHA-1 must be a second
preimage of one in the ledger: whoever gets a certificate from Doorward chooses neither its serial number nor its times.
"""
QUERY = f"{EARLIER_QUERY}&ingress=$ingress_name"
"""`$ingress_name` is set by ingress-nginx in each location: the Ingress that the location was made from."""
LONGEST = 768
"""Characters of a question; the longest that nginx asks has 554."""

_INGRESS = "[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?"
_ASKED = re.compile(
    f"{PREFIX}{GATE}[?]"
    "(?:verify=SUCCESS&serial=((?:[0-9A-F]{2}){1,20})&fingerprint=([0-9a-f]{40})"
    "|verify=(?:NONE|FAILED:[!-%'-~]*)?&serial=(?:[0-9A-F]{2})*&fingerprint=(?:[0-9a-f]{40})?)"
    f"(?:&ingress=({_INGRESS}))?"
)


def url(base: str, namespace: str, issuer: ObjectKey) -> str:
    """The annotation's value, for a gate of that issuer in a namespace; `base`: `http://` and the service's host."""
    return f"{base}{PREFIX}{namespace}/{issuer.namespace}/{issuer.name}?{QUERY}"


def parse(path: str, query: str) -> Question | None:
    """What is asked; None: nginx does not ask so."""
    text = f"{path}?{query}"
    found = _ASKED.fullmatch(text) if len(text) <= LONGEST else None
    if found is None:
        return None
    gate = Gate(found[1], ObjectKey(found[2], found[3]))
    certificate = None if found[5] is None else Presented(bytes.fromhex(found[5]), int(found[4], 16))
    return Question(gate, certificate, found[6] or "")
