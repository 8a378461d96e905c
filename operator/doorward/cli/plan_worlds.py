"""The cluster as it is, and as it would be once the files were applied, in the terms of `planning/forecast.py`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from doorward.api.kinds import ClientCertificateSpec, MTLSIssuerSpec
from doorward.cli import plan_doubts
from doorward.cli.manifests import Mistakes
from doorward.cli.plan_doubts import PLANE, At, Bodies
from doorward.cli.reading import Reader
from doorward.cluster.gateway import CLIENT_CERTIFICATE, INGRESS, ISSUED_CERTIFICATE, ISSUER, NAMESPACE, Kind, Object
from doorward.gate_service.ledger import MOST_LABELS
from doorward.gates.interface import Target, issuer_of
from doorward.objects import ledger_record, manifest
from doorward.objects.ledger_record import Record
from doorward.objects.manifest import Manifest
from doorward.objects.meta import ObjectKey, is_deleting, key_of
from doorward.pki.pem import PkiError
from doorward.pki.requests import ClientRequest, read_request
from doorward.planning.changes import Both
from doorward.planning.entitlement import cut_off_by
from doorward.planning.forecast import Client, Door, World

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (ISSUER, CLIENT_CERTIFICATE, INGRESS, NAMESPACE)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What becomes of one object."""

    manifest: Manifest | None
    """None: it is pruned."""
    at: At
    before: Object | None
    after: Object | None

    @property
    def change(self) -> str:
        if self.after is None:
            return "deleted"
        if self.before is None:
            return "created"
        return "changed" if self.after is not self.before else "unchanged"

    @property
    def place(self) -> str:
        return self.manifest.place if self.manifest is not None else ""

    def __str__(self) -> str:
        kind, key = self.at
        return f"{kind} {key}" if key.namespace else f"{kind} {key.name}"


async def live(reader: Reader, manifests: Iterable[Manifest]) -> dict[At, Object]:
    """What the cluster has; where not all may be listed, only of the namespaces that the files speak of."""
    namespaces = {each.key.namespace for each in manifests} - {""}
    namespaces |= {
        str(each.body["spec"]["issuerRef"]["namespace"])
        for each in manifests
        if each.kind == CLIENT_CERTIFICATE.name and _names_another(each.body)
    }
    found: dict[At, Object] = {}
    for kind in KINDS.values():
        bodies = await reader.list(kind, None, metadata_only=kind is NAMESPACE)
        if bodies is None:
            bodies = [body for name in sorted(namespaces) for body in await _in_namespace(reader, kind, name)]
        for body in bodies:
            found[kind.name, key_of(body)] = body
    return found


def _names_another(body: Mapping[str, Any]) -> bool:
    reference = body["spec"].get("issuerRef")
    return isinstance(reference, dict) and isinstance(reference.get("namespace"), str)


async def _in_namespace(reader: Reader, kind: Kind, name: str) -> Sequence[Object]:
    if not kind.namespaced:
        body = await reader.get(kind, ObjectKey("", name))
        return [] if body is None else [body]
    return await reader.list(kind, name) or []


def steps(manifests: Iterable[Manifest], there: Bodies, pruned: Iterable[At]) -> list[Step]:
    """What becomes of each object in the files, and of those that are pruned. Raises Mistakes."""
    found, mistakes = [], []
    for each in manifests:
        at = (each.kind, each.key)
        before = there.get(at)
        after: Object | None = manifest.applied(before, each.body)
        if before is not None and not manifest.patch_to(before, after):
            after = before
        elif after is not None and (wrong := manifest.mistakes(each.kind, after) or _wrong_ingress(each.kind, after)):
            mistakes.append(f"{each.place}: {each}: {wrong}")
        found.append(Step(manifest=each, at=at, before=before, after=after))
    if mistakes:
        raise Mistakes(mistakes)
    return [*found, *(Step(manifest=None, at=at, before=there[at], after=None) for at in pruned)]


def _wrong_ingress(kind: str, body: Object) -> str:
    """Why the API server would not have such an Ingress; empty: it can be read."""
    if kind != INGRESS.name:
        return ""
    try:
        hosts = PLANE.read(body).hosts
    except (AttributeError, TypeError, ValueError, KeyError):
        return "its spec is not as that of an Ingress"
    return "" if all(isinstance(host, str) for host in hosts) else "a host in its rules is no text"


def after_of(there: Bodies, taken: Iterable[Step]) -> dict[At, Object]:
    """The cluster after these steps."""
    found = dict(there)
    for step in taken:
        found.pop(step.at, None)
        if step.after is not None:
            found[step.at] = step.after
    return found


async def compared(reader: Reader, before: Bodies, after: Bodies) -> tuple[Both, list[str]]:
    """Both, and what is not certain of them."""
    targets = [{key: PLANE.read(body) for key, body in _of(INGRESS, bodies)} for bodies in (before, after)]
    opted_in = [target for target in targets[0].values() if target.reference is not None]
    asks = not opted_in or any(target.question is not None for target in opted_in)
    first = World(
        issuers=dict(_issuers(before)),
        clients={key: client_of(body) for key, body in _of(CLIENT_CERTIFICATE, before)},
        doors={key: _door(target) for key, target in targets[0].items()},
        labels=_labels(before),
        now=reader.now,
        asks=asks,
    )
    second = replace(
        first,
        issuers=dict(_issuers(after)),
        clients={
            key: first.clients[key] if before.get((CLIENT_CERTIFICATE.name, key)) is body else client_of(body)
            for key, body in _of(CLIENT_CERTIFICATE, after)
        },
        doors={key: _door(target) for key, target in targets[1].items()},
        labels=_labels(after),
    )
    both = Both(before=first, after=second)
    records = await _records(reader, both)
    both = Both(before=replace(first, records=records), after=replace(second, records=records))
    lists = any(door.access_list is not None for door in second.doors.values())
    return both, [
        *plan_doubts.of_doors(both, after, targets[1]),
        *plan_doubts.of_lists(asks=asks, certain=bool(opted_in), lists=lists),
    ]


def _of(kind: Kind, bodies: Bodies) -> Iterator[tuple[ObjectKey, Object]]:
    return ((key, body) for (name, key), body in bodies.items() if name == kind.name)


def _issuers(bodies: Bodies) -> Iterator[tuple[ObjectKey, MTLSIssuerSpec]]:
    """Those that can be read: another admits nobody new, and what it says of others is not known."""
    for key, body in _of(ISSUER, bodies):
        try:
            yield key, MTLSIssuerSpec.model_validate(body.get("spec") or {})
        except ValidationError:
            continue


def client_of(body: Object) -> Client:
    """A ClientCertificate as the API server has it, or would."""
    key, raw = key_of(body), body.get("spec") or {}
    spec: ClientCertificateSpec | None
    try:
        spec = ClientCertificateSpec.model_validate(raw)
    except ValidationError:
        spec = None
    reference = raw.get("issuerRef") or {}
    labels = body["metadata"].get("labels") or {}
    cut_off = cut_off_by(
        deleting=is_deleting(body), revoked=bool(raw.get("revoked")), suspended=bool(raw.get("suspended"))
    )
    return Client(
        key=key,
        issuer=ObjectKey(str(reference.get("namespace") or key.namespace), str(reference.get("name", ""))),
        spec=spec,
        request=_request(spec),
        cut_off=cut_off,
        labels=tuple(sorted(f"{name}={value}" for name, value in labels.items())) if len(labels) <= MOST_LABELS else (),
    )


def _request(spec: ClientCertificateSpec | None) -> ClientRequest | None:
    if spec is None or spec.request is None:
        return None
    try:
        return read_request(spec.request.encode())
    except PkiError:
        return None


def _door(target: Target) -> Door:
    return Door(
        key=target.key,
        issuer=next(issuer_of(target), None),
        hosts=target.hosts,
        access_list=target.access_list,
        wants_optional=target.wants_optional,
    )


def _labels(bodies: Bodies) -> dict[str, Mapping[str, str]]:
    return {key.name: body["metadata"].get("labels") or {} for key, body in _of(NAMESPACE, bodies)}


async def _records(reader: Reader, both: Both) -> dict[ObjectKey, tuple[Record, ...]]:
    """The records of all issuers that may matter, by client."""
    concerned = set(both.issuers)
    for world in both.worlds:
        concerned |= {world.clients[key].issuer for key in both.clients if key in world.clients}
    for key in both.affected:
        concerned |= both.issuers_of(key)
    if both.before.labels != both.after.labels:
        concerned |= both.before.issuers.keys()
    found: dict[ObjectKey, list[Record]] = {}
    for namespace in sorted({issuer.namespace for issuer in concerned & both.before.issuers.keys()}):
        for body in await reader.list(ISSUED_CERTIFICATE, namespace) or ():
            try:
                record = ledger_record.parse(body)
            except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
                continue
            found.setdefault(record.holder, []).append(record)
    return {holder: tuple(records) for holder, records in found.items()}
