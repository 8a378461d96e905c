"""Somebody at the API server, impersonated, and the objects that the policies are about."""

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from doorward.objects.meta import FINALIZER
from tests.support import older
from tests.support.home import Home
from tests.support.kube import (
    BINDINGS,
    CERTIFICATES,
    CONFIGMAPS,
    INGRESSES,
    ROLES,
    SECRETS,
    Answer,
    Object,
    Person,
    bind,
    eventually,
)

MUTATING_BINDINGS = BINDINGS._replace(plural="mutatingadmissionpolicybindings")
FINALIZER_POLICY = "finalizer.doorward.io"
OURS = {"app.kubernetes.io/managed-by": "doorward"}
GATE = "doorward.issuers.partners"
ISSUER = "doorward.io/issuer"
CHOICE = "doorward.io/verify-client"
NGINX = "nginx.ingress.kubernetes.io/"
SECRET = NGINX + "auth-tls-secret"
VERIFY = NGINX + "auth-tls-verify-client"


@contextmanager
def unbound(admin: Person, policy: str, probe: Callable[[], Answer]) -> Iterator[None]:
    """The glass broken: without the policy's binding, which `probe`, a dry run that it refuses, shows."""
    binding = admin.get(BINDINGS, None, policy).body
    assert admin.delete(BINDINGS, binding).ok
    try:
        eventually(lambda: probe().ok, f"{policy} lets go")
        yield
    finally:
        again = {key: binding[key] for key in ("apiVersion", "kind", "spec")}
        labels = binding["metadata"].get("labels", {})
        assert admin.create(BINDINGS, again | {"metadata": {"name": policy, "labels": labels}}).ok
        eventually(lambda: policy in probe().message, f"{policy} holds again")


@contextmanager
def without_finalizer_policy(admin: Person, probe: Object) -> Iterator[None]:
    """As on a Kubernetes that serves no mutating policies; `probe` is a ClientCertificate that the administrator may create."""

    def born_with_it() -> bool:
        answer = admin.create(CERTIFICATES, probe, dry_run=True)
        return FINALIZER in (answer.body["metadata"].get("finalizers") or ())

    if not older.mutates():
        yield
        return
    binding = admin.get(MUTATING_BINDINGS, None, FINALIZER_POLICY).body
    assert admin.delete(MUTATING_BINDINGS, binding).ok
    try:
        eventually(lambda: not born_with_it(), "the policy lets go")
        yield
    finally:
        again = {key: binding[key] for key in ("apiVersion", "kind", "spec")}
        named = {"name": FINALIZER_POLICY, "labels": binding["metadata"].get("labels", {})}
        assert admin.create(MUTATING_BINDINGS, again | {"metadata": named}).ok
        eventually(born_with_it, "the policy holds again")


@dataclass(frozen=True)
class Place:
    """A namespace that takes part, and who acts in it: `person` has `edit` there."""

    namespace: str
    admin: Person
    person: Person
    operator: Person


def in_force(person: Person, namespace: str) -> bool:
    """Whether the policies hold yet; the API server takes a second to see new ones, all together."""
    refused = (
        person.create(INGRESSES, ingress(namespace, {ISSUER: "No!"}), dry_run=True),
        person.create(SECRETS, secret(namespace, GATE), dry_run=True),
        person.create(CONFIGMAPS, configmap(namespace, "any", labels=OURS), dry_run=True),
        person.create(CERTIFICATES, certificate(namespace, issuer={"name": "none"}), dry_run=True),
    )
    return all("ValidatingAdmissionPolicy" in answer.message for answer in refused)


# --- objects


def secret(namespace: str, name: str, *, labels: Mapping[str, str] | None = None, data: str = "one") -> Object:
    metadata = {"namespace": namespace, "name": name, "labels": dict(labels or {})}
    return {"metadata": metadata, "data": {"ca.crl": base64.b64encode(data.encode()).decode()}}


def configmap(namespace: str, name: str, *, labels: Mapping[str, str] | None = None, data: str = "one") -> Object:
    return {"metadata": {"namespace": namespace, "name": name, "labels": dict(labels or {})}, "data": {"ca.crl": data}}


BUNDLE = {
    "ca.crt": "-----BEGIN CERTIFICATE-----\none\n-----END CERTIFICATE-----\n",
    "ca.crl": "-----BEGIN X509 CRL-----\none\n-----END X509 CRL-----\n",
}
"""As far as a policy can tell."""


def encoded(data: Mapping[str, str]) -> dict[str, str]:
    return {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}


def gate(namespace: str, **data: str) -> Object:
    """As the operator writes it."""
    body = secret(namespace, GATE, labels=OURS | {"doorward.io/role": "gate"})
    return body | {"type": "Opaque", "data": encoded(BUNDLE | data)}


def crl(namespace: str) -> Object:
    """As the operator writes it."""
    return configmap(namespace, "partners-crl", labels=OURS | {"doorward.io/role": "crl"}) | {"data": dict(BUNDLE)}


def client_secret(place: "Place", name: str, *, data: str = "one") -> Object:
    """As the operator writes it, for a ClientCertificate that is there."""
    there = place.admin.get(CERTIFICATES, place.namespace, "alice")
    if not there.ok:
        there = place.admin.create(CERTIFICATES, certificate(place.namespace, issuer={"name": "partners"}))
    owner = {
        "apiVersion": "doorward.io/v1alpha1",
        "kind": "ClientCertificate",
        "name": "alice",
        "uid": there.body["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": False,
    }
    body = secret(place.namespace, name, labels=OURS | {"doorward.io/role": "client"})
    body["metadata"]["ownerReferences"] = [owner]
    return body | {"type": "kubernetes.io/tls", "data": encoded({"tls.crt": data, "tls.key": data, "ca.crt": data})}


def record(namespace: str) -> Object:
    return {
        "apiVersion": "doorward.io/v1alpha1",
        "kind": "IssuedCertificate",
        "metadata": {"namespace": namespace, "name": "partners.1.2a", "labels": OURS | {"doorward.io/role": "record"}},
        "spec": {
            "issuerName": "partners",
            "generation": 1,
            "serialNumber": "2a",
            "subject": "CN=alice",
            "notBefore": "2026-01-01T00:00:00Z",
            "notAfter": "2036-01-01T00:00:00Z",
            "fingerprints": {"sha256": "a" * 64, "sha1": "b" * 40},
            "publicKeySHA256": "c" * 64,
            "clientCertificate": {"namespace": namespace, "name": "alice", "uid": "1"},
        },
    }


def certificate(namespace: str, *, issuer: Mapping[str, str], name: str = "alice", **spec: Any) -> Object:
    return {
        "apiVersion": "doorward.io/v1alpha1",
        "kind": "ClientCertificate",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"issuerRef": dict(issuer), "commonName": "alice.example", **spec},
    }


def client_with_finalizer(place: "Place", **spec: Any) -> Object:
    """A ClientCertificate that the administrator made, with the finalizer: where no policy puts it on, by the operator."""
    made = place.admin.create(CERTIFICATES, certificate(place.namespace, issuer={"name": "partners"}, **spec))
    if made.ok and not older.mutates():
        made = place.operator.patch(CERTIFICATES, made.body, {"metadata": {"finalizers": [FINALIZER]}})
    assert made.ok, made.message
    return made.body


def ca_secret(place: "Place", name: str, *, data: str = "one") -> Object:
    """As the operator writes it."""
    body = secret(place.namespace, name, labels=OURS | {"doorward.io/role": "ca"})
    return body | {"type": "kubernetes.io/tls", "data": encoded({"tls.crt": data, "tls.key": data, "ca.crt": data})}


def account(home: Home, name: str, *verbs: str, resource: str = "secrets", group: str = "") -> Person:
    """Somebody with these verbs on that resource in the namespace; called again, with more."""
    role = f"{name}-{resource}"
    rules = [{"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}]
    assert home.admin.create(ROLES, {"metadata": {"namespace": home.namespace, "name": role}, "rules": rules}).ok
    person = home.admin.alias(f"{name}.{home.namespace}")
    bind(home.admin, home.namespace, person.name, role, kind="Role")
    return person


def host_of(namespace: str) -> str:
    """A host of its own: one that namespaces share is said of each of their Ingresses, and they come and go."""
    return f"{namespace}.example"


def ingress(namespace: str, annotations: Mapping[str, str], **metadata: Any) -> Object:
    back_end = {"service": {"name": "app", "port": {"number": 80}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": back_end}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"namespace": namespace, "name": "app", "annotations": dict(annotations), **metadata},
        "spec": {"ingressClassName": "nginx", "rules": [{"host": host_of(namespace), "http": {"paths": paths}}]},
    }
