"""One host behind ingress-nginx for all clients, and what they hold."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.conftest import RELOADS_A_SECOND
from tests.gate.doors import IN, Street
from tests.support import installation
from tests.support.home import Home
from tests.support.kube import Person
from tests.support.openssl import OpenSsl
from tests.testbed.controlplane import Cluster
from tests.testbed.ingress_nginx import IngressNginx

from . import site as sites
from .site import HOLDERS, UNTOUCHED, Exported, Site


@pytest.fixture(scope="session")
def running_operator(cluster: Cluster) -> Iterator[installation.OperatorProcess]:
    """The operator, started once."""
    operator = installation.OperatorProcess(cluster)
    operator.start()
    yield operator
    operator.close()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where files of clients lie."""
    return tmp_path_factory.mktemp("clients")


@pytest.fixture(scope="session")
def town(
    admin: Person,
    running_operator: installation.OperatorProcess,  # noqa: ARG001 - it runs
    folder: Path,
) -> Iterator[Home]:
    """The namespace, with an issuer."""
    home = Home.found(admin, folder)
    home.partners()
    yield home
    home.abandon()


@pytest.fixture(scope="session")
def server_ca(town: Home, openssl: OpenSsl, folder: Path) -> Path:
    """Who signed the host's own certificate, which lies in the Secret `server`."""
    return sites.server_certificate(town, openssl, folder)


@pytest.fixture(scope="session")
def ingress_nginx(cluster: Cluster, town: Home, server_ca: Path) -> Iterator[IngressNginx]:  # noqa: ARG001 - it is there
    """The controller, which shows that certificate at every host: without its Lua it can show none of a single host."""
    certificate = f"--default-ssl-certificate={town.namespace}/server"
    with IngressNginx.start(cluster, sync_rate_limit=RELOADS_A_SECOND, arguments=[certificate]) as started:
        yield started


@pytest.fixture(scope="session")
def site(ingress_nginx: IngressNginx, town: Home, server_ca: Path) -> Site:
    """The host that all ask."""
    return sites.built(Street.build(ingress_nginx, town), server_ca)


@pytest.fixture(scope="session")
def exported(cluster: Cluster, town: Home, site: Site, folder: Path) -> Mapping[str, Exported]:
    """What every client holds, by its name, once the host admits them."""
    files = sites.exported(town, cluster.kubeconfig, folder, {**HOLDERS, UNTOUCHED: {}})
    site.door.comes_to_tell({"tls.crt": files[UNTOUCHED].pem}, IN)
    return files
