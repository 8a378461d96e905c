"""One ingress-nginx for the whole ring, fast to reload; hosts are put before it by each test."""

from collections.abc import Iterator

import pytest

from tests.cluster import policies_support
from tests.support.home import Home
from tests.support.kube import INGRESSES, Person, eventually
from tests.testbed.controlplane import Cluster
from tests.testbed.ingress_nginx import IngressNginx

from .doors import Door, Street

RELOADS_A_SECOND = 10


@pytest.fixture(scope="session")
def ingress_nginx(cluster: Cluster, admin: Person) -> Iterator[IngressNginx]:
    """The controller; the admission policies hold before the first Ingress is made."""
    with IngressNginx.start(cluster, sync_rate_limit=RELOADS_A_SECOND) as started:
        body = policies_support.ingress("default", {policies_support.ISSUER: "No!"})
        eventually(lambda: admin.create(INGRESSES, body, dry_run=True).status == 422, "the policies are in force")
        yield started


@pytest.fixture
def street(ingress_nginx: IngressNginx, home: Home) -> Street:
    """Where hosts of the namespace are put up."""
    return Street.build(ingress_nginx, home)


@pytest.fixture
def shop(street: Street) -> Door:
    """A host that lets in the clients of the issuer `partners`, whether it is there or not."""
    return street.door("shop")
