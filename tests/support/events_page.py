"""The page docs/reference/events.md: every Event that the operator writes, from the tables in the code.

`python -m tests.support.events_page` prints it.
"""

from collections.abc import Iterator
from pathlib import Path

from doorward.api.event_reasons import BY_SUBJECT, EventReason
from doorward.api.reasons import BY_CONDITION
from doorward.planning.notices import is_told
from doorward.view import outbox

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "events.md"
_HEAD = f"""\
# Events

Made from `operator/doorward/api/event_reasons.py` by `make docs`; do not edit.

The operator writes an Event when something about an object changes. `kubectl describe clientcertificate NAME`, `kubectl describe
mtlsissuer NAME` and `kubectl describe ingress NAME` list them, and `doorward client NAME` lists the last ones of a client.

- Each change gives one Event. A restart of the operator, or another leader, repeats none.
- Events are written last, after the ledger, the CRL and the gates. An Event that cannot be written delays nothing. If the operator
  ends before it has written an Event, the Event is lost.
- At most {outbox.BURST} Events about one object are written at once, and then one a minute. If a condition changes back and forth, the same
  reason is written every {int(outbox.REPEATED_AFTER.total_seconds()) // 60} minutes at most. At most 16 Events a second are written. The operator leaves out the
  rest, `Issued` and `Renewed` first. The log says how many (`events left out`), and so does the metric `doorward_events_total`.
- Kubernetes deletes Events after an hour. The ledger and the log keep what happened.
"""
_TABLE = """
| reason | type | meaning |
| --- | --- | --- |
"""
_CONDITIONS = """
## With the reason of a condition

If a condition of a ClientCertificate or an MTLSIssuer gets one of these reasons, a Warning Event has the same reason and
message. If the condition is True again, an Event of type Normal says so, for a ClientCertificate as `ReadyAgain`.
[Conditions and their reasons](reasons.md) says what each reason means.

| condition | reasons |
| --- | --- |
"""


def _row(reason: EventReason) -> str:
    meaning = reason.doc.replace("<", "\\<").replace("|", "\\|")
    return f"| `{reason.name}` | {'Warning' if reason.warning else 'Normal'} | {meaning} |\n"


def _conditions() -> Iterator[str]:
    for condition, reasons in BY_CONDITION.items():
        told = [f"`{reason.name}`" for reason in reasons.values() if is_told(condition, reason)]
        if told and condition != "Gate":
            yield f"| `{condition}` | {', '.join(told)} |\n"


def page() -> str:
    """The whole page."""
    tables = (
        f"\n## Of {_a(subject)}\n{_TABLE}" + "".join(map(_row, table.values())) for subject, table in BY_SUBJECT.items()
    )
    return _HEAD + "".join(tables) + _CONDITIONS + "".join(_conditions())


def _a(subject: str) -> str:
    return f"{'an' if subject[0] in 'MI' else 'a'} {subject}"


if __name__ == "__main__":
    print(page(), end="")
