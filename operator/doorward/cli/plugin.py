"""The completion that kubectl asks of a plugin."""

import contextlib
import os
import shlex
import sys

from doorward.cli.main import main

NO_FILES = ":4"
"""What ends the answer to kubectl: no names of files are to be offered (cobra's ShellCompDirectiveNoFileComp)."""


def complete() -> int:
    """`kubectl_complete-doorward WORD…`, by which kubectl asks what could follow; the last word is not complete, or empty."""
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
