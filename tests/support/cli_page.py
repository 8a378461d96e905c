"""The page docs/cli.md: every command that people run, from its own help.

`python -m tests.support.cli_page` prints it.
"""

import contextlib
import io
import os
from collections.abc import Iterator
from unittest import mock

from doorward.cli.app import VERBS
from doorward.cli.main import main

WIDTH = "100"
_HEAD = """\
# The command line

Made from the commands' own help by `make docs`; do not edit.

`doorward` acts with the rights of your kubeconfig. If one is missing, it names it. It is a plugin of kubectl, too: with
`kubectl-doorward` on your PATH, `kubectl doorward status` is the same as `doorward status`. In a checkout `make venv` installs both
into `.venv/bin`. `make plugin` packs the plugin for krew; it brings its own Python ([decision 0040](decisions/0040-the-plugin-for-krew.md)).

- Where you look: `--context`, `-n NAMESPACE`, or `-A` for all namespaces, as with kubectl. An object of another namespace is written
  as `NAMESPACE/NAME`.
- For programs: `-o json` or `-o yaml`. `-o wide` adds columns for people. Without a terminal there are no colours, and no line is
  wrapped.
- Exit status: 0 if it worked; 1 if it did not; 2 if the command was not understood. The error is one line on standard error.
  [`doorward plan`](#doorward-plan) has an exit status of its own.
- Completion of commands and options: `doorward --install-completion`. kubectl completes `kubectl doorward` if
  `kubectl_complete-doorward` is on your PATH, too.

`doorward run` (the operator) and `doorward gate` (the gate service) run in Pods; `--help` lists their options.
"""


def page() -> str:
    """The whole page."""
    return _HEAD + "".join(_section(verb, text) for verb, text in helps())


def helps() -> Iterator[tuple[str, str]]:
    """By verb, what its help says."""
    for verb in VERBS:
        out = io.StringIO()
        with mock.patch.dict(os.environ, {"COLUMNS": WIDTH}), contextlib.redirect_stdout(out):
            main([verb, "--help"])
        yield verb, out.getvalue()


def _section(verb: str, text: str) -> str:
    return f"\n## doorward {verb}\n\n```text\n{text.rstrip()}\n```\n"


if __name__ == "__main__":
    print(page(), end="")
