"""Must a certificate be issued now, and why: a chain of rules, each named as the fact that is wrong."""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta

from doorward.api.conditions import Condition, said
from doorward.api.kinds import ClientCertificateSpec, MTLSIssuerSpec
from doorward.api.limits import SHORTEST_LIFETIME
from doorward.objects import finding
from doorward.objects.client_secret import Broken, ClientSecret
from doorward.objects.ledger_record import Record
from doorward.objects.meta import REISSUE_ANNOTATION, ObjectKey
from doorward.pki.requests import ClientRequest
from doorward.planning.observed import Authority, CertificateObserved, Issuer, Unseen
from doorward.planning.plan import Issue, SecretForm
from doorward.planning.terms import alt_names_of, key_kind_of, subject_of
from doorward.planning.timing import BACKDATE, at_least, client_renewal, duration


def shown_record(o: CertificateObserved) -> Record | None:
    """The ledger record of the certificate in the Secret, where it is this client's."""
    if not isinstance(o.secret, ClientSecret) or isinstance(o.records, Unseen):
        return None
    return next((record for record in o.records if record.sha256 == o.secret.leaf.sha256), None)


def wanted(spec: ClientCertificateSpec, request: ClientRequest | None, authority: Authority) -> str:
    """A digest of what the certificate is to say, and of who is to sign it."""
    key = request.public_key_sha256 if request else repr(key_kind_of(spec))
    parts = (subject_of(spec), alt_names_of(spec), key, authority.generation, authority.public_key_sha256, spec.reissue)
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def lost(o: CertificateObserved) -> str | None:
    """Whether the Secret does not hold what was handed out, so that another certificate is needed; why, or None. What that means
    for its serial: `losses.py`.
    """
    if o.secret is Unseen.ABSENT:
        return "the Secret is not there"
    if isinstance(o.secret, Broken):
        return f"the Secret holds no certificate: {o.secret.why}"
    if not isinstance(o.secret, ClientSecret):
        return None
    if o.leaf_is_ours is False:
        return "the certificate in the Secret was not signed by this issuer for this client"
    if not isinstance(o.request, ClientRequest) and not o.secret.has_key:
        return "the private key in the Secret does not fit its certificate"
    return None


def reason(o: CertificateObserved, spec: ClientCertificateSpec, now: datetime) -> str | None:
    """Why a certificate must be issued now; None where the one in the Secret is right."""
    if (why := lost(o)) is not None:
        return why
    if not isinstance(o.secret, ClientSecret):
        return None
    secret = o.secret
    rules: tuple[Callable[[CertificateObserved, ClientCertificateSpec, ClientSecret, datetime], str | None], ...] = (
        _serial_is_refused,
        _signed_by_another_generation,
        _names_differ,
        _key_differs,
        _key_is_barred,
        _is_asked_for,
        _is_due,
    )
    return next((why for rule in rules if (why := rule(o, spec, secret, now)) is not None), None)


def immutable(o: CertificateObserved, why: str) -> Condition | None:
    """What is said where the Secret must be written, and cannot be, for good; None: it can."""
    if isinstance(o.secret, ClientSecret | Broken) and o.secret.immutable:
        return said("SecretImmutable", secret=o.secret_name, detail=why)
    return None


def refused(o: CertificateObserved) -> bool:
    """Whether the serial in the Secret is revoked."""
    record = shown_record(o)
    return record is not None and record.refused


def asked(o: CertificateObserved, spec: ClientCertificateSpec) -> bool:
    """Whether `spec.reissue` asks for another certificate than the one in the Secret."""
    if not isinstance(o.secret, ClientSecret) or not spec.reissue:
        return False
    return spec.reissue != o.secret.annotations.get(REISSUE_ANNOTATION)


def is_due(o: CertificateObserved, spec: ClientCertificateSpec, now: datetime) -> bool:
    """Whether the certificate in the Secret is to be renewed by now."""
    return isinstance(o.secret, ClientSecret) and renewal_of(spec, o.secret) <= now


def _serial_is_refused(
    o: CertificateObserved, _spec: ClientCertificateSpec, _secret: ClientSecret, _now: datetime
) -> str | None:
    return "the serial in the Secret is revoked" if refused(o) else None


def _signed_by_another_generation(
    o: CertificateObserved, _spec: ClientCertificateSpec, _secret: ClientSecret, _now: datetime
) -> str | None:
    record = shown_record(o)
    authority = o.issuer.authority if isinstance(o.issuer, Issuer) else None
    if record is None or authority is None or record.generation == authority.generation:
        return None
    if isinstance(o.issuer, Issuer) and record.generation in o.issuer.staying:
        return None
    return f"the issuer signs with CA generation {authority.generation} now"


def _names_differ(
    _o: CertificateObserved, spec: ClientCertificateSpec, secret: ClientSecret, _now: datetime
) -> str | None:
    same = secret.leaf.subject == subject_of(spec) and secret.leaf.alt_names == alt_names_of(spec)
    return None if same else "the certificate does not say what the spec says"


def _key_differs(
    o: CertificateObserved, spec: ClientCertificateSpec, secret: ClientSecret, _now: datetime
) -> str | None:
    if isinstance(o.request, ClientRequest):
        same = secret.leaf.public_key_sha256 == o.request.public_key_sha256
        return None if same else "spec.request has another key"
    return None if secret.leaf.key_kind == key_kind_of(spec) else "spec.privateKey asks for another kind of key"


def _key_is_barred(
    o: CertificateObserved, _spec: ClientCertificateSpec, secret: ClientSecret, _now: datetime
) -> str | None:
    return "the key in the Secret was revoked as keyCompromise, under another serial" if _barred(o, secret) else None


def _barred(o: CertificateObserved, secret: ClientSecret) -> bool:
    return isinstance(o.issuer, Issuer) and secret.leaf.public_key_sha256 in o.issuer.barred_keys


def _is_asked_for(
    o: CertificateObserved, spec: ClientCertificateSpec, _secret: ClientSecret, _now: datetime
) -> str | None:
    return "spec.reissue asks for it" if asked(o, spec) else None


def _is_due(o: CertificateObserved, spec: ClientCertificateSpec, _secret: ClientSecret, now: datetime) -> str | None:
    return "its renewal is due" if is_due(o, spec, now) else None


def renewal_of(spec: ClientCertificateSpec, secret: ClientSecret) -> datetime:
    """When the successor of the certificate in the Secret is due."""
    before = duration(spec.renew_before) if spec.renew_before else None
    return client_renewal(secret.leaf.not_before, secret.leaf.not_after, before)


def in_use(o: CertificateObserved) -> ClientSecret | None:
    """The Secret, where the certificate in it is one that the client can use."""
    return o.secret if isinstance(o.secret, ClientSecret) and lost(o) is None and not refused(o) else None


def lifetime(spec: ClientCertificateSpec, issuer: MTLSIssuerSpec) -> timedelta:
    """Of the next certificate, where its CA lasts as long."""
    return at_least(spec.duration or issuer.certificates.duration, SHORTEST_LIFETIME)


def secret_form(o: CertificateObserved, spec: ClientCertificateSpec) -> SecretForm:
    """What the client's Secret is to look like."""
    return SecretForm(
        secret=ObjectKey(o.key.namespace, o.secret_name),
        owner=o.body,
        labels=spec.secret_template.labels,
        annotations=spec.secret_template.annotations,
        found_by=finding.of_secret(o.issuer_key, o.key),
        keystore_profile=spec.keystores.pkcs12.profile,
        friendly_name=spec.common_name,
        password=password_of(spec, o.key.namespace),
    )


def password_of(spec: ClientCertificateSpec, namespace: str) -> tuple[ObjectKey, str] | None:
    """Secret and key of the keystore password that a person chose; None: there is none, or no keystore."""
    reference = spec.keystores.pkcs12.password_secret_ref if spec.request is None else None
    return (ObjectKey(namespace, reference.name), reference.key) if reference is not None else None


def issue(
    o: CertificateObserved,
    spec: ClientCertificateSpec,
    authority: Authority,
    lasts: timedelta,
    why: str,
    now: datetime,
) -> Issue:
    """What to sign: the leaf never outlives its CA, and begins no earlier than it."""
    request = o.request if isinstance(o.request, ClientRequest) else None
    keep = (
        request is None
        and spec.private_key.rotation_policy == "Never"
        and isinstance(o.secret, ClientSecret)
        and o.secret.has_key
        and o.secret.leaf.key_kind == key_kind_of(spec)
        and (record := shown_record(o)) is not None
        and not record.refused
        and not _barred(o, o.secret)
    )
    return Issue(
        because=why,
        form=secret_form(o, spec),
        issuer=o.issuer_key,
        request=request,
        wanted=wanted(spec, request, authority),
        generation=authority.generation,
        subject=subject_of(spec),
        alt_names=alt_names_of(spec),
        kind=request.key_kind if request else key_kind_of(spec),
        keep_key=keep,
        reissue=spec.reissue,
        not_before=max(now - BACKDATE, authority.not_before),
        not_after=min(now + lasts, authority.not_after),
        within_budget=lost(o) is not None or refused(o) or asked(o, spec) or is_due(o, spec, now),
    )
