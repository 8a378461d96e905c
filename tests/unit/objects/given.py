"""Objects as the API gives them back, and things that stand where text, base64 or PEM belongs."""

import base64
from collections.abc import Mapping
from typing import Any

from tests.unit.given import ALICE, UID

NOISE = {
    "nothing": b"",
    "one byte": b"\xff",
    "text": b"hunter2",
    "1 MiB of zeros": b"\0" * 1024 * 1024,
    "a block without an end": b"-----BEGIN CERTIFICATE-----\nMIIB",
}
NO_BASE64 = {"text": "not base64!", "a line break": "QUJD\nQUJD", "too short": "QUJ", "umlauts": "äöü="}


def b64(value: bytes) -> str:
    """As `data` of a Secret has it."""
    return base64.b64encode(value).decode()


def stored(body: Mapping[str, Any], version: str = "7") -> dict[str, Any]:
    """What was rendered, as the API server gives it back."""
    return {**body, "metadata": {**body["metadata"], "resourceVersion": version}}


def with_data(body: Mapping[str, Any], **values: bytes | str | None) -> dict[str, Any]:
    """The same object with other values, `tls_key` for `tls.key`; bytes are encoded, None takes the key away."""
    data = dict(body["data"])
    for name, value in values.items():
        key = name.replace("_", ".")
        data[key] = b64(value) if isinstance(value, bytes) else value
    return {**body, "data": {key: value for key, value in data.items() if value is not None}}


def client() -> dict[str, Any]:
    """Alice's ClientCertificate, as much of it as owns a Secret."""
    return {"metadata": {"namespace": ALICE.namespace, "name": ALICE.name, "uid": UID}}
