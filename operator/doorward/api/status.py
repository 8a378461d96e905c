"""The status of the kinds: what the operator says, and never reads back."""

from typing import Annotated, Literal

from pydantic import Field

from doorward.api.fields import Model

Instant = Annotated[str, Field(json_schema_extra={"format": "date-time"}, max_length=32)]


class ConditionStatus(Model):
    """A condition of the usual shape, so that `kubectl wait` and GitOps health checks work."""

    type: Annotated[str, Field(max_length=64)]
    status: Literal["True", "False", "Unknown"]
    reason: Annotated[str, Field(max_length=64)]
    message: Annotated[str, Field(max_length=4096)]
    last_transition_time: Instant
    observed_generation: Annotated[int | None, Field(ge=0)] = None


Conditions = Annotated[
    tuple[ConditionStatus, ...],
    Field(max_length=16, json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
]


class ClientCertificateStatus(Model):
    """What became of the entitlement."""

    observed_generation: Annotated[int | None, Field(ge=0)] = None
    conditions: Conditions = ()
    serial_number: Annotated[str | None, Field(max_length=40, description="Of the certificate in the Secret.")] = None
    issuer_generation: Annotated[int | None, Field(description="CA generation that signed it.")] = None
    not_before: Instant | None = None
    not_after: Instant | None = None
    renewal_time: Annotated[Instant | None, Field(description="When its successor is due.")] = None
    fingerprint_sha256: Annotated[str | None, Field(alias="fingerprintSHA256", max_length=64)] = None
    secret_name: Annotated[str | None, Field(max_length=253)] = None
    revoked_at: Annotated[Instant | None, Field(description="Since when it is refused.")] = None


class CaStatus(Model):
    """The CA generation that signs now."""

    generation: int
    subject: Annotated[str, Field(max_length=4096)]
    serial_number: Annotated[str, Field(max_length=40)]
    fingerprint_sha256: Annotated[str, Field(alias="fingerprintSHA256", max_length=64)]
    not_before: Instant
    not_after: Instant


class CrlStatus(Model):
    """The CRL that is published."""

    number: int
    this_update: Instant
    next_update: Instant
    entries: int
    bytes: int


class CountsStatus(Model):
    """What the ledger holds; written at most every ten seconds."""

    live: int
    revoked: int
    expired: int


class GateStatus(Model):
    """One namespace whose Ingresses let this issuer's clients in."""

    namespace: Annotated[str, Field(max_length=63)]
    ingresses: Annotated[tuple[Annotated[str, Field(max_length=253)], ...], Field(max_length=16)] = ()
    state: Annotated[str, Field(max_length=64, description="Current, or the reason why not.")]


class MTLSIssuerStatus(Model):
    """What became of the trust domain."""

    observed_generation: Annotated[int | None, Field(ge=0)] = None
    conditions: Conditions = ()
    ca: CaStatus | None = None
    crl: CrlStatus | None = None
    counts: CountsStatus | None = None
    gates: Annotated[tuple[GateStatus, ...], Field(max_length=50, description="At most 50.")] = ()
    gates_total: Annotated[int | None, Field(ge=0, description="How many there are in all.")] = None
