"""Of a plan: Ingresses at which more than its rules decides who has access."""

from collections.abc import Iterator, Mapping

from doorward.api.conditions import instant
from doorward.cluster.gateway import INGRESS, Object
from doorward.gates.interface import Around, Target
from doorward.gates.registry import PLANES
from doorward.objects.meta import ObjectKey
from doorward.planning import openings
from doorward.planning.changes import Both, conflicts

At = tuple[str, ObjectKey]
"""Kind and key."""
Bodies = Mapping[At, Object]
(PLANE,) = (plane for plane in PLANES if plane.kind == INGRESS)


def of_doors(both: Both, after: Bodies, targets: Mapping[ObjectKey, Target]) -> Iterator[str]:
    """Of the Ingresses that change, and of those at their hosts: why others may have access, or the clients may not."""
    sharing: dict[str, list[ObjectKey]] = {}
    for target in targets.values() if both.affected else ():
        for host in target.hosts:
            sharing.setdefault(host, []).append(target.key)
    for key in sorted(both.affected & targets.keys()):
        target = targets[key]
        if target.reference is not None:
            others = {each for host in target.hosts for each in sharing[host]} - {key}
            yield from (f"Ingress {key}: {why}" for why in _of_door(both, after, target, others))
    yield from conflicts(both.after, both.doors)


def _of_door(both: Both, after: Bodies, target: Target, others: set[ObjectKey]) -> Iterator[str]:
    issuer = both.after.doors[target.key].issuer
    if issuer is None:
        yield "doorward.io/issuer is neither <issuer> nor <namespace>/<issuer>, so the host is not protected"
        return
    if target.other_secret:
        yield "its auth-tls-secret is not Doorward's, so Doorward does not protect the host"
    if target.fault:
        yield target.fault
    bodies = [_dated(after[INGRESS.name, each], both) for each in (target.key, *sorted(others))]
    spec = both.after.issuers.get(issuer)
    asked = both.after.asks and spec is not None and spec.enforcement.mode == "EveryRequest"
    opened = openings.first(PLANE.openings(bodies[0], bodies[1:], Around()), issuer, asked=asked)
    if opened is not None:
        yield f"{opened.reason.name}: {opened.message}"


def _dated(body: Object, both: Both) -> Object:
    """One that is not created yet is younger than all others."""
    metadata = body["metadata"]
    created = metadata.get("creationTimestamp") or instant(both.after.now)
    return body | {"metadata": metadata | {"creationTimestamp": created}}


def of_lists(*, asks: bool, certain: bool, lists: bool) -> Iterator[str]:
    """Whether access lists are enforced at all."""
    if lists and not asks:
        yield "access lists (doorward.io/allow) are not enforced: no Ingress asks the gate service"
    elif lists and not certain:
        yield "access lists (doorward.io/allow) are enforced by the gate service only: the plan assumes that it is installed"
