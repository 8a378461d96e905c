"""One CA generation after the other: which one signs, which ones the gates are shown, and when the next is made.

Nothing of this is remembered: a generation that signed any certificate in ledger or archive signs on; a new one waits
until every gate has held its anchor and CRL for a while; an old one is shown for as long as a certificate of its could get in.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from doorward.api.conditions import Condition
from doorward.api.issuer_ca import GeneratedCa
from doorward.api.kinds import MTLSIssuerSpec
from doorward.api.limits import BETWEEN_CAS
from doorward.objects.ledger_record import Record
from doorward.objects.trust_bundle import PublishedTrust
from doorward.pki import subjects
from doorward.planning import ledger_use, left_out, room, timing
from doorward.planning.crl import Terms, window
from doorward.planning.ledger_use import LedgerUse
from doorward.planning.observed import Authority, Gate, IssuerObserved
from doorward.planning.plan import earliest
from doorward.planning.terms import key_kind_of, subject_of

MOST_GENERATIONS = 8
"""In one bundle: a subject that is changed all day long must not fill it."""
KEYLESS_PATIENCE = timedelta(minutes=10)
"""Where the key before is gone, nobody can be issued to meanwhile: so long is a gate that cannot be reached waited for."""
ROTATE_AT = 0.8
"""Of the bundle's room: the next generation begins with an empty CRL before this one's is full."""
OWN_SHARE = 0.4
"""So much of the room must be the signing generation's own CRL: a successor takes nothing from the others'."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """The generations of one issuer at one instant."""

    signing: Authority | None
    """None: none can, for now."""
    shown: tuple[Authority, ...]
    """Generations whose anchors and CRLs belong into the gates, oldest first."""
    carried: frozenset[int]
    """Published generations whose keys are gone, and whose anchor and CRL stay as they are."""
    announced: Authority | None
    """The newest, which is shown before it signs."""
    awaited: tuple[Gate, ...]
    """The gates that it waits for."""
    moving: frozenset[int]
    """Generations before the one that signs, with certificates that are good and are to have successors."""
    staying: Mapping[int, Authority]
    """Generations before the one that signs whose certificates are good until they are renewed: only their number is too high."""
    dropped: frozenset[int]
    """Generations with certificates that are good, which the gates do not trust though nobody asked for that: their keys are gone."""
    unexpired: Mapping[int, int]
    """By generation, how many certificates have not expired, revoked ones too."""
    lost: int
    """The generation that signs, where its key cannot be used; 0: it can."""
    distrusted: frozenset[int]
    """Generations that no gate may trust: a person distrusts them, or they are closed."""
    all_distrusted: bool
    """Every generation there is was named in `spec.ca.distrust`, or is closed."""
    closed: Mapping[int, str]
    """Generations that left because more of their certificates were revoked than a CRL lists: their public keys."""
    known: Mapping[int, str]
    """Generations that were published, and have certificates that have not expired or are distrusted: their public keys."""
    identities: Mapping[int, str]
    """The identities of those that are told by them."""
    untold: Mapping[int, frozenset[int]]
    """By generation that is shown, those over its key whose certificates may name it."""
    forsaken: bool
    """The gates are shown generations that are distrusted or closed, and there is no other to show them."""
    due: datetime | None

    @property
    def none_left(self) -> bool:
        """Whether no generation is left that a gate may trust."""
        return self.all_distrusted or self.forsaken

    @property
    def trusted(self) -> frozenset[int]:
        return self.carried | {authority.generation for authority in self.shown}


def of(
    o: IssuerObserved,
    spec: MTLSIssuerSpec,
    records: tuple[Record, ...],
    now: datetime,
    overflowing: frozenset[int] = frozenset(),
) -> Lineage:
    """The generations as they are to be at `now`; `records` is the whole ledger of the issuer, `overflowing` are generations
    whose CRLs do not fit.
    """
    ledger = ledger_use.read(records, o.archive.generations, now)
    published = o.published if isinstance(o.published, PublishedTrust) else None
    held = (*o.older, *_newest(o))
    keys, identities = left_out.present(held, published)
    closed = left_out.closed(o, keys, identities, ledger.unexpired, overflowing)
    distrusted = left_out.distrusted(spec.ca.distrust, {**o.known, **o.closed, **keys}) | closed.keys()
    anchors = frozenset(published.anchors) if published else frozenset()
    known = ledger.used | anchors | {a.generation for a in held} | ({o.ca_generation} if o.ca_generation else set())
    # Nobody can get in with one of these any more, and nobody shall again.
    retired = {g for g in known - anchors - ledger.alive.keys() if g < max(ledger.used, default=0)}
    usable = _usable(held, distrusted | retired, now)
    carried = frozenset(_carried(held, published, records, ledger, now)) - distrusted
    able = tuple(authority for authority in usable if not authority.crl_only)
    last = max(ledger.alive.keys() - distrusted, default=0)
    lost = last if last > max((a.generation for a in able), default=0) and not _chosen(o) else 0
    keyless = carried | ({a.generation for a in usable if a.crl_only} & anchors & ledger.alive.keys())
    signing = None if lost else _signing(o, able, published, keyless, ledger, now)
    waits = able and able[-1] is not signing and not lost and (signing is not None or keyless)
    announced = able[-1] if waits else None
    awaited = tuple(_awaited(o, now)) if announced else ()
    before = signing.generation if signing else 0
    shown = tuple(_shown(usable, signing, ledger))
    trusted = carried | {authority.generation for authority in shown}
    old = [authority for authority in shown if authority.generation < before]
    staying = {a.generation: a for a in old if _is_staying(a, published, spec.ca.generate, now)}
    return Lineage(
        signing=signing,
        shown=shown,
        carried=carried,
        announced=announced,
        awaited=awaited,
        moving=frozenset(g for g in ledger.alive if g < before and g not in distrusted and g not in staying),
        staying=staying,
        dropped=frozenset(ledger.alive) - trusted - distrusted if published is not None else frozenset(),
        unexpired=ledger.unexpired,
        lost=lost,
        distrusted=distrusted,
        all_distrusted=bool(known - retired) and known - retired <= distrusted,
        closed=closed,
        known={g: key for g, key in o.known.items() if g in ledger.unexpired or g in distrusted},
        identities=left_out.told_apart(o, identities),
        untold={a.generation: left_out.untold(o, a, keys) for a in shown},
        forsaken=bool(anchors) and anchors <= distrusted and not usable and not carried,
        due=earliest(
            *(until for g, until in ledger.alive.items() if g < before or g not in trusted),
            *(gate.anchors_taken for gate in awaited),
            _waited_until(announced, able, published) if announced else None,
            *(_renewal(authority, spec.ca.generate) for authority in staying.values()),
        ),
    )


def _chosen(o: IssuerObserved) -> bool:
    """A person's own CA signs because it stands in their Secret, whatever signed before."""
    return isinstance(o.authority, Authority) and not o.authority.generated


def _newest(o: IssuerObserved) -> tuple[Authority, ...]:
    """The newest generation, where it may be shown to gates at all."""
    barred = o.rival is not None or o.is_cluster_ca or o.replaced
    return (o.authority,) if isinstance(o.authority, Authority) and not barred else ()


def _usable(held: tuple[Authority, ...], out: frozenset[int], now: datetime) -> tuple[Authority, ...]:
    """Oldest first. The last one that is left is kept though it expired: its CRL is still published."""
    trusted = sorted((a for a in held if a.generation not in out), key=lambda a: a.generation)
    valid = [authority for authority in trusted if now < authority.not_after]
    return tuple(valid or trusted[-1:])


def _shown(usable: tuple[Authority, ...], signing: Authority | None, ledger: LedgerUse) -> Iterator[Authority]:
    """Those that sign, or are to; and others for as long as a certificate of theirs could get in. Where none signs, all."""
    for authority in usable:
        able = signing is None or (authority.generation >= signing.generation and not authority.crl_only)
        if able or authority.generation in ledger.alive:
            yield authority


def _signing(
    o: IssuerObserved,
    able: tuple[Authority, ...],
    published: PublishedTrust | None,
    keyless: frozenset[int],
    ledger: LedgerUse,
    now: datetime,
) -> Authority | None:
    """The newest generation that may sign; None: none may yet. `keyless`: published ones that sign no certificate any more.

    One that signed before goes on, and the first of all need not wait. Any other signs when its CRL is published, and every
    gate has held its anchor for a while, or has been waited for long enough.
    """
    for candidate in reversed(able):
        before = _before(candidate, able, published)
        if candidate.generation in ledger.used or not (before or keyless):
            return candidate
        patience = _waited_until(candidate, able, published)
        if patience is not None and (now >= patience or (o.gates_known and not tuple(_awaited(o, now)))):
            return candidate
    return None


def _before(candidate: Authority, able: tuple[Authority, ...], published: PublishedTrust | None) -> list[Authority]:
    """The generations before it that the gates are shown already."""
    older = able[: able.index(candidate)]
    return [a for a in older if published is None or a.generation in published.anchors]


def _waited_until(
    candidate: Authority, able: tuple[Authority, ...], published: PublishedTrust | None
) -> datetime | None:
    """From when it signs though a gate cannot be reached; None: its CRL is not published yet."""
    crl = published.crls.get(candidate.generation) if published is not None else None
    if crl is None:
        return None
    before = _before(candidate, able, published)
    return _patience(before[-1]) if before else crl.this_update + timing.BACKDATE + KEYLESS_PATIENCE


def _awaited(o: IssuerObserved, now: datetime) -> Iterator[Gate]:
    """Gates that let clients in and may not have taken all anchors yet."""
    for gate in o.gates:
        taken = gate.anchors_taken
        if gate.targets and gate.allowed is not False and (taken is None or now < taken):
            yield gate


def _patience(before: Authority) -> datetime:
    """From when a gate that cannot be reached holds up nobody else: half of the time is left that renewing early gains."""
    return before.not_after - (before.not_after - _renewal(before, None)) / 2


def _carried(
    held: tuple[Authority, ...],
    published: PublishedTrust | None,
    records: tuple[Record, ...],
    ledger: LedgerUse,
    now: datetime,
) -> Iterator[int]:
    """Without its key no serial can be added to a CRL: a generation with somebody to refuse is trusted no longer."""
    keys = {authority.generation for authority in held}
    for generation, crl in (published.crls if published else {}).items():
        if generation in keys or generation not in ledger.alive or now >= crl.next_update:
            continue
        refused = (r.serial for r in records if r.generation == generation and r.refused and now < r.not_after)
        if all(serial in crl.entries for serial in refused):
            yield generation


def _renewal(authority: Authority, generate: GeneratedCa | None) -> datetime:
    before = timing.duration(generate.renew_before) if generate else None
    begin, between = authority.not_before + timing.BACKDATE, timing.duration(BETWEEN_CAS)
    return timing.renewal_time(begin, authority.not_after, before, between)


def renewal_due(line: Lineage, spec: MTLSIssuerSpec) -> datetime | None:
    """When the generation that signs asks for its successor."""
    generate = spec.ca.generate
    return _renewal(line.signing, generate) if line.signing and generate and not line.announced else None


def why_next(o: IssuerObserved, spec: MTLSIssuerSpec, line: Lineage, now: datetime) -> str | None:
    """Why the next generation of a generated CA must be made now; None where it need not."""
    generate = spec.ca.generate
    if generate is None:
        return None
    if line.all_distrusted:
        return "every CA before it is distrusted, or was closed"
    signing = line.signing
    if isinstance(o.authority, Condition) and o.authority.reason.name == "CaExpired" and not line.shown:
        return "the CA before it expired"
    if signing is None or line.announced is not None or len(line.trusted) >= MOST_GENERATIONS:
        return None
    if (because := _outdated(signing, generate, now)) is not None:
        return because
    if line.unexpired.get(signing.generation, 0) >= ROTATE_AT * room.CRL_ENTRIES:
        return "its CRL could hardly list more certificates than it has signed"
    return "its CRL is nearly full" if _nearly_full(o, signing) else None


def _outdated(authority: Authority, generate: GeneratedCa, now: datetime) -> str | None:
    """Why a generation is to have a successor that all its clients change to; None: it is as the spec asks."""
    if authority.subject != subjects.display(subjects.to_name(subject_of(generate))):
        return "spec.ca.generate names another subject"
    if authority.key_kind != key_kind_of(generate):
        return "spec.ca.generate asks for another kind of key"
    if generate.rotate is not None and authority.rotate != generate.rotate:
        return "spec.ca.generate.rotate changed"
    return "its renewal is due" if now >= _renewal(authority, generate) else None


def _is_staying(
    authority: Authority, published: PublishedTrust | None, generate: GeneratedCa | None, now: datetime
) -> bool:
    """Whether a generation that no longer signs has to give way to nobody: then its clients change at their renewal.

    Without that, an issuer with more clients than one CRL lists would go from one generation to the next for ever.
    """
    crl = published.crls.get(authority.generation) if published is not None else None
    roomy = crl is None or crl.size < OWN_SHARE * room.ROOM
    if generate is None or not authority.generated or authority.crl_only:
        return False
    return roomy and _outdated(authority, generate, now) is None


def _nearly_full(o: IssuerObserved, signing: Authority) -> bool:
    published = o.published
    if not isinstance(published, PublishedTrust) or signing.generation not in published.crls:
        return False
    own = published.crls[signing.generation].size
    return published.size >= ROTATE_AT * room.ROOM and own >= OWN_SHARE * room.ROOM


def next_number(o: IssuerObserved, spec: MTLSIssuerSpec, records: tuple[Record, ...]) -> int:
    """The number of the next generation: above every one that was the issuer's, none that is distrusted already, and none
    whose name somebody has taken. A name far above is a stranger's, who would use up the numbers.
    """
    published = o.published.anchors if isinstance(o.published, PublishedTrust) else {}
    known = {o.ca_generation, *published, *o.closed, *o.known, *(record.generation for record in records)}
    number = max(known | o.archive.generations) + 1
    while number in o.ca_names_taken or number in spec.ca.distrust:
        number += 1
    return number


def terms(spec: MTLSIssuerSpec, line: Lineage, now: datetime) -> Terms:
    """Which CRLs the issuer is to have from `now` on."""
    this_update, next_update = window(spec.crl, now)
    own = spec.ca.secret_ref is not None and line.shown
    newest = next((a for a in reversed(line.shown) if not a.crl_only), line.shown[-1]) if own else None
    return Terms(
        generations=frozenset(authority.generation for authority in line.shown),
        retained=line.carried,
        adopting=newest.generation if newest is not None else None,
        this_update=this_update,
        next_update=next_update,
        closed=line.closed,
        known=line.known,
        identities={
            g: each for g, each in line.identities.items() if g in line.trusted | line.known.keys() | line.closed.keys()
        },
        also=line.untold,
        canary=_canary(spec, line),
    )


def _canary(spec: MTLSIssuerSpec, line: Lineage) -> int | None:
    """The generation that signs canaries: the newest that signs certificates, or is to. A gate that admits its canary has its anchor."""
    newest = line.announced or line.signing
    return newest.generation if spec.enforcement.canary and newest is not None and newest in line.shown else None
