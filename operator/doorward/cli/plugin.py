"""As what the command was started: `doorward`, or the plugin of kubectl."""

import sys
from pathlib import Path


def program() -> str:
    """The words that its users type."""
    return "kubectl doorward" if Path(sys.argv[0]).stem.startswith("kubectl") else "doorward"
