"""One cluster with an operator, and what tests look at in it."""

import pytest

from tests.support.operator_bed import OperatorBed
from tests.unit.given import NOW


@pytest.fixture
def bed():
    """An issuer that signs, and one Ingress that lets its clients in."""
    with OperatorBed(NOW, finalizer_at_creation=True) as made:
        made.issuer()
        made.ingress()
        made.settle()
        yield made


@pytest.fixture
def served(bed):
    """The same, with the clients alice and bob, who can get in."""
    bed.apply("alice")
    bed.apply("bob")
    bed.settle()
    return bed
