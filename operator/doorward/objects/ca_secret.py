"""The Secret with a CA's certificate and key: our own of one generation, or the user's by reference."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from doorward.objects.meta import ISSUER_ANNOTATION, ROTATE_ANNOTATION, Object, ObjectKey, ca_secret_name, labels
from doorward.pki.keys import SecretBytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CaMaterial:
    """What a CA Secret holds, PEM, unparsed; bounds are the parser's business."""

    certificate: bytes
    key: SecretBytes
    chain: bytes | None
    rotate: str
    """`spec.ca.generate.rotate` when Doorward made it."""


_TLS, _CA = ("tls.crt", "tls.key"), ("ca.crt", "ca.key")


class NotACaSecret(ValueError):
    """The Secret lacks the keys of a CA; the text says which."""


def decode(value: Any) -> bytes:
    """One value of a Secret's `data`; ValueError if it is no base64."""
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise ValueError("a value that is no base64") from error


def _names(data: Mapping[str, Any]) -> tuple[str, str]:
    """The pair that holds anything. A Secret of type kubernetes.io/tls has tls.crt and tls.key also where both are empty, and is
    told of these where it has nothing else.
    """
    for names in (_TLS, _CA):
        if any(data.get(name) for name in names):
            return names
    return _TLS if data.keys() & {*_TLS} else _CA


def parse(body: Object) -> CaMaterial:
    """The CA in a Secret with `tls.crt` and `tls.key` (chain in `ca.crt`), or `ca.crt` and `ca.key` as openssl leaves them.

    Raises NotACaSecret.
    """
    data = body.get("data") or {}
    names = _names(data)
    missing = [name for name in names if not data.get(name)]
    if missing:
        raise NotACaSecret(
            f"{' and '.join(missing)} missing or empty: it needs tls.crt and tls.key, or ca.crt and ca.key"
        )
    try:
        certificate, key = (decode(data[name]) for name in names)
        chain = decode(data["ca.crt"]) if names[0] == "tls.crt" and data.get("ca.crt") else None
    except ValueError as error:
        raise NotACaSecret(str(error)) from error
    rotate = ((body.get("metadata") or {}).get("annotations") or {}).get(ROTATE_ANNOTATION, "")
    return CaMaterial(certificate=certificate, key=SecretBytes(key), chain=chain, rotate=rotate)


def key_in(body: Object) -> SecretBytes | None:
    """The private key, PEM, where there is one, also without a certificate."""
    data = body.get("data") or {}
    value = data.get("tls.key") or data.get("ca.key")
    try:
        return SecretBytes(decode(value)) if value else None
    except ValueError:
        return None


def render(
    issuer: ObjectKey, generation: int, certificate: bytes, key: SecretBytes, *, rotate: str = ""
) -> dict[str, Any]:
    """The Secret of one generation of a generated CA; without ownerReference, so that it outlives its issuer."""
    annotations = {ISSUER_ANNOTATION: str(issuer)} | ({ROTATE_ANNOTATION: rotate} if rotate else {})
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {
            "namespace": issuer.namespace,
            "name": ca_secret_name(issuer.name, generation),
            "labels": labels("ca"),
            "annotations": annotations,
        },
        "data": {
            "tls.crt": base64.b64encode(certificate).decode(),
            "tls.key": base64.b64encode(key.reveal()).decode(),
            "ca.crt": base64.b64encode(certificate).decode(),
        },
    }
