"""The rule of access lists: which of an issuer's clients an Ingress admits.

Labels of a ClientCertificate are what the editors of its namespace say, and so is its name. So only clients of namespaces that the
issuer lists can be selected, by name too; without a list, those of the issuer's own namespace.
"""

from collections.abc import Collection

from doorward.objects.access_list import AccessList
from doorward.objects.meta import ObjectKey


def selectable_namespaces(issuer: ObjectKey, listed: Collection[str]) -> frozenset[str]:
    """The namespaces whose ClientCertificates can be selected; `listed`: `spec.gates.selectableNamespaces` of the issuer."""
    return frozenset(listed) or frozenset((issuer.namespace,))


def is_selected(wanted: AccessList, client: ObjectKey, labels: Collection[str], namespaces: Collection[str]) -> bool:
    """Whether a list admits a ClientCertificate; `labels`: all of its labels, as `<key>=<value>`."""
    return client.namespace in namespaces and wanted.selects(client, labels)


def never_selected(wanted: AccessList, namespaces: Collection[str]) -> tuple[str, ...]:
    """The namespaces of clients that are named and cannot be selected, sorted."""
    return tuple(sorted({each.namespace for each in wanted.names}.difference(namespaces)))
