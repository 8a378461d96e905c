"""What shows that a Secret holds a CA generation that the operator made.

Its labels do not: everybody who may create Secrets in the namespace can write them. The CRL ConfigMap does, which nobody but
the operator writes (fence-crl.yaml): it names the public key of each generation, and is part of every backup.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from doorward.objects.crl_configmap import TrustBundle
from doorward.objects.trust_bundle import anchors_in, numbers_of
from doorward.pki import ca_identity
from doorward.pki.keys import public_key_sha256
from doorward.pki.pem import PkiError, load_certificates
from doorward.pki.subjects import display


@dataclass(frozen=True, slots=True, kw_only=True)
class CaProof:
    """Which CA generations are an issuer's, and by which key."""

    published: Mapping[int, str]
    """By number, the SHA-256 of the public key of each generation that is known to have been published, and of those that this
    process made.
    """
    anchors: Mapping[str, str]
    """By the SHA-256 of their public keys, the subjects of the published anchors."""
    identities: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By the same, the CAs over the key that are known to have been published; none: nothing is known of more than the key."""
    signed: frozenset[int]
    """The numbers that the ledger or its archive knows."""
    begins: Mapping[str, datetime] = field(default_factory=dict)
    """By the SHA-256 of their public keys, when the published anchors begin to be valid."""

    @property
    def numbers(self) -> frozenset[int]:
        """A Secret with any other number is not looked into."""
        return self.signed | self.published.keys()

    def is_same(self, key: str, identity: str) -> bool:
        """Whether a CA over that key has the name and identifier that it was published with, as far as that is known."""
        return identity in self.identities.get(key, {identity})

    def accepts(self, generation: int, key: str, loaded: Iterable[tuple[int, str]]) -> bool:
        """Whether the key in the Secret of a generation is the issuer's; `loaded`: number and key of each that was read.

        Where nothing is left that names a key, the ledger's word for the number counts. A key that is published is the
        issuer's under another number too (the annotation was edited), unless it is also in the Secret with its own number.
        """
        known = {*self.published.values(), *self.anchors}
        if not known:
            return generation in self.signed
        if self.published.get(generation) == key:
            return True
        same = [number for number, other in loaded if other == key]
        right = [number for number in same if self.published.get(number) == key] or same
        return key in known and generation == min(right)

    def restores(self, generation: int, begins: datetime, oldest: datetime | None) -> bool:
        """Whether the ledger shows that the CA in the Secret of a generation, which is valid from `begins` on, is the issuer's all the
        same; `oldest`: when the first certificate that the ledger has of that generation, and that has not expired, becomes valid.

        Records of a number that no CRL ConfigMap names, or that are older than the CA that is published under it, were restored: the
        operator had made another CA before it heard of them. Decision 0024.
        """
        if oldest is None or oldest < begins:
            return False
        published = self.published.get(generation)
        return published is None or self.contradicts(published, oldest)

    def contradicts(self, key: str, oldest: datetime | None) -> bool:
        """Whether a certificate of the ledger is older than the published CA with that key: then another CA signed it."""
        begins = self.begins.get(key)
        return oldest is not None and begins is not None and oldest < begins

    def subject(self, generation: int) -> str:
        """Of the CA that the gates trust as that generation."""
        first = next(iter(self.anchors.values()), "unknown")
        return self.anchors.get(self.published.get(generation, ""), first)


def of(
    bundle: TrustBundle | None, remembered: Mapping[int, str], made: Mapping[int, str], signed: Iterable[int]
) -> CaProof:
    """`bundle`: of the CRL ConfigMap, None where there is none; `remembered`: the keys that this process saw published."""
    signed = frozenset(signed)
    if bundle is None:
        return CaProof(published={**remembered, **made}, anchors={}, signed=signed)
    anchors = anchors_in(bundle)
    # An older version wrote no numbers beside the anchors.
    numbers = numbers_of(bundle, anchors, signed)
    keys = {ca_identity.identity(anchor): public_key_sha256(anchor.public_key()) for anchor in anchors}
    ordered = {} if bundle.generations else {number: keys[each] for each, number in numbers.items()}
    named = {**bundle.known, **bundle.closed, **ordered, **bundle.generations}
    subjects = {public_key_sha256(anchor.public_key()): display(anchor.subject) for anchor in anchors}
    # One that another process passed over, with a later one in the bundle, is not needed: each would put its own back for ever.
    shown = bundle.generations.keys()
    needed = {n: key for n, key in made.items() if n in named or not min(shown, default=n) < n < max(shown, default=n)}
    # What an anchor shows goes before what an annotation says of its key.
    said_of = {named[n]: frozenset({each}) for n, each in bundle.identities.items() if n in named}
    shown_of = {key: frozenset(each for each, of in keys.items() if of == key) for key in keys.values()}
    return CaProof(
        published={**named, **needed},
        anchors=subjects,
        identities=said_of | shown_of,
        signed=signed,
        begins={public_key_sha256(anchor.public_key()): anchor.not_valid_before_utc for anchor in anchors},
    )


def keys_of(bundle: TrustBundle) -> frozenset[str]:
    """The SHA-256 of the public keys of all anchors in a bundle; none where it cannot be read."""
    return frozenset(public_key_sha256(anchor.public_key()) for anchor in anchors_in(bundle))


def key_of_certificate(pem: bytes) -> str:
    """The SHA-256 of the public key of the first certificate in a PEM file; empty where it cannot be read."""
    try:
        found = load_certificates(pem) if pem else ()
    except PkiError:
        return ""
    return public_key_sha256(found[0].public_key()) if found else ""
