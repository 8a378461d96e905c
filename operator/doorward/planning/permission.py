"""Whether a ClientCertificate may have what it asks for: everything wrong with it, each with who can mend it."""

import re
from collections.abc import Callable, Iterator, Mapping

from doorward.api.client_parts import SecretTemplate
from doorward.api.conditions import Condition, said
from doorward.api.fields import DNS_SUBDOMAIN
from doorward.api.issuer_parts import NamespaceRule
from doorward.api.kinds import ClientCertificateSpec
from doorward.api.limits import SHORTEST_LIFETIME
from doorward.objects.client_secret import Foreign
from doorward.objects.meta import ObjectKey, issuer_of_ca_secret
from doorward.pki import name_constraints, subjects
from doorward.pki.requests import ClientRequest
from doorward.planning import names
from doorward.planning.issuance import lifetime
from doorward.planning.observed import CertificateObserved, Issuer, Unseen
from doorward.planning.terms import alt_names_of, subject_of
from doorward.planning.timing import at_least, duration

LONGEST_PREFIX = 253
KEY_OF_A_MARK = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
VALUE_ADVICE = "which has at most 63 letters, digits, '-', '_' and '.', and begins and ends with a letter or digit"
KEY_ADVICE = f"{VALUE_ADVICE}; a DNS name and '/' may stand in front"


def namespace_allowed(
    rule: NamespaceRule, issuer: ObjectKey, namespace: str, labels: Mapping[str, str] | None
) -> bool | None:
    """Whether the rule takes in the namespace; None where that hangs on labels that are unknown."""
    if rule.from_ == "All" or namespace == issuer.namespace:
        return True
    if rule.from_ == "Same" or rule.selector is None:
        return False
    if labels is None:
        return None
    return all(labels.get(name) == value for name, value in rule.selector.match_labels.items())


def spec_problems(spec: ClientCertificateSpec) -> Iterator[str]:
    """What no certificate can say, or no operator can do; each a sentence."""
    yield from subjects.problems(subject_of(spec), alt_names_of(spec))
    clusters = (spec.common_name, *spec.subject.organizations)
    if any(name.lower().startswith("system:") for name in clusters):
        yield "names that begin with system: are the cluster's own; choose another"
    yield from _wrong_marks(spec.secret_template)
    for field, text in (("duration", spec.duration), ("renewBefore", spec.renew_before)):
        if text is not None:
            try:
                duration(text)
            except ValueError as error:
                yield f"spec.{field}: {error}"


def _wrong_marks(template: SecretTemplate) -> Iterator[str]:
    """Labels and annotations with which the API server would refuse the Secret."""
    for name, value in template.labels.items():
        if not _is_key_of_a_mark(name):
            yield f"spec.secretTemplate.labels: {name!r} cannot be a key, {KEY_ADVICE}"
        if value and not re.fullmatch(KEY_OF_A_MARK, value):
            yield f"spec.secretTemplate.labels: {value!r} cannot be a value, {VALUE_ADVICE}"
    for name in template.annotations:
        if not _is_key_of_a_mark(name.lower()):
            yield f"spec.secretTemplate.annotations: {name!r} cannot be a key, {KEY_ADVICE}"


def _is_key_of_a_mark(name: str) -> bool:
    """Whether the API server takes it as the key of a label or an annotation."""
    prefix, slash, plain = name.rpartition("/")
    if slash and not (len(prefix) <= LONGEST_PREFIX and re.fullmatch(DNS_SUBDOMAIN, prefix)):
        return False
    return re.fullmatch(KEY_OF_A_MARK, plain) is not None


def first_problem(o: CertificateObserved) -> Condition | None:
    """The first thing that stands against issuing; in the order in which it can be mended."""
    if isinstance(o.spec, str):
        return said("InvalidSpec", detail=o.spec)
    if problems := tuple(spec_problems(o.spec)):
        return said("InvalidSpec", detail="; ".join(problems))
    if isinstance(o.request, Condition):
        return o.request
    if isinstance(o.issuer, Unseen):
        return said("IssuerNotFound", issuer=o.issuer_key)
    checks: tuple[Callable[[CertificateObserved, ClientCertificateSpec, Issuer], Condition | None], ...] = (
        _namespace,
        _subject,
        _constraints,
        _key,
        _length,
        _barred,
        _owner,
        _rival,
        _secret_name,
        _secret,
    )
    found = (check(o, o.spec, o.issuer) for check in checks)
    return next((problem for problem in found if problem is not None), o.password)


def _namespace(o: CertificateObserved, _spec: ClientCertificateSpec, issuer: Issuer) -> Condition | None:
    rule = issuer.spec.issuance.allowed_namespaces
    if namespace_allowed(rule, issuer.key, o.key.namespace, issuer.namespace_labels):
        return None
    return said("NamespaceNotAllowed", issuer=issuer.key, namespace=o.key.namespace)


def undecided(o: CertificateObserved) -> bool:
    """Whether the answer hangs on what was not heard of yet, labels or other clients: that is neither a yes nor a no."""
    if isinstance(o.issuer, Unseen) or isinstance(o.spec, str):
        return False
    if isinstance(o.key_taken_until, Unseen):
        return True
    rule, labels = o.issuer.spec.issuance.allowed_namespaces, o.issuer.namespace_labels
    return namespace_allowed(rule, o.issuer.key, o.key.namespace, labels) is None


def _subject(o: CertificateObserved, spec: ClientCertificateSpec, issuer: Issuer) -> Condition | None:
    allowed = issuer.spec.issuance.allowed_subjects
    refused = names.first_refused(allowed, subject_of(spec), alt_names_of(spec), o.key.namespace)
    if refused is None:
        return None
    return said(
        "SubjectNotAllowed",
        issuer=issuer.key,
        namespace=o.key.namespace,
        refused=refused,
        attribute=refused.attribute,
        advice=f'to allow it in issuance.allowedSubjects[].{refused.pattern_field} (["*"] allows any value)',
    )


def _constraints(o: CertificateObserved, spec: ClientCertificateSpec, issuer: Issuer) -> Condition | None:
    """Whoever verifies with the CA itself, and not with its twin as gates do, would refuse what it may not certify."""
    constraints = issuer.authority.name_constraints if issuer.authority is not None else None
    found = name_constraints.violation(constraints, subject_of(spec), alt_names_of(spec)) if constraints else None
    if found is None:
        return None
    attribute, refused = found
    return said(
        "SubjectNotAllowed",
        issuer=issuer.key,
        namespace=o.key.namespace,
        refused=refused[0].upper() + refused[1:],
        attribute=attribute,
        advice="for a CA that may certify it",
    )


def _key(o: CertificateObserved, spec: ClientCertificateSpec, issuer: Issuer) -> Condition | None:
    algorithm = (
        o.request.key_kind.algorithm.value if isinstance(o.request, ClientRequest) else spec.private_key.algorithm
    )
    allowed = issuer.spec.certificates.allowed_keys
    if algorithm in allowed:
        return None
    return said("KeyNotAllowed", issuer=issuer.key, allowed=", ".join(allowed))


def _length(_o: CertificateObserved, spec: ClientCertificateSpec, issuer: Issuer) -> Condition | None:
    limits = issuer.spec.certificates
    if lifetime(spec, issuer.spec) <= at_least(limits.max_duration, SHORTEST_LIFETIME):
        return None
    return said("DurationTooLong", issuer=issuer.key, limit=limits.max_duration)


def _barred(o: CertificateObserved, _spec: ClientCertificateSpec, issuer: Issuer) -> Condition | None:
    if isinstance(o.request, ClientRequest) and o.request.public_key_sha256 in issuer.barred_keys:
        return said("KeyCompromised")
    return None


def _owner(o: CertificateObserved, _spec: ClientCertificateSpec, issuer: Issuer) -> Condition | None:
    return said("KeyTaken", issuer=issuer.key) if o.key_taken_until is not None else None


def _rival(o: CertificateObserved, _spec: ClientCertificateSpec, _issuer: Issuer) -> Condition | None:
    return said("SecretNameTaken", rival=o.rival, secret=o.secret_name) if o.rival else None


def consent(namespace: str, account: str) -> str:
    """The command by which a namespace consents; `account` is the operator's, `<namespace>:<name>`."""
    binding = "create rolebinding doorward-secrets --clusterrole=doorward-secrets"
    return f"kubectl -n {namespace} {binding} --serviceaccount={account}"


def not_permitted(namespace: str, account: str) -> Condition:
    """The namespace has not consented; with the command to run."""
    return said("NotPermitted", namespace=namespace, command=consent(namespace, account))


def _secret_name(o: CertificateObserved, _spec: ClientCertificateSpec, _issuer: Issuer) -> Condition | None:
    """An issuer could not make its next CA where a client has the name. What was issued under one before goes on."""
    reserved = issuer_of_ca_secret(ObjectKey(o.key.namespace, o.secret_name)) is not None
    taken = isinstance(o.secret, Foreign) or o.secret is Unseen.ABSENT
    return said("SecretNameReserved", secret=o.secret_name) if reserved and taken else None


def _secret(o: CertificateObserved, _spec: ClientCertificateSpec, _issuer: Issuer) -> Condition | None:
    if o.secret is Unseen.DENIED:
        return not_permitted(o.key.namespace, o.account)
    if not isinstance(o.secret, Foreign):
        return None
    return said("SecretCopied" if o.secret.copied else "SecretUnmanaged", secret=o.secret_name)
