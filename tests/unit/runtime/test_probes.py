"""What probes find, on the objects concerned: the condition Enforced, the Ingress and Events."""

from collections import Counter
from datetime import timedelta

import pytest

from doorward.cluster.errors import Ending, Forbidden, Transient
from doorward.cluster.gateway import EVENT, INGRESS, ISSUER
from doorward.planning.enforcement import HANGS_AFTER, SELDOM, Heard, Verdict
from doorward.planning.separation import Naming
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, REPLICA, OperatorBed, host_spec
from tests.unit.given import NOW

REFUSED, OPEN, SILENT, AWAY = (
    (Verdict.REFUSED, ""),
    (Verdict.OPEN, "answers 200 without a client certificate"),
    (Verdict.SILENT, "takes a connection on port 443 and does not answer within 5 s"),
    (Verdict.UNREACHABLE, "cannot be reached on port 443 (refused)"),
)


class Told:
    """A prober that finds what it is told, and remembers what it asked."""

    def __init__(self):
        self.finds = REFUSED
        self.at = {}
        """By host, what it finds there instead."""
        self.asked = []
        self.greeted = Heard()
        """What comes of a handshake that names no host of it."""

    async def probe(self, replica, asked):
        assert replica == REPLICA
        self.asked.append(asked)
        found = self.at.get(asked.host, self.finds)
        if isinstance(found, Exception):
            raise found
        return (REFUSED, found)

    async def unnamed(self, replica):
        assert replica == REPLICA
        if isinstance(self.greeted, Exception):
            raise self.greeted
        return dict.fromkeys(Naming, self.greeted)

    @property
    def hosts(self):
        return Counter(asked.host for asked in self.asked)


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def bed(told):
    with OperatorBed(NOW, finalizer_at_creation=True, prober=told) as made:
        made.issuer()
        made.ingress()
        made.advance(1)
        yield made


def enforced(bed, condition="Enforced"):
    """Status, reason and message of the condition."""
    (found,) = [c for c in bed.find(ISSUER, ISSUER_AT.name)["status"]["conditions"] if c["type"] == condition]
    return found["status"], found["reason"], found["message"]


def gate(bed, name="shop"):
    return bed.find(INGRESS, name)["metadata"]["annotations"].get("doorward.io/gate", "")


def events(bed):
    return [e for e in bed.cluster.all(EVENT) if e["reason"] == "Open"]


@pytest.mark.promise(3)
def test_nothing_is_called_enforced_before_it_was_probed(bed, told):
    assert told.asked == []
    assert enforced(bed)[:2] == ("Unknown", "NotVerified")
    bed.advance(10)
    assert told.hosts["shop.example"] > 0
    assert enforced(bed) == (
        "True",
        "ProbesRefused",
        "1 hosts refuse every client that has no certificate of this issuer, at the replicas 192.0.2.7",
    )


def test_the_probe_knows_whose_certificates_the_host_may_ask_for(bed, told):
    bed.settle()
    assert all(asked.issuer == ISSUER_AT and len(asked.anchors) == 1 for asked in told.asked)
    assert not any(asked.optional for asked in told.asked)


@pytest.mark.promise(3)
def test_an_open_host_is_told_at_once_on_the_issuer_and_the_ingress_with_an_event_each(bed, told):
    bed.settle()
    assert gate(bed).startswith("Protected: ")
    told.finds = OPEN
    bed.advance(30)
    status, reason, message = enforced(bed)
    assert (status, reason) == ("False", "Open")
    assert "host shop.example of edge/shop answers 200 without a client certificate at replica 192.0.2.7" in message
    assert gate(bed).startswith("FoundOpen: ")
    assert {e["involvedObject"]["kind"] for e in events(bed)} == {"Ingress", "MTLSIssuer"}
    assert all(e["involvedObject"]["uid"] and e["type"] == "Warning" for e in events(bed))
    bed.advance(300)
    assert len(events(bed)) == 2, "once, however long it lasts"
    told.finds = REFUSED
    bed.advance(30)
    assert enforced(bed)[0] == "True"
    assert gate(bed).startswith("Protected: ")


def test_a_restart_does_not_tell_of_an_open_host_again(bed, told):
    bed.settle()
    told.finds = OPEN
    bed.advance(30)
    before = len(bed.cluster.all(EVENT))
    bed.restart()
    bed.advance(400)
    assert (enforced(bed)[1], len(bed.cluster.all(EVENT))) == ("Open", before)
    assert not any(write.kind == INGRESS.name for write in bed.gateway.writes), "it is never called protected"


def test_a_host_that_was_closed_while_no_operator_ran_is_called_protected_when_it_was_probed(bed, told):
    bed.settle()
    told.finds = OPEN
    bed.advance(30)
    bed.kill()
    told.finds = REFUSED
    bed.start()
    bed.advance(30)
    assert (enforced(bed)[1], gate(bed).partition(": ")[0]) == ("ProbesRefused", "Protected")


def test_where_nothing_can_be_found_after_a_restart_the_last_word_does_not_stand_for_ever(bed, told):
    bed.settle()
    told.finds = OPEN
    bed.advance(30)
    told.finds = RuntimeError("no answer that can be understood")
    bed.restart()
    bed.advance(60)
    assert gate(bed).startswith("FoundOpen: ")
    bed.advance(60)
    assert gate(bed).startswith("Protected: ")


def test_a_host_that_is_opened_again_and_again_is_no_flood_of_events(bed, told):
    for _ in range(10):
        told.finds = OPEN
        bed.advance(20)
        told.finds = REFUSED
        bed.advance(20)
    assert 2 <= len(events(bed)) <= 4


def test_many_hosts_that_are_opened_at_once_are_an_event_each_and_one_of_the_issuer(bed, told):
    for n in range(20):
        bed.ingress(f"host-{n}")
    bed.settle()
    told.finds = OPEN
    bed.advance(60)
    kinds = Counter(e["involvedObject"]["kind"] for e in events(bed))
    assert kinds == {"Ingress": 21, "MTLSIssuer": 1}


def test_the_first_probes_of_many_hosts_are_few_writes(bed):
    for n in range(60):
        bed.ingress(f"host-{n}")
    bed.advance(4)
    first = len(bed.gateway.writes)
    bed.advance(60)
    assert enforced(bed)[0] == "True"
    assert sum(write.kind == ISSUER.name for write in bed.gateway.writes[first:]) <= 12


def test_more_hosts_than_are_probed_and_a_rule_without_a_host_are_not_called_enforced(bed):
    rules = [host_spec(f"host-{n}.example")["rules"][0] for n in range(101)]
    bed.edit(INGRESS, "shop", {"spec": host_spec("shop.example") | {"rules": rules}})
    bed.advance(120)
    assert enforced(bed)[:2] == ("Unknown", "NotVerified")
    assert "1 more hosts of the target cannot be probed" in enforced(bed)[2]


def test_a_replica_that_hangs_is_unknown_and_then_false_and_true_when_it_answers_again(bed, told):
    bed.settle()
    told.finds = SILENT
    bed.advance(20)
    assert enforced(bed)[:2] == ("Unknown", "NotReachable")
    bed.advance(HANGS_AFTER.total_seconds() + 1)
    assert enforced(bed)[:2] == ("False", "ControllerHangs")
    assert gate(bed).startswith("Protected: "), "nothing shows that it is open"
    told.finds = REFUSED
    bed.advance(20)
    assert enforced(bed)[0] == "True"


def test_a_replica_that_is_not_there_stays_unknown(bed, told):
    bed.settle()
    told.finds = AWAY
    bed.advance(3600)
    assert enforced(bed)[:2] == ("Unknown", "NotReachable")


def test_each_host_is_told_by_itself(bed, told):
    bed.ingress("cafe")
    bed.settle()
    told.at["cafe.example"] = OPEN
    bed.advance(30)
    assert enforced(bed)[:2] == ("False", "Open")
    assert (gate(bed, "shop")[:9], gate(bed, "cafe")[:9]) == ("Protected", "FoundOpen")
    listed = bed.find(ISSUER, ISSUER_AT.name)["status"]["enforcement"]
    assert [(entry["host"], entry["enforced"]) for entry in listed] == [
        ("cafe.example", "False"),
        ("shop.example", "True"),
    ]


def test_a_host_that_is_no_longer_protected_is_not_probed_and_not_told(bed, told):
    told.finds = OPEN
    bed.advance(30)
    bed.edit(INGRESS, "shop", {"metadata": {"annotations": {"doorward.io/issuer": None}}})
    bed.advance(30)
    before = told.hosts["shop.example"]
    bed.advance(600)
    assert told.hosts["shop.example"] == before
    assert "Enforced" not in {c["type"] for c in bed.find(ISSUER, ISSUER_AT.name)["status"]["conditions"]}


def test_a_host_of_a_deleted_ingress_is_not_probed(bed, told):
    bed.settle()
    bed.delete(INGRESS, "shop")
    bed.advance(30)
    before = len(told.asked)
    bed.advance(600)
    assert len(told.asked) == before


def test_a_settled_operator_writes_nothing_while_it_probes_and_when_it_starts_again(bed, told):
    bed.settle()
    before, asked = bed.find(ISSUER, ISSUER_AT.name), len(told.asked)
    assert bed.writes_of(lambda: bed.advance(600)) == []
    assert len(told.asked) > asked
    bed.restart()
    bed.settle()
    assert bed.writes(bed.gateway) == []
    assert bed.find(ISSUER, ISSUER_AT.name)["status"] == before["status"]


@pytest.mark.promise(3)
def test_a_new_host_is_not_verified_until_it_was_probed_also_soon_after_a_start(bed):
    bed.advance(10)
    assert enforced(bed)[0] == "True"
    bed.ingress("cafe")
    bed.advance(3)
    assert enforced(bed)[:2] == ("Unknown", "NotVerified")
    bed.advance(10)
    assert enforced(bed)[0] == "True"


def test_a_restarted_operator_that_finds_a_host_open_says_so(bed, told):
    bed.settle()
    told.finds = OPEN
    bed.restart()
    bed.advance(30)
    assert enforced(bed)[:2] == ("False", "Open")


def test_a_host_is_probed_soon_after_a_new_crl_and_a_change_of_its_ingress(bed, told):
    many = [f"host-{n}" for n in range(50)]
    for name in many:
        bed.ingress(name)
    bed.settle()
    bed.advance(60)
    before = told.hosts["shop.example"]
    bed.edit(INGRESS, "shop", {"spec": host_spec("shop.example") | {"tls": []}})
    bed.advance(20)
    assert told.hosts["shop.example"] == before + 1
    before = told.hosts["host-7.example"]
    bed.apply("alice")
    bed.advance(20)
    bed.apply("alice", revoked=True)
    bed.advance(30)
    assert told.hosts["host-7.example"] > before


def test_with_many_hosts_each_is_probed_every_few_minutes_and_no_replica_is_flooded(bed, told):
    for n in range(190):
        bed.ingress(f"host-{n}")
    bed.settle()
    bed.advance(120)
    before = told.hosts
    bed.advance(2 * SELDOM.total_seconds())
    asked = told.hosts - before
    assert set(asked.values()) <= {1, 2, 3}
    assert len(asked) == 191


def test_a_wildcard_is_probed_by_a_name_that_it_stands_for(bed, told):
    bed.edit(INGRESS, "shop", {"spec": host_spec("*.shop.example")})
    bed.settle()
    assert told.hosts["doorward-probe.shop.example"] > 0
    assert bed.find(ISSUER, ISSUER_AT.name)["status"]["enforcement"][0]["host"] == "*.shop.example"


def test_a_probe_that_fails_by_a_fault_of_ours_is_tried_again_and_stops_nothing(bed, told):
    told.finds = RuntimeError("a bug")
    bed.advance(30)
    assert enforced(bed)[:2] == ("Unknown", "NotVerified")
    told.finds = REFUSED
    bed.advance(60)
    assert enforced(bed)[0] == "True"


def test_an_issuer_without_a_gate_says_nothing_of_it():
    with OperatorBed(NOW, prober=Told()) as bed:
        bed.issuer()
        bed.settle()
        assert "Enforced" not in {c["type"] for c in bed.find(ISSUER, ISSUER_AT.name)["status"]["conditions"]}


def test_without_probes_it_is_not_verified():
    with OperatorBed(NOW) as bed:
        bed.issuer()
        bed.ingress()
        bed.settle()
        assert enforced(bed)[:2] == ("Unknown", "NotVerified")
        assert "--controller" in enforced(bed)[2]


def test_the_metrics_count_probes_and_hosts(bed, told):
    told.finds = OPEN
    bed.settle()
    shown = bed.scrape()
    assert shown.value("doorward_probes_total", verdict="open") == len(told.asked)
    labels = {"issuer_namespace": NAMESPACE_NAME, "issuer": ISSUER_AT.name}
    assert shown.value("doorward_gate_hosts", enforced="False", **labels) == 1


def test_it_is_known_since_when_a_host_is_enforced(bed):
    bed.settle()
    (before,) = bed.find(ISSUER, ISSUER_AT.name)["status"]["enforcement"]
    bed.advance(timedelta(hours=1).total_seconds())
    assert bed.find(ISSUER, ISSUER_AT.name)["status"]["enforcement"] == [before]


@pytest.mark.parametrize(
    "error",
    [Transient("later", status=503), Forbidden("no Events", status=403), Ending("it ends", status=403)],
    ids=["later", "no", "its namespace ends"],
)
def test_an_event_that_cannot_be_written_stops_no_probe(bed, told, error):
    bed.settle()
    bed.gateway.refuse = lambda write: error if write.kind == EVENT.name else None
    told.finds = OPEN
    bed.settle()
    assert enforced(bed)[:2] == ("False", "Open")
    assert events(bed) == []
    told.finds = REFUSED
    bed.advance(600)
    assert enforced(bed)[:2] == ("True", "ProbesRefused")
