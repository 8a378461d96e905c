"""The names that a CA may certify (RFC 5280 §4.2.1.10). Gates do not ask; whoever verifies with the CA itself does.

Common names are not compared with DNS constraints: RFC 5280 has no such rule.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar
from urllib.parse import urlsplit

from cryptography import x509

from doorward.pki import subjects
from doorward.pki.subjects import AltNames, Subject

T = TypeVar("T")
_MOST_SHOWN = 4


def constraints_of(ca_certificate: x509.Certificate) -> x509.NameConstraints | None:
    """The CA's own; None: it has none."""
    try:
        return ca_certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return None


def violation(constraints: x509.NameConstraints, subject: Subject, alt_names: AltNames) -> tuple[str, str] | None:
    """The first name that a CA with these constraints may not certify, as the attribute of a ClientCertificate that says it,
    and a sentence; None: it may certify all of them.
    """
    permitted, excluded = constraints.permitted_subtrees or (), constraints.excluded_subtrees or ()
    return next(_violations(permitted, excluded, subject, alt_names), None)


def _violations(
    permitted: Iterable[x509.GeneralName], excluded: Iterable[x509.GeneralName], subject: Subject, alt_names: AltNames
) -> Iterator[tuple[str, str]]:
    for attribute, values, kind, fits in (
        ("dnsNames", alt_names.dns_names, x509.DNSName, _dns_fits),
        ("emailAddresses", alt_names.email_addresses, x509.RFC822Name, _email_fits),
        ("uris", alt_names.uris, x509.UniformResourceIdentifier, _uri_fits),
    ):
        allowed, barred = _texts(permitted, kind), _texts(excluded, kind)
        for value in values:
            if kind is x509.UniformResourceIdentifier and (allowed or barred) and not _host(value):
                yield (
                    attribute,
                    f"{attribute} {value[:40]!a} has no host, and the CA has constraints for the hosts of URIs",
                )
            elif why := _why_not(value, allowed, barred, fits):
                yield attribute, f"{attribute} {value[:40]!a}: the CA {why}"
    name = subjects.to_name(subject)
    if why := _why_not(name, _names(permitted), _names(excluded), _begins_with, subjects.display):
        yield "subject", f"the subject {subjects.display(name)[:200]!a}: the CA {why}"


def _why_not(
    value: T, allowed: list[T], barred: list[T], fits: Callable[[T, T], bool], shown: Callable[[T], str] = str
) -> str:
    for base in barred:
        if fits(value, base):
            return f"excludes {shown(base)[:80]!a} in its name constraints"
    if allowed and not any(fits(value, base) for base in allowed):
        return f"permits {_listed([shown(base) for base in allowed])} only in its name constraints"
    return ""


def _listed(bases: list[str]) -> str:
    more = len(bases) - _MOST_SHOWN
    return ", ".join(ascii(base[:80]) for base in bases[:_MOST_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _texts(subtrees: Iterable[x509.GeneralName], kind: type[x509.GeneralName]) -> list[str]:
    return [str(each.value) for each in subtrees if isinstance(each, kind)]


def _names(subtrees: Iterable[x509.GeneralName]) -> list[x509.Name]:
    return [each.value for each in subtrees if isinstance(each, x509.DirectoryName)]


def _dns_fits(name: str, base: str) -> bool:
    """The host itself and all below it; with a dot in front, those below it."""
    name, base = name.lower(), base.lower()
    if not base or base.startswith("."):
        return name.endswith(base)
    return name == base or name.endswith(f".{base}")


def _email_fits(address: str, base: str) -> bool:
    """One address, all of a host, or, with a dot in front, of all hosts below it. Only the local part has upper case."""
    local, _, host = address.rpartition("@")
    base_local, at, base_host = base.rpartition("@")
    if at and base_local:
        return (local, host.lower()) == (base_local, base_host.lower())
    return _host_fits(host, base_host)


def _uri_fits(uri: str, base: str) -> bool:
    return _host_fits(_host(uri), base)


def _host_fits(host: str, base: str) -> bool:
    host, base = host.lower(), base.lower()
    return host.endswith(base) if not base or base.startswith(".") else host == base


def _host(uri: str) -> str:
    """Empty where there is none, or it cannot be read."""
    try:
        return urlsplit(uri).hostname or ""
    except ValueError:
        return ""


_Relative = frozenset[tuple[str, str]]


def _canonical(name: x509.Name) -> tuple[_Relative, ...]:
    """As names are compared: without regard to case and to more than one space (RFC 5280 §7.1)."""
    return tuple(
        frozenset((each.oid.dotted_string, " ".join(str(each.value).split()).lower()) for each in relative)
        for relative in name.rdns
    )


def _begins_with(name: x509.Name, base: x509.Name) -> bool:
    wanted = _canonical(base)
    return _canonical(name)[: len(wanted)] == wanted
