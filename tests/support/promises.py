"""The promises, read off the whole history of a cluster by somebody who knows X.509 and not the code under test."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from doorward.cluster.gateway import CONFIG_MAP, ISSUED_CERTIFICATE, SECRET, Object
from tests.support.memory_cluster import Change, MemoryCluster

OPERATOR = "doorward"
WITHOUT_SECRET = "doorward.io/secret-missing-since"


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a ConfigMap or a gate trusts, and whom it refuses."""

    number: int
    """The highest CRL number."""
    lists: Mapping[int, frozenset[int]]
    """By CA generation, the serials that its CRL names."""

    @property
    def serials(self) -> frozenset[int]:
        return frozenset().union(*self.lists.values())

    def lets_in(self, record: Object) -> bool:
        """Whether the serial's CA is trusted, and does not refuse it."""
        generation = record["spec"]["generation"]
        return generation in self.lists and _serial_of(record) not in self.lists[generation]


@dataclass(frozen=True, slots=True)
class Crl:
    """One version of the CRL ConfigMap."""

    change: Change
    bundle: Bundle

    @property
    def number(self) -> int:
        return self.bundle.number


END = b"-----END X509 CRL-----\n"


@lru_cache(maxsize=512)
def _read(crl_pem: bytes, anchor_pem: bytes, generations: str) -> Bundle:
    """The CRLs, each of one of the anchors, and one for each; `generations` says which anchor is which, by their keys: of two
    over one key the older one comes first.
    """
    known = json.loads(generations)
    lists, numbers = {}, []
    crls_there = [x509.load_pem_x509_crl(part + END) for part in crl_pem.split(END) if part]
    for anchor in x509.load_pem_x509_certificates(anchor_pem):
        (crl,) = (crl for crl in crls_there if _is_of(crl, anchor))
        numbers.append(crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number)
        number = min(int(number) for number, key in known.items() if key == _key(anchor) and int(number) not in lists)
        lists[number] = frozenset(entry.serial_number for entry in crl)
    assert len(lists) == len(crls_there) == len(known)
    return Bundle(max(numbers), lists)


def _is_of(crl: x509.CertificateRevocationList, anchor: x509.Certificate) -> bool:
    """As OpenSSL finds the CRL of a CA: by its name, its key identifier, and its key."""
    identifier = crl.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    own = anchor.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    return (crl.issuer, identifier) == (anchor.subject, own) and crl.is_signature_valid(anchor.public_key())


def _key(certificate: x509.Certificate) -> str:
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()


def of_configmap(body: Object) -> Bundle:
    """What a CRL ConfigMap publishes."""
    generations = body["metadata"]["annotations"]["doorward.io/ca-generations"]
    return _read(body["data"]["ca.crl"].encode(), body["data"]["ca.crt"].encode(), generations)


def crls(cluster: MemoryCluster) -> Iterator[Crl]:
    """Every CRL that the operator ever published, in order."""
    for change in cluster.history:
        if change.kind == CONFIG_MAP and change.at.name.endswith("-crl") and change.by == OPERATOR and change.after:
            yield Crl(change, of_configmap(json.loads(change.after)))


def _configmap(cluster: MemoryCluster) -> Object:
    (found,) = (body for body in cluster.all(CONFIG_MAP) if body["metadata"]["name"].endswith("-crl"))
    return found


def bundle_of(cluster: MemoryCluster, configmap: str) -> Bundle:
    """What that ConfigMap publishes now, where there are several."""
    (found,) = (body for body in cluster.all(CONFIG_MAP) if body["metadata"]["name"] == configmap)
    return of_configmap(found)


def newest_bundle(cluster: MemoryCluster) -> Bundle:
    """What is published now."""
    return of_configmap(_configmap(cluster))


def newest_crl(cluster: MemoryCluster) -> frozenset[int]:
    """The serials that are refused now, by the one ConfigMap there is."""
    return newest_bundle(cluster).serials


def gate_crls(cluster: MemoryCluster) -> dict[str, frozenset[int]]:
    """The serials that each gate refuses now, by namespace; each must be one of the generations that are published."""
    generations = _configmap(cluster)["metadata"]["annotations"]["doorward.io/ca-generations"]
    found = {}
    for secret in cluster.all(SECRET):
        if secret["metadata"]["name"].startswith("doorward."):
            values = {name: base64.b64decode(value) for name, value in secret["data"].items()}
            found[secret["metadata"]["namespace"]] = _read(values["ca.crl"], values["ca.crt"], generations).serials
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


def _lifted(record: Object) -> bool:
    return not _refused(record) and bool(record["spec"].get("revocation"))


def _serial_of(record: Object) -> int:
    return int(record["spec"]["serialNumber"], 16)


def let_in_again(cluster: MemoryCluster) -> Iterator[str]:
    """Promise 1: a serial that one CRL named, and a later one does not; neither expired nor lifted."""
    records: dict[int, Object] = {}
    named: set[int] = set()
    published = {crl.change.version: crl for crl in crls(cluster)}
    for change in cluster.history:
        if change.kind == ISSUED_CERTIFICATE and (record := change.becomes):
            records[_serial_of(record)] = record
        if (crl := published.get(change.version)) is not None:
            for serial in named - crl.bundle.serials:
                if _lifted(records[serial]):
                    named.discard(serial)
                elif change.time < _ends(records[serial]) and crl.bundle.lets_in(records[serial]):
                    yield f"CRL {crl.number} of version {change.version} lets {serial:x} in again"
            named |= crl.bundle.serials


def left_out(cluster: MemoryCluster, patience: timedelta) -> Iterator[str]:
    """Promise 1: a serial that the ledger revoked more than `patience` ago, and a CRL published since does not name."""
    refused: dict[int, tuple[datetime, Object]] = {}
    published = {crl.change.version: crl for crl in crls(cluster)}
    for change in cluster.history:
        if change.kind == ISSUED_CERTIFICATE and (record := change.becomes):
            if _refused(record):
                refused.setdefault(_serial_of(record), (change.time, record))
            else:
                refused.pop(_serial_of(record), None)
        if (crl := published.get(change.version)) is not None:
            for serial, (since, record) in refused.items():
                if since + patience < change.time < _ends(record) and crl.bundle.lets_in(record):
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
    """Serials that have not expired, whose CA is trusted, and that its CRL does not name: whoever has one gets in."""
    bundle = newest_bundle(cluster)
    unexpired = (record for record in cluster.all(ISSUED_CERTIFICATE) if now < _ends(record))
    return {_serial_of(record) for record in unexpired if bundle.lets_in(record)}


def without_secret(cluster: MemoryCluster) -> set[int]:
    """Serials that no Secret holds any more, or never did, and whose grace period runs."""
    marked = (r for r in cluster.all(ISSUED_CERTIFICATE) if WITHOUT_SECRET in (r["metadata"].get("annotations") or {}))
    return {_serial_of(record) for record in marked}


def broken(cluster: MemoryCluster, *, patience: timedelta = timedelta(seconds=30)) -> list[str]:
    """Everything that was not as promised."""
    return [*let_in_again(cluster), *left_out(cluster, patience), *unrecorded(cluster)]
