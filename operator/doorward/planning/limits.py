"""Durations of a spec that are out of their limits, as sentences: the operator uses the limit, and says so.

The API server refuses them, but an object may be older than that rule. Its clients keep their access meanwhile.
"""

from collections.abc import Iterator
from datetime import datetime

from doorward.api.conditions import Condition, instant, said
from doorward.api.issuer_ca import GeneratedCa
from doorward.api.issuer_parts import CertificateLimits, CrlPolicy
from doorward.api.kinds import ClientCertificateSpec, MTLSIssuerSpec
from doorward.api.limits import (
    BETWEEN_CAS,
    BETWEEN_CRLS,
    BETWEEN_RENEWALS,
    LONGEST_CRL_VALIDITY,
    SHORTEST_CA_LIFETIME,
    SHORTEST_LIFETIME,
)
from doorward.planning.crl import pace
from doorward.planning.issuance import lifetime
from doorward.planning.timing import duration


def of_client(spec: ClientCertificateSpec, issuer: MTLSIssuerSpec, renewal: datetime) -> Condition | None:
    """What the operator does not follow in the spec of a client whose certificate is renewed at `renewal`."""
    if spec.duration and duration(spec.duration) < duration(SHORTEST_LIFETIME):
        return said("DurationTooShort", duration=spec.duration, shortest=SHORTEST_LIFETIME)
    if not spec.renew_before:
        return None
    if duration(spec.renew_before) + duration(BETWEEN_RENEWALS) <= lifetime(spec, issuer):
        return None
    return said(
        "RenewBeforeTooLong",
        renew_before=spec.renew_before,
        between=BETWEEN_RENEWALS,
        lifetime=spec.duration or f"{issuer.certificates.duration} (the default of the MTLSIssuer)",
        renewal=instant(renewal),
    )


def of_issuer(spec: MTLSIssuerSpec) -> Condition | None:
    """What the operator does not follow in the spec of an issuer; all of it."""
    problems = [*_of_certificates(spec.certificates), *_of_crl(spec.crl)]
    if spec.ca.generate is not None:
        problems += _of_ca(spec.ca.generate)
    return said("DurationOutOfRange", detail=". ".join(problems)) if problems else None


def _of_certificates(limits: CertificateLimits) -> Iterator[str]:
    for name, text in (("duration", limits.duration), ("maxDuration", limits.max_duration)):
        if duration(text) < duration(SHORTEST_LIFETIME):
            yield (
                f"spec.certificates.{name} is {text}, and the operator uses {SHORTEST_LIFETIME}: set it to"
                f" {SHORTEST_LIFETIME} or more"
            )


def _of_crl(policy: CrlPolicy) -> Iterator[str]:
    validity, every = pace(policy)
    if (validity, every) != (duration(policy.validity), duration(policy.renew_every)):
        yield (
            f"spec.crl has validity {policy.validity} and renewEvery {policy.renew_every}, and the operator uses"
            f" {int(validity.total_seconds())}s and {int(every.total_seconds())}s: set renewEvery to at least"
            f" {BETWEEN_CRLS} and at most half of validity, and validity to at most {LONGEST_CRL_VALIDITY}"
        )


def _of_ca(generate: GeneratedCa) -> Iterator[str]:
    lasts, before = duration(generate.duration), duration(generate.renew_before)
    if lasts < duration(SHORTEST_CA_LIFETIME):
        yield (
            f"spec.ca.generate.duration is {generate.duration}, and the operator uses {SHORTEST_CA_LIFETIME}: set it to"
            f" {SHORTEST_CA_LIFETIME} or more"
        )
    elif before < lasts < before + duration(BETWEEN_CAS):
        yield (
            f"spec.ca.generate.renewBefore {generate.renew_before} leaves less than {BETWEEN_CAS} of the"
            f" {generate.duration} of the CA, and the operator ignores it: set it to at least {BETWEEN_CAS} less than"
            " spec.ca.generate.duration"
        )
