"""What tests look at in a bed, and what people do there by hand."""

from collections.abc import Iterable
from typing import Any

from doorward.cluster.gateway import CLIENT_CERTIFICATE, EVENT, ISSUED_CERTIFICATE, ISSUER, SECRET
from tests.support import promises
from tests.support.memory_cluster import Object
from tests.support.memory_gateway import Write
from tests.support.operator_bed import ISSUER_AT, OperatorBed
from tests.unit import given

GATE = f"doorward.{ISSUER_AT.namespace}.{ISSUER_AT.name}"
CRL = f"{ISSUER_AT.name}-crl"
RECORDS = f"{ISSUER_AT.name}.1."


def serial(bed: OperatorBed, name: str) -> int:
    """Of the certificate in the client's Secret."""
    return promises.held_serial(bed.find(SECRET, f"{name}-mtls"))


def record(bed: OperatorBed, number: int) -> Object:
    """The ledger record of that serial of the first CA generation."""
    return bed.find(ISSUED_CERTIFICATE, f"{RECORDS}{number:x}")


def live(bed: OperatorBed) -> set[int]:
    """The serials with which somebody can get in now."""
    return promises.live_serials(bed.cluster, bed.cluster.now())


def said(bed: OperatorBed, name: str) -> dict[str, str]:
    """The reasons of a ClientCertificate, by condition."""
    return given.reasons(bed.find(CLIENT_CERTIFICATE, name)["status"])


def issuer_said(bed: OperatorBed) -> dict[str, str]:
    """The reasons of the MTLSIssuer, by condition."""
    return given.reasons(bed.find(ISSUER, ISSUER_AT.name)["status"])


def person_writes(bed: OperatorBed, number: int, **revocation: Any) -> None:
    """What a person writes into the record of that serial, and what follows."""
    bed.edit(ISSUED_CERTIFICATE, f"{RECORDS}{number:x}", {"spec": {"revocation": revocation}})
    bed.settle()


def of_certificates(writes: Iterable[Write]) -> list[tuple[str, str, str]]:
    """Verb, kind and subresource of each write that was of no issuer's, Events aside."""
    ours = (write for write in writes if write.kind not in ("MTLSIssuer", EVENT.name))
    return [(write.verb, write.kind, write.subresource) for write in ours]


def events_of(writes: Iterable[Write]) -> int:
    """How many Events were written."""
    return sum(write.kind == EVENT.name for write in writes)
