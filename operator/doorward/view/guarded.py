"""What a change of a target means for guarded Services: which namespaces name them anew, and which issuers tell of exceptions."""

from collections.abc import Iterator

from doorward.cluster.gateway import Object
from doorward.objects.meta import ObjectKey
from doorward.view.keys import Key, guarded_key, issuer_key
from doorward.view.stores import TargetKind, View


def concerned(
    view: View, target: TargetKind, key: ObjectKey, before: Object | None, now: Object | None
) -> Iterator[Key]:
    """The guarded Services of the namespace, and the issuers whose gates are before a Service at which there is an exception."""
    store = view.targets[target.kind.plural]
    bodies = [body for body in (before, now) if body is not None]
    guards, exempt = (
        [frozenset(services(body)) if body is not None else frozenset() for body in (before, now)]
        for services in (target.guards, target.exempt)
    )
    if guards[0] != guards[1]:
        yield guarded_key(key.namespace)
    told = any(store.lookup("exempt", service) for service in guards[0] ^ guards[1])
    issuers = {issuer for body in bodies for issuer in target.issuer_of(body)} if told else set()
    for service in exempt[0] | exempt[1]:
        issuers.update(issuer for body in store.lookup("guards", service) for issuer in target.issuer_of(body))
    yield from map(issuer_key, issuers)


def issuers_in(view: View, namespace: str) -> frozenset[ObjectKey]:
    """The issuers that a target in the namespace names."""
    stores = ((view.target_kinds[plural], store) for plural, store in view.targets.items())
    return frozenset(
        issuer
        for target, store in stores
        for body in store.lookup("takes part", namespace)
        for issuer in target.issuer_of(body)
    )
