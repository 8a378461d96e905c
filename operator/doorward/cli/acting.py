"""What `revoke`, `suspend`, `resume` and `reissue` share: change one ClientCertificate, or print it for Git."""

import sys
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import typer
import yaml

from doorward.cli.client import issuer_of
from doorward.cli.errors import UserError
from doorward.cli.printed import note
from doorward.cli.reading import Reader
from doorward.cli.text import one_line
from doorward.clock import Clock
from doorward.cluster.errors import NotFound
from doorward.cluster.gateway import CLIENT_CERTIFICATE, Object
from doorward.planning import acts
from doorward.planning.acts import Change, Refused

FIELD_MANAGER = "kubectl-doorward"
"""Of what a person writes with it: never the operator's own name."""
REVERTED = (
    "{tool} applies ClientCertificate {at}, and may undo this at its next run: change the file too"
    " (--dry-run=client -o yaml prints it)"
)
DELETED = "ClientCertificate {at} is being deleted: its certificates are refused, whatever its spec says"
NEXT = "`doorward client {at}` shows what the operator makes of it"
Act = Callable[[Mapping[str, Any], Clock], Change | Refused]

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of a ClientCertificate, or NAMESPACE/NAME.")]
DryRun = Annotated[
    Literal["none", "client"],
    typer.Option("--dry-run", help="client: write nothing to the cluster, and print the changed object."),
]
Yaml = Annotated[
    Literal["yaml"] | None, typer.Option("--output", "-o", help="yaml: with --dry-run=client, the object for Git.")
]


async def act(reader: Reader, name: str, change: Act, *, dry_run: bool) -> int:
    """Do it, or print it; UserError where it would not do what was asked."""
    at = reader.named(name)
    try:
        body = await reader.gateway.get(CLIENT_CERTIFICATE, at.namespace, at.name)
    except NotFound:
        raise UserError(
            f"there is no ClientCertificate {at}", "`doorward find NAME` looks for its certificates"
        ) from None
    wanted = change(body["spec"], reader.clock)
    if isinstance(wanted, Refused):
        raise UserError(f"ClientCertificate {at}: {wanted.why}", wanted.hint)
    if dry_run:
        sys.stdout.write(yaml.safe_dump(acts.for_git(body, wanted), sort_keys=False))
        return 0
    if not wanted:
        print(f"ClientCertificate {at} is unchanged: its spec says so already")
        return 0
    await reader.gateway.patch(
        CLIENT_CERTIFICATE, at.namespace, at.name, {"spec": dict(wanted)}, query={"fieldManager": FIELD_MANAGER}
    )
    said = ", ".join(f"spec.{field}: {_value(value)}" for field, value in wanted.items())
    print(f"set {one_line(said)} on ClientCertificate {at} of MTLSIssuer {issuer_of(at, body)}")
    print(NEXT.format(at=at))
    _warn(body, str(at))
    return 0


def check_output(dry_run: str, output: str | None) -> bool:
    """Whether it is a dry run; UserError where YAML is asked for without one."""
    if output is not None and dry_run == "none":
        raise UserError("-o yaml prints a change that is not made", "add --dry-run=client", status=2)
    return dry_run == "client"


def _value(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value


def _warn(body: Object, at: str) -> None:
    if "deletionTimestamp" in body["metadata"]:
        note(DELETED.format(at=at))
    if (tool := acts.applier_of(body)) is not None:
        note(REVERTED.format(tool=tool, at=at))
