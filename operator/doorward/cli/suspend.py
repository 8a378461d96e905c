"""`doorward suspend NAME`: suspend a client until it is resumed."""

from doorward.cli.acting import DryRun, Name, Yaml, act, check_output
from doorward.cli.options import Context, Kubeconfig, Namespace
from doorward.cli.reading import Where
from doorward.planning import acts


def command(
    name: Name,
    *,
    dry_run: DryRun = "none",
    output: Yaml = None,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> int:
    """Suspend a client: its certificates are refused until it is resumed."""
    dry = check_output(dry_run, output)
    where = Where(kubeconfig=kubeconfig, context=context, namespace=namespace)
    return where.read(lambda reader: act(reader, name, lambda spec, _: acts.suspend(spec), dry_run=dry))
