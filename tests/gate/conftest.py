"""Hosts behind ingress-nginx, put up by each test."""

import pytest

from tests.support.home import Home
from tests.testbed.ingress_nginx import IngressNginx

from .doors import Door, Street


@pytest.fixture
def street(ingress_nginx: IngressNginx, home: Home) -> Street:
    """Where hosts of the namespace are put up."""
    return Street.build(ingress_nginx, home)


@pytest.fixture
def shop(street: Street) -> Door:
    """A host that lets in the clients of the issuer `partners`, whether it is there or not."""
    return street.door("shop")
