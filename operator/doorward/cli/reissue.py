"""`doorward reissue NAME`: ask for another certificate now."""

from doorward.api.conditions import instant
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
    """Reissue a client's certificate now. The old one is valid until it expires or `certificates.supersededGracePeriod` ends."""
    dry = check_output(dry_run, output)
    where = Where(kubeconfig=kubeconfig, context=context, namespace=namespace)
    return where.read(
        lambda reader: act(
            reader,
            name,
            lambda spec, clock: acts.reissue(spec, instant(clock.now().replace(microsecond=0))),
            dry_run=dry,
        )
    )
