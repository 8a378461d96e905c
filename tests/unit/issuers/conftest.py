"""Publishers, and what is published."""

import pytest

from tests.unit import given
from tests.unit.issuers.bed import LIFTED, ONE, PublisherBed, signed


@pytest.fixture
def bed():
    return PublisherBed()


@pytest.fixture
def published(bed):
    """Serial 1 is refused, and published."""
    bed.record(ONE)
    bed.publish({1: signed(1, given.entry(1))})
    return bed


@pytest.fixture
def lifted(bed):
    """The hold of serial 1 was lifted, and is published still."""
    bed.record(LIFTED)
    bed.publish({1: signed(1, given.entry(1, "certificateHold"))})
    return bed
