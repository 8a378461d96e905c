"""The status of the kinds: what the operator says, and never reads back."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field

from doorward.api.conditions import instant
from doorward.api.fields import Instant, Model

SERIAL_LIMIT = 40
"""Hex digits: 20 octets (RFC 5280 §4.1.2.2). CAs of people's own have longer ones."""
SUBJECT_LIMIT = 4096
_LAST = datetime(2999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""The last instant that `Instant` takes; a CA that never expires ends in the year 9999 (RFC 5280 §4.1.2.5)."""

SerialNumber = Annotated[str, Field(max_length=SERIAL_LIMIT, description="Of the certificate, lower-case hex.")]
Fingerprint = Annotated[str, Field(max_length=64, description="SHA-256 of the whole certificate, lower-case hex.")]
NotBefore = Annotated[Instant, Field(description="From when it is good.")]
NotAfter = Annotated[Instant, Field(description="Until when it is good.")]
Count = Annotated[int, Field(ge=0)]
SpecGeneration = Annotated[Count | None, Field(description="metadata.generation of the spec that this is said of.")]


def shortened(text: str, limit: int) -> str:
    """The text, or as much of it as fits, with dots at its end."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


def in_calendar(moment: datetime) -> str:
    """An instant as a status takes it."""
    return instant(min(moment, _LAST))


class ConditionStatus(Model):
    """A condition of the usual shape, so that `kubectl wait` and GitOps health checks work."""

    type: Annotated[str, Field(max_length=64, description="What is asked, such as Ready.")]
    status: Annotated[Literal["True", "False", "Unknown"], Field(description="The answer.")]
    reason: Annotated[str, Field(max_length=64, description="Why, in a word; `doorward explain` says more.")]
    message: Annotated[str, Field(max_length=4096, description="Why, of this object, and what to do.")]
    last_transition_time: Annotated[Instant, Field(description="Since when the status is what it is.")]
    observed_generation: SpecGeneration = None


Conditions = Annotated[
    tuple[ConditionStatus, ...],
    Field(
        max_length=16,
        description="What is asked of the object, one answer each.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    ),
]


class ClientCertificateStatus(Model):
    """What became of the entitlement."""

    observed_generation: SpecGeneration = None
    conditions: Conditions = ()
    serial_number: SerialNumber | None = None
    issuer_generation: Annotated[Count | None, Field(description="CA generation that signed it.")] = None
    not_before: NotBefore | None = None
    not_after: NotAfter | None = None
    renewal_time: Annotated[Instant | None, Field(description="When its successor is due.")] = None
    fingerprint_sha256: Annotated[Fingerprint | None, Field(alias="fingerprintSHA256")] = None
    secret_name: Annotated[str | None, Field(max_length=253, description="The Secret that holds it.")] = None
    revoked_at: Annotated[Instant | None, Field(description="Since when it is refused.")] = None


class CaStatus(Model):
    """The CA generation that signs now."""

    generation: Annotated[Count, Field(description="Its number, from 1.")]
    subject: Annotated[str, Field(max_length=SUBJECT_LIMIT, description="Subject, RFC 4514.")]
    serial_number: Annotated[
        str,
        Field(
            max_length=SERIAL_LIMIT,
            description="Of the certificate, lower-case hex. One of more than 20 octets is cut off, and ends with `...`.",
        ),
    ]
    fingerprint_sha256: Annotated[Fingerprint, Field(alias="fingerprintSHA256")]
    not_before: NotBefore
    not_after: NotAfter


class GenerationStatus(Model):
    """One CA generation that the gates trust, where there are several."""

    generation: Annotated[Count, Field(description="Its number.")]
    state: Annotated[str, Field(max_length=16, description="Next, Signing, Trusted or Retiring.")]
    public_key_sha256: Annotated[Fingerprint, Field(alias="publicKeySHA256", description="Of the DER SPKI.")]
    not_after: NotAfter


class CrlStatus(Model):
    """The CRL that is published."""

    number: Annotated[Count, Field(description="CRL number: milliseconds since 1970.")]
    this_update: Annotated[Instant, Field(description="When it was made, less an hour.")]
    next_update: Annotated[Instant, Field(description="Until when it is good.")]
    entries: Annotated[Count, Field(description="How many serials it lists.")]
    bytes: Annotated[Count, Field(description="Its size in bytes, PEM.")]


class CountsStatus(Model):
    """What the ledger holds; written at most every ten seconds."""

    live: Annotated[Count, Field(description="Certificates that are good.")]
    revoked: Annotated[Count, Field(description="Certificates that are refused.")]
    expired: Annotated[Count, Field(description="Certificates that have expired.")]


class GateStatus(Model):
    """One namespace whose targets let this issuer's clients in."""

    namespace: Annotated[str, Field(max_length=63, description="The namespace.")]
    targets: Annotated[
        tuple[Annotated[str, Field(max_length=253)], ...],
        Field(max_length=16, description="The names of its targets, such as Ingresses; at most 16."),
    ] = ()
    state: Annotated[str, Field(max_length=64, description="Current, or the reason why not.")]


class EnforcementStatus(Model):
    """What probes show of one host of one target."""

    namespace: Annotated[str, Field(max_length=63, description="Namespace of the target.")]
    target: Annotated[str, Field(max_length=253, description="Name of the target, such as an Ingress.")]
    host: Annotated[str, Field(max_length=253, description="The host.")]
    enforced: Annotated[
        Literal["True", "False", "Unknown"],
        Field(description="Whether every replica of the ingress controller refuses clients without a certificate."),
    ]
    since: Annotated[Instant | None, Field(description="Since when `enforced` has this value.")] = None
    detail: Annotated[str, Field(max_length=512, description="Why it is not enforced; empty if it is.")] = ""


class CanaryReplicaStatus(Model):
    """What a canary showed at one replica."""

    replica: Annotated[str, Field(max_length=64, description="Address of the replica of the ingress controller.")]
    seconds: Annotated[
        Count,
        Field(
            description="Seconds from the publication of the CRL until the replica refused the certificate that it revokes, at all"
            " gates; rounded up."
        ),
    ]


class CanaryStatus(Model):
    """What the last canary showed."""

    crl_number: Annotated[Count, Field(description="Number of the CRL that revokes it.")]
    published_at: Annotated[Instant, Field(description="When that CRL was published.")]
    replicas: Annotated[
        tuple[CanaryReplicaStatus, ...], Field(max_length=32, description="Those that refused it; at most 32.")
    ] = ()


class MTLSIssuerStatus(Model):
    """What became of the trust domain."""

    observed_generation: SpecGeneration = None
    conditions: Conditions = ()
    ca: Annotated[CaStatus | None, Field(description="The CA generation that signs now.")] = None
    generations: Annotated[
        tuple[GenerationStatus, ...],
        Field(max_length=16, description="Those that the gates trust, where there are several."),
    ] = ()
    crl: Annotated[CrlStatus | None, Field(description="The CRL that is published.")] = None
    counts: Annotated[CountsStatus | None, Field(description="What the ledger holds; at most every ten seconds.")] = (
        None
    )
    gates: Annotated[tuple[GateStatus, ...], Field(max_length=50, description="At most 50.")] = ()
    gates_total: Annotated[Count | None, Field(description="How many there are in all.")] = None
    enforcement: Annotated[
        tuple[EnforcementStatus, ...],
        Field(
            max_length=50, description="The hosts of the targets, at most 50; those that are not enforced come first."
        ),
    ] = ()
    canary: Annotated[
        CanaryStatus | None,
        Field(description="The last canary that was refused, if `spec.enforcement.canary` is true."),
    ] = None
