"""The options that several verbs have, in one wording."""

from typing import Annotated, Literal

import typer

from doorward.cli.session import lease_key
from doorward.objects.meta import ObjectKey

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
Namespace = Annotated[
    str | None,
    typer.Option(
        "--namespace",
        "-n",
        metavar="NAMESPACE",
        help="Namespace to look in. Defaults to that of the kubeconfig's context.",
    ),
]
AllNamespaces = Annotated[bool, typer.Option("--all-namespaces", "-A", help="Look in all namespaces.")]
Output = Annotated[
    Literal["wide", "json", "yaml"] | None,
    typer.Option(
        "--output", "-o", help="wide: more columns. json, yaml: everything, for programs. Defaults to a table."
    ),
]
OperatorLease = Annotated[
    ObjectKey,
    typer.Option("--lease", parser=lease_key, metavar="NAMESPACE:NAME", help="The Lease of the operator."),
]
