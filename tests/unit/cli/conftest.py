"""A cluster with an operator, and a person who asks about it."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from doorward.cli.reading import Reader
from tests.support.memory_gateway import MemoryGateway
from tests.support.operator_bed import NAMESPACE_NAME, OperatorBed
from tests.unit.given import NOW

Missing = Callable[[str, str, str | None], bool]


class Person:
    """Whoever asks, with all rights but those that are `missing`: by verb, kind and namespace."""

    def __init__(self, bed: OperatorBed) -> None:
        self.bed = bed
        self.missing: Missing = lambda _verb, _kind, _namespace: False
        self.namespace: str | None = NAMESPACE_NAME

    def asks(self, work: Callable[[Reader], Awaitable[int]]) -> int:
        async def session(_: Any) -> int:
            gateway = MemoryGateway(self.bed.cluster)
            gateway.missing = self.missing
            try:
                return await work(Reader(gateway, self.bed.clock, self.namespace))
            finally:
                gateway.stop()

        return self.bed.with_gateway(session)


@pytest.fixture
def bed():
    """An issuer with an Ingress, and the clients alice and bob, who can get in."""
    with OperatorBed(NOW, finalizer_at_creation=True, elected=True) as made:
        made.issuer()
        made.ingress()
        made.apply("alice")
        made.apply("bob")
        made.settle()
        yield made


@pytest.fixture
def person(bed):
    return Person(bed)
