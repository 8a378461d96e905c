"""As what the command was started: `doorward`, or the plugin of kubectl; and the completion that kubectl asks of a plugin."""

import contextlib
import os
import shlex
import sys
from pathlib import Path

NO_FILES = ":4"
"""What ends the answer to kubectl: no names of files are to be offered (cobra's ShellCompDirectiveNoFileComp)."""


def program() -> str:
    """The words that its users type."""
    return "kubectl doorward" if Path(sys.argv[0]).stem.startswith("kubectl") else "doorward"


def complete() -> int:
    """`kubectl_complete-doorward WORD…`, by which kubectl asks what could follow; the last word is not complete, or empty."""
    from doorward.cli.main import main

    words = sys.argv[1:] or [""]
    os.environ |= {
        "_DOORWARD_COMPLETE": "complete_bash",
        "COMP_WORDS": shlex.join(["doorward", *words]),
        "COMP_CWORD": str(len(words)),
    }
    sys.argv[0] = "doorward"
    with contextlib.suppress(SystemExit):  # Typer ends the process when it has answered
        main([])
    print(NO_FILES)
    return 0
