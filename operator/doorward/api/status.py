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

SerialNumber = Annotated[
    str,
    Field(max_length=SERIAL_LIMIT, description="Serial number of the certificate in the Secret, in lower-case hex."),
]
Fingerprint = Annotated[
    str, Field(max_length=64, description="SHA-256 of the certificate in DER, 64 lower-case hex digits.")
]
NotBefore = Annotated[
    Instant,
    Field(
        description="Start of the certificate's validity in RFC 3339 format, in UTC: up to an hour before the signing, for clients"
        " whose clocks are behind."
    ),
]
NotAfter = Annotated[Instant, Field(description="End of the certificate's validity in RFC 3339 format, in UTC.")]
Count = Annotated[int, Field(ge=0)]
SpecGeneration = Annotated[
    Count | None,
    Field(
        description="Value of `metadata.generation` that the operator observed. While it is lower than `metadata.generation`, this is"
        " about an older spec."
    ),
]
NOT_SEEN = -1
SeenGeneration = Annotated[
    int,
    Field(
        ge=NOT_SEEN,
        description="Value of `metadata.generation` that the operator observed; -1 in a new object, set by the API server, so that"
        " tools that wait (kstatus, as in Flux) do not call an object ready before the operator has seen it.",
    ),
]


def shortened(text: str, limit: int) -> str:
    """The text, or as much of it as fits, with dots at its end."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


def in_calendar(moment: datetime) -> str:
    """An instant as a status takes it."""
    return instant(min(moment, _LAST))


class ConditionStatus(Model):
    """A condition of the usual shape, so that `kubectl wait` and GitOps health checks work."""

    type: Annotated[str, Field(max_length=64, description="Type of the condition, such as `Ready`.")]
    status: Annotated[
        Literal["True", "False", "Unknown"],
        Field(description="Status of the condition: `True`, `False` or `Unknown`, for `kubectl wait --for=condition`."),
    ]
    reason: Annotated[
        str,
        Field(
            max_length=64,
            description="Reason for the status in one word, for programs. `doorward explain REASON` prints what it means.",
        ),
    ]
    message: Annotated[
        str, Field(max_length=4096, description="What is wrong, which object it concerns, and what to do, for people.")
    ]
    last_transition_time: Annotated[
        Instant, Field(description="Time of the last change of `status` in RFC 3339 format, in UTC.")
    ]
    observed_generation: SpecGeneration = None


Conditions = Annotated[
    tuple[ConditionStatus, ...],
    Field(
        max_length=16,
        description="Conditions of the object, one of each type. The reference of conditions lists all types and reasons.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    ),
]


class ClientCertificateStatus(Model):
    """What the operator observed of the client and its certificate, for the spec of `observedGeneration`."""

    observed_generation: SeenGeneration = NOT_SEEN
    conditions: Conditions = ()
    serial_number: SerialNumber | None = None
    issuer_generation: Annotated[
        Count | None, Field(description="Number of the CA generation that signed the certificate in the Secret.")
    ] = None
    not_before: NotBefore | None = None
    not_after: NotAfter | None = None
    renewal_time: Annotated[
        Instant | None,
        Field(description="Time of the next renewal in RFC 3339 format, in UTC. See `spec.renewBefore`."),
    ] = None
    fingerprint_sha256: Annotated[Fingerprint | None, Field(alias="fingerprintSHA256")] = None
    secret_name: Annotated[
        str | None, Field(max_length=253, description="Name of the Secret with the certificate, in this namespace.")
    ] = None
    revoked_at: Annotated[
        Instant | None,
        Field(
            description="Time since which all certificates are revoked by `spec.revoked`, in RFC 3339 format, in UTC."
        ),
    ] = None


class CaStatus(Model):
    """The CA generation that signs now."""

    generation: Annotated[
        Count, Field(description="Number of the CA generation, from 1. `spec.ca.distrust` takes this number.")
    ]
    subject: Annotated[
        str, Field(max_length=SUBJECT_LIMIT, description="Subject of the CA certificate as text (RFC 4514).")
    ]
    serial_number: Annotated[
        str,
        Field(
            max_length=SERIAL_LIMIT,
            description="Serial number of the CA certificate in lower-case hex. One of more than 20 octets is cut off, and ends with"
            " `...`.",
        ),
    ]
    fingerprint_sha256: Annotated[Fingerprint, Field(alias="fingerprintSHA256")]
    not_before: Annotated[
        Instant, Field(description="Start of the CA certificate's validity in RFC 3339 format, in UTC.")
    ]
    not_after: Annotated[
        Instant,
        Field(
            description="End of the CA certificate's validity in RFC 3339 format, in UTC. No client certificate is valid for longer."
        ),
    ]


class GenerationStatus(Model):
    """One CA generation that the gates trust, where there are several."""

    generation: Annotated[Count, Field(description="Number of the CA generation, as `spec.ca.distrust` takes it.")]
    state: Annotated[
        str,
        Field(
            max_length=16,
            description="`Next`: published to the gates, signs soon. `Signing`: signs new certificates. `Trusted`: its certificates"
            " stay in use until they are renewed. `Retiring`: its clients get new certificates.",
        ),
    ]
    public_key_sha256: Annotated[
        Fingerprint,
        Field(
            alias="publicKeySHA256",
            description="SHA-256 of the CA's public key (SubjectPublicKeyInfo in DER), 64 lower-case hex digits.",
        ),
    ]
    not_after: Annotated[
        Instant, Field(description="End of the validity of this CA at the gates, in RFC 3339 format, in UTC.")
    ]


class CrlStatus(Model):
    """The CRL that is published."""

    number: Annotated[
        Count,
        Field(
            description="CRL number (RFC 5280, section 5.2.3), which grows with each CRL: milliseconds since 1970-01-01 in UTC."
        ),
    ]
    this_update: Annotated[
        Instant,
        Field(
            description="Start (`thisUpdate`) of the oldest published CRL in RFC 3339 format, in UTC: an hour before the signing, for gates"
            " whose clocks are behind."
        ),
    ]
    next_update: Annotated[
        Instant,
        Field(
            description="End (`nextUpdate`) of the CRL that expires first, in RFC 3339 format, in UTC. Unless the operator publishes another"
            " CRL before, gates refuse its clients from then on."
        ),
    ]
    entries: Annotated[Count, Field(description="Number of certificates that the CRLs of all CA generations list.")]
    bytes: Annotated[
        Count,
        Field(
            description="Size in bytes of the CA certificates and CRLs of all CA generations in PEM format, as each gate holds them."
        ),
    ]


class CountsStatus(Model):
    """What the ledger holds; written at most every ten seconds."""

    live: Annotated[Count, Field(description="Number of certificates that admit their clients.")]
    revoked: Annotated[
        Count,
        Field(
            description="Number of certificates that are revoked or on hold, or whose CA generation the gates no longer trust."
        ),
    ]
    expired: Annotated[
        Count, Field(description="Number of certificates in the ledger that have expired without a revocation.")
    ]


class GateStatus(Model):
    """One namespace whose targets let this issuer's clients in."""

    namespace: Annotated[str, Field(max_length=63, description="Namespace of the gate Secret and of its Ingresses.")]
    targets: Annotated[
        tuple[Annotated[str, Field(max_length=253)], ...],
        Field(max_length=16, description="Names of the Ingresses that opted in to this issuer. At most 16 are listed."),
    ] = ()
    state: Annotated[
        str,
        Field(
            max_length=64,
            description="`Current`: the gate Secret has the published CRL. Other values say why not; the condition `GatesCurrent` has the"
            " details.",
        ),
    ]


class EnforcementStatus(Model):
    """What probes show of one host of one target."""

    namespace: Annotated[str, Field(max_length=63, description="Namespace of the Ingress that the host belongs to.")]
    target: Annotated[str, Field(max_length=253, description="Name of the Ingress that the host belongs to.")]
    host: Annotated[
        str, Field(max_length=253, description="Name of the host that the operator probes, as in the Ingress.")
    ]
    enforced: Annotated[
        Literal["True", "False", "Unknown"],
        Field(description="Whether every replica of the ingress controller refuses clients without a certificate."),
    ]
    reason: Annotated[
        str,
        Field(
            max_length=64,
            description="Why `enforced` has this value, as a reason of the condition `Enforced`, for example `Open`: a probe found"
            " that clients without a certificate of the issuer have access.",
        ),
    ] = ""
    since: Annotated[
        Instant | None, Field(description="Time since which `enforced` has this value, in RFC 3339 format, in UTC.")
    ] = None
    detail: Annotated[str, Field(max_length=512, description="Why `enforced` is not True. Empty if it is True.")] = ""


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

    crl_number: Annotated[Count, Field(description="Number of the CRL that revokes the canary certificate.")]
    published_at: Annotated[
        Instant, Field(description="Time of the publication of that CRL in RFC 3339 format, in UTC.")
    ]
    replicas: Annotated[
        tuple[CanaryReplicaStatus, ...],
        Field(
            max_length=32, description="Replicas that refused the revoked canary certificate. At most 32 are listed."
        ),
    ] = ()


class MTLSIssuerStatus(Model):
    """What the operator observed of the CA, its CRL and its gates, for the spec of `observedGeneration`."""

    observed_generation: SeenGeneration = NOT_SEEN
    conditions: Conditions = ()
    ca: Annotated[CaStatus | None, Field(description="CA generation that signs new certificates.")] = None
    generations: Annotated[
        tuple[GenerationStatus, ...],
        Field(
            max_length=16,
            description="CA generations that the gates trust, if there are several. At most 16, the newest ones, are listed.",
        ),
    ] = ()
    crl: Annotated[CrlStatus | None, Field(description="CRL that is published in the ConfigMap `<issuer>-crl`.")] = None
    counts: Annotated[
        CountsStatus | None,
        Field(description="Numbers of certificates in the ledger by state. Updated every 10 seconds at most."),
    ] = None
    gates: Annotated[
        tuple[GateStatus, ...],
        Field(max_length=50, description="Gate Secrets of this issuer, one for each namespace. At most 50 are listed."),
    ] = ()
    gates_total: Annotated[Count | None, Field(description="Number of gates, including those not in `gates`.")] = None
    enforcement: Annotated[
        tuple[EnforcementStatus, ...],
        Field(
            max_length=50,
            description="Hosts of the Ingresses, and what probes show of each. At most 50 are listed, those that are not enforced"
            " first.",
        ),
    ] = ()
    canary: Annotated[
        CanaryStatus | None,
        Field(description="The last canary that was refused, if `spec.enforcement.canary` is true."),
    ] = None
