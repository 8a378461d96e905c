"""A gate service that knows one issuer and one client."""

from collections.abc import Iterator

import pytest

from . import given
from .given import World


@pytest.fixture
def empty() -> Iterator[World]:
    """A cluster without anything of ours; the service does not follow it yet."""
    with World() as world:
        yield world


@pytest.fixture
def world(empty: World) -> World:
    """Alice has access, and the service knows."""
    empty.add(given.issuer(), given.client(), given.record())
    empty.start()
    assert empty.answer() == "admitted"
    return empty
