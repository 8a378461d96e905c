"""What is kept of each object that was seen, its spec parsed once; and what stores find it by."""

import json
import re
import sys
import zlib
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import ValidationError

from doorward.api.conditions import Condition, said
from doorward.api.fields import DNS_LABEL, GROUP, ISSUER_NAME_ADVICE, Model
from doorward.api.kinds import ClientCertificateSpec, MTLSIssuerSpec
from doorward.cluster.gateway import Object
from doorward.objects.crl_configmap import GATE_ROLE
from doorward.objects.meta import (
    MANAGED_BY,
    ObjectKey,
    client_secret_name,
    interned,
    is_ours,
    issuer_of_ca_secret,
    issuer_of_gate,
    key_of,
)
from doorward.pki.pem import PkiError
from doorward.pki.requests import ClientRequest, read_request
from doorward.planning.entitlement import cut_off_by

_KEPT = (
    "namespace",
    "name",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "finalizers",
)
"""`kubectl apply` repeats the whole spec in an annotation, and managedFields are half of the rest: neither is read."""


def _kept(body: Object) -> bytes:
    """What is kept of an object whose spec is parsed, as packed JSON: as dicts it would take ten times the memory (measured)."""
    metadata = body["metadata"]
    kept = {name: metadata[name] for name in _KEPT if name in metadata}
    text = json.dumps({"metadata": kept, "status": body.get("status") or {}}, separators=(",", ":"))
    return zlib.compress(text.encode(), 1)


def _unpacked(packed: bytes) -> Object:
    body: Object = json.loads(zlib.decompress(packed))
    return body


S = TypeVar("S", bound=Model)


@lru_cache(maxsize=4096)
def _shared(part: Hashable) -> Any:
    """One of all that are equal: thousands of clients ask for the same kind of key, keystore and issuer."""
    return part


def _compact(spec: S) -> S:
    """The same spec, its parts shared with others that say the same."""
    parts = {name: _shared(part) if isinstance(part, Model) and _hashable(part) else part for name, part in spec}
    return spec.model_construct(_fields_set=_shared_names(frozenset(spec.model_fields_set)), **parts)


@lru_cache(maxsize=1024)
def _shared_names(names: frozenset[str]) -> set[str]:
    return set(names)


def _hashable(part: Model) -> bool:
    try:
        hash(part)
    except TypeError:  # it has a list or a dict
        return False
    return True


_KEPT_OF_SECRETS = ("namespace", "name", "resourceVersion", "creationTimestamp", "deletionTimestamp")


def metadata_only(body: Object) -> Object:
    """What is kept of a Secret: no data, and of its marks only ours.

    All of a namespace are kept, others' too: `kubectl apply` repeats the data, keys and all, in an annotation, and a few
    thousand with large ones would take all memory.
    """
    kept = {name: body["metadata"][name] for name in _KEPT_OF_SECRETS if name in body["metadata"]}
    for name in kept.keys() & {"namespace", "creationTimestamp"}:
        kept[name] = sys.intern(kept[name])
    for marks in ("labels", "annotations"):
        found = body["metadata"].get(marks) or {}
        kept[marks] = interned({n: v for n, v in found.items() if n == MANAGED_BY or n.startswith(f"{GROUP}/")})
    return {"metadata": kept} | ({"type": body["type"]} if "type" in body else {})


def namespace_only(body: Object) -> Object:
    """What is kept of a Namespace: its labels, and whether it is being deleted."""
    metadata = body["metadata"]
    kept = ("name", "resourceVersion", "labels", "deletionTimestamp")
    return {"metadata": {name: metadata[name] for name in kept if name in metadata}}


def exists(_: Object) -> bool:
    """What is kept of a RoleBinding: that it is there."""
    return True


def _mistakes(error: ValidationError) -> str:
    return "; ".join(f"spec.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateObject:
    """A ClientCertificate, its spec and CSR parsed once."""

    key: ObjectKey
    packed: bytes = field(repr=False)
    """What is kept of the object, as packed JSON: see `body`."""
    spec: ClientCertificateSpec | str
    request: ClientRequest | Condition | None
    issuer: ObjectKey
    secret: ObjectKey
    deleting: bool
    issued: bool = False
    """Whether its status says that it has the certificate that its spec asks for."""

    @classmethod
    def parse(cls, body: Object) -> "CertificateObject":
        key = key_of(body)
        raw = body.get("spec") or {}
        spec: ClientCertificateSpec | str
        try:
            spec = _compact(ClientCertificateSpec.model_validate(raw))
        except ValidationError as error:
            spec = _mistakes(error)
        reference = raw.get("issuerRef") or {}
        return cls(
            key=key,
            packed=_kept(body),
            spec=spec,
            request=_request(spec),
            issuer=_shared(ObjectKey(str(reference.get("namespace") or key.namespace), str(reference.get("name", "")))),
            secret=ObjectKey(key.namespace, client_secret_name(key.name, raw.get("secretName"))),
            deleting="deletionTimestamp" in body["metadata"],
            issued=_is_issued(body),
        )

    @property
    def body(self) -> Object:
        """Metadata and status, read from what is kept at each call."""
        return _unpacked(self.packed)

    @property
    def out(self) -> bool:
        """Whether all its serials are to be refused for what the object itself says; see `View.is_out`."""
        spec = self.spec if isinstance(self.spec, ClientCertificateSpec) else None
        revoked, suspended = (spec.revoked, spec.suspended) if spec is not None else (False, False)
        return cut_off_by(deleting=self.deleting, revoked=revoked, suspended=suspended) is not None


def _is_issued(body: Object) -> bool:
    said = {
        (c["type"], c["status"], c.get("observedGeneration")) for c in (body.get("status") or {}).get("conditions", ())
    }
    return ("Ready", "True", body["metadata"].get("generation")) in said


def _request(spec: ClientCertificateSpec | str) -> ClientRequest | Condition | None:
    if isinstance(spec, str) or spec.request is None:
        return None
    try:
        return read_request(spec.request.encode())
    except PkiError as error:
        return said("InvalidRequest", detail=str(error))


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerObject:
    """An MTLSIssuer, its spec parsed once."""

    key: ObjectKey
    packed: bytes = field(repr=False)
    """What is kept of the object, as packed JSON: see `body`."""
    spec: MTLSIssuerSpec | str
    own_ca: ObjectKey | None
    """The Secret of a person's own CA."""
    gates_in: tuple[str, ...] = ()
    """The namespaces with a gate, by its status: nothing else may be left that names one."""

    @classmethod
    def parse(cls, body: Object) -> "IssuerObject":
        spec: MTLSIssuerSpec | str
        own_ca = None
        try:
            spec = MTLSIssuerSpec.model_validate(body.get("spec") or {})
        except ValidationError as error:
            spec = _mistakes(error)
        else:
            if spec.ca.secret_ref is not None:
                own_ca = ObjectKey(key_of(body).namespace, spec.ca.secret_ref.name)
        if not re.fullmatch(DNS_LABEL, key_of(body).name):  # from before the API server refused it
            spec = f"metadata.name: {ISSUER_NAME_ADVICE}"
        return cls(key=key_of(body), packed=_kept(body), spec=spec, own_ca=own_ca, gates_in=_gates_in(body))

    @property
    def body(self) -> Object:
        """Metadata and status, read from what is kept at each call."""
        return _unpacked(self.packed)


def _gates_in(body: Object) -> tuple[str, ...]:
    gates = (body.get("status") or {}).get("gates") or ()
    return tuple(gate["namespace"] for gate in gates if re.fullmatch(DNS_LABEL, gate.get("namespace") or ""))


def gate_of(body: Object) -> Iterable[ObjectKey]:
    """The issuer whose gate Secret this is, if it is one: by its name, which only we may give, and not by what anyone can edit."""
    if is_ours(body, GATE_ROLE) and (issuer := issuer_of_gate(body["metadata"]["name"])) is not None:
        yield issuer


def gate_in(body: Object) -> Iterable[str]:
    """The namespace, of a gate Secret."""
    if any(True for _ in gate_of(body)):
        yield body["metadata"]["namespace"]


def ca_of(body: Object) -> Iterable[ObjectKey]:
    """The issuer whose CA Secret this is, or would be, by its name."""
    if (found := issuer_of_ca_secret(key_of(body))) is not None:
        yield found[0]


def requested_key(certificate: CertificateObject) -> Iterable[Hashable]:
    """Issuer and public key, where it has a CSR."""
    if isinstance(certificate.request, ClientRequest):
        yield (certificate.issuer, certificate.request.public_key_sha256)


def password_secret(certificate: CertificateObject) -> Iterable[Hashable]:
    """The Secret with the password of its keystore, if it names one."""
    if isinstance(certificate.spec, ClientCertificateSpec):
        reference = certificate.spec.keystores.pkcs12.password_secret_ref
        if reference is not None:
            yield ObjectKey(certificate.secret.namespace, reference.name)
