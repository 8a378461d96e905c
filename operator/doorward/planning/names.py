"""What an issuer's `allowedSubjects` allow a certificate to say: every attribute and every alternative name needs a pattern.

The attributes are those of `pki.subjects`, whatever they are: one for which AllowedSubject has no field is never allowed.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from pydantic.alias_generators import to_camel

from doorward.api.allowed_subjects import AllowedSubject
from doorward.pki.subjects import AltNames, Subject

_PATTERNS = {"serial_number": "serial_numbers"}
"""The field of AllowedSubject for an attribute, where its name is another."""
_PLAIN = re.compile(r"[A-Za-z0-9._-]+")
"""What `*` stands for within a pattern."""
_MOST_SHOWN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class NotAllowed:
    """One value that no pattern of an entry fits."""

    attribute: str
    """As a ClientCertificate spells it: `subject.organizationalUnits`."""
    value: str
    pattern_field: str
    """As an MTLSIssuer spells it."""
    patterns: tuple[str, ...]

    def __str__(self) -> str:
        value = ascii(self.value[:40])
        if not self.patterns:
            return f"{self.attribute} {value}: no {self.pattern_field} are allowed"
        shown = ", ".join(pattern[:80] for pattern in self.patterns[:_MOST_SHOWN])
        more = len(self.patterns) - _MOST_SHOWN
        return f"{self.attribute} {value}: it fits none of {shown}" + (f" and {more} more" if more > 0 else "")


def fits(value: str, pattern: str, namespace: str) -> bool:
    """Whether the value is as the pattern says. `*` alone takes in any; elsewhere each `*` is one plain character or more.

    Each part at its first place after the last one: a regular expression of many `*` can take hours to say no. The first
    place is as good as any: what lies between two places of a part is plain, or the later one could not be reached.
    """
    if pattern == "*":
        return True
    first, *parts = pattern.replace("{namespace}", namespace).split("*")
    if not parts:
        return value == first
    *middle, last = parts
    begin, end = len(first), len(value) - len(last)
    if not value.startswith(first) or not value.endswith(last):
        return False
    for part in middle:
        found = value.find(part, begin + 1, end)
        if found < 0 or not _PLAIN.fullmatch(value, begin, found):
            return False
        begin = found + len(part)
    return _PLAIN.fullmatch(value, begin, end) is not None


def values_of(subject: Subject, alt_names: AltNames) -> Mapping[str, tuple[str, ...]]:
    """All that a certificate would say of its client, by attribute."""
    found: dict[str, tuple[str, ...]] = {}
    for part in (subject, alt_names):
        for field in fields(part):
            value = getattr(part, field.name)
            found[field.name] = ((value,) if value else ()) if isinstance(value, str) else tuple(value)
    return found


def patterns_of(entry: AllowedSubject, attribute: str, namespace: str) -> tuple[str, ...]:
    """The patterns for an attribute, the namespace put in; none: no value of it is allowed."""
    patterns = getattr(entry, _PATTERNS.get(attribute, attribute), ())
    return tuple(p.replace("{namespace}", namespace) for p in ((patterns,) if isinstance(patterns, str) else patterns))


def first_refused(
    allowed: tuple[AllowedSubject, ...], subject: Subject, alt_names: AltNames, namespace: str
) -> NotAllowed | None:
    """The first value that keeps the names from fitting the entry that comes closest; None: one entry fits as a whole.

    No entries allow any names; that is possible only with `from: Same`.
    """
    refused = [tuple(_refused(entry, subject, alt_names, namespace)) for entry in allowed]
    return min(refused, key=len)[0] if refused and all(refused) else None


def _refused(entry: AllowedSubject, subject: Subject, alt_names: AltNames, namespace: str) -> Iterator[NotAllowed]:
    for attribute, values in values_of(subject, alt_names).items():
        patterns = patterns_of(entry, attribute, namespace)
        for value in values:
            if not any(fits(value, pattern, namespace) for pattern in patterns):
                yield NotAllowed(
                    attribute=_spelled(attribute),
                    value=value,
                    pattern_field=to_camel(_PATTERNS.get(attribute, attribute)),
                    patterns=patterns,
                )


def _spelled(attribute: str) -> str:
    in_subject = attribute != "common_name" and attribute in {field.name for field in fields(Subject)}
    return f"subject.{to_camel(attribute)}" if in_subject else to_camel(attribute)
