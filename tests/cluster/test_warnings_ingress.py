"""What kubectl prints before a change that is lawful and opens a host, or closes all hosts of an issuer for good."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.support import older
from tests.support.home import API, Home, issuer
from tests.support.kube import INGRESSES, NAMESPACES, eventually
from tests.testbed.controlplane import Cluster

from .policies_support import ISSUER, NGINX, SECRET, host_of, ingress

NO_TLS = "this Ingress has no spec.tls"
OPENS = "admits everybody"


def body(namespace: str, *, tls: bool = True, **marks: str) -> dict[str, Any]:
    """An Ingress that opted in, with marks of its own."""
    made = ingress(
        namespace, {ISSUER: "partners"} | {NGINX + name.replace("_", "-"): value for name, value in marks.items()}
    )
    if tls:
        made["spec"]["tls"] = [{"hosts": [host_of(namespace)]}]
    return older.as_written(made)


def created(cluster: Cluster, manifest: Mapping[str, Any]) -> str:
    """What kubectl prints on standard error when it creates that, and nothing is stored."""
    return cluster.kubectl("create", "--dry-run=server", "-f", "-", input=json.dumps(manifest)).stderr


def annotated(cluster: Cluster, namespace: str, *marks: str) -> str:
    """The same, of annotations of the Ingress that is there."""
    return cluster.kubectl(
        "-n", namespace, "annotate", "ingress", "app", "--overwrite", "--dry-run=server", *marks
    ).stderr


@pytest.fixture
def warned(cluster: Cluster, edge) -> Cluster:
    """The cluster, once its warnings are in force."""
    eventually(lambda: NO_TLS in created(cluster, body(edge.namespace, tls=False)), "warnings are in force")
    return cluster


def test_an_ingress_that_opts_in_without_tls_is_warned_of(warned: Cluster, edge):
    assert NO_TLS in created(warned, body(edge.namespace, tls=False, force_ssl_redirect="false"))
    for there in (body(edge.namespace), body(edge.namespace, tls=False, force_ssl_redirect="true")):
        assert "Warning" not in created(warned, there)
    others = ingress(edge.namespace, {})
    assert "Warning" not in created(warned, others)


def test_whoever_takes_the_issuer_off_is_told_that_the_host_opens(warned: Cluster, edge):
    assert edge.person.create(INGRESSES, body(edge.namespace)).ok
    said = annotated(warned, edge.namespace, f"{ISSUER}-")
    assert f"without the annotation doorward.io/issuer, Ingress {edge.namespace}/app admits everybody" in said
    secret = f"{SECRET}={edge.namespace}/doorward.{edge.namespace}.staff"  # where no mutating policy moves it along
    assert "Warning" not in annotated(warned, edge.namespace, f"{ISSUER}=staff", secret)
    assert "Warning" not in annotated(warned, edge.namespace, "a=b")


def test_one_that_never_opted_in_is_changed_without_a_word(warned: Cluster, edge):
    assert edge.person.create(INGRESSES, ingress(edge.namespace, {})).ok
    assert "Warning" not in annotated(warned, edge.namespace, "a=b")


def deleted(cluster: Cluster, namespace: str) -> str:
    """What kubectl prints on standard error when it deletes a namespace, and nothing is deleted."""
    return cluster.kubectl("delete", "namespace", namespace, "--dry-run=server").stderr


def test_whoever_deletes_the_namespace_of_an_issuer_is_told_what_goes_with_it(home: Home, cluster: Cluster):
    home.partners("alice")
    said = "MTLSIssuer partners is in namespace {}, with its CA key, ledger and CRL, and 1 certificates are live"
    eventually(
        lambda: said.format(home.namespace) in deleted(cluster, home.namespace), "the namespace's issuer is named"
    )
    assert home.admin.get(NAMESPACES, None, home.namespace).ok


def test_whoever_deletes_another_namespace_is_told_nothing(cluster: Cluster, edge):
    assert "Warning" not in deleted(cluster, edge.namespace)
    made = issuer() | {"apiVersion": API, "kind": "MTLSIssuer"}
    made["metadata"]["namespace"] = edge.namespace
    cluster.apply(made)
    eventually(lambda: "MTLSIssuer partners is in namespace" in deleted(cluster, edge.namespace), "it is told now")
