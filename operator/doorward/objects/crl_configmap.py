"""The trust bundle: anchors and CRLs of the CA generations as the CRL ConfigMap holds them, the commit point of every
revocation.

A gate's Secret is a copy of the same two values under the same keys. An annotation of the ConfigMap says which anchor is
which generation: by the SHA-256 of its public key, and another by that of its key, name and identifier together.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from doorward.api.conditions import instant
from doorward.objects.ca_secret import decode
from doorward.objects.meta import (
    ANCHORS_SINCE_ANNOTATION,
    CLOSED_ANNOTATION,
    GENERATIONS_ANNOTATION,
    IDENTITIES_ANNOTATION,
    ISSUER_ANNOTATION,
    KNOWN_ANNOTATION,
    Object,
    ObjectKey,
    crl_configmap_name,
    gate_secret_name,
    labels,
    parse_instant,
)

CRL_KEY = "ca.crl"
ANCHOR_KEY = "ca.crt"
CRL_ROLE = "crl"
GATE_ROLE = "gate"
MAX_ANNOTATION = 16_384
MAX_GENERATION = 1_000_000
MAX_BYTES = 1024 * 1024 - 16 * 1024
"""What a ConfigMap or Secret takes, with room for its metadata."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustBundle:
    """Anchors and CRLs, PEM, one CRL for each anchor, oldest generation first."""

    anchors: bytes
    crl: bytes
    generations: Mapping[int, str] = field(default_factory=dict)
    """By number, the SHA-256 of the anchor's public key; empty: nothing says so."""
    closed: Mapping[int, str] = field(default_factory=dict)
    """By number, the SHA-256 of the public key of each generation that left because its CRL overflowed."""
    known: Mapping[int, str] = field(default_factory=dict)
    """The same of each generation that was ever published and has certificates that have not expired."""
    identities: Mapping[int, str] = field(default_factory=dict)
    """Of all of them, the identity of key, name and identifier. An older version wrote none."""

    @property
    def size(self) -> int:
        """Bytes, as a ConfigMap counts them."""
        return len(self.anchors) + len(self.crl)


def parse_configmap(body: Object) -> TrustBundle:
    """The bundle in the CRL ConfigMap; absent keys are empty."""
    data = body.get("data") or {}
    return TrustBundle(
        anchors=data.get(ANCHOR_KEY, "").encode(),
        crl=data.get(CRL_KEY, "").encode(),
        generations=_keys(body, GENERATIONS_ANNOTATION),
        closed=_keys(body, CLOSED_ANNOTATION),
        known=_keys(body, KNOWN_ANNOTATION),
        identities=_keys(body, IDENTITIES_ANNOTATION),
    )


def parse_gate(body: Object) -> TrustBundle:
    """The bundle in a gate Secret; ValueError if a value is no base64. A key in it makes it another bundle."""
    data = body.get("data") or {}
    if set(data) - {ANCHOR_KEY, CRL_KEY}:
        raise ValueError(f"keys that a gate does not have: {sorted(set(data) - {ANCHOR_KEY, CRL_KEY})[:3]}")
    return TrustBundle(
        anchors=decode(data.get(ANCHOR_KEY) or ""),
        crl=decode(data.get(CRL_KEY) or ""),
    )


def _keys(body: Object, annotation: str) -> dict[int, str]:
    """By generation, the keys or identities that the annotation names; nothing where it is not as we write it."""
    text = ((body.get("metadata") or {}).get("annotations") or {}).get(annotation, "")
    try:
        said = json.loads(text[:MAX_ANNOTATION] or "{}")
        found = {int(number): str(key) for number, key in said.items()}
    except (ValueError, AttributeError, TypeError, RecursionError):  # 16 KB of brackets are a deep nesting
        return {}
    return found if all(0 < number <= MAX_GENERATION for number in found) else {}


def _annotations(issuer: ObjectKey, bundle: TrustBundle) -> dict[str, str]:
    said = {ISSUER_ANNOTATION: str(issuer), GENERATIONS_ANNOTATION: _text(bundle.generations)}
    more = {
        CLOSED_ANNOTATION: bundle.closed,
        KNOWN_ANNOTATION: bundle.known,
        IDENTITIES_ANNOTATION: bundle.identities,
    }
    return said | {annotation: _text(keys) for annotation, keys in more.items() if keys}


def _text(keys: Mapping[int, str]) -> str:
    return json.dumps({str(number): keys[number] for number in sorted(keys)})


def render_configmap(issuer: ObjectKey, bundle: TrustBundle, *, version: str | None) -> dict[str, Any]:
    """The CRL ConfigMap; `version` is the resourceVersion that the write is based on, None to create."""
    metadata = {
        "namespace": issuer.namespace,
        "name": crl_configmap_name(issuer.name),
        "labels": labels(CRL_ROLE),
        "annotations": _annotations(issuer, bundle),
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata | ({"resourceVersion": version} if version else {}),
        "data": {ANCHOR_KEY: bundle.anchors.decode(), CRL_KEY: bundle.crl.decode()},
    }


def anchors_since(gate: Object, now: datetime) -> datetime:
    """Since when a gate Secret holds the anchors that it holds; `now` where it does not say."""
    text = (gate["metadata"].get("annotations") or {}).get(ANCHORS_SINCE_ANNOTATION, "")
    try:
        return min(parse_instant(text), now)
    except ValueError:
        return now


def render_gate(
    issuer: ObjectKey,
    namespace: str,
    bundle: TrustBundle,
    *,
    since: datetime,
    version: str | None,
    finalizers: Sequence[str] = (),
) -> dict[str, Any]:
    """The gate Secret in `namespace`: never a key in it, or ingress-nginx takes it for a server's.

    `since`: when these anchors came into it. `finalizers`: those of others that stay; a gate has none of its own.
    """
    metadata = {
        "namespace": namespace,
        "name": gate_secret_name(issuer),
        "labels": labels(GATE_ROLE),
        "annotations": {ISSUER_ANNOTATION: str(issuer), ANCHORS_SINCE_ANNOTATION: instant(since)},
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": metadata
        | ({"resourceVersion": version} if version else {})
        | ({"finalizers": list(finalizers)} if finalizers else {}),
        "data": {
            ANCHOR_KEY: base64.b64encode(bundle.anchors).decode(),
            CRL_KEY: base64.b64encode(bundle.crl).decode(),
        },
    }
