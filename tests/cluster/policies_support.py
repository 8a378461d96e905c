"""Somebody at the API server, impersonated, and the objects that the policies are about."""

import base64
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
from kubernetes import client, config

OPERATOR = "system:serviceaccount:doorward-system:doorward"
OURS = {"app.kubernetes.io/managed-by": "doorward"}
GATE = "doorward.issuers.partners"
ISSUER = "doorward.io/issuer"
CHOICE = "doorward.io/verify-client"
NGINX = "nginx.ingress.kubernetes.io/"
SECRET = NGINX + "auth-tls-secret"
VERIFY = NGINX + "auth-tls-verify-client"

MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"

Object = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What the API server said; `body` is the object, or a Status."""

    status: int
    body: Object

    @property
    def ok(self) -> bool:
        return self.status < 300

    @property
    def message(self) -> str:
        return str(self.body.get("message", ""))

    @property
    def annotations(self) -> Mapping[str, str]:
        return self.body["metadata"].get("annotations") or {}


class Kind(NamedTuple):
    """A resource in the API's paths."""

    api: str
    plural: str

    def path(self, namespace: str | None, name: str | None = None) -> str:
        parts = [self.api, *(["namespaces", namespace] if namespace else []), self.plural, *([name] if name else [])]
        return "/" + "/".join(parts)


NAMESPACES = Kind("api/v1", "namespaces")
SECRETS = Kind("api/v1", "secrets")
CONFIGMAPS = Kind("api/v1", "configmaps")
INGRESSES = Kind("apis/networking.k8s.io/v1", "ingresses")
CERTIFICATES = Kind("apis/doorward.io/v1alpha1", "clientcertificates")
RECORDS = Kind("apis/doorward.io/v1alpha1", "issuedcertificates")
ROLES = Kind("apis/rbac.authorization.k8s.io/v1", "roles")
ROLEBINDINGS = Kind("apis/rbac.authorization.k8s.io/v1", "rolebindings")
REVIEWS = Kind("apis/authorization.k8s.io/v1", "subjectaccessreviews")
CRDS = Kind("apis/apiextensions.k8s.io/v1", "customresourcedefinitions")
VALIDATING = Kind("apis/admissionregistration.k8s.io/v1", "validatingadmissionpolicies")
BINDINGS = Kind("apis/admissionregistration.k8s.io/v1", "validatingadmissionpolicybindings")


class Person:
    """An account at the API server; without a name the cluster's administrator."""

    def __init__(self, api: client.ApiClient, name: str = "") -> None:
        self._api = api
        self.name = name
        self._as = {"Impersonate-User": name} if name else {}

    def alias(self, name: str) -> "Person":
        return Person(self._api, name)

    def ask(
        self, method: str, path: str, body: Object | None = None, *, content: str = "application/json", query: str = ""
    ) -> Answer:
        headers = {"Accept": "application/json", "Content-Type": content, **self._as}
        self._api.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        answer = self._api.rest_client.pool_manager.request(
            method,
            self._api.configuration.host + path + (f"?{query}" if query else ""),
            headers=headers,
            body=json.dumps(body) if body is not None else None,
        )
        return Answer(answer.status, json.loads(answer.data))

    def get(self, kind: Kind, namespace: str | None, name: str) -> Answer:
        return self.ask("GET", kind.path(namespace, name))

    def create(self, kind: Kind, body: Object, *, dry_run: bool = False) -> Answer:
        query = "dryRun=All" if dry_run else ""
        return self.ask("POST", kind.path(body["metadata"].get("namespace")), body, query=query)

    def replace(self, kind: Kind, body: Object) -> Answer:
        return self.ask("PUT", kind.path(body["metadata"]["namespace"], body["metadata"]["name"]), body)

    def patch(self, kind: Kind, body: Object, change: Object) -> Answer:
        path = kind.path(body["metadata"]["namespace"], body["metadata"]["name"])
        return self.ask("PATCH", path, change, content=MERGE)

    def apply(self, kind: Kind, body: Object, *, manager: str) -> Answer:
        path = kind.path(body["metadata"]["namespace"], body["metadata"]["name"])
        return self.ask("PATCH", path, body, content=APPLY, query=f"fieldManager={manager}&force=true")

    def delete(self, kind: Kind, body: Object, *, propagation: str = "Background") -> Answer:
        path = kind.path(body["metadata"].get("namespace"), body["metadata"]["name"])
        return self.ask("DELETE", path, query=f"propagationPolicy={propagation}")

    def may(self, verb: str, kind: Kind, namespace: str | None = None, *, name: str = "") -> bool:
        """Whether this account has the right, by RBAC alone; asked as the administrator."""
        version = kind.api.split("/")
        attributes = {"verb": verb, "resource": kind.plural, "group": version[1] if len(version) == 3 else ""}
        attributes |= {"namespace": namespace or "", "name": name}
        spec = {"user": self.name, "groups": ["system:authenticated"], "resourceAttributes": attributes}
        answer = Person(self._api).create(REVIEWS, {"metadata": {}, "spec": spec})
        return bool(answer.body["status"]["allowed"])


def eventually(holds: Callable[[], Any], what: str, *, seconds: float = 90) -> Any:
    """The first true answer; asked again and again until then."""
    end = time.monotonic() + seconds
    while True:
        answer = holds()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.1)


def bind(admin: Person, namespace: str, user: str, role: str, *, kind: str = "ClusterRole") -> None:
    """Give `user` the role in the namespace."""
    answer = admin.create(
        ROLEBINDINGS,
        {
            "metadata": {"namespace": namespace, "name": f"{role}.{user}".replace(":", "-")},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
            "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user}],
        },
    )
    assert answer.ok, answer.message


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


@dataclass(frozen=True)
class Place:
    """A namespace that takes part, and who acts in it: `person` has `edit` there."""

    namespace: str
    admin: Person
    person: Person
    operator: Person


@pytest.fixture(scope="session", name="admin")
def admin_fixture(cluster: Any) -> Person:
    """The cluster's administrator."""
    return Person(config.new_client_from_config(config_file=str(cluster.kubeconfig)))


def in_force(person: Person, namespace: str) -> bool:
    """Whether the policies hold yet; the API server takes a second to see new ones, all together."""
    refused = (
        person.create(INGRESSES, ingress(namespace, {ISSUER: "No!"}), dry_run=True),
        person.create(SECRETS, secret(namespace, GATE), dry_run=True),
        person.create(CONFIGMAPS, configmap(namespace, "any", labels=OURS), dry_run=True),
        person.create(CERTIFICATES, certificate(namespace, issuer={"name": "none"}), dry_run=True),
    )
    return all("ValidatingAdmissionPolicy" in answer.message for answer in refused)


@pytest.fixture(name="edge")
def edge_fixture(admin: Person) -> Iterator[Place]:
    """A fresh namespace, with the operator's consent and somebody with `edit`."""
    namespace = admin.create(NAMESPACES, {"metadata": {"generateName": "policies-"}}).body["metadata"]["name"]
    place = Place(namespace, admin, admin.alias(f"erin.{namespace}"), admin.alias(OPERATOR))
    bind(admin, namespace, place.person.name, "edit")
    bind(admin, namespace, OPERATOR, "doorward-secrets")
    eventually(lambda: place.person.may("create", CERTIFICATES, namespace), "edit includes doorward-editor")
    eventually(lambda: place.person.may("create", SECRETS, namespace), "edit is bound")
    eventually(lambda: place.operator.may("update", SECRETS, namespace), "the consent is seen")
    eventually(lambda: in_force(place.person, namespace), "the policies are in force")
    yield place
    admin.delete(NAMESPACES, {"metadata": {"name": namespace}})
    for body in admin.ask("GET", CERTIFICATES.path(namespace)).body["items"]:
        admin.patch(CERTIFICATES, body, {"metadata": {"finalizers": None}})


# --- objects


def secret(namespace: str, name: str, *, labels: Mapping[str, str] | None = None, data: str = "one") -> Object:
    metadata = {"namespace": namespace, "name": name, "labels": dict(labels or {})}
    return {"metadata": metadata, "data": {"ca.crl": base64.b64encode(data.encode()).decode()}}


def configmap(namespace: str, name: str, *, labels: Mapping[str, str] | None = None, data: str = "one") -> Object:
    return {"metadata": {"namespace": namespace, "name": name, "labels": dict(labels or {})}, "data": {"ca.crl": data}}


def gate(namespace: str) -> Object:
    return secret(namespace, GATE, labels=OURS | {"doorward.io/role": "gate"})


def crl(namespace: str) -> Object:
    return configmap(namespace, "partners-crl", labels=OURS | {"doorward.io/role": "crl"})


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


def ingress(namespace: str, annotations: Mapping[str, str], **metadata: Any) -> Object:
    back_end = {"service": {"name": "app", "port": {"number": 80}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": back_end}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"namespace": namespace, "name": "app", "annotations": dict(annotations), **metadata},
        "spec": {"ingressClassName": "nginx", "rules": [{"host": "app.example", "http": {"paths": paths}}]},
    }
