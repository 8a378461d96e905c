"""What the API server would refuse of the files: it is asked, with a dry run of each write."""

import asyncio
from collections.abc import Sequence

from doorward.cli.errors import missing_right
from doorward.cli.plan_doubts import At
from doorward.cli.plan_worlds import KINDS, Step
from doorward.cli.reading import Reader
from doorward.cli.session import AT_ONCE
from doorward.cluster.errors import AlreadyExists, ApiError, Conflict, Forbidden, Invalid, NotFound
from doorward.cluster.gateway import NAMESPACE
from doorward.objects import manifest

DRY_RUN = {"dryRun": "All", "fieldManager": "kubectl-doorward"}
NOT_ASKED = "the API server was not asked what it would refuse: you have no right to {right}"
NO_NAMESPACE = "{step} was not shown to the API server: its namespace does not exist yet"


async def refused(reader: Reader, steps: Sequence[Step]) -> dict[At, str]:
    """Those that would be refused, and why."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(step: Step) -> str:
        async with room:
            try:
                await _dry_run(reader, step)
            except ApiError as error:
                return _said(reader, step, error)
        return ""

    asked = [step for step in steps if step.change in ("created", "changed") and step.at[0] != NAMESPACE.name]
    answers = await asyncio.gather(*(one(step) for step in asked))
    return {step.at: why for step, why in zip(asked, answers, strict=True) if why}


async def _dry_run(reader: Reader, step: Step) -> None:
    (name, key), wanted = step.at, step.after
    kind = KINDS[name]
    assert wanted is not None
    if step.before is None:
        await reader.gateway.create(kind, key.namespace, dict(wanted), dry_run=True)
    else:
        patch = manifest.patch_to(step.before, wanted)
        await reader.gateway.patch(kind, key.namespace, key.name, patch, query=DRY_RUN)


def _said(reader: Reader, step: Step, error: ApiError) -> str:
    """Why it is refused; empty: that is not known, which is noted. Raises what is no answer to the write."""
    if isinstance(error, Forbidden) and (right := missing_right(error)):
        _note(reader, NOT_ASKED.format(right=right))
        return ""
    if isinstance(error, NotFound) and step.before is None:
        _note(reader, NO_NAMESPACE.format(step=step))
        return ""
    if isinstance(error, AlreadyExists | Conflict | NotFound):
        return "it was changed at the same time: run it again"
    if isinstance(error, Forbidden | Invalid):
        return str(error)
    raise error


def _note(reader: Reader, text: str) -> None:
    if text not in reader.notes:
        reader.notes.append(text)
