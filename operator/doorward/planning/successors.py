"""Which clients get another certificate between two states of a cluster, and whether the one that they have is refused."""

from collections.abc import Iterator
from dataclasses import dataclass

from doorward.api.kinds import ClientCertificateSpec, MTLSIssuerSpec
from doorward.objects.meta import ObjectKey
from doorward.planning.changes import Both, Cause
from doorward.planning.forecast import Client
from doorward.planning.terms import alt_names_of, key_kind_of, subject_of


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCertificate:
    """A client that gets another certificate, though it has one."""

    client: ObjectKey
    issuer: ObjectKey
    why: str
    old_is_refused: bool
    causes: tuple[Cause, ...]


def new_certificates(both: Both) -> list[NewCertificate]:
    """Of clients that are there before and after, and cut off in neither."""
    found = []
    for key in sorted(both.before.clients.keys() & both.after.clients.keys()):
        was, becomes = both.before.clients[key], both.after.clients[key]
        changes = key in both.clients or was.issuer in both.issuers
        if not changes or was.cut_off or becomes.cut_off or was.issuer != becomes.issuer:
            continue
        own = [] if was.spec is None or becomes.spec is None else [*_differences(was.spec, becomes.spec)]
        of_ca, refused = _of_ca(both, becomes)
        causes = ([("ClientCertificate", key)] if own else []) + ([("MTLSIssuer", was.issuer)] if of_ca else [])
        if causes:
            why = "; ".join([*own, *of_ca])
            found.append(
                NewCertificate(client=key, issuer=was.issuer, why=why, old_is_refused=refused, causes=tuple(causes))
            )
    return found


def _differences(was: ClientCertificateSpec, becomes: ClientCertificateSpec) -> Iterator[str]:
    if was.common_name != becomes.common_name:
        yield f"its common name {was.common_name} becomes {becomes.common_name}"
    elif subject_of(was) != subject_of(becomes):
        yield "its subject changes"
    if alt_names_of(was) != alt_names_of(becomes):
        yield "its subject alternative names change"
    if was.request != becomes.request:
        yield "spec.request changes"
    elif was.request is None and key_kind_of(was) != key_kind_of(becomes):
        yield "spec.privateKey asks for another kind of key"
    if becomes.reissue and was.reissue != becomes.reissue:
        yield "spec.reissue asks for it"


def _of_ca(both: Both, client: Client) -> tuple[list[str], bool]:
    """Why its issuer's CA gives a client another certificate; and whether the one that it has is refused."""
    was, becomes = both.before.issuers.get(client.issuer), both.after.issuers.get(client.issuer)
    if was is None or becomes is None:
        return [], False
    new = frozenset(becomes.ca.distrust) - frozenset(was.ca.distrust)
    records = both.before.records.get(client.key, ())
    held = sorted({record.generation for record in records if record.live(both.before.now)} & new)
    if held:
        return [f"CA generation {held[0]}, which signed its certificate, is distrusted"], True
    return ["its MTLSIssuer gets another CA"] if _another_ca(was, becomes) else [], False


def _another_ca(was: MTLSIssuerSpec, becomes: MTLSIssuerSpec) -> bool:
    if was.ca.secret_ref != becomes.ca.secret_ref:
        return True
    before, after = was.ca.generate, becomes.ca.generate
    return before is not None and after is not None and bool(after.rotate) and before.rotate != after.rotate
