"""Two operators without any Lease, both at work on the same objects: no CRL and no gate ever forgets a revocation."""

import base64
import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from cryptography import x509
from kubernetes import client as kubernetes_client
from kubernetes import config

from tests.support.audit import Audit, described
from tests.support.bystander import Bystander
from tests.support.home import Home, client
from tests.support.installation import OperatorProcess
from tests.support.kube import (
    CERTIFICATES,
    CONFIGMAPS,
    INGRESSES,
    ISSUERS,
    RECORDS,
    SECRETS,
    Object,
    Person,
    eventually,
)
from tests.testbed.controlplane import Cluster

from .policies_support import ISSUER, ingress

END = b"-----END X509 CRL-----\n"
CLIENTS = [f"client-{number}" for number in range(12)]
ACTS, MOST_ACTS, A_FEW = 150, 1500, 10
"""It ends when both have published a CRL, which the scheduler of the machine decides."""
Crl = tuple[int, Mapping[bytes, frozenset[int]]]
"""The highest number in a bundle; and by CA, as its key identifier, the serials that its CRL names. Two that make the first CA
at once make two of them, and both are shown.
"""


@pytest.fixture(scope="module")
def both(cluster: Cluster) -> Iterator[list[OperatorProcess]]:
    """Each believes that it is alone."""
    both = [OperatorProcess(cluster, name=f"leader-{number}") for number in (1, 2)]
    for operator in both:
        operator.start()
    yield both
    for operator in both:
        operator.close()


@pytest.fixture
def contested(admin: Person, both: list[OperatorProcess], tmp_path: Path) -> Iterator[Home]:  # noqa: ARG001 - they run
    """A namespace with an issuer, its gate and clients, on which both work."""
    home = Home.found(admin, tmp_path)
    home.partners(*CLIENTS)
    home.make(INGRESSES, ingress(home.namespace, {ISSUER: "partners"}))
    home.says(ISSUERS, "partners", "GatesCurrent", "AllCurrent")
    yield home
    home.abandon()


def act(home: Home, dice: random.Random) -> None:
    """Somebody revokes, suspends, lifts, deletes, or makes again; the next one does not wait for what comes of it."""
    name = dice.choice(CLIENTS)
    if home.get(CERTIFICATES, name).status == 404:
        home.admin.create(CERTIFICATES, home.here(client(name)))
        return
    body = home.here({"metadata": {"name": name}})
    match dice.choice(["revoke", "suspend", "lift", "delete", "lose"]):
        case "revoke":
            home.admin.patch(CERTIFICATES, body, {"spec": {"revoked": dice.random() < 0.5}})
        case "suspend":
            home.admin.patch(CERTIFICATES, body, {"spec": {"suspended": True}})
        case "lift":
            home.admin.patch(CERTIFICATES, body, {"spec": {"suspended": False}})
        case "delete":
            home.admin.delete(CERTIFICATES, body)
        case _:
            home.admin.delete(SECRETS, home.here({"metadata": {"name": f"{name}-mtls"}}))


def read(crls: bytes) -> Crl:
    named, numbers = {}, []
    for pem in crls.split(END)[:-1]:
        parsed = x509.load_pem_x509_crl(pem + END)
        numbers.append(parsed.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number)
        ca = parsed.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
        assert ca is not None
        named[ca] = frozenset(entry.serial_number for entry in parsed)
    return max(numbers), named


def all_of(crl: Crl) -> frozenset[int]:
    """The serials that a bundle names."""
    return frozenset[int]().union(*crl[1].values())


def crl_in(body: Object) -> Crl | None:
    """What the CRL ConfigMap or a gate says."""
    if "ca.crl" not in (body.get("data") or {}) or "tls.crt" in body["data"]:
        return None
    text = body["data"]["ca.crl"]
    return read(text.encode() if body["kind"] == "ConfigMap" else base64.b64decode(text))


def forgotten(seen: list[Object]) -> Iterator[str]:
    """What a CRL left out that the one before it named, though no record said since then that it was lifted; numbers that
    do not rise; gates that hold what was not published, or go back.
    """
    lifted: dict[int, bool] = {}
    forgiven: set[int] = set()
    crls: list[Crl] = [(0, {})]
    gate = 0
    for body in seen:
        crl = crl_in(body)
        if body["kind"] == "IssuedCertificate":
            serial = int(body["spec"]["serialNumber"], 16)
            lifted[serial] = bool((body["spec"].get("revocation") or {}).get("lifted"))
            forgiven |= {serial} if lifted[serial] else set()
        elif body["kind"] == "ConfigMap" and crl is not None:
            # A CA that is not shown any more takes its serials along: nobody has access with what it signed.
            before = frozenset[int]().union(*(serials for ca, serials in crls[-1][1].items() if ca in crl[1]))
            yield from (f"CRL {crl[0]} lets in {serial:x}" for serial in before - all_of(crl) - forgiven)
            if len(crl[1]) != body["data"]["ca.crt"].count("BEGIN CERTIFICATE"):
                yield f"CRL {crl[0]} is of {len(crl[1])} CAs, and others are shown"
            if crl[0] <= crls[-1][0]:
                yield f"CRL {crl[0]} follows {crls[-1][0]}"
            crls.append(crl)
            forgiven = {serial for serial, now in lifted.items() if now}
        elif crl is not None:
            if crl not in crls or crl[0] < gate:
                yield f"the gate holds {crl[0]} after {gate}"
            gate = crl[0]


def refused(home: Home) -> set[int]:
    """The serials that the ledger refuses now, of the CA generations that are shown."""
    shown = json.loads(home.body(CONFIGMAPS, "partners-crl")["metadata"]["annotations"]["doorward.io/ca-generations"])
    records = [record["spec"] for record in home.records() if str(record["spec"]["generation"]) in shown]
    said = {int(spec["serialNumber"], 16): spec.get("revocation") for spec in records}
    return {serial for serial, revocation in said.items() if revocation and not revocation.get("lifted")}


def published(home: Home) -> bool:
    """Whether CRL and gate name all that the ledger refuses, and nobody else."""
    gate = home.body(SECRETS, home.gate)
    crls = [crl_in(home.body(CONFIGMAPS, "partners-crl")), crl_in(gate)]
    return all(crl is not None and all_of(crl) == refused(home) for crl in crls)


@pytest.mark.promise(1)
def test_two_that_both_believe_that_they_lead_never_publish_a_crl_that_forgets(
    cluster: Cluster, contested: Home, both: list[OperatorProcess]
):
    api: kubernetes_client.ApiClient = config.new_client_from_config(config_file=str(cluster.kubeconfig))
    bystander = Bystander(api, contested.namespace, [CONFIGMAPS, SECRETS, RECORDS])
    audit, dice = Audit(cluster), random.Random(5)
    audit.rest(contested.namespace)  # else the gate that is seen first may hold a CRL that nobody saw
    with bystander.watching():
        for number in range(MOST_ACTS):
            act(contested, dice)
            if number >= ACTS and number % A_FEW == 0 and all(commits(audit, one)[200] for one in both):
                break
        audit.rest(contested.namespace)
        eventually(lambda: published(contested), "all that the ledger refuses is published")
    seen = bystander.seen()
    report(seen, audit, both)
    assert list(forgotten(seen)) == []


def report(seen: list[Object], audit: Audit, both: list[OperatorProcess]) -> None:
    """How much there was to forget, and that both had a hand in it."""
    crls = [crl for body in seen if body["kind"] == "ConfigMap" and (crl := crl_in(body)) is not None]
    made = [commits(audit, operator) for operator in both]
    print(f"\n{len(crls)} CRLs of up to {max(len(all_of(crl)) for crl in crls)} entries; commits by answer: {made}")
    assert all(of_one[200] for of_one in made)


def commits(audit: Audit, operator: OperatorProcess) -> Counter[int]:
    """How one of them fared with the CRL ConfigMap, by the API server's answers."""
    written = audit.written_with(operator.credential)
    return Counter(event["responseStatus"]["code"] for event in written if described(event) == "update configmaps")
