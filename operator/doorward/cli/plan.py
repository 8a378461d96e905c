"""`doorward plan`: who gains and who loses access if files were applied, for the review of a pull request and for a pipeline."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from doorward.api.conditions import instant
from doorward.cli import manifests, plan_admission, plan_worlds
from doorward.cli.errors import UserError
from doorward.cli.manifests import Files, Mistakes
from doorward.cli.options import Context, Kubeconfig, Output
from doorward.cli.plan_doubts import At, Bodies
from doorward.cli.plan_worlds import KINDS, Step
from doorward.cli.printed import Facts, Format, Part, Table, note, show
from doorward.cli.reading import Reader, Where
from doorward.cli.session import default_namespace
from doorward.cli.text import one_line
from doorward.cluster.errors import Forbidden
from doorward.cluster.gateway import NAMESPACE
from doorward.objects.meta import ObjectKey, key_of
from doorward.planning import changes, successors
from doorward.planning.changes import Change
from doorward.planning.successors import NewCertificate

CHANGES, REFUSED = 2, 1
EVERYBODY = "everybody"
ACCESS_HEAD = ("CLIENT", "HOST", "INGRESS", "WHY", "FILE", "ISSUER", "RULE")
NEW_HEAD = ("CLIENT", "WHY", "OLD CERTIFICATE", "FILE", "ISSUER")
IGNORED = "{count} objects of other kinds were not looked at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prune:
    """Which objects that are not in the files are taken for deleted."""

    selector: str = ""
    """Of labels; empty: all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What would happen."""

    steps: Sequence[Step]
    refused: Mapping[At, str]
    access: Sequence[Change]
    certificates: Sequence[NewCertificate]
    doubts: Sequence[str]

    @property
    def status(self) -> int:
        """The exit status."""
        if self.refused:
            return REFUSED
        return CHANGES if self.access or self.certificates else 0

    def places(self, causes: Iterable[tuple[str, ObjectKey]]) -> list[str]:
        """Where the files have these objects."""
        by_at = {step.at: step.place for step in self.steps}
        return [place for cause in causes if (place := by_at.get(cause))]


async def plan(reader: Reader, files: Files, prune: Prune | None, output: Format) -> int:
    """Compare, and print; the exit status."""
    there = await plan_worlds.live(reader, files.manifests)
    pruned = await _pruned(reader, files, there, prune) if prune is not None else []
    steps = plan_worlds.steps(files.manifests, there, pruned)
    refused = await plan_admission.refused(reader, steps)
    after = plan_worlds.after_of(there, (step for step in steps if step.at not in refused))
    both, doubts = await plan_worlds.compared(reader, there, after)
    planned = Planned(
        steps=steps,
        refused=refused,
        access=changes.access(both),
        certificates=successors.new_certificates(both),
        doubts=doubts,
    )
    show(_data(planned, instant(reader.now)), _parts(planned), output)
    for each in reader.notes:
        note(each)
    if files.ignored:
        note(IGNORED.format(count=files.ignored))
    return planned.status


async def _pruned(reader: Reader, files: Files, there: Bodies, prune: Prune) -> list[At]:
    """Those in the namespaces of the files that are not in the files."""
    in_files = {(each.kind, each.key) for each in files.manifests}
    namespaces = sorted({each.key.namespace for each in files.manifests} - {""})
    found: list[At] = []
    for kind in KINDS.values():
        for namespace in namespaces if kind is not NAMESPACE else ():
            try:
                bodies, _ = await reader.gateway.list(kind, namespace, selector=prune.selector, metadata_only=True)
            except Forbidden as error:
                raise UserError(f"cannot tell what would be pruned: {error}") from error
            found += ((kind.name, key_of(body)) for body in bodies)
    return [at for at in found if at not in in_files and at in there]


def _data(planned: Planned, now: str) -> dict[str, Any]:
    """For programs."""
    return {
        "now": now,
        "gains": [_change(planned, each) for each in planned.access if each.effect == "gains"],
        "loses": [_change(planned, each) for each in planned.access if each.effect == "loses"],
        "newCertificates": [
            {
                "client": str(each.client),
                "issuer": str(each.issuer),
                "why": each.why,
                "oldIsRefused": each.old_is_refused,
                "files": planned.places(each.causes),
            }
            for each in planned.certificates
        ],
        "refused": [
            {"object": str(step), "file": step.place, "why": planned.refused[step.at]}
            for step in planned.steps
            if step.at in planned.refused
        ],
        "objects": [{"object": str(step), "change": step.change, "file": step.place} for step in planned.steps],
        "warnings": list(planned.doubts),
    }


def _change(planned: Planned, each: Change) -> dict[str, Any]:
    return {
        "client": str(each.client) if each.client is not None else None,
        "everybody": each.client is None,
        "host": each.host,
        "ingress": str(each.door),
        "issuer": str(each.issuer) if each.issuer is not None else None,
        "rules": list(each.rules),
        "why": each.why,
        "files": planned.places(each.causes),
    }


def _parts(planned: Planned) -> list[Part]:
    """For people."""
    parts: list[Part] = []
    for title, effect in (("Gains access", "gains"), ("Loses access", "loses")):
        rows = [_row(planned, each) for each in planned.access if each.effect == effect]
        parts.append(Table(title=title, head=ACCESS_HEAD, rows=rows, wide=2, empty="nobody"))
    if planned.certificates:
        told = [
            (
                each.client,
                each.why,
                "refused" if each.old_is_refused else "stays good",
                _files(planned, each.causes),
                each.issuer,
            )
            for each in planned.certificates
        ]
        parts.append(Table(title="Gets another certificate", head=NEW_HEAD, rows=told, wide=1))
    if planned.refused:
        steps = [step for step in planned.steps if step.at in planned.refused]
        rows_refused = [(step, planned.refused[step.at], step.place) for step in steps]
        parts.append(Table(title="Refused by the API server", head=("OBJECT", "WHY", "FILE"), rows=rows_refused))
    if planned.doubts:
        parts.append(Table(title="Not certain", head=("WHY",), rows=[(each,) for each in planned.doubts]))
    counts = {
        change: sum(step.change == change for step in planned.steps)
        for change in ("created", "changed", "deleted", "unchanged")
    }
    parts.append(Facts(title="Objects", rows=[(change, count or "") for change, count in counts.items()]))
    return parts


def _row(planned: Planned, each: Change) -> tuple[object, ...]:
    who, host = each.client or EVERYBODY, each.host or "*"
    return who, host, each.door, each.why, _files(planned, each.causes), each.issuer or "", " ".join(each.rules)


def _files(planned: Planned, causes: Iterable[tuple[str, ObjectKey]]) -> str:
    return " ".join(planned.places(causes))


def command(
    *,
    filename: Annotated[
        list[str] | None,
        typer.Option(
            "--filename",
            "-f",
            metavar="PATH",
            help="File, or directory with all that is below it; - is standard input. Can be given several times.",
        ),
    ] = None,
    kustomize: Annotated[
        str | None,
        typer.Option(
            "--kustomize", "-k", metavar="DIR", help="Directory with a kustomization: `kubectl kustomize` builds it."
        ),
    ] = None,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune",
            help="Also treat objects as deleted that are in the cluster and not in the files, in the namespaces of the files. Needs -l or --all.",
        ),
    ] = False,
    selector: Annotated[
        str | None,
        typer.Option("--selector", "-l", metavar="SELECTOR", help="With --prune: only objects with these labels."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="With --prune: all objects.")] = False,
    namespace: Annotated[
        str | None,
        typer.Option(
            "--namespace",
            "-n",
            metavar="NAMESPACE",
            help="Namespace of objects in the files that have none. If it is given, another namespace in a file is an error. Defaults to that of the kubeconfig's context.",
        ),
    ] = None,
    output: Output = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> int:
    """Show who would gain and who would lose access if these files were applied. Nothing is written.

    Compares the files with the cluster by the rules of the operator and of the gate service, as if the operator had finished its work.
    Asks the API server which objects it would refuse. Exit status: 0 if nobody's access changes; 2 if somebody's access changes, or
    somebody gets another certificate; 1 for an error, also if the API server would refuse an object.
    """
    pruning = _pruning(prune=prune, selector=selector, everything=everything)
    if bool(filename) == bool(kustomize):
        raise UserError("name either files with -f or a kustomization with -k")
    where = Where(kubeconfig=kubeconfig, context=context, namespace=namespace)
    own = namespace or default_namespace(kubeconfig, context)
    try:
        if kustomize:
            files = manifests.read_kustomization(kustomize, own, required=namespace is not None)
        else:
            files = manifests.read_files(filename or (), own, required=namespace is not None)
        if not files.manifests and not files.ignored:
            raise UserError("there are no objects in the files")
        return where.read(lambda reader: plan(reader, files, pruning, output))
    except Mistakes as mistakes:
        for each in mistakes.others:
            print(f"error: {one_line(each)}", file=sys.stderr)
        if mistakes.untold:
            note(f"{mistakes.untold} more mistakes are not shown")
        raise


def _pruning(*, prune: bool, selector: str | None, everything: bool) -> Prune | None:
    if not prune and (selector is not None or everything):
        raise UserError("-l and --all say what --prune takes for deleted", "add --prune")
    if not prune:
        return None
    if (selector is not None) == everything:
        raise UserError("say what is pruned: objects with labels (-l), or --all")
    return Prune(selector=selector or "")
