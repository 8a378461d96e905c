"""The ledger record of one serial number: parse and render an IssuedCertificate."""

import struct
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from doorward.api.conditions import instant
from doorward.api.fields import API_VERSION
from doorward.api.issued_certificate import HoldSource
from doorward.objects.meta import MISSING_ANNOTATION, SECRET_MISSING_ANNOTATION, Object, ObjectKey, parse_instant
from doorward.pki.certificates import Leaf


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """Since when and why a serial is refused; `final_at` is when a hold becomes final."""

    reason: str
    time: datetime
    final_at: datetime | None = None
    held_by: HoldSource | None = None
    """What put a hold; None: a person."""
    lifted: bool = False
    dated: bool = True
    """False: a person gave no time, and `time` is only a stand-in until it is written."""

    @property
    def is_hold(self) -> bool:
        return self.reason == "certificateHold"


_COMPACT = struct.Struct(">qq32s20s32s")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One line of the CA's database; see `record_of`. A ledger of years has many, so what is seldom read is kept compact."""

    key: ObjectKey
    issuer: ObjectKey
    generation: int
    serial: int
    subject: str
    not_after: datetime
    holder: ObjectKey
    holder_uid: str
    compact: bytes = field(repr=False)
    """The two instants and the three digests below."""
    revocation: Revocation | None = None
    missing_since: datetime | None = None
    """When the operator first found that it has no ClientCertificate; None: it has one, as far as anybody looked."""
    secret_missing_since: datetime | None = None
    """When the operator first found that no Secret holds the certificate any more; None: it expects none to be missing."""

    @property
    def not_before(self) -> datetime:
        return self._instant(0)

    @property
    def issued_at(self) -> datetime:
        return self._instant(1)

    @property
    def sha256(self) -> str:
        return self._digest(2)

    @property
    def sha1(self) -> str:
        return self._digest(3)

    @property
    def public_key_sha256(self) -> str:
        return self._digest(4)

    def _instant(self, place: int) -> datetime:
        seconds: int = _COMPACT.unpack(self.compact)[place]
        return _EPOCH + timedelta(seconds=seconds)

    def _digest(self, place: int) -> str:
        digest: bytes = _COMPACT.unpack(self.compact)[place]
        return digest.hex()

    @property
    def refused(self) -> bool:
        """Whether the CRL must name the serial."""
        return self.revocation is not None and not self.revocation.lifted

    @property
    def is_lifted(self) -> bool:
        """Whether the serial was refused, and a person let it in again."""
        return self.revocation is not None and self.revocation.lifted

    def live(self, now: datetime) -> bool:
        """Whether the serial would get a client in."""
        return not self.refused and now < self.not_after


def record_of(
    *,
    not_before: datetime,
    issued_at: datetime,
    sha256: str,
    sha1: str,
    public_key_sha256: str,
    **fields: Any,
) -> Record:
    """A record of all that it says; ValueError where a digest is none."""
    digests = [bytes.fromhex(digest) for digest in (sha256, sha1, public_key_sha256)]
    if [len(digest) for digest in digests] != [32, 20, 32]:
        raise ValueError("a digest of another length")
    instants = [(at - _EPOCH) // _SECOND for at in (not_before, issued_at)]
    return Record(compact=_COMPACT.pack(*instants, *digests), **fields)


def record_name(issuer: str, generation: int, serial: int) -> str:
    """`<issuer>.<generation>.<serial hex>`."""
    return f"{issuer}.{generation}.{serial:x}"


_shared_key = lru_cache(maxsize=65_536)(ObjectKey)
"""Of issuers and clients: each has many records, which share its name in memory."""


def parse(body: Object, *, named: Callable[[str, str], ObjectKey] = _shared_key) -> Record:
    """A record from the API; ValueError, KeyError or TypeError where the object is not as its schema says.

    `named` gives the keys of issuer and client; by default one of all that are equal.
    """
    metadata, spec = body["metadata"], body["spec"]
    holder = spec["clientCertificate"]
    namespace = sys.intern(metadata["namespace"])
    return record_of(
        key=ObjectKey(namespace, metadata["name"]),
        issuer=named(namespace, spec["issuerName"]),
        generation=spec["generation"],
        serial=serial_of(spec["serialNumber"]),
        subject=sys.intern(spec["subject"]),
        not_before=parse_instant(spec["notBefore"]),
        not_after=parse_instant(spec["notAfter"]),
        sha256=spec["fingerprints"]["sha256"],
        sha1=spec["fingerprints"]["sha1"],
        public_key_sha256=spec["publicKeySHA256"],
        holder=named(holder["namespace"], holder["name"]),
        holder_uid=sys.intern(holder["uid"]),
        issued_at=parse_instant(metadata.get("creationTimestamp") or spec["notBefore"]),
        revocation=parse_revocation(spec["revocation"], spec["notBefore"]) if spec.get("revocation") else None,
        missing_since=_marked(metadata, MISSING_ANNOTATION),
        secret_missing_since=_marked(metadata, SECRET_MISSING_ANNOTATION),
    )


def _marked(metadata: Mapping[str, Any], annotation: str) -> datetime | None:
    return _instant_or_none((metadata.get("annotations") or {}).get(annotation))


def serial_of(text: str) -> int:
    """One that a CRL can say (RFC 5280 §4.1.2.2): another would keep all others of its issuer from being published."""
    number = int(text, 16)
    if not 0 < number < 1 << 159:
        raise ValueError("a serial outside of what 20 octets hold")
    return number


def parse_revocation(body: Object, not_before: str) -> Revocation:
    """A person may have written it: what is wrong with a time in it keeps no serial from being refused."""
    time = _instant_or_none(body.get("time"))
    return Revocation(
        reason=body["reason"],
        time=time or parse_instant(not_before),
        final_at=_instant_or_none(body.get("finalAt")),
        held_by=body.get("heldBy"),
        lifted=bool(body.get("lifted", False)),
        dated=time is not None,
    )


def _instant_or_none(value: object) -> datetime | None:
    """The instant; None where there is none, or none that can be read."""
    try:
        return parse_instant(value) if isinstance(value, str) else None
    except ValueError:
        return None


def render(
    leaf: Leaf, *, issuer: ObjectKey, generation: int, holder: ObjectKey, holder_uid: str, subject: str
) -> dict[str, Any]:
    """The IssuedCertificate of a leaf that was signed for `holder`."""
    return {
        "apiVersion": API_VERSION,
        "kind": "IssuedCertificate",
        "metadata": {
            "namespace": issuer.namespace,
            "name": record_name(issuer.name, generation, leaf.serial),
        },
        "spec": {
            "issuerName": issuer.name,
            "generation": generation,
            "serialNumber": f"{leaf.serial:x}",
            "subject": subject,
            "notBefore": instant(leaf.not_before),
            "notAfter": instant(leaf.not_after),
            "fingerprints": {"sha256": leaf.sha256, "sha1": leaf.sha1},
            "publicKeySHA256": leaf.public_key_sha256,
            "clientCertificate": {"namespace": holder.namespace, "name": holder.name, "uid": holder_uid},
        },
    }


def render_again(record: Record) -> dict[str, Any]:
    """The IssuedCertificate of a record that the cluster lost, revocation and all."""
    revocation = {"revocation": render_revocation(record.revocation)} if record.revocation is not None else {}
    holder = {"namespace": record.holder.namespace, "name": record.holder.name, "uid": record.holder_uid}
    return {
        "apiVersion": API_VERSION,
        "kind": "IssuedCertificate",
        "metadata": {"namespace": record.key.namespace, "name": record.key.name},
        "spec": {
            "issuerName": record.issuer.name,
            "generation": record.generation,
            "serialNumber": f"{record.serial:x}",
            "subject": record.subject,
            "notBefore": instant(record.not_before),
            "notAfter": instant(record.not_after),
            "fingerprints": {"sha256": record.sha256, "sha1": record.sha1},
            "publicKeySHA256": record.public_key_sha256,
            "clientCertificate": holder,
        }
        | {name: {k: v for k, v in value.items() if v is not None} for name, value in revocation.items()},
    }


def render_revocation(revocation: Revocation) -> dict[str, Any]:
    """`spec.revocation` as a merge patch puts it."""
    return {
        "reason": revocation.reason,
        "time": instant(revocation.time),
        "finalAt": instant(revocation.final_at) if revocation.final_at else None,
        "heldBy": revocation.held_by,
        "lifted": revocation.lifted,
    }
