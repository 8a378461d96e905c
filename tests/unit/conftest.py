"""Hypothesis runs the same examples everywhere, and no example is too slow to count; openssl for what is X.509."""

import pytest
from hypothesis import HealthCheck, settings

from tests.support.openssl import OpenSsl

settings.register_profile(
    "unit", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unit")


@pytest.fixture(scope="session")
def openssl(tmp_path_factory: pytest.TempPathFactory) -> OpenSsl:
    """openssl with a folder for its files; it keeps no other state."""
    return OpenSsl(tmp_path_factory.mktemp("openssl"))
