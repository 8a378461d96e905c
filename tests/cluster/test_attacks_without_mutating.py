"""A cluster whose API server serves no mutating policies, since it emulates Kubernetes 1.34, installed as docs/install.md says for it.

What is emulated: the kinds that 1.34 serves by default, its features, and the functions that its admission policies know.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import config

from doorward.gates.ingress_nginx import per_request
from doorward.objects.meta import FINALIZER, ObjectKey
from tests.support import older
from tests.support.home import Home, client
from tests.support.ingress_shapes import BESIDE, KNOWN, UNKNOWN, changed
from tests.support.installation import GATE_SERVICE, ROOT, OperatorProcess
from tests.support.kube import CERTIFICATES, INGRESSES, ISSUERS, SECRETS, Person, bind, eventually
from tests.support.openssl import OpenSsl
from tests.testbed import flags
from tests.testbed.controlplane import Cluster

from .policies_support import ISSUER, SECRET, VERIFY, host_of, ingress

KIND = "mutatingadmissionpolicies"
VERSION = "1.34"
CHANGES = {**KNOWN, **UNKNOWN, **BESIDE}
QUESTIONS = (ROOT / "deploy/gate-service/validating-ingress-gate-service.yaml",)
"""What of the gate service's manifests an Ingress meets there."""


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The control plane without that part of its API, and with the rest of Doorward's manifests."""
    folder = tmp_path_factory.mktemp("bare")
    with pytest.MonkeyPatch.context() as patched:
        whole = flags.api_server
        patched.setattr(
            flags,
            "api_server",
            lambda places: [*whole(places), f"--emulated-version={VERSION}"],
        )
        with Cluster.start(folder / "cluster", unsafe_no_fsync=True) as cluster:
            install(cluster, folder / "manifests")
            yield cluster


def install(cluster: Cluster, folder: Path) -> None:
    """docs/install.md: take mutating-*.yaml out of kustomization.yaml first."""
    apply = ("apply", "--server-side", "--force-conflicts")
    cluster.kubectl(*apply, "-f", str(ROOT / "deploy/crds"))
    cluster.kubectl("wait", "--for=condition=Established", "-f", str(ROOT / "deploy/crds"), "--timeout=180s")
    cluster.kubectl(*apply, "-k", str(older.manifests(folder)))


@pytest.fixture(scope="module")
def place(bare: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """The operator at work, and an issuer with alice."""
    operator = OperatorProcess(bare)
    operator.start()
    admin = Person(config.new_client_from_config(config_file=str(bare.kubeconfig)), careful=False)
    home = Home.found(admin, tmp_path_factory.mktemp("home"))
    probe = home.here(client("probe"))
    eventually(lambda: admin.create(CERTIFICATES, probe, dry_run=True).ok, "the API server serves our kinds")
    open_ = ingress(home.namespace, {ISSUER: "No!"})
    eventually(lambda: admin.create(INGRESSES, open_, dry_run=True).status == 422, "the policies are in force")
    home.partners("alice")
    yield home
    operator.close()


@pytest.fixture(scope="module")
def erin(place: Home) -> Person:
    """With `edit`."""
    person = place.admin.alias("erin")
    bind(place.admin, place.namespace, person.name, "edit")
    eventually(lambda: person.may("create", INGRESSES, place.namespace), "edit is bound")
    eventually(lambda: person.may("update", CERTIFICATES, place.namespace), "edit includes doorward-editor")
    return person


def test_it_serves_no_mutating_policies(place: Home):
    assert place.admin.ask("GET", f"/apis/admissionregistration.k8s.io/v1/{KIND}").status == 404
    version = place.admin.ask("GET", "/version").body
    assert f"{version['emulationMajor']}.{version['emulationMinor']}" == VERSION


def test_an_ingress_that_opts_in_without_its_secret_is_refused_with_what_to_add(place: Home, erin: Person):
    answer = erin.create(INGRESSES, ingress(place.namespace, {ISSUER: "partners"}))
    assert (answer.status, f"{place.namespace}/{place.gate}" in answer.message) == (422, True), answer.message


def test_an_ingress_changes_its_issuer_as_the_refusal_says(place: Home, erin: Person):
    body = ingress(place.namespace, {ISSUER: "partners", SECRET: f"{place.namespace}/{place.gate}"})
    assert erin.create(INGRESSES, body).ok
    gate = f"{place.namespace}/doorward.{place.namespace}.staff"
    kept = erin.patch(INGRESSES, body, {"metadata": {"annotations": {ISSUER: "staff"}}})
    assert (kept.status, f"doorward.io/issuer makes it {gate}: change or remove it" in kept.message) == (422, True)
    assert "(without mutating admission policies: change it), in the same request" in kept.message
    removed = erin.patch(INGRESSES, body, {"metadata": {"annotations": {ISSUER: "staff", SECRET: None}}})
    assert (removed.status, f"auth-tls-secret: {gate}" in removed.message) == (422, True), removed.message
    assert erin.patch(INGRESSES, body, {"metadata": {"annotations": {ISSUER: "staff", SECRET: gate}}}).ok
    assert erin.delete(INGRESSES, body).ok


def test_every_shape_is_judged_as_on_a_newer_cluster(place: Home, erin: Person):
    marks = {ISSUER: "partners", SECRET: f"{place.namespace}/{place.gate}"}
    body = ingress(place.namespace, marks)
    body["spec"]["tls"] = [{"hosts": [host_of(place.namespace)]}]
    tries = {name: erin.create(INGRESSES, changed(body, change), dry_run=True) for name, change in CHANGES.items()}
    assert {name: answer.body for name, answer in tries.items() if answer.ok is not (name in KNOWN)} == {}


@pytest.fixture
def asked(bare: Cluster, erin: Person, place: Home) -> Iterator[None]:
    """With the gate service's policies."""
    files = [word for path in QUESTIONS for word in ("-f", str(path))]
    bare.kubectl("apply", "--server-side", *files)
    marks = {ISSUER: "partners", SECRET: f"{place.namespace}/{place.gate}"}

    def refused() -> bool:
        return not erin.create(INGRESSES, ingress(place.namespace, marks), dry_run=True).ok

    eventually(refused, "the policy is in force")
    yield
    bare.kubectl("delete", *files)
    eventually(lambda: not refused(), "the policy is gone")


@pytest.mark.usefixtures("asked")
def test_with_the_gate_service_the_refusal_prints_every_line_to_add(place: Home, erin: Person):
    lines = per_request.wanted(GATE_SERVICE, place.namespace, ObjectKey(place.namespace, "partners"))
    lines[SECRET] = f"{place.namespace}/{place.gate}"
    marks = {ISSUER: "partners"}
    rounds = 0
    while not (answer := erin.create(INGRESSES, ingress(place.namespace, marks), dry_run=True)).ok:
        printed = {name: value for name, value in lines.items() if f"{name}: {value}" in answer.message}
        assert printed.keys() - marks.keys(), answer.message
        marks |= printed
        rounds += 1
    assert marks == {ISSUER: "partners"} | lines
    assert rounds <= len(lines) - 1, "not a line at a time"


def test_one_that_brings_its_secret_is_protected_and_cannot_be_opened_by_who_edits_it(place: Home, erin: Person):
    marks = {ISSUER: "partners", SECRET: f"{place.namespace}/{place.gate}"}
    assert erin.create(INGRESSES, ingress(place.namespace, marks)).ok
    place.says(ISSUERS, "partners", "GatesCurrent", "AllCurrent")
    body = place.here({"metadata": {"name": "app"}})
    for change in ({SECRET: None}, {SECRET: f"{place.namespace}/mine"}, {VERIFY: "off"}):
        assert erin.patch(INGRESSES, body, {"metadata": {"annotations": change}}).status == 422, change
    assert "ca.crl" in place.body(SECRETS, place.gate)["data"]


def test_who_deletes_a_client_in_the_moment_it_was_made_is_rid_of_it(place: Home, erin: Person):
    """No finalizer comes with it, so the operator may hear of the deletion only by the object's absence."""
    for number in range(20):
        name = f"brief-{number}"
        place.make(CERTIFICATES, client(name))
        if number % 2:
            eventually(lambda name=name: place.records(name), f"{name} has a record", pause=0.005)
        assert erin.delete(CERTIFICATES, place.here({"metadata": {"name": name}})).ok
    for number in range(20):
        place.gone(CERTIFICATES, f"brief-{number}")


def test_a_client_gets_its_finalizer_from_the_operator_and_is_cut_off_when_it_is_deleted(place: Home, openssl: OpenSsl):
    place.make(CERTIFICATES, client("bob"))
    serial = place.issued("bob")["status"]["serialNumber"]
    assert FINALIZER in place.body(CERTIFICATES, "bob")["metadata"]["finalizers"]
    place.remove(CERTIFICATES, "bob")
    place.gone(CERTIFICATES, "bob")
    assert serial in openssl.crl_entries(place.crl().read_bytes())
