"""`doorward version`: which Doorward this is, and on which Python it runs."""

import platform
from importlib.metadata import version


def command() -> int:
    """Print the version of Doorward and of Python."""
    # `pyproject.toml` is the only place where the version is written; the package's metadata has it from there.
    print(f"doorward {version('doorward')} (Python {platform.python_version()})")
    return 0
