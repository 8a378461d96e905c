"""Whether a ClientCertificate may have what it asks for: everything wrong with it, each with who can mend it."""

from collections.abc import Callable, Iterator, Mapping

from doorward.api.conditions import Condition, said
from doorward.api.issuer_parts import AllowedSubject, NamespaceRule
from doorward.api.kinds import ClientCertificateSpec
from doorward.api.limits import SHORTEST_LIFETIME
from doorward.objects.client_secret import Foreign
from doorward.objects.meta import ObjectKey
from doorward.pki import subjects
from doorward.pki.requests import ClientRequest
from doorward.planning.issuance import lifetime
from doorward.planning.observed import CertificateObserved, Issuer, Unseen
from doorward.planning.terms import alt_names_of, subject_of
from doorward.planning.timing import at_least, duration


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


def _fits(value: str, pattern: str, namespace: str) -> bool:
    """Each part at its first place after the last one: a regular expression of many `*` can take hours to say no."""
    first, *parts = pattern.replace("{namespace}", namespace).split("*")
    if not parts:
        return value == first
    *middle, last = parts
    begin, end = len(first), len(value) - len(last)
    if begin > end or not value.startswith(first) or not value.endswith(last):
        return False
    for part in middle:
        found = value.find(part, begin, end)
        if found < 0:
            return False
        begin = found + len(part)
    return True


def _all_fit(values: tuple[str, ...], patterns: tuple[str, ...] | None, namespace: str) -> bool:
    return patterns is None or all(any(_fits(value, p, namespace) for p in patterns) for value in values)


def subject_allowed(allowed: tuple[AllowedSubject, ...], spec: ClientCertificateSpec, namespace: str) -> bool:
    """Whether the names fit one of the entries as a whole; no entries allow any name (only with `from: Same`)."""
    return not allowed or any(
        _fits(spec.common_name, entry.common_name, namespace)
        and _all_fit(spec.subject.organizations, entry.organizations, namespace)
        and _all_fit(spec.dns_names, entry.dns_names, namespace)
        and _all_fit(spec.email_addresses, entry.email_addresses, namespace)
        and _all_fit(spec.uris, entry.uris, namespace)
        for entry in allowed
    )


def spec_problems(spec: ClientCertificateSpec) -> Iterator[str]:
    """What no certificate can say, or no operator can do; each a sentence."""
    yield from subjects.problems(subject_of(spec), alt_names_of(spec))
    names = (spec.common_name, *spec.subject.organizations)
    if any(name.lower().startswith("system:") for name in names):
        yield "names that begin with system: are the cluster's own; choose another"
    for field, text in (("duration", spec.duration), ("renewBefore", spec.renew_before)):
        if text is not None:
            try:
                duration(text)
            except ValueError as error:
                yield f"spec.{field}: {error}"


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
        _key,
        _length,
        _barred,
        _rival,
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
    """Whether the issuer's answer to the namespace hangs on labels that are unknown: that is neither a yes nor a no."""
    if isinstance(o.issuer, Unseen) or isinstance(o.spec, str):
        return False
    rule, labels = o.issuer.spec.issuance.allowed_namespaces, o.issuer.namespace_labels
    return namespace_allowed(rule, o.issuer.key, o.key.namespace, labels) is None


def _subject(o: CertificateObserved, spec: ClientCertificateSpec, issuer: Issuer) -> Condition | None:
    allowed = issuer.spec.issuance.allowed_subjects
    if subject_allowed(allowed, spec, o.key.namespace):
        return None
    patterns = ", ".join(entry.common_name for entry in allowed)
    return said(
        "SubjectNotAllowed",
        issuer=issuer.key,
        namespace=o.key.namespace,
        detail=f"it allows commonName {patterns.replace('{namespace}', o.key.namespace)}, with what else it says",
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


def _rival(o: CertificateObserved, _spec: ClientCertificateSpec, _issuer: Issuer) -> Condition | None:
    return said("SecretNameTaken", rival=o.rival, secret=o.secret_name) if o.rival else None


def consent(namespace: str, account: str) -> str:
    """The command by which a namespace consents; `account` is the operator's, `<namespace>:<name>`."""
    binding = "create rolebinding doorward-secrets --clusterrole=doorward-secrets"
    return f"kubectl -n {namespace} {binding} --serviceaccount={account}"


def not_permitted(namespace: str, account: str) -> Condition:
    """The namespace has not consented; with the command to run."""
    return said("NotPermitted", namespace=namespace, command=consent(namespace, account))


def _secret(o: CertificateObserved, _spec: ClientCertificateSpec, _issuer: Issuer) -> Condition | None:
    if o.secret is Unseen.DENIED:
        return not_permitted(o.key.namespace, o.account)
    return said("SecretForeign", secret=o.secret_name) if isinstance(o.secret, Foreign) else None
