"""A namespace on the real API server for the policies, with somebody in it."""

from collections.abc import Iterator

import pytest

from tests.support.audit import Audit
from tests.support.kube import CERTIFICATES, NAMESPACES, OPERATOR, SECRETS, Person, bind, eventually
from tests.testbed.controlplane import Cluster

from .policies_support import Place, in_force


@pytest.fixture(scope="session")
def audit(cluster: Cluster) -> Audit:
    """What the API server wrote down of each request; read once, since it grows to a hundred megabytes."""
    return Audit(cluster)


@pytest.fixture
def edge(admin: Person) -> Iterator[Place]:
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
        admin.delete(CERTIFICATES, body)
        place.operator.patch(CERTIFICATES, body, {"metadata": {"finalizers": None}})
