"""The life of a canary in the running operator: in which CRL it is, who lets it ask, and what the issuer says of it."""

import pytest
from cryptography import x509

from doorward.cluster.gateway import CONFIG_MAP, EVENT, INGRESS, ISSUED_CERTIFICATE, ISSUER, SECRET
from doorward.pki import canaries
from doorward.planning.canary import Access, Asker
from doorward.planning.enforcement import Heard, Verdict
from doorward.planning.separation import Naming
from tests.support.operator_bed import ISSUER_AT, REPLICA, OperatorBed
from tests.unit.given import NOW

ADMITTED, REFUSED = (Access.ADMITTED, ""), (Access.REFUSED, "")
OPTED_IN = {"canary": True}
LIFE = canaries.LIVES.total_seconds()


class Controller:
    """One replica, which loads each CRL at once unless it is deaf, and resumes no sessions unless told."""

    def __init__(self):
        self.deaf = self.resumes = self.crosses = self.old_ca = False
        """`crosses`: it resumes sessions without the name of their host. `old_ca`: it has not loaded the anchors of canaries that come
        from now on, so it refuses them all.
        """
        self.asked = []
        """The pairs that asked, by serial."""

    async def probe(self, replica, asked):
        assert (replica, asked.host) == (REPLICA, "shop.example")
        return ((Verdict.REFUSED, ""),)

    async def unnamed(self, replica):
        assert replica == REPLICA
        return dict.fromkeys(Naming, Heard())

    async def canary(self, replica, asked, revoked, live, session):
        assert (replica, asked.host) == (REPLICA, "shop.example")
        assert session.kept is None
        self.asked.append((revoked.serial, live.serial))
        if self.old_ca:
            return {Asker.REVOKED: REFUSED, Asker.LIVE: REFUSED}
        if self.deaf:
            return {Asker.REVOKED: ADMITTED}
        resumed = ADMITTED if self.resumes else REFUSED
        unnamed = ADMITTED if self.crosses else REFUSED
        return {Asker.REVOKED: REFUSED, Asker.LIVE: ADMITTED, Asker.RESUMED: resumed, Asker.UNNAMED: unnamed}


@pytest.fixture
def controller():
    return Controller()


@pytest.fixture
def bed(controller):
    with OperatorBed(NOW, finalizer_at_creation=True, prober=controller, canary_prober=controller) as made:
        made.issuer(enforcement=OPTED_IN)
        made.ingress()
        made.apply("alice")
        made.apply("bob")
        made.settle()
        yield made


def status(bed):
    return bed.find(ISSUER, ISSUER_AT.name)["status"]


def says(bed, condition="CutOffHolds"):
    """Status and reason; None: nothing is said."""
    found = [c for c in status(bed)["conditions"] if c["type"] == condition]
    return (found[0]["status"], found[0]["reason"]) if found else None


def listed(bed):
    """The canaries in the published CRL."""
    crl = x509.load_pem_x509_crl(bed.find(CONFIG_MAP, "partners-crl")["data"]["ca.crl"].encode())
    return {entry.serial_number for entry in crl if canaries.expiry(entry.serial_number) is not None}


def number(bed):
    return status(bed)["crl"]["number"]


@pytest.mark.promise(1)
def test_the_first_canary_comes_with_a_crl_that_is_published_anyway(bed, controller):
    bed.edit(ISSUER, ISSUER_AT.name, {"spec": {"enforcement": {"canary": False}}})
    bed.advance(60)
    assert says(bed) is None
    before, controller.asked = number(bed), []
    bed.edit(ISSUER, ISSUER_AT.name, {"spec": {"enforcement": OPTED_IN}})
    bed.advance(LIFE)
    assert (number(bed), says(bed), controller.asked) == (before, ("Unknown", "CutOffNotVerified"), [])
    bed.apply("alice", revoked=True)
    bed.settle()
    assert says(bed) == ("True", "CanaryRefused")
    assert {revoked for revoked, _ in controller.asked} <= listed(bed)
    assert status(bed)["canary"]["crlNumber"] == number(bed) > before
    assert [each["replica"] for each in status(bed)["canary"]["replicas"]] == [str(REPLICA)]


@pytest.mark.promise(1)
def test_a_controller_that_loads_no_new_crl_is_said_after_half_a_minute_until_it_does(bed, controller):
    assert says(bed) == ("True", "CanaryRefused")
    controller.deaf = True
    bed.advance(60)
    bed.apply("alice", revoked=True)
    bed.advance(20)
    assert says(bed) == ("True", "CanaryRefused"), "it has time to load"
    bed.advance(15)
    assert says(bed) == ("False", "RevokedCanaryAdmitted")
    assert [e["involvedObject"]["kind"] for e in bed.cluster.all(EVENT) if e["reason"] == "RevokedCanaryAdmitted"] == [
        "MTLSIssuer"
    ]
    controller.deaf = False
    bed.advance(15)
    assert says(bed) == ("True", "CanaryRefused")


def test_a_controller_that_is_deaf_for_longer_than_a_canary_lives_is_asked_by_another(bed, controller):
    bed.advance(60)
    controller.deaf = True
    bed.apply("alice", revoked=True)
    bed.advance(LIFE / 2)
    before = number(bed)
    bed.advance(LIFE)
    assert number(bed) > before, "a CRL for the canary alone"
    assert says(bed) == ("False", "RevokedCanaryAdmitted")
    controller.deaf = False
    bed.advance(LIFE)
    assert says(bed) == ("True", "CanaryRefused")
    last = number(bed)
    bed.advance(3 * LIFE)
    assert number(bed) == last, "and no other"


def test_a_session_that_is_resumed_is_said_until_none_is(bed, controller):
    bed.advance(60)
    controller.resumes = True
    bed.apply("alice", revoked=True)
    bed.settle()
    assert says(bed) == ("False", "SessionsResumed")
    bed.advance(60)
    controller.resumes = False
    bed.apply("bob", revoked=True)
    bed.settle()
    assert says(bed) == ("True", "CanaryRefused")


@pytest.mark.promise(3)
def test_a_session_that_is_resumed_without_the_name_of_its_host_is_said_until_none_is(bed, controller):
    assert says(bed, "HostsSeparated") == ("True", "SessionsSeparated")
    bed.advance(60)
    controller.crosses = True
    bed.apply("alice", revoked=True)
    bed.settle()
    assert says(bed, "HostsSeparated") == ("False", "SessionsOfOtherHosts")
    assert says(bed) == ("True", "CanaryRefused"), "of which that says nothing"
    bed.restart()
    bed.advance(300)
    assert says(bed, "HostsSeparated") == ("False", "SessionsOfOtherHosts")
    controller.crosses = False
    bed.apply("bob", revoked=True)
    bed.settle()
    assert says(bed, "HostsSeparated") == ("True", "SessionsSeparated")


def test_the_live_one_is_the_next_that_is_revoked(bed, controller):
    bed.advance(60)
    live = controller.asked[-1][1]
    bed.apply("alice", revoked=True)
    bed.settle()
    assert controller.asked[-1][0] == live


@pytest.mark.promise(1)
def test_what_expired_leaves_with_a_crl_that_is_published_anyway(bed):
    first = listed(bed)
    assert len(first) == 1
    before = number(bed)
    bed.advance(2 * LIFE)
    assert (number(bed), listed(bed)) == (before, first)
    bed.apply("alice", revoked=True)
    bed.settle()
    assert len(listed(bed)) == 1
    assert not listed(bed) & first


def test_many_revocations_are_few_canaries(bed):
    for n in range(8):
        bed.apply(f"client-{n}")
    bed.advance(60)
    before = listed(bed)
    for n in range(8):
        bed.apply(f"client-{n}", revoked=True)
        bed.advance(3)
    assert 1 <= len(listed(bed) - before) <= 3


@pytest.mark.promise(5)
def test_the_keys_and_certificates_of_canaries_are_in_no_object(bed, controller):
    serials = {serial for pair in controller.asked for serial in pair}
    assert serials
    for kind in (SECRET, CONFIG_MAP, ISSUED_CERTIFICATE, ISSUER, INGRESS, EVENT):
        text = str(bed.cluster.all(kind)).lower()
        assert "doorward-canary" not in text
        assert not [serial for serial in serials if f"{serial:x}" in text]


def test_a_restart_keeps_what_was_said_and_publishes_nothing(bed):
    before = status(bed)
    bed.kill()
    bed.start()
    bed.advance(300)
    assert (says(bed), status(bed)["canary"], number(bed)) == (
        ("True", "CanaryRefused"),
        before["canary"],
        before["crl"]["number"],
    )


def rotated(bed):
    bed.advance(60)
    bed.edit(ISSUER, ISSUER_AT.name, {"spec": {"ca": {"generate": {"rotate": "now"}}}})


def signs(bed):
    return status(bed)["ca"]["generation"]


def test_the_next_ca_signs_as_soon_as_a_canary_shows_that_all_gates_have_loaded_it(bed):
    rotated(bed)
    bed.advance(15)
    assert signs(bed) == 2, "not after the 30 s that are assumed elsewhere"


def test_the_next_ca_does_not_sign_while_a_canary_shows_that_a_gate_has_not_loaded_it(bed, controller):
    controller.old_ca = True
    rotated(bed)
    bed.advance(300)
    assert signs(bed) == 1
    bed.advance(2 * LIFE)
    assert signs(bed) == 1, "another canary shows the same"
    controller.old_ca = False
    bed.advance(30)
    assert signs(bed) == 2


def test_the_metrics_say_it_by_replica(bed, controller):
    labels = {"issuer_namespace": ISSUER_AT.namespace, "issuer": ISSUER_AT.name, "replica": str(REPLICA)}
    assert bed.scrape().value("doorward_canary_refused_after_seconds", **labels) <= 15
    assert bed.scrape().value("doorward_canary_admitted_gates", **labels) == 0
    bed.advance(60)
    controller.deaf = True
    bed.apply("alice", revoked=True)
    bed.advance(60)
    assert bed.scrape().value("doorward_canary_admitted_gates", **labels) == 1
