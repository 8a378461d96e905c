"""The options that several verbs have, in one wording."""

from typing import Annotated

import typer

Kubeconfig = Annotated[
    str | None,
    typer.Option(
        "--kubeconfig", metavar="PATH", help="Path of the kubeconfig. Defaults to $KUBECONFIG, else ~/.kube/config."
    ),
]
Context = Annotated[
    str | None,
    typer.Option("--context", metavar="NAME", help="Context of the kubeconfig. Defaults to its current context."),
]
