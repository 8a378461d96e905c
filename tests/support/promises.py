"""The promises, read off the whole history of a cluster by somebody who knows X.509 and not the code under test."""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from cryptography import x509

from doorward.cluster.gateway import CONFIG_MAP, ISSUED_CERTIFICATE, SECRET, Object
from tests.support.memory_cluster import Change, MemoryCluster

OPERATOR = "doorward"


@dataclass(frozen=True, slots=True)
class Crl:
    """One version of the CRL ConfigMap, or of a gate's copy of it."""

    change: Change
    number: int
    serials: frozenset[int]


@lru_cache(maxsize=512)
def _read(crl_pem: bytes, anchor_pem: bytes) -> tuple[int, frozenset[int]]:
    """Number and serials of a CRL that its anchor signed."""
    crl = x509.load_pem_x509_crl(crl_pem)
    assert crl.is_signature_valid(x509.load_pem_x509_certificate(anchor_pem).public_key())
    number = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    return number, frozenset(entry.serial_number for entry in crl)


def crls(cluster: MemoryCluster) -> Iterator[Crl]:
    """Every CRL that the operator ever published, in order."""
    for change in cluster.history:
        if change.kind == CONFIG_MAP and change.at.name.endswith("-crl") and change.by == OPERATOR and change.after:
            data = json.loads(change.after)["data"]
            yield Crl(change, *_read(data["ca.crl"].encode(), data["ca.crt"].encode()))


def newest_crl(cluster: MemoryCluster) -> frozenset[int]:
    """The serials that are refused now, by the one CRL there is."""
    (found,) = (body for body in cluster.all(CONFIG_MAP) if body["metadata"]["name"].endswith("-crl"))
    return _read(found["data"]["ca.crl"].encode(), found["data"]["ca.crt"].encode())[1]


def gate_crls(cluster: MemoryCluster) -> dict[str, frozenset[int]]:
    """The serials that each gate refuses now, by namespace."""
    found = {}
    for secret in cluster.all(SECRET):
        if secret["metadata"]["name"].startswith("doorward."):
            values = {name: base64.b64decode(value) for name, value in secret["data"].items()}
            found[secret["metadata"]["namespace"]] = _read(values["ca.crl"], values["ca.crt"])[1]
    return found


def held_serial(secret: Object) -> int:
    """The serial of the certificate in a client's Secret."""
    return _serial(secret["data"]["tls.crt"])


@lru_cache(maxsize=512)
def _serial(value: str) -> int:
    return x509.load_pem_x509_certificate(base64.b64decode(value)).serial_number


def _ends(record: Object) -> datetime:
    return datetime.fromisoformat(record["spec"]["notAfter"])


def _refused(record: Object) -> bool:
    revocation = record["spec"].get("revocation")
    return revocation is not None and not revocation.get("lifted")


def _serial_of(record: Object) -> int:
    return int(record["spec"]["serialNumber"], 16)


def let_in_again(cluster: MemoryCluster) -> Iterator[str]:
    """Promise 1: a serial that one CRL named, and a later one does not; neither expired nor lifted."""
    ends: dict[int, datetime] = {}
    named: set[int] = set()
    published = {crl.change.version: crl for crl in crls(cluster)}
    for change in cluster.history:
        if change.kind == ISSUED_CERTIFICATE and (record := change.becomes):
            ends[_serial_of(record)] = _ends(record)
            if not _refused(record) and record["spec"].get("revocation"):
                named.discard(_serial_of(record))
        if (crl := published.get(change.version)) is not None:
            for serial in named - crl.serials:
                if change.time < ends[serial]:
                    yield f"CRL {crl.number} of version {change.version} lets {serial:x} in again"
            named |= crl.serials


def left_out(cluster: MemoryCluster, patience: timedelta) -> Iterator[str]:
    """Promise 1: a serial that the ledger revoked more than `patience` ago, and a CRL published since does not name."""
    refused: dict[int, tuple[datetime, datetime]] = {}
    published = {crl.change.version: crl for crl in crls(cluster)}
    for change in cluster.history:
        if change.kind == ISSUED_CERTIFICATE and (record := change.becomes):
            if _refused(record):
                refused.setdefault(_serial_of(record), (change.time, _ends(record)))
            else:
                refused.pop(_serial_of(record), None)
        if (crl := published.get(change.version)) is not None:
            for serial, (since, ends) in refused.items():
                if since + patience < change.time < ends and serial not in crl.serials:
                    yield f"CRL {crl.number} of version {change.version} does not name {serial:x}"


def numbers_that_fall(cluster: MemoryCluster) -> Iterator[str]:
    """CRL numbers only rise (RFC 5280 section 5.2.3), as long as one copy of the last CRL is left to be seen."""
    last = 0
    for crl in crls(cluster):
        if crl.number <= last:
            yield f"CRL {crl.number} follows {last}"
        last = crl.number


def unrecorded(cluster: MemoryCluster) -> Iterator[str]:
    """Promise 2: a serial in a client's Secret that no record named when it was written."""
    recorded: set[int] = set()
    for change in cluster.history:
        body = change.becomes
        if body is None or change.by != OPERATOR:
            continue
        if change.kind == ISSUED_CERTIFICATE:
            recorded.add(_serial_of(body))
        elif change.kind == SECRET and _is_client(body) and held_serial(body) not in recorded:
            yield f"{change.at} got {held_serial(body):x} in version {change.version}, which no record names"


def _is_client(secret: Object) -> bool:
    labels: Mapping[str, str] = secret["metadata"].get("labels") or {}
    return labels.get("doorward.io/role") == "client"


def live_serials(cluster: MemoryCluster, now: datetime) -> set[int]:
    """Serials that have not expired and that the newest CRL does not name: whoever has one gets in."""
    refused = newest_crl(cluster)
    unexpired = {_serial_of(record) for record in cluster.all(ISSUED_CERTIFICATE) if now < _ends(record)}
    return unexpired - refused


def broken(cluster: MemoryCluster, *, patience: timedelta = timedelta(seconds=30)) -> list[str]:
    """Everything that was not as promised."""
    return [*let_in_again(cluster), *left_out(cluster, patience), *unrecorded(cluster)]
