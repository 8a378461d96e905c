"""openssl for the tests of X.509."""

import pytest

from tests.support.openssl import OpenSsl


@pytest.fixture(scope="session")
def openssl(tmp_path_factory: pytest.TempPathFactory) -> OpenSsl:
    """openssl with a folder for its files; it keeps no other state."""
    return OpenSsl(tmp_path_factory.mktemp("openssl"))
