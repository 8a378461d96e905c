"""The API server as a test asks it: somebody's requests, and their answers as they are."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from kubernetes import client

from tests.support import older

OPERATOR = "system:serviceaccount:doorward-system:doorward"
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"

Object = dict[str, Any]

FIRST_PAUSE, GROWTH, LONGEST_PAUSE = 0.05, 1.2, 0.25
"""Seconds between looks: what has waited for long may wait a fifth longer, and leaves the machine to those who work."""


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
EVENTS = Kind("api/v1", "events")
LEASES = Kind("apis/coordination.k8s.io/v1", "leases")
INGRESSES = Kind("apis/networking.k8s.io/v1", "ingresses")
ISSUERS = Kind("apis/doorward.io/v1alpha1", "mtlsissuers")
CERTIFICATES = Kind("apis/doorward.io/v1alpha1", "clientcertificates")
RECORDS = Kind("apis/doorward.io/v1alpha1", "issuedcertificates")
ROLES = Kind("apis/rbac.authorization.k8s.io/v1", "roles")
ROLEBINDINGS = Kind("apis/rbac.authorization.k8s.io/v1", "rolebindings")
REVIEWS = Kind("apis/authorization.k8s.io/v1", "subjectaccessreviews")
CRDS = Kind("apis/apiextensions.k8s.io/v1", "customresourcedefinitions")
VALIDATING = Kind("apis/admissionregistration.k8s.io/v1", "validatingadmissionpolicies")
BINDINGS = Kind("apis/admissionregistration.k8s.io/v1", "validatingadmissionpolicybindings")


class Person:
    """An account at the API server; without a name the cluster's administrator.

    `careful`: where no mutating policy writes it, this person gives each Ingress that opts in its auth-tls-secret.
    """

    def __init__(self, api: client.ApiClient, name: str = "", *, careful: bool = True) -> None:
        self._api = api
        self._careful = careful
        self.name = name
        self._as = {"Impersonate-User": name} if name else {}

    def alias(self, name: str) -> "Person":
        return Person(self._api, name, careful=self._careful)

    def careless(self) -> "Person":
        """The same account, sending everything as it is."""
        return Person(self._api, self.name, careful=False)

    def ask(
        self, method: str, path: str, body: Object | None = None, *, content: str = "application/json", query: str = ""
    ) -> Answer:
        headers = {"Accept": "application/json", "Content-Type": content, **self._as}
        if self._careful and not older.mutates():
            body = older.with_its_secret(path, body)
        self._api.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        answer = self._api.rest_client.pool_manager.request(
            method,
            self._api.configuration.host + path + (f"?{query}" if query else ""),
            headers=headers,
            body=json.dumps(body) if body is not None else None,
        )
        try:
            return Answer(answer.status, json.loads(answer.data))
        except ValueError:  # a server that starts says of what it does not serve yet that there is no such page
            return Answer(answer.status, {"message": answer.data.decode(errors="replace")})

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


def eventually(holds: Callable[[], Any], what: str, *, seconds: float = 90, pause: float | None = None) -> Any:
    """The first true answer; asked again and again until then, ever more seldom unless the `pause` is given."""
    end = time.monotonic() + seconds
    growing = FIRST_PAUSE
    while True:
        answer = holds()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(growing if pause is None else pause)
        growing = min(growing * GROWTH, LONGEST_PAUSE)


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
