"""The client's Secret: certificate, key and keystore; what is seen of it never includes the key."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from doorward.objects.ca_secret import decode
from doorward.objects.meta import (
    CLIENT_ANNOTATION,
    KEYSTORE_ANNOTATION,
    REISSUE_ANNOTATION,
    Object,
    interned,
    is_ours,
    labels,
    owner_reference,
)
from doorward.pki import keystores
from doorward.pki.certificates import Leaf, read_leaf
from doorward.pki.keys import SecretBytes, fits
from doorward.pki.pem import PkiError

ROLE = "client"
KEYSTORE = "keystore.p12"
MOST_SHARED = 64 * 1024
PASSWORD = "keystore.password"  # noqa: S105 - the name of a key


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSecret:
    """A Secret of ours that holds a certificate; `has_key`: a private key that fits it."""

    leaf: Leaf
    ca: bytes
    has_key: bool
    any_key: bool
    keystore_profile: str | None
    own_password: bool
    owners: frozenset[str] = frozenset()
    """UIDs of the objects with which it is deleted."""
    immutable: bool = False
    """Whether the API server refuses to change what it holds, for good; its labels, annotations and owners may change."""
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A Secret of ours whose certificate cannot be read."""

    why: str
    version: str
    immutable: bool = False


@dataclass(frozen=True, slots=True)
class Foreign:
    """A Secret of that name that is not ours, or is another ClientCertificate's; `copied`: all but its certificate looks right."""

    copied: bool = False


def holder_of(secret: Object | None) -> str | None:
    """The ClientCertificate whose Secret this is; None: nobody's. Its metadata suffice."""
    if secret is None or not is_ours(secret, ROLE):
        return None
    holder: str | None = (secret["metadata"].get("annotations") or {}).get(CLIENT_ANNOTATION)
    return holder


@lru_cache(maxsize=64)
def _shared(ca: bytes) -> bytes:
    """Thousands of clients have the same CA, which is kept once."""
    return ca


def parse(body: Object, *, certificate: str, password: bytes | None) -> ClientSecret | Broken | Foreign:
    """What the Secret holds for the ClientCertificate of that name.

    `password` is the keystore's; None: the one in the Secret itself. `keystore_profile` is None where there is no
    keystore, or one that is not what was written for this leaf and password.
    """
    annotations = body["metadata"].get("annotations") or {}
    if not is_ours(body, ROLE) or annotations.get(CLIENT_ANNOTATION) != certificate:
        return Foreign()
    version = body["metadata"]["resourceVersion"]
    data = body.get("data") or {}
    try:
        values = {name: decode(data.get(name) or "") for name in ("tls.crt", "tls.key", "ca.crt", KEYSTORE, PASSWORD)}
        leaf = read_leaf(values["tls.crt"])
    except (PkiError, ValueError) as error:
        return Broken(why=str(error), version=version, immutable=_is_immutable(body))
    return ClientSecret(
        leaf=leaf,
        ca=_shared(values["ca.crt"]) if len(values["ca.crt"]) <= MOST_SHARED else values["ca.crt"],
        has_key=fits(values["tls.key"], leaf.certificate.public_key()),
        any_key=bool(values["tls.key"]),
        keystore_profile=_profile(values, annotations, password, leaf),
        own_password=bool(values[PASSWORD]),
        owners=frozenset(str(owner.get("uid")) for owner in body["metadata"].get("ownerReferences") or ()),
        immutable=_is_immutable(body),
        labels=interned(body["metadata"].get("labels")),
        annotations=interned(annotations),
        version=version,
    )


def _is_immutable(body: Object) -> bool:
    return body.get("immutable") is True


def owners_with(body: Object, owner: Object) -> list[Object]:
    """The owners of a Secret with the ClientCertificate `owner` in place of any other one; what else owns it stays."""
    ours = owner_reference(owner, "ClientCertificate")
    kind = (ours["apiVersion"].partition("/")[0], ours["kind"])
    found = body["metadata"].get("ownerReferences") or ()
    others = [o for o in found if (str(o.get("apiVersion")).partition("/")[0], o.get("kind")) != kind]
    return [*others, ours | {"controller": not any(other.get("controller") for other in others)}]


def _profile(
    values: Mapping[str, bytes], annotations: Mapping[str, str], password: bytes | None, leaf: Leaf
) -> str | None:
    profile, _, sealed = annotations.get(KEYSTORE_ANNOTATION, "").partition(":")
    secret = password if password is not None else values[PASSWORD]
    if not (values[KEYSTORE] and secret and sealed):
        return None
    rounds = keystores.USER_PASSWORD_ROUNDS if password is not None else keystores.OWN_SEAL_ROUNDS
    seal = keystores.seal(values[KEYSTORE], profile=profile, leaf_sha256=leaf.sha256, password=secret, rounds=rounds)
    return profile if seal == sealed else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What is to be written; the key and what derives from it only as SecretBytes.

    `seal`: the keystore's. `reissue`: the `spec.reissue` that the certificate was signed for.
    """

    certificate: bytes
    ca: bytes
    key: SecretBytes | None
    keystore: SecretBytes | None
    own_password: SecretBytes | None
    profile: str | None
    seal: str | None
    reissue: str | None = None


def render(
    owner: Object,
    *,
    name: str,
    contents: Contents,
    extra_labels: Mapping[str, str],
    extra_annotations: Mapping[str, str],
) -> dict[str, Any]:
    """The Secret for the ClientCertificate `owner`; type kubernetes.io/tls, or Opaque where there is no key."""
    plain: dict[str, bytes | None] = {
        "tls.crt": contents.certificate,
        "ca.crt": contents.ca,
        "tls.key": contents.key.reveal() if contents.key else None,
        KEYSTORE: contents.keystore.reveal() if contents.keystore else None,
        PASSWORD: contents.own_password.reveal() if contents.own_password else None,
    }
    annotations = dict(extra_annotations) | {CLIENT_ANNOTATION: owner["metadata"]["name"]}
    if contents.reissue is not None:
        annotations[REISSUE_ANNOTATION] = contents.reissue
    if contents.profile is not None:
        annotations[KEYSTORE_ANNOTATION] = f"{contents.profile}:{contents.seal}"
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls" if contents.key else "Opaque",
        "metadata": {
            "namespace": owner["metadata"]["namespace"],
            "name": name,
            "labels": dict(extra_labels) | labels(ROLE),
            "annotations": annotations,
            "ownerReferences": [owner_reference(owner, "ClientCertificate")],
        },
        "data": {key: base64.b64encode(value).decode() for key, value in plain.items() if value is not None},
    }
