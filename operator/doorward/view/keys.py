"""The keys of the work queue: which object is worked on."""

from typing import Literal, NamedTuple

from doorward.cluster.gateway import Kind
from doorward.objects import guarded_services
from doorward.objects.meta import ObjectKey


class Key(NamedTuple):
    """One object that is worked on, by name."""

    kind: Literal["certificate", "issuer", "ledger", "target", "guarded"]
    at: ObjectKey
    plural: str = ""
    """Of a target: the plural of its kind, such as `ingresses`; else empty."""

    def __str__(self) -> str:
        return f"{self.plural or self.kind} {self.at}"


def certificate_key(at: ObjectKey) -> Key:
    """The key of a ClientCertificate."""
    return Key("certificate", at)


def issuer_key(at: ObjectKey) -> Key:
    """The key of an MTLSIssuer."""
    return Key("issuer", at)


def ledger_key(at: ObjectKey) -> Key:
    """The key of the ledger of an MTLSIssuer, whose old records are archived."""
    return Key("ledger", at)


def guarded_key(namespace: str) -> Key:
    """The key of the guarded Services of a namespace, by the ConfigMap that names them."""
    return Key("guarded", ObjectKey(namespace, guarded_services.NAME))


def target_key(kind: Kind, at: ObjectKey) -> Key:
    """The key of an object of a data plane."""
    return Key("target", at, kind.plural)
