"""`doorward run -n A -n B` serves these namespaces, and leaves all others alone."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.support.home import Home, client, issuer
from tests.support.installation import OperatorProcess
from tests.support.kube import CERTIFICATES, ISSUERS, Person
from tests.testbed.controlplane import Cluster


class Three(NamedTuple):
    first: Home
    second: Home
    third: Home


@pytest.fixture(scope="module")
def three(admin: Person, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Three]:
    """Three namespaces that consented."""
    homes = [Home.found(admin, tmp_path_factory.mktemp("scope"), prefix="scope-") for _ in Three._fields]
    yield Three(*homes)
    for home in homes:
        home.abandon()


@pytest.fixture(scope="module", autouse=True)
def scoped(cluster: Cluster, three: Three) -> Iterator[OperatorProcess]:
    """The operator, for the first two of them."""
    arguments = [f"--namespace={home.namespace}" for home in (three.first, three.second)]
    operator = OperatorProcess(cluster, name="scoped", arguments=arguments)
    operator.start()
    yield operator
    operator.close()


@pytest.mark.parametrize("which", ["first", "second"])
def test_a_namespace_in_scope_is_served(three: Three, which: str):
    home: Home = getattr(three, which)
    home.partners("alice")
    home.respec(CERTIFICATES, "alice", revoked=True)
    home.says(CERTIFICATES, "alice", "Admitted", "Revoked")


def test_a_namespace_out_of_scope_is_left_alone(three: Three):
    three.third.make(ISSUERS, issuer("outside"))
    three.third.make(CERTIFICATES, client(issuer="outside"))
    # The operator is seen to have gone on since.
    three.first.make(ISSUERS, issuer("later"))
    three.first.signing("later")
    assert three.third.body(ISSUERS, "outside")["status"] == {"observedGeneration": -1}
    assert three.third.body(CERTIFICATES, "alice")["status"] == {"observedGeneration": -1}


def test_a_client_of_an_issuer_out_of_scope_is_told_that_there_is_none(three: Three):
    three.third.make(ISSUERS, issuer("elsewhere"))
    reference = {"name": "elsewhere", "namespace": three.third.namespace}
    three.second.make(CERTIFICATES, client("bob", issuerRef=reference))
    three.second.says(CERTIFICATES, "bob", "Ready", "IssuerNotFound")
