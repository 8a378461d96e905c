"""What the running operator shows at `/metrics`, on a real API server: names, the audit log's own count, and cut-offs in time."""

import time
from collections import Counter

import pytest

from doorward.cluster import gateway
from tests.support.audit import Audit, described
from tests.support.home import Home
from tests.support.installation import OperatorProcess
from tests.support.kube import CERTIFICATES, INGRESSES, ISSUERS, NAMESPACES, eventually
from tests.support.scraped import Scraped

from .policies_support import ISSUER, ingress

PLURALS = {kind.name: kind.plural for kind in vars(gateway).values() if isinstance(kind, gateway.Kind)}
VERBS = {"replace": "update"}
"""Ours, as the audit log has them; the others are the same."""
CUT_OFF = "doorward_cut_off_duration_seconds"
STAGE = "doorward_cut_off_stage_duration_seconds"
STAGES = ("ledger", "crl", "gates")


@pytest.fixture
def served(home: Home) -> Home:
    """An issuer with a gate, and alice."""
    home.partners("alice")
    home.make(INGRESSES, ingress(home.namespace, {ISSUER: "partners"}))
    home.says(ISSUERS, "partners", "GatesCurrent", "AllCurrent")
    return home


def issuer_of(home: Home) -> dict[str, str]:
    return {"issuer_namespace": home.namespace, "issuer": "partners"}


def written(shown: Scraped) -> Counter[str]:
    """The writes that the operator counted, by verb and resource, as the audit log names them."""
    counted: Counter[str] = Counter()
    for sample in shown.families["doorward_writes"].samples:
        labels = sample.labels
        resource = PLURALS[labels["kind"]] + (f"/{labels['subresource']}" if labels["subresource"] else "")
        counted[f"{VERBS.get(labels['verb'], labels['verb'])} {resource}"] += int(sample.value)
    return counted


def test_every_name_type_and_label_is_as_documented(served: Home, running_operator: OperatorProcess):
    served.respec(CERTIFICATES, "alice", revoked=True)
    served.says(CERTIFICATES, "alice", "Admitted", "Revoked")
    shown = eventually(lambda: _synced(running_operator), "other tests' namespaces are listed, too")
    assert shown.undocumented() == []
    assert shown.value("doorward_leader") == 1
    assert 0 < shown.value("process_open_fds") < shown.value("process_max_fds")
    assert shown.value("doorward_event_loop_lag_seconds_count") > 0


def _synced(operator: OperatorProcess) -> Scraped | None:
    """What it shows at a moment at which it has listed all that it watches."""
    shown = operator.metrics()
    return None if shown.total("doorward_sources_not_synced") else shown


def test_writes_are_counted_as_the_audit_log_counts_them(served: Home, running_operator: OperatorProcess, audit: Audit):
    audit.rest(served.namespace)

    def same() -> bool:
        logged = Counter(described(event) for event in audit.written_with(running_operator.credential))
        return written(running_operator.metrics()) == logged

    eventually(same, "both have counted the same")


def _nobody_ends(served: Home, running_operator: OperatorProcess) -> bool:
    """Whether no other test's namespace is on its way out any more, since its clients are cut off too."""
    namespaces = served.admin.ask("GET", NAMESPACES.path(None)).body["items"]
    ending = any("deletionTimestamp" in namespace["metadata"] for namespace in namespaces)
    return not ending and running_operator.metrics().total("doorward_cut_offs_pending") == 0


def test_a_cut_off_moves_every_stage(served: Home, running_operator: OperatorProcess):
    eventually(lambda: _nobody_ends(served, running_operator), "nobody else is cut off")
    before, begun = running_operator.metrics(), time.monotonic()
    served.respec(CERTIFICATES, "alice", suspended=True)
    eventually(
        lambda: running_operator.metrics().value(f"{CUT_OFF}_count") == before.value(f"{CUT_OFF}_count") + 1,
        "the cut-off has ended",
    )
    shown = running_operator.metrics()

    def more(name: str, **labels: str) -> float:
        return shown.value(name, **labels) - before.value(name, **labels)

    assert [more(f"{STAGE}_count", stage=stage) for stage in STAGES] == [1, 1, 1]
    seconds = [more(f"{STAGE}_sum", stage=stage) for stage in STAGES]
    assert all(each > 0 for each in seconds)
    assert sum(seconds) == pytest.approx(more(f"{CUT_OFF}_sum"))
    assert sum(seconds) < time.monotonic() - begun + 1  # the API server tells the second in which it was asked
    assert shown.total("doorward_cut_offs_pending") == 0
    assert shown.value("doorward_certificates", **issuer_of(served), state="held") == 1
    assert shown.value("doorward_crl_entries", **issuer_of(served)) == 1


def test_the_series_of_an_issuer_go_with_it(served: Home, running_operator: OperatorProcess):
    assert running_operator.metrics().value("doorward_certificates", **issuer_of(served), state="live") == 1
    served.remove(CERTIFICATES, "alice")
    served.gone(CERTIFICATES, "alice")
    served.remove(ISSUERS, "partners")
    eventually(
        lambda: served.namespace not in running_operator.metrics().labels("doorward_certificates"),
        "no series of the issuer",
    )
    assert running_operator.metrics().value("doorward_crl_number", **issuer_of(served)) is None
