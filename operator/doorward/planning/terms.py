"""What a spec asks for, in the terms of X.509: subject, alternative names, kind of key."""

from doorward.api.issuer_ca import GeneratedCa
from doorward.api.kinds import ClientCertificateSpec
from doorward.pki.keys import KeyAlgorithm, KeyKind
from doorward.pki.subjects import AltNames, Subject

_CLIENT_SIZE = {"ECDSA": 256, "RSA": 2048, "Ed25519": None}
_CA_SIZE = {"ECDSA": 256, "RSA": 3072}
"""Bits, where the spec names none."""


def subject_of(spec: ClientCertificateSpec | GeneratedCa) -> Subject:
    """The subject of a client, or of a CA."""
    parts = spec.subject
    return Subject(
        common_name=spec.common_name,
        organizations=parts.organizations,
        organizational_units=parts.organizational_units,
        countries=parts.countries,
        localities=parts.localities,
        provinces=parts.provinces,
        street_addresses=parts.street_addresses,
        postal_codes=parts.postal_codes,
        serial_number=parts.serial_number,
    )


def alt_names_of(spec: ClientCertificateSpec) -> AltNames:
    """The subject alternative names of a client."""
    return AltNames(dns_names=spec.dns_names, email_addresses=spec.email_addresses, uris=spec.uris)


def key_kind_of(spec: ClientCertificateSpec | GeneratedCa) -> KeyKind:
    """The key that is to be made for a client, or for a CA."""
    key = spec.private_key
    sizes = _CA_SIZE if isinstance(spec, GeneratedCa) else _CLIENT_SIZE
    return KeyKind(algorithm=KeyAlgorithm(key.algorithm), size=key.size or sizes[key.algorithm])
