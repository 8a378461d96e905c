"""The API server's own word, in the headers of its answers, for which priority level the operator's requests wait in."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from kubernetes import client, config

from tests.support.installation import ACCOUNT, NAMESPACE
from tests.support.kube import (
    CERTIFICATES,
    CONFIGMAPS,
    INGRESSES,
    LEASES,
    MERGE,
    RECORDS,
    SECRETS,
    Kind,
    Object,
    Person,
    eventually,
)
from tests.testbed.controlplane import Cluster

SCHEMAS = Kind("apis/flowcontrol.apiserver.k8s.io/v1", "flowschemas")
LEVELS = Kind("apis/flowcontrol.apiserver.k8s.io/v1", "prioritylevelconfigurations")
HEADERS = ((SCHEMAS, "FlowSchema"), (LEVELS, "PriorityLevel"))
LEASE_PATH = LEASES.path(NAMESPACE, "doorward")
OTHER = "default"


@dataclass(frozen=True)
class Answer:
    """What the API server said, and by the names of which flow schema and priority level."""

    status: int
    body: Object
    schema: str
    level: str


class Account:
    """An account at the API server, and the names of the flow schema and priority level that its requests are put into."""

    def __init__(self, admin: Person, api: client.ApiClient, name: str = "") -> None:
        self._admin = admin
        self._api = api
        self._as = {"Impersonate-User": name} if name else {}

    def ask(self, method: str, path: str, body: Object | None = None) -> Answer:
        """`body` None: without effect."""
        headers = {"Accept": "application/json", "Content-Type": MERGE if method == "PATCH" else "application/json"}
        self._api.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        url = self._api.configuration.host + path + ("?dryRun=All" if body is None else "")
        content = None if method == "GET" else json.dumps(body or {})
        answer = self._api.rest_client.pool_manager.request(method, url, headers=headers | self._as, body=content)
        names = [self._named(kind, answer.headers[f"X-Kubernetes-PF-{header}-UID"]) for kind, header in HEADERS]
        return Answer(answer.status, json.loads(answer.data), *names)

    def _named(self, kind: Kind, uid: str) -> str:
        items = self._admin.ask("GET", kind.path(None)).body["items"]
        return next(str(body["metadata"]["name"]) for body in items if body["metadata"]["uid"] == uid)


@pytest.fixture(scope="module")
def operator(cluster: Cluster, admin: Person) -> Account:
    """The operator's own account, with a token of its own; the schemas are in force."""
    kubeconfig = cluster.kubeconfig_for_service_account(NAMESPACE, ACCOUNT)
    account = Account(admin, config.new_client_from_config(config_file=str(kubeconfig)))
    for path, schema in ((LEASE_PATH, "doorward-lease"), (CONFIGMAPS.path(OTHER, "a"), "doorward-cut-off")):
        eventually(lambda path=path, schema=schema: account.ask("GET", path).schema == schema, f"{schema} is in force")  # type: ignore[misc]
    return account


@pytest.fixture
def free(cluster: Cluster) -> Iterator[None]:
    """There is no Lease of the operator's, before and after."""
    delete = ("delete", "lease", f"--namespace={NAMESPACE}", "doorward", "--ignore-not-found")
    cluster.kubectl(*delete)
    yield
    cluster.kubectl(*delete)


@pytest.mark.usefixtures("free")
def test_a_renewal_of_the_operators_lease_is_in_a_flow_schema_of_its_own(operator: Account):
    lease = {"metadata": {"namespace": NAMESPACE, "name": "doorward"}, "spec": {"holderIdentity": "test"}}
    taken = operator.ask("POST", LEASES.path(NAMESPACE), lease)
    renewed = operator.ask("PUT", LEASE_PATH, taken.body)
    assert (taken.status, renewed.status) == (201, 200)
    assert {(answer.schema, answer.level) for answer in (taken, renewed)} == {("doorward-lease", "leader-election")}


@pytest.mark.parametrize(
    ("method", "path", "schema"),
    [
        pytest.param("GET", LEASE_PATH, "doorward-lease", id="a Lease that is read"),
        pytest.param("PUT", LEASE_PATH, "doorward-lease", id="a Lease that is renewed"),
        pytest.param("PATCH", RECORDS.path(OTHER, "a"), "doorward-cut-off", id="a revocation in the ledger"),
        pytest.param("POST", CONFIGMAPS.path(OTHER), "doorward-cut-off", id="a first CRL"),
        pytest.param("PUT", CONFIGMAPS.path(OTHER, "a"), "doorward-cut-off", id="the next CRL"),
        pytest.param(
            "GET", CONFIGMAPS.path(OTHER, "a"), "doorward-cut-off", id="a CRL that is read before it is written"
        ),
        pytest.param("PUT", SECRETS.path(OTHER, "a"), "doorward-cut-off", id="a gate that gets the next CRL"),
        pytest.param("DELETE", SECRETS.path(OTHER, "a"), "doorward-cut-off", id="a gate that is closed"),
        pytest.param("PATCH", CERTIFICATES.path(OTHER, "a"), "doorward-cut-off", id="a finalizer"),
        pytest.param("POST", RECORDS.path(OTHER), "service-accounts", id="a certificate that is recorded"),
        pytest.param("POST", SECRETS.path(OTHER), "service-accounts", id="a new client Secret"),
        pytest.param("PATCH", CERTIFICATES.path(OTHER, "a") + "/status", "service-accounts", id="a status"),
        pytest.param("PATCH", INGRESSES.path(OTHER, "a"), "service-accounts", id="an Ingress"),
        pytest.param("GET", RECORDS.path(None), "service-accounts", id="the whole ledger"),
        pytest.param("PUT", LEASES.path(OTHER, "a"), "service-accounts", id="somebody else's Lease"),
    ],
)
def test_the_flow_schema_is_that_of(operator: Account, method: str, path: str, schema: str):
    assert operator.ask(method, path).schema == schema


def test_lease_and_cut_offs_and_the_issuing_of_certificates_wait_in_three_levels(operator: Account):
    requests = [("PUT", LEASE_PATH), ("PUT", CONFIGMAPS.path(OTHER, "a")), ("POST", SECRETS.path(OTHER))]
    levels = [operator.ask(method, path).level for method, path in requests]
    assert levels == ["leader-election", "doorward-cut-off", "workload-low"]


@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize("path", [LEASE_PATH, CONFIGMAPS.path(OTHER, "a"), SECRETS.path(OTHER, "a")])
def test_the_requests_of_another_account_are_not_taken_for_the_operators(cluster: Cluster, admin: Person, path: str):
    api = config.new_client_from_config(config_file=str(cluster.kubeconfig))
    neighbour = Account(admin, api, f"system:serviceaccount:{NAMESPACE}:neighbour")
    assert neighbour.ask("PUT", path).schema == "service-accounts"


@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize("name", ["doorward-lease", "doorward-cut-off"])
def test_a_flow_schema_finds_its_priority_level(admin: Person, name: str):
    def dangling() -> str:
        conditions = admin.get(SCHEMAS, None, name).body.get("status", {}).get("conditions", [])
        return next((str(each["status"]) for each in conditions if each["type"] == "Dangling"), "")

    assert eventually(dangling, "the API server has looked at it") == "False"
