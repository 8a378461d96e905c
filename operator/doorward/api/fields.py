"""Field types that the kinds share: each with a bound and a rule that the API server checks itself."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from doorward.api.limits import SHORTEST_LIFETIME

GROUP = "doorward.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

DURATION_PATTERN = r"^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$"
DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
DNS_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
ISSUER_NAME_ADVICE = (
    "choose a name without dots: no ClientCertificate and no Ingress can refer to one with dots, and Secret names that are"
    " made from it could be those of another issuer's gates"
)
RESERVED_SECRETS = "(^|-)doorward[.]"
"""Two Secrets could share a file of ingress-nginx, whose names are joined with a dash."""
INSTANT_PATTERN = (
    r"^[12][0-9]{3}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]([.][0-9]{1,9})?(Z|[+-][01][0-9]:[0-5][0-9])$"
)


def rule(expression: str, message: str) -> dict[str, str]:
    """One CEL rule of `x-kubernetes-validations`, with the sentence a person reads when it fails."""
    return {"rule": expression, "message": message}


def validations(*rules: dict[str, str]) -> dict[str, Any]:
    """The rules in the form that a pydantic field or model carries into the CRD."""
    return {"x-kubernetes-validations": list(rules)}


def when_parsed(*names: str, then: str, message: str, given: bool = False) -> dict[str, str]:
    """A rule over several fields that are durations; it says nothing where one of them is none.

    There the field's own rule speaks: `duration()` would fail with the API server's raw conversion error (measured).
    `given`: the fields have no default, and the rule needs all of them.
    """
    absent = [f"!has(self.{name})" for name in names] if given else []
    unparsed = [f"!self.{name}.matches('{DURATION_PATTERN}')" for name in names]
    return rule(" || ".join((*absent, *unparsed, then)), message)


class Model(BaseModel):
    """What people write. Unknown fields are pruned by the API server, so here they are passed over."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")


_DURATION_RULES = (
    rule(
        f"self.matches('{DURATION_PATTERN}')",
        "write hours, minutes and seconds in this order, such as 2160h for 90 days, or 1h30m: days are no unit",
    ),
    rule(
        f"!self.matches('{DURATION_PATTERN}') || duration(self) >= duration('1s')",
        "write a duration above zero, such as 720h",
    ),
)
Duration = Annotated[str, Field(min_length=2, max_length=21, json_schema_extra=validations(*_DURATION_RULES))]
Lifetime = Annotated[
    str,
    Field(
        min_length=2,
        max_length=21,
        json_schema_extra=validations(
            *_DURATION_RULES,
            rule(
                f"!self.matches('{DURATION_PATTERN}') || duration(self) >= duration('{SHORTEST_LIFETIME}')",
                f"the shortest lifetime of a client certificate is {SHORTEST_LIFETIME}: write {SHORTEST_LIFETIME} or more,"
                " such as 720h",
            ),
        ),
    ),
]
"""Of a client certificate."""
Label = Annotated[str, Field(min_length=1, max_length=63, pattern=DNS_LABEL)]
ObjectName = Annotated[str, Field(min_length=1, max_length=253, pattern=DNS_SUBDOMAIN)]
SecretName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=253,
        pattern=DNS_SUBDOMAIN,
        json_schema_extra=validations(
            rule(
                f"!self.matches('{RESERVED_SECRETS}')",
                "choose another secretName: names with 'doorward.' at the start or after a '-' are kept for gates",
            )
        ),
    ),
]
DnsName = Annotated[str, Field(min_length=1, max_length=253)]
EmailAddress = Annotated[str, Field(min_length=3, max_length=254)]
Uri = Annotated[str, Field(min_length=3, max_length=512)]
Attribute = Annotated[str, Field(min_length=1, max_length=64)]
Glob = Annotated[str, Field(min_length=1, max_length=253)]
LabelValue = Annotated[str, Field(max_length=63)]
AnnotationValue = Annotated[str, Field(max_length=1024)]
KeyName = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
Instant = Annotated[
    str,
    # Narrower than the API server's date-time, which also takes what no other reader does: 12:00:00z, 12:00:00x5Z.
    Field(json_schema_extra={"format": "date-time"}, max_length=35, pattern=INSTANT_PATTERN),
]
SpecInstant = Annotated[
    str,
    # Where a format is given, the API server takes a list for a string (measured); it does not where a rule reads the value.
    Field(
        json_schema_extra={"format": "date-time"}
        | validations(
            rule("self > timestamp('0001-01-01T00:00:00Z')", "write one instant as text, such as 2026-01-31T12:00:00Z")
        ),
        max_length=35,
        pattern=INSTANT_PATTERN,
    ),
]
"""In a spec, which people write too."""


class Subject(Model):
    """What the subject says beside the common name; field names as cert-manager's."""

    organizations: Annotated[
        tuple[Attribute, ...],
        Field(
            max_length=8,
            description="Organizations (O), such as `ACME Ltd`. In a client's certificate none may begin with `system:`. At most 8, of"
            " up to 64 bytes in UTF-8 each.",
        ),
    ] = ()
    organizational_units: Annotated[
        tuple[Attribute, ...],
        Field(
            max_length=8,
            description="Organizational units (OU), such as `payments`. At most 8, of up to 64 bytes in UTF-8 each.",
        ),
    ] = ()
    countries: Annotated[
        tuple[Attribute, ...],
        Field(max_length=8, description="Countries (C), two letters each (ISO 3166), such as `DE`. At most 8."),
    ] = ()
    localities: Annotated[
        tuple[Attribute, ...],
        Field(max_length=8, description="Localities (L), such as `Berlin`. At most 8, of up to 64 characters each."),
    ] = ()
    provinces: Annotated[
        tuple[Attribute, ...],
        Field(
            max_length=8,
            description="States or provinces (ST), such as `Bavaria`. At most 8, of up to 64 characters each.",
        ),
    ] = ()
    street_addresses: Annotated[
        tuple[Attribute, ...],
        Field(
            max_length=8,
            description="Street addresses (STREET), such as `Main Street 1`. At most 8, of up to 64 characters each.",
        ),
    ] = ()
    postal_codes: Annotated[
        tuple[Attribute, ...],
        Field(max_length=8, description="Postal codes, such as `10115`. At most 8, of up to 40 bytes in UTF-8 each."),
    ] = ()
    serial_number: Annotated[
        str,
        Field(
            max_length=64,
            description="Attribute serialNumber of the subject, such as `device-17`. It is not the serial number of the certificate."
            " At most 64 characters: letters, digits, space and `'()+,-./:=?`. If not set, the subject has none.",
        ),
    ] = ""
