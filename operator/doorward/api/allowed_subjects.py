"""What an MTLSIssuer allows a client's certificate to say: patterns for each attribute and each kind of alternative name."""

from typing import Annotated, Any

from pydantic import Field

from doorward.api.fields import Glob, Model


def _patterns(of: str, example: str) -> Any:
    return Field(
        max_length=16,
        description=(
            f"Patterns for {of}, such as `{example}`, at most 16. Each value must match one of them. If not set, no value is"
            ' allowed; `["*"]` allows any value.'
        ),
    )


Patterns = tuple[Glob, ...]


class AllowedSubject(Model):
    """Patterns for all that a client's certificate may say."""

    common_name: Annotated[
        Glob,
        Field(
            description="Pattern for the common name, such as `*.{namespace}.example`, at most 253 characters. `*` alone allows any"
            " value."
        ),
    ]
    organizations: Annotated[Patterns, _patterns("`subject.organizations` (O)", "ACME Ltd")] = ()
    organizational_units: Annotated[Patterns, _patterns("`subject.organizationalUnits` (OU)", "team-*")] = ()
    countries: Annotated[Patterns, _patterns("`subject.countries` (C)", "DE")] = ()
    localities: Annotated[Patterns, _patterns("`subject.localities` (L)", "Berlin")] = ()
    provinces: Annotated[Patterns, _patterns("`subject.provinces` (ST)", "Bavaria")] = ()
    street_addresses: Annotated[Patterns, _patterns("`subject.streetAddresses` (STREET)", "Main Street *")] = ()
    postal_codes: Annotated[Patterns, _patterns("`subject.postalCodes`", "10*")] = ()
    serial_numbers: Annotated[
        Patterns, _patterns("`subject.serialNumber`, the attribute and not the certificate's serial number", "device-*")
    ] = ()
    dns_names: Annotated[Patterns, _patterns("`dnsNames`", "*.{namespace}.example")] = ()
    email_addresses: Annotated[Patterns, _patterns("`emailAddresses`", "*@example.com")] = ()
    uris: Annotated[Patterns, _patterns("`uris`", "spiffe://example.com/ns/{namespace}/sa/*")] = ()
