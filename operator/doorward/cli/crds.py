"""`doorward crds`: the CustomResourceDefinitions, from the models."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from doorward.api.crds import files


def command(
    *,
    directory: Annotated[
        Path | None,
        typer.Option("--directory", metavar="PATH", help="Write one file for each kind here instead of printing."),
    ] = None,
) -> int:
    """Print the CustomResourceDefinitions, or write them to a directory."""
    for name, text in files().items():
        if directory is None:
            sys.stdout.write("---\n" + text)
        else:
            (directory / name).write_text(text)
    return 0
