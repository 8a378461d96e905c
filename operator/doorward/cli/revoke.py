"""`doorward revoke NAME`: refuse a client for good."""

from typing import Annotated

import typer

from doorward.api.issued_certificate import RevocationReason
from doorward.cli.acting import DryRun, Name, Yaml, act, check_output
from doorward.cli.options import Context, Kubeconfig, Namespace
from doorward.cli.reading import Where
from doorward.planning import acts


def command(
    name: Name,
    *,
    reason: Annotated[
        RevocationReason | None,
        typer.Option(
            "--reason", help="Why, as in RFC 5280. keyCompromise also bars the client's keys from new certificates."
        ),
    ] = None,
    dry_run: DryRun = "none",
    output: Yaml = None,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> int:
    """Revoke a client: all its certificates are refused for good. `doorward suspend` refuses them until it is resumed."""
    dry = check_output(dry_run, output)
    where = Where(kubeconfig=kubeconfig, context=context, namespace=namespace)
    return where.read(lambda reader: act(reader, name, lambda spec, _: acts.revoke(spec, reason), dry_run=dry))
