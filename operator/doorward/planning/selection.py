"""The rule of access lists: which of an issuer's clients an Ingress admits.

Labels of a ClientCertificate are what the editors of its namespace say, and so is its name. So only clients of namespaces that the
issuer lists can be selected, by name too; without a list, those of the issuer's own namespace.
"""

from collections.abc import Collection

from doorward.api.conditions import Condition, said
from doorward.api.kinds import MTLSIssuerSpec
from doorward.objects.access_list import AccessList, Unreadable
from doorward.objects.meta import ObjectKey

MOST_NAMED = 3
"""Namespaces that a message names."""


def selectable_namespaces(issuer: ObjectKey, listed: Collection[str]) -> frozenset[str]:
    """The namespaces whose ClientCertificates can be selected; `listed`: `spec.gates.selectableNamespaces` of the issuer."""
    return frozenset(listed) or frozenset((issuer.namespace,))


def is_selected(wanted: AccessList, client: ObjectKey, labels: Collection[str], namespaces: Collection[str]) -> bool:
    """Whether a list admits a ClientCertificate; `labels`: all of its labels, as `<key>=<value>`."""
    return client.namespace in namespaces and wanted.selects(client, labels)


def unasked(spec: MTLSIssuerSpec, *, asks: bool, undone: str) -> str:
    """Why nobody compares clients with the list of an Ingress, as what to do; empty: the gate service does.

    `asks`: the gate service is installed; `undone`: what keeps it from being asked at this Ingress.
    """
    if spec.enforcement.mode != "EveryRequest":
        return "set enforcement.mode: EveryRequest on the MTLSIssuer"
    return undone if asks else "install the gate service"


def wrong(
    wanted: AccessList | Unreadable, issuer: ObjectKey, *, unasked: str, namespaces: Collection[str]
) -> Condition | None:
    """Why it is not so that exactly the clients get in that a list selects; None: it is."""
    if unasked:
        return said("ListNotEnforced", issuer=issuer, fix=unasked)
    if isinstance(wanted, Unreadable):
        return said("ListNotRead", fix=wanted.fix)
    never = sorted({each.namespace for each in wanted.names}.difference(namespaces))
    if not never:
        return None
    more = f" and {len(never) - MOST_NAMED} more" if len(never) > MOST_NAMED else ""
    return said("ListedNotSelectable", issuer=issuer, namespaces=", ".join(never[:MOST_NAMED]) + more)
