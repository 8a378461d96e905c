"""A namespace that takes part, and what a test does in it: make objects, wait for what they say, take what they give."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.kube import (
    CERTIFICATES,
    CONFIGMAPS,
    INGRESSES,
    ISSUERS,
    MERGE,
    NAMESPACES,
    OPERATOR,
    RECORDS,
    ROLEBINDINGS,
    SECRETS,
    Answer,
    Kind,
    Object,
    Person,
    bind,
    eventually,
)

API = "doorward.io/v1alpha1"
CONSENT = "doorward-secrets"
"""The ClusterRole that a namespace gives to the operator."""


def issuer(name: str = "partners", *, ca: Mapping[str, Any] | None = None, **spec: Any) -> Object:
    """An MTLSIssuer; without `ca` it makes its own."""
    ca = ca or {"generate": {"commonName": f"{name} CA"}}
    return {"apiVersion": API, "kind": "MTLSIssuer", "metadata": {"name": name}, "spec": {"ca": dict(ca), **spec}}


def client(name: str = "alice", *, issuer: str = "partners", **spec: Any) -> Object:
    """A ClientCertificate of that issuer in its own namespace."""
    spec = {"issuerRef": {"name": issuer}, "commonName": f"{name}.example", **spec}
    return {"apiVersion": API, "kind": "ClientCertificate", "metadata": {"name": name}, "spec": spec}


@dataclass(frozen=True)
class Home:
    """A fresh namespace; the administrator acts in it unless said otherwise."""

    namespace: str
    admin: Person
    folder: Path

    @classmethod
    def found(cls, admin: Person, folder: Path, *, consent: bool = True, prefix: str = "home-") -> "Home":
        """A new namespace, with the operator's consent or without."""
        made = admin.create(NAMESPACES, {"metadata": {"generateName": prefix}})
        home = cls(made.body["metadata"]["name"], admin, folder)
        if consent:
            home.consent()
        return home

    def consent(self) -> None:
        """What the README says to do once for each namespace."""
        bind(self.admin, self.namespace, OPERATOR, CONSENT)

    def withdraw(self) -> None:
        """Take back what `consent` gave."""
        items = self.admin.ask("GET", ROLEBINDINGS.path(self.namespace)).body["items"]
        (binding,) = [item for item in items if item["roleRef"]["name"] == CONSENT]
        assert self.admin.delete(ROLEBINDINGS, binding).ok

    def abandon(self) -> None:
        """Delete the namespace; what it holds goes by itself."""
        self.admin.delete(NAMESPACES, {"metadata": {"name": self.namespace}})

    def here(self, body: Object) -> Object:
        """The object, in this namespace."""
        return body | {"metadata": body["metadata"] | {"namespace": self.namespace}}

    def make(self, kind: Kind, body: Object) -> Object:
        """Create it; the API server must take it."""
        answer = self.admin.create(kind, self.here(body))
        assert answer.ok, answer.message
        return answer.body

    def get(self, kind: Kind, name: str) -> Answer:
        """What the API server has of that name."""
        return self.admin.get(kind, self.namespace, name)

    def body(self, kind: Kind, name: str) -> Object:
        """The object, which must be there."""
        answer = self.get(kind, name)
        assert answer.ok, answer.message
        return answer.body

    def change(self, kind: Kind, name: str, change: Object, *, content: str = MERGE) -> Object:
        """Patch it; the API server must take it."""
        answer = self.admin.ask("PATCH", kind.path(self.namespace, name), change, content=content)
        assert answer.ok, answer.message
        return answer.body

    def respec(self, kind: Kind, name: str, **spec: Any) -> Object:
        """Change fields of the spec."""
        return self.change(kind, name, {"spec": spec})

    def remove(self, kind: Kind, name: str) -> None:
        """Delete it; whether it goes at once is another question."""
        answer = self.admin.delete(kind, self.here({"metadata": {"name": name}}))
        assert answer.ok, answer.message

    def gone(self, kind: Kind, name: str) -> None:
        """Wait until it is not there any more."""
        eventually(lambda: self.get(kind, name).status == 404, f"{kind.plural}/{name} is gone")

    def says(self, kind: Kind, name: str, condition: str, reason: str) -> str:
        """Wait until a condition has that reason; its message."""
        return str(self.said(kind, name, condition, reason)["message"])

    def said(self, kind: Kind, name: str, condition: str, reason: str, words: str = "") -> dict[str, Any]:
        """Wait until a condition has that reason, with these words in its message; the condition as it was seen then."""
        return _current(self._saying(kind, name, condition, reason, words), condition)

    def _saying(self, kind: Kind, name: str, condition: str, reason: str, words: str = "") -> Object:
        """Wait until a condition says that; the object as it said so, since a second look may find another status."""
        seen: dict[str, Any] = {}

        def there() -> Object | None:
            body = self.get(kind, name).body
            found = _current(body, condition)
            seen.clear()
            seen.update(found)
            return body if found.get("reason") == reason and words in found["message"] else None

        try:
            body: Object = eventually(there, f"{kind.plural}/{name}: {condition} for the reason {reason}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it says {seen}") from None
        return body

    def condition(self, kind: Kind, name: str, condition: str) -> dict[str, Any]:
        """The condition as it stands, said of the generation that stands; empty where there is none."""
        return _current(self.get(kind, name).body, condition)

    def issued(self, name: str = "alice") -> Object:
        """Wait until the client has its certificate; the ClientCertificate as it said so."""
        return self._saying(CERTIFICATES, name, "Ready", "Issued")

    def serial(self, name: str = "alice") -> str:
        """The serial that the client's status shows, lower-case hex."""
        return str(self.body(CERTIFICATES, name)["status"]["serialNumber"])

    def reissued(self, before: str, name: str = "alice") -> str:
        """Wait until the client has another certificate than that; its serial."""

        def another() -> str | None:
            body = self.body(CERTIFICATES, name)
            serial: str | None = body["status"].get("serialNumber")
            is_issued = _current(body, "Ready").get("reason") == "Issued"
            return serial if is_issued and serial != before else None

        return str(eventually(another, f"{name} has another certificate"))

    @property
    def gate(self) -> str:
        """The name of the Secret with which Ingresses here let in the clients of its issuer `partners`."""
        return f"doorward.{self.namespace}.partners"

    def signing(self, name: str = "partners") -> Object:
        """Wait until the issuer signs; the MTLSIssuer as it said so."""
        return self._saying(ISSUERS, name, "Ready", "Signing")

    def told(self, ingress: str = "app") -> str:
        """Wait until the operator has said of an Ingress what it is with its gate; what it says.

        Of a gate that takes some seconds to come it says GateMissing first, and writes the Ingress once more when it is there.
        """

        def says() -> str:
            said = str(self.get(INGRESSES, ingress).annotations.get("doorward.io/gate", ""))
            return "" if said.startswith("GateMissing") else said

        return str(eventually(says, f"ingresses/{ingress} is told"))

    def partners(self, *clients: str, **spec: Any) -> None:
        """An issuer, and clients that have their certificates."""
        self.make(ISSUERS, issuer(**spec))
        self.signing()
        for name in clients:
            self.make(CERTIFICATES, client(name))
        for name in clients:
            self.issued(name)

    def records(self, holder: str | None = None) -> list[Object]:
        """The ledger, or what of it is one client's, by name: of two, no timestamp tells which was first."""
        items = self.admin.ask("GET", RECORDS.path(self.namespace)).body["items"]
        wanted = [r for r in items if holder is None or r["spec"]["clientCertificate"]["name"] == holder]
        return sorted(wanted, key=lambda r: str(r["metadata"]["name"]))

    def data(self, secret: str) -> dict[str, bytes]:
        """What a Secret holds."""
        return {k: base64.b64decode(v) for k, v in (self.body(SECRETS, secret).get("data") or {}).items()}

    def files(self, client: str = "alice", secret: str | None = None) -> dict[str, Path]:
        """The client's Secret as files, by key."""
        folder = self.folder / f"{self.namespace}-{client}"
        folder.mkdir(exist_ok=True)
        paths = {}
        for key, value in self.data(secret or f"{client}-mtls").items():
            paths[key] = folder / key
            paths[key].write_bytes(value)
        return paths

    def crl(self, issuer: str = "partners") -> Path:
        """The published CRL as a file, PEM."""
        path = self.folder / f"{self.namespace}-{issuer}.crl"
        path.write_text(self.body(CONFIGMAPS, f"{issuer}-crl")["data"]["ca.crl"])
        return path

    def secret(self, name: str, data: Mapping[str, bytes], **body: Any) -> Object:
        """Make a Secret of somebody's own."""
        encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
        return self.make(SECRETS, {"metadata": {"name": name}, "data": encoded, **body})

    def put_secret(self, name: str, data: Mapping[str, bytes]) -> None:
        """Make that Secret, or let it hold this and nothing else."""
        if self.get(SECRETS, name).status == 404:
            self.secret(name, data)
            return
        encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
        answer = self.admin.replace(SECRETS, self.body(SECRETS, name) | {"data": encoded})
        assert answer.ok, answer.message


def _current(body: Object, condition: str) -> dict[str, Any]:
    """The condition of an object, said of the generation that stands; empty where there is none."""
    found = [c for c in body.get("status", {}).get("conditions", ()) if c["type"] == condition]
    current = [c for c in found if c["observedGeneration"] == body["metadata"]["generation"]]
    return dict(current[0]) if current else {}
