"""What `/metrics` shows of a whole operator: every name as documented, and the figures that follow from what happens."""

import asyncio
import threading
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest

from doorward.cluster.errors import Forbidden, Invalid
from doorward.cluster.gateway import CLIENT_CERTIFICATE, ISSUED_CERTIFICATE, ISSUER, SECRET
from doorward.objects.archive_index import NO_ARCHIVE, UNREADABLE, ArchiveIndex, Part
from doorward.objects.meta import ObjectKey, parse_instant
from doorward.planning.canary import NONE as NO_CANARIES
from doorward.planning.enforcement import NOT_PROBED
from doorward.planning.states import CertificateState
from doorward.runtime import kopf_handlers, metric_names, reconcile, scrape
from doorward.runtime.cut_offs import Pending, Stage
from doorward.runtime.loop_lag import EVERY, SLOT, WINDOW, Longest, measure
from doorward.runtime.metrics import Metrics
from doorward.runtime.scrape import MOST_SOURCES, Figures
from doorward.runtime.told import ToldTargets
from doorward.view.stores import View
from doorward.view.trust_domains import TrustDomains
from tests.support import virtual_loop
from tests.support.clock import FakeClock
from tests.support.metrics_page import page
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, OperatorBed
from tests.support.scraped import Scraped
from tests.unit import given
from tests.unit.given import NOW
from tests.unit.runtime.looks import person_writes, serial

OURS = {"issuer_namespace": ISSUER_AT.namespace, "issuer": ISSUER_AT.name}
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "metrics.md"


def states(bed):
    """How many certificates of the issuer are in each state."""
    shown = bed.scrape()
    return {s.value: shown.value("doorward_certificates", **OURS, state=s.value) for s in CertificateState}


def pending(bed):
    shown = bed.scrape()
    return {stage.value: shown.value("doorward_cut_offs_pending", stage=stage.value) for stage in Stage}


def timed(bed):
    """How many cut-offs have ended each stage, and all of them."""
    shown = bed.scrape()
    stages = {s.value: shown.value("doorward_cut_off_stage_duration_seconds_count", stage=s.value) for s in Stage}
    return stages | {"all": shown.value("doorward_cut_off_duration_seconds_count")}


# Names


def test_the_page_says_what_the_code_does():
    assert PAGE.read_text() == page(), "make docs"


@pytest.mark.parametrize("definition", metric_names.DEFINITIONS, ids=lambda definition: definition.name)
def test_a_name_follows_the_conventions(definition):
    assert definition.name.startswith("doorward_")
    assert definition.name.endswith("_total") == (definition.type == "counter")
    assert bool(definition.buckets) == (definition.type == "histogram")
    assert definition.help.endswith(".")


def test_no_definition_is_forgotten():
    defined = {value.name for value in vars(metric_names).values() if isinstance(value, metric_names.Definition)}
    assert {definition.name for definition in metric_names.DEFINITIONS} == defined


def test_what_is_shown_is_documented(served):
    served.apply("bob", revoked=True)
    served.settle()
    shown = served.scrape()
    assert shown.undocumented() == []
    assert "process_open_fds" in shown.families
    assert "process_max_fds" in shown.families


def test_what_is_documented_is_shown(served):
    missing = {definition.name.removesuffix("_total") for definition in metric_names.DEFINITIONS}
    missing -= served.scrape().families.keys()
    assert missing == {
        "doorward_canary_admitted_gates",  # no issuer has a canary
        "doorward_canary_refused_after_seconds",
        "doorward_lease_renewal_age_seconds",  # it is alone
        "doorward_sources_not_synced",  # all are
    }


def test_no_label_names_a_client_or_a_serial(served):
    number = serial(served, "alice")
    served.apply("alice", revoked=True)
    served.settle()
    shown = served.scrape()
    text = {
        value for name in (s.name for f in shown.families.values() for s in f.samples) for value in shown.labels(name)
    }
    assert not [value for value in text if "alice" in value or f"{number:x}" in value or str(number) in value]


# Certificates and CRL


def test_certificates_are_counted_by_state(served):
    served.apply("carol")
    served.apply("dave")
    served.settle()
    assert states(served) == {"live": 4, "held": 0, "revoked": 0, "expired": 0}
    served.apply("alice", revoked=True)
    served.apply("bob", suspended=True)
    served.delete(CLIENT_CERTIFICATE, "carol")
    served.settle()
    assert states(served) == {"live": 1, "held": 2, "revoked": 1, "expired": 0}
    assert served.scrape().value("doorward_ledger_records", **OURS) == 4


def test_an_expired_certificate_is_counted_as_one(served):
    served.apply("alice", suspended=True)
    served.settle()
    served.kill()
    served.jump(days=400)
    served.start()
    served.advance(1)
    assert states(served) == {"live": 1, "held": 1, "revoked": 0, "expired": 1}  # bob has a new one


def test_the_next_expiry_is_that_of_the_first_live_certificate(served):
    served.apply("carol", duration="24h")
    served.settle()
    served.apply("dave", duration="12h")
    served.settle()
    served.apply("dave", revoked=True)
    served.settle()
    records = [r["spec"] for r in served.cluster.all(ISSUED_CERTIFICATE, NAMESPACE_NAME)]
    [carol] = [r for r in records if r["clientCertificate"]["name"] == "carol"]
    expected = (parse_instant(carol["notAfter"]) - served.clock.now()).total_seconds()
    assert served.scrape().value("doorward_certificate_next_expiry_seconds", **OURS) == expected


def test_an_issuer_without_a_live_certificate_has_no_next_expiry(served):
    served.apply("alice", suspended=True)
    served.apply("bob", suspended=True)
    served.settle()
    assert served.scrape().value("doorward_certificate_next_expiry_seconds", **OURS) is None


def test_the_published_crl_is_described(served):
    served.apply("alice", revoked=True)
    served.settle()
    before = served.scrape()
    told = served.find(ISSUER, ISSUER_AT.name)["status"]["crl"]
    served.advance(100)
    shown = served.scrape()
    assert shown.value("doorward_crl_number", **OURS) == told["number"]
    assert shown.value("doorward_crl_entries", **OURS) == 1
    assert shown.value("doorward_crl_size_bytes", **OURS) == told["bytes"]
    assert 0 < shown.value("doorward_crl_size_ratio", **OURS) < 0.01
    since = (served.clock.now() - parse_instant(told["thisUpdate"])).total_seconds() - 3600
    assert shown.value("doorward_crl_age_seconds", **OURS) == since
    left = (parse_instant(told["nextUpdate"]) - served.clock.now()).total_seconds()
    assert shown.value("doorward_crl_next_update_seconds", **OURS) == left
    assert shown.value("doorward_crl_age_seconds", **OURS) - before.value("doorward_crl_age_seconds", **OURS) == 100


def test_the_ca_and_the_gates_are_described(served):
    shown, ca = served.scrape(), served.find(ISSUER, ISSUER_AT.name)["status"]["ca"]
    not_before, not_after = parse_instant(ca["notBefore"]), parse_instant(ca["notAfter"])
    assert shown.value("doorward_gates_current", **OURS) == 1
    assert shown.value("doorward_ca_expiry_seconds", **OURS) == (not_after - served.clock.now()).total_seconds()
    assert shown.value("doorward_ca_lifetime_seconds", **OURS) == (not_after - not_before).total_seconds()


def test_a_gate_that_cannot_be_written_is_not_current(served):
    served.gateway.refuse = lambda w: Forbidden("no", status=403) if REFUSED["gates"](w) else None
    served.apply("alice", revoked=True)
    served.advance(60)
    assert served.scrape().value("doorward_gates_current", **OURS) == 0
    served.gateway.refuse = lambda _: None
    served.advance(600)
    assert served.scrape().value("doorward_gates_current", **OURS) == 1


def test_the_series_of_a_deleted_issuer_go(served):
    served.delete(CLIENT_CERTIFICATE, "alice")
    served.delete(CLIENT_CERTIFICATE, "bob")
    served.settle()
    assert served.scrape().total("doorward_certificates", **OURS) == 2
    served.delete(ISSUER, ISSUER_AT.name)
    served.settle()
    shown = served.scrape()
    text = {family.name for family in shown.families.values() for s in family.samples if "issuer" in s.labels}
    assert text == set()


# Cut-offs


@pytest.mark.parametrize(
    "cut",
    [
        pytest.param(lambda bed: bed.apply("alice", revoked=True), id="revoked"),
        pytest.param(lambda bed: bed.apply("alice", suspended=True), id="suspended"),
        pytest.param(lambda bed: bed.delete(CLIENT_CERTIFICATE, "alice"), id="deleted"),
    ],
)
def test_a_cut_off_is_timed_by_stage(served, cut):
    assert timed(served) == {"ledger": 0, "crl": 0, "gates": 0, "all": 0}
    cut(served)
    served.settle()
    assert timed(served) == {"ledger": 1, "crl": 1, "gates": 1, "all": 1}
    assert pending(served) == {"ledger": 0, "crl": 0, "gates": 0}
    assert served.scrape().within("doorward_cut_off_duration_seconds", 1.0) == (1, 1)


def test_a_cut_off_takes_as_long_as_its_writes():
    with OperatorBed(NOW, finalizer_at_creation=True) as bed:
        bed.issuer()
        bed.ingress()
        bed.apply("alice")
        bed.settle()
        bed.gateway.latency = 2.0  # each way
        bed.apply("alice", revoked=True)
        bed.settle()
        shown = bed.scrape()
        name = "doorward_cut_off_stage_duration_seconds_sum"
        seconds = {stage.value: shown.value(name, stage=stage.value) for stage in Stage}
        assert seconds == {"ledger": pytest.approx(4), "crl": pytest.approx(4), "gates": pytest.approx(4)}
        assert shown.value("doorward_cut_off_duration_seconds_sum") == pytest.approx(12)


def test_a_record_that_a_person_revokes_is_a_cut_off_from_the_ledger_on(served):
    person_writes(served, serial(served, "alice"), reason="keyCompromise")
    assert timed(served) == {"ledger": 0, "crl": 1, "gates": 1, "all": 1}


REFUSED = {
    "ledger": lambda write: write.kind == "IssuedCertificate",
    "crl": lambda write: write.kind == "ConfigMap",
    "gates": lambda write: write.kind == "Secret" and write.name.startswith("doorward."),
}


@pytest.mark.parametrize("stage", list(REFUSED))
def test_a_cut_off_whose_write_is_refused_for_an_hour_is_pending_all_the_time(served, stage):
    refused = REFUSED[stage]
    served.gateway.refuse = lambda write: Forbidden("a policy says no", status=403) if refused(write) else None
    served.apply("alice", revoked=True)
    served.advance(3600)
    assert pending(served) == {"ledger": 0, "crl": 0, "gates": 0} | {stage: 1}
    waited = served.scrape().value("doorward_cut_off_oldest_pending_seconds", stage=stage)
    assert waited == pytest.approx(3600, abs=2)
    assert timed(served)["all"] == 0
    served.gateway.refuse = lambda _: None
    served.advance(600)
    assert pending(served) == {"ledger": 0, "crl": 0, "gates": 0}
    assert served.scrape().within("doorward_cut_off_duration_seconds", 300.0) == (0, 1)


def test_a_restart_with_clients_that_are_out_already_times_nothing(served):
    served.apply("alice", revoked=True)
    served.apply("bob", suspended=True)
    served.settle()
    served.restart()
    served.settle()
    assert timed(served) == {"ledger": 0, "crl": 0, "gates": 0, "all": 0}
    assert pending(served) == {"ledger": 0, "crl": 0, "gates": 0}


def test_a_deletion_while_no_operator_ran_is_timed_from_its_beginning(served):
    served.kill()
    served.delete(CLIENT_CERTIFICATE, "alice")
    served.jump(hours=1)
    served.start()
    served.settle()
    assert timed(served)["all"] == 1
    assert served.scrape().value("doorward_cut_off_duration_seconds_sum") == pytest.approx(3600, abs=10)


# Writes and work


def test_writes_are_counted_by_kind_verb_and_result(served):
    before = served.scrape()
    served.apply("carol")
    served.settle()
    shown = served.scrape()

    def more(**labels):
        return shown.total("doorward_writes_total", **labels) - before.total("doorward_writes_total", **labels)

    assert more(kind="IssuedCertificate", subresource="", verb="create", result="ok") == 1
    assert more(kind="Secret", verb="create", result="ok") == 1
    assert more(kind="ClientCertificate", subresource="status", verb="patch", result="ok") == 1
    assert more(kind="Event", verb="create", result="ok") == 1
    assert more() - more(kind="MTLSIssuer") == 4
    assert (
        shown.value("doorward_events_total", outcome="written")
        - before.value("doorward_events_total", outcome="written")
        == 1
    )


@pytest.mark.parametrize(("error", "code"), [(Forbidden("no", status=403), "403"), (Invalid("no", status=422), "422")])
def test_refused_writes_are_counted_by_kind_and_code(served, error, code):
    served.gateway.refuse = lambda write: error if write.kind == "Secret" else None
    served.apply("carol")
    served.advance(60)
    assert served.scrape().value("doorward_writes_refused_total", kind="Secret", subresource="", code=code) > 0


def test_passes_are_counted_by_the_kind_of_the_key(served):
    before = served.scrape()
    served.apply("carol")
    served.settle()
    shown = served.scrape()
    for kind in ("certificate", "issuer"):
        name = "doorward_reconcile_passes_count"
        assert shown.value(name, kind=kind) > before.value(name, kind=kind)
    assert shown.total("doorward_reconcile_not_settled_total") == 0


def test_a_key_that_does_not_settle_is_counted(served):
    def change(kind, _before, after):
        if kind == SECRET and after["metadata"]["name"] == "alice-mtls":
            after["metadata"].setdefault("annotations", {})["team"] = "another"

    served.cluster.admit = change
    served.apply("alice", secretTemplate={"annotations": {"team": "ours"}})
    served.advance(600)
    assert served.scrape().value("doorward_reconcile_not_settled_total", kind="certificate") > 0


def test_a_key_that_is_not_done_after_its_passes_is_counted(served, monkeypatch):
    monkeypatch.setattr(reconcile, "MOST_PASSES", 1)
    served.apply("alice", suspended=True)
    served.settle()
    assert served.scrape().value("doorward_reconcile_not_settled_total", kind="certificate") > 0


def test_the_queue_tells_waits_and_work_by_priority(served):
    served.gateway.refuse = lambda write: Invalid("no", status=422) if write.kind == "IssuedCertificate" else None
    served.apply("alice", revoked=True)
    served.advance(10)
    shown = served.scrape()
    for priority in ("cut_off", "issuance"):
        assert shown.value("doorward_queue_depth", priority=priority) == 0
        assert shown.value("doorward_queue_wait_seconds_count", priority=priority) > 0
        assert shown.value("doorward_work_duration_seconds_count", priority=priority, result="done") > 0
    assert shown.value("doorward_work_duration_seconds_count", priority="cut_off", result="failed") > 0


# The process


def test_one_that_is_alone_leads_and_has_no_lease(served):
    shown = served.scrape()
    assert shown.value("doorward_leader") == 1
    assert shown.value("doorward_lease_renewal_age_seconds") is None


def test_the_lease_is_told_by_who_holds_it():
    with OperatorBed(NOW, elected=True, finalizer_at_creation=True) as bed:
        bed.issuer()
        bed.settle()
        shown = bed.scrape()
        assert shown.value("doorward_leader") == 1
        assert 0 <= shown.value("doorward_lease_renewal_age_seconds") <= 2
        bed.start()
        bed.apply("alice")
        bed.settle()
        bed.apply("alice", suspended=True)
        bed.settle()
        standing_by = bed.scrape()
        assert standing_by.value("doorward_leader") == 0
        assert standing_by.value("doorward_lease_renewal_age_seconds") is None
        assert standing_by.value("doorward_certificates", **OURS, state="held") == 1
        assert standing_by.value("doorward_crl_number", **OURS) is None
        assert standing_by.total("doorward_cut_offs_pending") == 0


def test_what_a_new_leader_takes_over_is_timed():
    with OperatorBed(NOW, elected=True, finalizer_at_creation=True) as bed:
        bed.issuer()
        bed.apply("alice")
        bed.apply("bob")
        bed.settle()
        bed.start()
        bed.advance(5)
        bed.apply("bob", suspended=True)
        bed.advance(5)
        bed.kill_leader()
        bed.apply("alice", suspended=True)
        bed.advance(60)
        shown = bed.scrape()
        assert shown.value("doorward_leader") == 1
        assert shown.value("doorward_cut_off_duration_seconds_count") == 1
        assert 4 < shown.value("doorward_cut_off_duration_seconds_sum") < 30
        assert shown.total("doorward_cut_offs_pending") == 0


def test_a_source_that_is_not_synced_is_named(served):
    served.kill()
    served.start(refuse_reads=lambda kind, _: Forbidden("no", status=403) if kind == ISSUED_CERTIFICATE else None)
    served.advance(60)
    shown = served.scrape()
    assert shown.value("doorward_sources_not_synced", resource="issuedcertificates", namespace="") == 1
    served.gateway.refuse_reads = lambda *_: None
    served.settle()
    assert served.scrape().total("doorward_sources_not_synced") == 0


def figures(view, clock, **override):
    return Figures(
        **{
            "view": view,
            "domains": TrustDomains(),
            "clock": clock,
            "leads": lambda: True,
            "lease_age": lambda: None,
            "pending": lambda: dict.fromkeys(Stage, Pending(0, 0.0)),
            "longest_lag": lambda: 0.0,
            "unsynced": lambda: (),
            "probed": lambda _issuer: NOT_PROBED,
            "told": ToldTargets(lambda _issuer: None).of,
            "canaries": lambda _issuer: NO_CANARIES,
        }
        | override
    )


async def shown_by(found):
    return Scraped((await Metrics(found.clock).render(found)).decode())


async def test_many_sources_that_are_not_synced_are_few_series():
    unsynced = [("secrets", f"n{number:03}") for number in range(MOST_SOURCES + 7)]
    shown = await shown_by(figures(View(FakeClock(NOW), account="a:b"), FakeClock(NOW), unsynced=lambda: unsynced))
    assert len(shown.families["doorward_sources_not_synced"].samples) == MOST_SOURCES + 1
    assert shown.value("doorward_sources_not_synced", resource="secrets", namespace="(others)") == 7


def view_of(*counts, index=NO_ARCHIVE):
    """Issuers with so many records each."""
    issuers = [ObjectKey("issuers", f"i{number}") for number in range(len(counts))]
    record = given.record()
    by_issuer = {issuer: (record,) * count for issuer, count in zip(issuers, counts, strict=True)}
    return SimpleNamespace(
        issuers=SimpleNamespace(keys=lambda: iter(issuers)),
        ledger=SimpleNamespace(heard_of=by_issuer.__getitem__),
        archives=SimpleNamespace(index=lambda _: index),
    )


@pytest.mark.parametrize(
    ("counts", "turns"),
    [
        pytest.param((20_000,), 20, id="one issuer"),
        pytest.param((5,) * 400, 9, id="many issuers"),
        pytest.param((0,) * 400, 8, id="issuers without a record"),
        pytest.param((999, 1, 1001, 0, 3000), 5, id="some of each"),
    ],
)
async def test_records_are_counted_bit_by_bit_while_others_have_the_event_loop(counts, turns, monkeypatch):
    looked, most, turned = 0, 0, 0
    real = scrape.state_of

    def counted(*arguments):
        nonlocal looked
        looked += 1
        return real(*arguments)

    monkeypatch.setattr(scrape, "state_of", counted)

    async def others():
        nonlocal looked, most, turned
        while True:
            most, looked, turned = max(most, looked), 0, turned + 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(others())
    samples = await figures(view_of(*counts), FakeClock(NOW)).samples()
    beside.cancel()
    live = [value for definition, labels, value in samples if labels[-1:] == ("live",)]
    assert live == list(counts)
    assert max(most, looked) <= scrape.AT_ONCE
    assert turned >= turns


@pytest.mark.parametrize(
    ("index", "shown"),
    [
        pytest.param(NO_ARCHIVE, 0, id="no archive"),
        pytest.param(ArchiveIndex(months={"2026-01": (Part(records=7, size=1),)}, exists=True), 7, id="an archive"),
        pytest.param(UNREADABLE, None, id="one that cannot be read"),
    ],
)
async def test_archived_records_are_counted_by_the_index_of_the_archive(index, shown):
    found = await shown_by(figures(view_of(1, index=index), FakeClock(NOW)))
    assert found.value("doorward_archived_records", issuer_namespace="issuers", issuer="i0") == shown


def test_restarts_of_kopf_are_counted(served):
    served.kopf_restarted()
    assert served.scrape().value("doorward_kopf_restarts_total") == 1


async def test_the_supervisor_tells_each_restart_of_kopf(monkeypatch):
    stop, told = threading.Event(), []

    async def ends(*_):
        raise RuntimeError("a list is forbidden")

    def restarted():
        told.append(1)
        if len(told) == 2:
            stop.set()

    monkeypatch.setattr(kopf_handlers, "_run", ends)
    monkeypatch.setattr(kopf_handlers, "FIRST_REST", 0.0)
    watched = kopf_handlers.Watched((), ())
    handle = mock.Mock()
    health = kopf_handlers.Health()
    async with asyncio.timeout(10):
        await kopf_handlers.supervise(
            handle, mock.Mock(), watched, health, stop=stop, again=threading.Event(), restarted=restarted
        )
    assert len(told) == 2


def test_two_operators_in_one_process_count_apart():
    one, other = Metrics(FakeClock(NOW)), Metrics(FakeClock(NOW))
    one.kopf_restarted()
    assert other.registry.get_sample_value("doorward_kopf_restarts_total") == 0


# Event-loop lag


async def test_a_lag_is_shown_in_the_histogram_and_as_the_longest():
    metrics = Metrics(FakeClock(NOW))
    metrics.lag(0.2)
    metrics.lag(0.004)
    found = figures(view_of(), FakeClock(NOW), longest_lag=lambda: metrics.longest_lag.seconds)
    shown = Scraped((await metrics.render(found)).decode())
    assert shown.within("doorward_event_loop_lag_seconds", 0.005) == (1, 2)
    assert shown.value("doorward_event_loop_lag_max_seconds") == 0.2


def test_the_longest_lag_is_that_of_the_last_minutes():
    clock = FakeClock(NOW)
    longest = Longest(clock)
    assert longest.seconds == 0
    longest.add(0.5)
    clock.advance(seconds=WINDOW - 30)
    longest.add(0.1)
    longest.add(0.05)
    assert longest.seconds == 0.5
    clock.advance(seconds=60)
    assert longest.seconds == 0.1
    clock.advance(seconds=WINDOW)
    assert longest.seconds == 0


def test_what_nobody_scrapes_is_forgotten_all_the_same():
    clock = FakeClock(NOW)
    longest = Longest(clock)
    for _ in range(1_000):
        longest.add(0.1)
        clock.advance(seconds=SLOT)
    assert len(longest._slots) <= WINDOW / SLOT + 1


def test_a_callback_that_holds_up_the_event_loop_is_lag():
    clock = FakeClock(NOW)
    seen = []

    async def story():
        measuring = asyncio.create_task(measure(seen.append))
        await asyncio.sleep(EVERY * 2.5)
        clock.advance(seconds=0.2)  # a callback that takes so long
        await asyncio.sleep(EVERY * 2)
        measuring.cancel()

    with virtual_loop.runner(clock) as runner:
        runner.run(story())
    assert max(seen) == pytest.approx(0.2 - EVERY / 2)
    assert min(seen) == pytest.approx(0, abs=1e-5)
