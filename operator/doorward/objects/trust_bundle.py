"""What is published of one issuer: the anchors and CRLs of its CA generations, read back and verified from a trust bundle.

All of it is pure: a bundle, the certificates of the CAs whose keys are held, and the generations that the ledger knows,
give what can be built on.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509

from doorward.api.conditions import Condition, said
from doorward.objects.crl_configmap import TrustBundle
from doorward.pki import ca_identity, crls, readability
from doorward.pki.crls import CrlEntry, PublishedCrl
from doorward.pki.keys import public_key_sha256
from doorward.pki.pem import PkiError, certificate_pem, load_certificates
from doorward.pki.subjects import display


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """One trusted CA generation, as the gates are shown it."""

    pem: bytes
    public_key_sha256: str
    identity: str
    """Of its key, name and identifier together: what makes it another generation than one over the same key."""
    subject: str
    not_after: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedTrust:
    """By generation: its anchor, and the CRL that its key signed. Never empty."""

    anchors: Mapping[int, Anchor]
    crls: Mapping[int, PublishedCrl]
    size: int
    """Bytes of the whole bundle, PEM."""
    sound: bool = True
    """Whether the bundle holds nothing else, and an anchor and a CRL of each."""
    entries: Mapping[int, CrlEntry] = field(init=False)
    """Of all CRLs, by serial."""

    def __post_init__(self) -> None:
        lists = [self.crls[generation].entries for generation in sorted(self.crls)]
        merged = lists[0] if len(lists) == 1 else {serial: entry for each in lists for serial, entry in each.items()}
        object.__setattr__(self, "entries", merged)

    @property
    def number(self) -> int:
        """The highest CRL number."""
        return max(crl.number for crl in self.crls.values())

    @property
    def this_update(self) -> datetime:
        """Of the oldest CRL."""
        return min(crl.this_update for crl in self.crls.values())

    @property
    def next_update(self) -> datetime:
        """Of the CRL that lapses first."""
        return min(crl.next_update for crl in self.crls.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a bundle is worth."""

    published: PublishedTrust | Condition
    """Or why it cannot be built on."""
    replaced: str = ""
    """Subject of a published anchor whose generation is held with another key; empty: there is none."""


def digest(bundle: TrustBundle) -> str:
    """What two equal bundles have in common: SHA-256, hex."""
    return hashlib.sha256(bundle.anchors + b"\0" + bundle.crl).hexdigest()


def anchors_in(bundle: TrustBundle | None) -> tuple[x509.Certificate, ...]:
    """The anchors of a bundle; none where they cannot be read."""
    try:
        return load_certificates(bundle.anchors) if bundle is not None and bundle.anchors else ()
    except PkiError:
        return ()


def numbers_of(bundle: TrustBundle, anchors: Iterable[x509.Certificate], recorded: Iterable[int]) -> dict[str, int]:
    """By identity, the generation of each published anchor: as the annotations say, else in their order.

    `recorded` are the generations of the ledger: the last anchor is the last of them. An older version told generations by
    their keys alone: what it wrote is true of whichever anchor has the key.
    """
    keys = {ca_identity.identity(anchor): public_key_sha256(anchor.public_key()) for anchor in anchors}
    if not bundle.generations:
        first = max(max(recorded, default=1) - len(keys) + 1, 1)
        return {each: first + index for index, each in enumerate(keys)}
    named = {bundle.identities.get(number, ""): number for number in bundle.generations}
    found = {each: named[each] for each, key in keys.items() if bundle.generations.get(named.get(each, 0)) == key}
    for each, key in keys.items():
        free = [number for number in _of_key(bundle.generations, key) if number not in found.values()]
        if each not in found and free:
            found[each] = free[0]
    return found


def _of_key(generations: Mapping[int, str], key: str) -> list[int]:
    return sorted(number for number, other in generations.items() if other == key)


def number_of(ca: x509.Certificate, bundle: TrustBundle | None, recorded: Iterable[int]) -> int:
    """The generation of a person's own CA: the one it is published as, or was closed as; else a new one above all that are
    known.
    """
    known = set(recorded)
    if bundle is None:
        return max(known, default=1)
    own, key = ca_identity.identity(ca), public_key_sha256(ca.public_key())
    published = numbers_of(bundle, anchors_in(bundle), known)
    if own in published:
        return published[own]
    others = {n: of for n, of in {**bundle.generations, **bundle.closed}.items() if n not in published.values()}
    for number in _of_key(others, key):
        if bundle.identities.get(number, own) == own:
            return number
    numbers = {*published.values(), *others}
    return max(known | numbers | bundle.known.keys()) + 1 if numbers else max(known, default=1)


def verify(
    bundle: TrustBundle,
    held: Mapping[int, x509.Certificate],
    recorded: Iterable[int],
    name: str,
    restored: frozenset[int] = frozenset(),
) -> Verified:
    """The bundle of the ConfigMap `name`, each CRL in it as its CA's own key checks it.

    An anchor is one of the issuer's where its key is held (`held`, by generation), or where the ledger knows its
    generation (`recorded`): then its key is gone (a person's own CA was replaced), and the anchor itself says which CRLs
    are its own. Not so of generations in whose place a backup brought another CA (`restored`).
    """
    recorded = frozenset(recorded)
    known_as = {ca_identity.identity(ca): generation for generation, ca in held.items()}
    replaced = ""
    try:
        anchors = load_certificates(bundle.anchors)
        written = numbers_of(bundle, anchors, recorded)
        numbers = known_as | written if bundle.generations else written | known_as
        named = [(numbers.get(ca_identity.identity(a), 0), a) for a in anchors]
        ours = {number: a for number, a in named if number in held or (number in recorded and not _spoils(a))}
        ours = {n: a for n, a in ours.items() if n not in restored or ca_identity.identity(a) in known_as}
        for number, anchor in ours.items():
            if number in held and ca_identity.identity(anchor) not in known_as and not replaced:
                replaced = display(anchor.subject)
        lists = crls_of(bundle.crl, ours)
    except PkiError as error:
        return Verified(published=said("NotPublished", configmap=name, detail=error))
    if not lists:
        why = f"it holds no CRL of the issuer's{_why(bundle, ours)}"
        return Verified(published=said("NotPublished", configmap=name, detail=why))
    return Verified(published=_trust(bundle, {g: a for g, a in ours.items() if g in lists}, lists), replaced=replaced)


def _spoils(anchor: x509.Certificate) -> bool:
    """Whether a data plane that is shown it reads nothing of the bundle: an older version showed users' CAs as they are. Where
    its key is held, it is shown as its twin next; else nobody can be admitted by it any more.
    """
    return bool(readability.of_anchor(anchor))


def _why(bundle: TrustBundle, ours: Mapping[int, x509.Certificate]) -> str:
    """What is wrong with the CRL of the newest anchor."""
    if not ours:
        return ": its anchors are not the issuer's"
    try:
        crls.read_crl(bundle.crl, ours[max(ours)])
    except PkiError as error:
        return f": {error}"
    return ""


def crls_of(
    pem: bytes, cas: Mapping[int, x509.Certificate], known: Mapping[int, PublishedCrl] | None = None
) -> dict[int, PublishedCrl]:
    """By generation, the CRL that its CA signed; what nobody signed, or cannot be read, is left out. `known`: read before.

    A full CRL of which nothing is known takes 60 ms: call it from a thread.
    """
    found: dict[int, PublishedCrl] = {}
    try:
        parts = crls.split_crls(pem)
    except PkiError:
        return found
    for part in parts:
        for generation, ca in cas.items():
            try:
                read = crls.read_crl(part, ca, known=(known or {}).get(generation))
            except PkiError:
                continue
            if generation not in found or found[generation].number < read.number:
                found[generation] = read
    return found


def newest_number(bundle: TrustBundle, cas: Mapping[int, x509.Certificate]) -> int:
    """The highest number of the CRLs in it that one of these CAs signed; 0: there is none."""
    return max((crl.number for crl in crls_of(bundle.crl, cas).values()), default=0)


def anchor_of(certificate: x509.Certificate) -> Anchor:
    """The anchor that this certificate is."""
    return Anchor(
        pem=certificate_pem(certificate),
        public_key_sha256=public_key_sha256(certificate.public_key()),
        identity=ca_identity.identity(certificate),
        subject=display(certificate.subject),
        not_after=certificate.not_valid_after_utc,
    )


def _trust(
    bundle: TrustBundle, anchors: Mapping[int, x509.Certificate], lists: Mapping[int, PublishedCrl]
) -> PublishedTrust:
    shown = {generation: anchor_of(anchor) for generation, anchor in sorted(anchors.items())}
    whole = bundle_of(shown, lists)
    sound = (whole.anchors, whole.crl) == (bundle.anchors, bundle.crl) and whole.generations == bundle.generations
    return PublishedTrust(anchors=shown, crls=lists, size=bundle.size, sound=sound)


def bundle_of(
    anchors: Mapping[int, Anchor],
    lists: Mapping[int, PublishedCrl],
    *,
    closed: Mapping[int, str] | None = None,
    known: Mapping[int, str] | None = None,
    identities: Mapping[int, str] | None = None,
) -> TrustBundle:
    """The bundle of these anchors and CRLs, oldest generation first; `closed` and `known`: of generations that left it, whose
    `identities` are these.
    """
    keys = {generation: anchors[generation].public_key_sha256 for generation in sorted(anchors)}
    return TrustBundle(
        anchors=b"".join(anchors[generation].pem for generation in sorted(anchors)),
        crl=b"".join(lists[generation].pem for generation in sorted(anchors)),
        generations=keys,
        closed=closed or {},
        known={**(known or {}), **keys},
        identities=dict(sorted((identities or {}).items())),
    )
