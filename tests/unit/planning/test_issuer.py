"""The rules of one MTLSIssuer: rows of a sentence, a world, and the plan."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given as given_that
from hypothesis import settings
from hypothesis import strategies as st

from doorward.api.conditions import said
from doorward.api.status import MTLSIssuerStatus
from doorward.objects.crl_configmap import MAX_BYTES
from doorward.objects.meta import ObjectKey
from doorward.objects.trust_bundle import PublishedTrust
from doorward.pki.keys import KeyAlgorithm, KeyKind
from doorward.planning import crl, issuer, issuer_status
from doorward.planning.crl import Snapshot
from doorward.planning.observed import GateState, Unseen
from doorward.planning.plan import CloseGate, Plan, PublishCrl, WriteGate
from tests.unit import given
from tests.unit.given import DAY, HOUR, NOW, SECOND

SKEWED = timedelta(minutes=6)
REVOKED = given.record(1, revocation=given.revocation())
HELD = given.record(1, revocation=given.hold())
LIFTED = given.record(1, revocation=given.hold(lifted=True, final_at=None))
OVER = given.record(1, revocation=given.hold(final_at=NOW))
TWO = given.record(2, revocation=given.revocation())
LONG_EXPIRED = given.expired(1, since=7 * DAY, revocation=given.revocation())
NO_CA = {"authority": Unseen.ABSENT, "published": Unseen.ABSENT}
BROKEN_CA = {"authority": said("CaSecretInvalid", secret="partners-ca-1", detail="junk"), "published": Unseen.ABSENT}
OWN_CA = given.issuer_spec(ca={"secretRef": {"name": "mine"}})
EXPIRED_CA = {"spec": OWN_CA, "authority": given.authority(not_after=NOW, generated=False)}
NOT_A_CRL = said("NotPublished", configmap="partners-crl", detail="the CRL cannot be parsed")
FOREIGN_CRL = said("CrlUnmanaged", configmap="partners-crl")


def _plan(now=NOW, **world):
    return issuer.decide(given.trust_domain(**world), now).plan


def _signing(**world):
    return issuer.decide(given.trust_domain(**world), NOW).signing


def _names(**world):
    return given.names(_plan(**world).actions)


def _status(**world):
    (action,) = _plan(**world).actions
    return action.status


def _reasons(**world):
    return given.reasons(_status(**world))


def _listed(**world):
    """The serials of the CRL that is to be published; None: none is."""
    o = given.trust_domain(**world)
    plan = issuer.decide(o, NOW).plan
    if not plan.actions or not isinstance(plan.actions[0], PublishCrl):
        return None
    (action,) = plan.actions
    bases = {g: (each,) for g, each in o.published.crls.items()} if isinstance(o.published, PublishedTrust) else {}
    snapshot = Snapshot(records=o.records, pending_again=o.kept_out, bases=bases, highest_number=0, taken_at=NOW)
    listed = sorted(n for content in crl.decide(snapshot, action.terms).values() for n in content.entries)
    assert sum(action.entries.values()) == len(listed)
    return listed


def _after(**world):
    """The plan once the status it asks for is written."""
    return _plan(**{**world, "status": _status(**world)})


# What is unknown, or wrong with everything


@pytest.mark.parametrize("what", ["records", "published", "authority"])
def test_nothing_is_decided_before_it_is_heard_of(what):
    world = {"published": Unseen.ABSENT} | {what: Unseen.UNKNOWN}
    assert _plan(**world) == Plan(due=NOW + 5 * SECOND)


def test_a_spec_that_cannot_be_read_is_said():
    assert _reasons(spec="spec.ca: junk")["Ready"] == "InvalidSpec"


@pytest.mark.parametrize(
    "world",
    [
        pytest.param(NO_CA, id="there is no CA"),
        pytest.param({"published": Unseen.ABSENT}, id="there is no CRL"),
        pytest.param({"records": (REVOKED,), "published": given.published()}, id="a serial must be refused"),
        pytest.param({"published": given.published(signed=NOW - 2 * DAY)}, id="a CRL is due"),
        pytest.param({"records": (OVER,)}, id="a hold ends"),
    ],
)
@pytest.mark.parametrize("skew", [SKEWED, -SKEWED])
def test_while_the_clocks_disagree_nothing_is_made_though(world, skew):
    plan = _plan(**world, skew=skew)
    assert given.names(plan.actions) == ["WriteStatus"]
    assert given.reasons(plan.actions[0].status)["Ready"] == "ClockSkewed"
    assert plan.due == NOW + 5 * SECOND


# The CA


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        pytest.param({}, KeyKind(algorithm=KeyAlgorithm.ECDSA, size=256), id="by default"),
        pytest.param(
            {"algorithm": "ECDSA", "size": 384},
            KeyKind(algorithm=KeyAlgorithm.ECDSA, size=384),
            id="as it is asked for",
        ),
        pytest.param({"algorithm": "RSA"}, KeyKind(algorithm=KeyAlgorithm.RSA, size=3072), id="RSA without a size"),
    ],
)
def test_a_new_issuer_makes_its_ca(key, kind):
    wanted = {"commonName": "My CA", "duration": "48h", "privateKey": key, "subject": {"organizations": ["ACME"]}}
    (action,) = _plan(**NO_CA, spec=given.issuer_spec(ca={"generate": wanted})).actions
    assert (action.generation, action.kind, action.lifetime) == (1, kind, 2 * DAY)
    assert (action.subject.common_name, action.subject.organizations) == ("My CA", ("ACME",))


def test_a_new_issuer_that_is_older_than_the_limits_makes_a_ca_of_two_days():
    (action,) = _plan(
        **NO_CA, spec=given.issuer_spec(ca={"generate": {"commonName": "My CA", "duration": "1h"}})
    ).actions
    assert action.lifetime == 2 * DAY


@pytest.mark.parametrize(
    "world",
    [
        pytest.param({"records": (given.record(),)}, id="it has signed certificates"),
        pytest.param({"published": NOT_A_CRL}, id="it has published a CRL"),
        pytest.param({"spec": OWN_CA}, id="it is somebody's own"),
    ],
)
def test_a_ca_that_is_missing_is_not_made_anew_where(world):
    assert _reasons(**NO_CA | world)["Ready"] == "CaSecretMissing"


def test_a_ca_whose_name_no_certificate_can_say_is_not_made():
    spec = given.issuer_spec(ca={"generate": {"commonName": "My CA", "subject": {"countries": ["Neverland"]}}})
    assert _reasons(**NO_CA, spec=spec)["Ready"] == "InvalidSpec"


PROBLEMS = [
    pytest.param({"authority": Unseen.DENIED, "published": Unseen.DENIED}, "NotPermitted", id="no consent"),
    pytest.param({"published": Unseen.DENIED}, "NotPermitted", id="no consent since the CA was read"),
    pytest.param(BROKEN_CA, "CaSecretInvalid", id="the CA's Secret holds junk"),
    pytest.param({"rival": ObjectKey("issuers", "older")}, "CaKeyShared", id="another issuer has the key"),
    pytest.param({"is_cluster_ca": True}, "ClusterCa", id="it is the cluster's own client CA"),
    pytest.param({"published": NOT_A_CRL, "replaced": "CN=Old"}, "CaReplaced", id="another CA has published here"),
]


@pytest.mark.parametrize(("world", "reason"), PROBLEMS)
def test_an_issuer_that_cannot_sign_says_why(world, reason):
    assert _reasons(**world)["Ready"] == reason


@pytest.mark.parametrize(("world", "reason"), PROBLEMS)
def test_its_certificates_hear_why(world, reason):
    assert _signing(**world).reason.name == reason


@pytest.mark.parametrize(
    ("world", "reason"),
    [
        pytest.param({"spec": "junk"}, "InvalidSpec", id="a spec that cannot be read"),
        pytest.param(NO_CA, "CaSecretMissing", id="a CA that is about to be made"),
        pytest.param(EXPIRED_CA, "CaExpired", id="a CA that has expired"),
    ],
)
def test_certificates_wait_for(world, reason):
    assert _signing(**world).reason.name == reason


@pytest.mark.parametrize("skew", [0 * SKEWED, SKEWED])
def test_certificates_need_not_wait_for_an_issuer_that_signs(skew):
    assert _signing(skew=skew) == given.authority()


@pytest.mark.parametrize("what", ["records", "published", "authority"])
def test_certificates_are_told_nothing_before_it_is_heard_of(what):
    world = {"published": Unseen.ABSENT} | {what: Unseen.UNKNOWN}
    assert _signing(**world) is Unseen.UNKNOWN


# The ledger is repaired when all that it says is published


@pytest.mark.parametrize(
    "world",
    [
        pytest.param({"published": given.published(given.entry(1, "certificateHold"))}, id="a serial must be refused"),
        pytest.param(
            {"published": given.published(given.entry(1, "certificateHold"), given.entry(2), signed=NOW - DAY)},
            id="a CRL is due",
        ),
    ],
)
def test_a_cut_off_goes_before_holds_that_end(world):
    plan = _plan(records=(OVER, TWO), **world)
    assert (given.names(plan.actions), plan.later) == (["PublishCrl"], ())


def test_gates_go_before_holds_that_end():
    plan = _plan(records=(OVER,), gates=(given.gate(state=GateState.STALE),))
    assert (given.names(plan.actions), plan.later) == (["WriteGate"], ())


def test_of_hundreds_of_holds_that_end_some_are_repaired_after_the_status():
    ended = tuple(given.record(n, revocation=given.hold(final_at=NOW)) for n in range(1, 401))
    plan = _plan(records=ended)
    assert (given.names(plan.actions), len(plan.later)) == (["WriteStatus"], issuer.MOST_REPAIRS)


def test_a_reason_that_changed_is_published_when_no_record_is_left_to_be_repaired():
    final = given.record(1, revocation=given.revocation("cessationOfOperation"))
    over = given.record(2, revocation=given.hold(final_at=NOW))
    published = given.published(given.entry(1, "certificateHold"), given.entry(2, "certificateHold"))
    plan = _plan(records=(final, over), published=published)
    assert (given.names(plan.actions), given.names(plan.later)) == (["WriteStatus"], ["Revoke"])
    assert _names(records=(final,), published=published) == ["PublishCrl"]


def test_holds_end_also_where_the_configmap_is_somebody_elses():
    plan = _plan(records=(OVER,), published=FOREIGN_CRL)
    (status,) = plan.actions
    assert (given.reasons(status.status)["Ready"], given.names(plan.later)) == ("CrlUnmanaged", ["Revoke"])


def test_a_revocation_without_a_time_is_published_first_and_then_has_that_time():
    undated = given.record(1, revocation=given.own_hold(dated=False, time=NOW - 30 * DAY))
    assert _listed(records=(undated,), published=given.published()) == [1]
    published = given.published(given.entry(1, "certificateHold", at=NOW - SECOND))
    (action,) = _plan(records=(undated,), published=published).later
    assert action.revocation == given.own_hold(time=NOW - SECOND)
    repaired = replace(undated, revocation=action.revocation)
    assert _names(records=(repaired,), published=published) == ["WriteStatus"]


def test_a_hold_whose_time_has_come_becomes_final_since_when_it_was_held():
    (action,) = _plan(records=(OVER,)).later
    assert (action.revocation.reason, action.revocation.time) == ("cessationOfOperation", OVER.revocation.time)


@pytest.mark.promise(1)
def test_a_record_that_lost_its_revocation_gets_it_back_from_the_crl():
    published = given.published(given.entry(1, "keyCompromise"))
    (action,) = _plan(records=(given.record(1),), published=published).later
    assert (action.record.serial, action.revocation.reason) == (1, "keyCompromise")


def test_a_record_that_lost_its_revocation_is_left_to_a_client_that_is_out_itself():
    published = given.published(given.entry(1, "certificateHold"))
    assert _plan(records=(given.record(1),), published=published, kept_out=frozenset({1})).later == ()


def test_a_hold_that_was_lifted_says_no_more_when_it_becomes_final():
    (action,) = _plan(records=(given.record(1, revocation=given.hold(lifted=True)),)).later
    assert (action.revocation.lifted, action.revocation.final_at) == (True, None)
    assert action.revocation.held_by == "Deletion"


# The CRL


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    ("world", "serials"),
    [
        pytest.param({"published": Unseen.ABSENT}, [], id="there is none: an empty CRL is a CRL"),
        pytest.param({"published": NOT_A_CRL}, [], id="the published one cannot be read"),
        pytest.param({"published": Unseen.ABSENT, "records": (REVOKED,)}, [1], id="it was lost"),
        pytest.param({"published": given.published(), "records": (REVOKED,)}, [1], id="a serial was revoked"),
        pytest.param({"published": given.published(), "records": (HELD,)}, [1], id="a serial is held"),
        pytest.param({"published": given.published(given.entry(1)), "records": (HELD,)}, [1], id="a reason changed"),
        pytest.param({"published": given.published(given.entry(1)), "records": (LIFTED,)}, [], id="a hold was lifted"),
        pytest.param({"records": (LONG_EXPIRED,)}, [], id="a certificate expired a period ago"),
        pytest.param({"published": given.published(signed=NOW - DAY)}, [], id="its day is over"),
        pytest.param({"newest_numbers": {1: 1 << 62}}, [], id="a newer one was seen: etcd went back"),
        pytest.param({"newest_number": 1 << 62}, [], id="a newer one was seen of a CA that left"),
        pytest.param(EXPIRED_CA | {"published": Unseen.ABSENT}, [], id="its CA ended"),
    ],
)
def test_a_crl_is_published_where(world, serials):
    assert _listed(**world) == serials


@pytest.mark.parametrize(
    "world",
    [
        pytest.param({}, id="nobody is refused"),
        pytest.param({"records": (REVOKED,)}, id="all the refused are named"),
        pytest.param({"published": given.published(given.entry(9))}, id="one is named whose record is gone"),
        pytest.param({"published": given.published(signed=NOW - DAY + SECOND)}, id="it is not a day old"),
        pytest.param({"published": FOREIGN_CRL}, id="the ConfigMap is somebody else's"),
        pytest.param(
            {"published": given.published(given.entry(1)), "records": (LIFTED,), "kept_out": frozenset({1})},
            id="a hold was lifted, and the client itself is out",
        ),
    ],
)
def test_no_crl_is_published_where(world):
    assert _listed(**world) is None


def test_a_crl_is_good_from_an_hour_back_for_as_long_as_the_spec_says():
    spec = given.issuer_spec(crl={"validity": "48h", "renewEvery": "12h"})
    (action,) = _plan(published=Unseen.ABSENT, spec=spec).actions
    assert (action.terms.this_update, action.terms.next_update) == (NOW - HOUR, NOW + 2 * DAY)


def test_a_serial_is_named_for_as_long_as_the_shortest_crl_is_good_after_its_expiry():
    spec = given.issuer_spec(crl={"validity": "1s", "renewEvery": "1s"})
    (over, recent) = (given.expired(n, since=n * SECOND, revocation=given.revocation()) for n in (120, 119))
    assert _listed(spec=spec, records=(over, recent)) == [119]


def test_a_foreign_configmap_is_said_and_left_alone():
    assert _reasons(published=FOREIGN_CRL)["Ready"] == "CrlUnmanaged"


# Gates


@pytest.mark.promise(3)
@pytest.mark.parametrize(
    ("gate", "action"),
    [
        pytest.param({"state": GateState.STALE}, WriteGate, id="an old CRL is mended"),
        pytest.param({"state": GateState.STALE, "targets": ()}, WriteGate, id="also where nobody asks for it now"),
        pytest.param({"state": GateState.ABSENT}, WriteGate, id="a missing one is made"),
        pytest.param({"state": GateState.FOREIGN}, WriteGate, id="a planted one is replaced"),
        pytest.param({"state": GateState.CURRENT, "allowed": False}, CloseGate, id="one not allowed is closed"),
        pytest.param({"state": GateState.STALE, "allowed": False}, CloseGate, id="closed, not mended"),
        pytest.param(
            {"state": GateState.STALE, "targets": (), "idle_until": NOW},
            CloseGate,
            id="not mended either where nobody has asked for it for a while",
        ),
        pytest.param({"state": GateState.CLOSED}, WriteGate, id="a closed one that is allowed again is opened"),
    ],
)
def test_of_gates(gate, action):
    assert _plan(gates=(given.gate(**gate),)).actions == (action(namespace="edge"),)


@pytest.mark.parametrize(
    "gate",
    [
        pytest.param({}, id="it holds the published CRL"),
        pytest.param({"state": GateState.ABSENT, "targets": ()}, id="nobody asks for it"),
        pytest.param({"state": GateState.ABSENT, "allowed": False}, id="it is not allowed and not there"),
        pytest.param(
            {"state": GateState.FOREIGN, "allowed": False, "targets": ()},
            id="it is not allowed and not ours, and nobody asks",
        ),
        pytest.param(
            {"state": GateState.CLOSED, "allowed": False}, id="it is closed, and its data plane may not know yet"
        ),
        pytest.param({"state": GateState.UNREADABLE}, id="it cannot be read"),
        pytest.param({"state": GateState.STALE, "allowed": None}, id="whether it is allowed is unknown"),
        pytest.param({"state": GateState.DENIED}, id="its namespace has not consented"),
        pytest.param({"state": GateState.UNKNOWN}, id="it is not heard of yet"),
        pytest.param({"state": GateState.REFUSED}, id="it was refused a moment ago"),
    ],
)
def test_a_gate_is_left_alone_where(gate):
    assert _names(gates=(given.gate(**gate),)) == ["WriteStatus"]


@pytest.mark.parametrize(
    "gate",
    [
        pytest.param({"state": GateState.UNKNOWN}, id="is not heard of yet"),
        pytest.param({"state": GateState.REFUSED}, id="was refused"),
        pytest.param({"state": GateState.REFUSED, "allowed": False}, id="cannot be closed"),
        pytest.param({"state": GateState.UNREADABLE}, id="cannot be read"),
        pytest.param({"allowed": None}, id="may be allowed or not"),
    ],
)
def test_a_gate_is_looked_at_again_soon_that(gate):
    assert _after(gates=(given.gate(**gate),), counts_due=NOW).due == NOW + 5 * SECOND


@pytest.mark.promise(1)
def test_the_crl_is_committed_before_any_gate_is_written():
    stale = given.gate(state=GateState.STALE)
    assert _names(records=(REVOKED,), published=given.published(), gates=(stale,)) == ["PublishCrl"]


@pytest.mark.parametrize(("world", "reason"), PROBLEMS)
def test_a_gate_that_is_not_allowed_is_closed_also_by_an_issuer_that_cannot_sign(world, reason):
    gates = (given.gate(allowed=False), given.gate("other", state=GateState.STALE))
    assert _plan(**world, gates=gates).actions == (CloseGate(namespace="edge"),), reason


@pytest.mark.parametrize(
    ("gate", "behind"),
    [
        pytest.param({}, False, id="holds the CRL"),
        pytest.param({"state": GateState.STALE}, True, id="holds an old one"),
        pytest.param({"state": GateState.DENIED}, True, id="cannot be written"),
        pytest.param({"state": GateState.STALE, "allowed": None}, True, id="may have to hold it"),
        pytest.param({"state": GateState.STALE, "targets": ()}, False, id="lets nobody in"),
        pytest.param({"state": GateState.STALE, "allowed": False}, False, id="is to be closed"),
    ],
)
def test_a_deletion_waits_for_a_gate_that(gate, behind):
    assert bool(issuer_status.gates_behind((given.gate(**gate),))) is behind


# Status


def test_a_settled_issuer_says_so():
    assert _reasons() == {
        "Ready": "Signing",
        "CRLCurrent": "Published",
        "GatesCurrent": "NoGates",
        "CAExclusive": "Generated",
    }


@pytest.mark.parametrize(
    ("world", "condition", "reason"),
    [
        pytest.param({"gates": (given.gate(),)}, "GatesCurrent", "AllCurrent", id="a gate holds the CRL"),
        pytest.param(
            {"gates": (given.gate(state=GateState.DENIED),)}, "GatesCurrent", "SomeNotCurrent", id="a gate does not"
        ),
        pytest.param({"gates": (given.gate(targets=()),)}, "GatesCurrent", "NoGates", id="a gate nobody uses"),
        pytest.param(
            {"authority": given.authority(generated=False)}, "CAExclusive", "SharedCA", id="the CA is a user's"
        ),
        pytest.param(EXPIRED_CA, "Ready", "CaExpired", id="the CA has expired"),
        pytest.param(NO_CA | {"spec": OWN_CA}, "CRLCurrent", "NotPublished", id="there is no CA"),
        pytest.param(
            {"unused": ("CN=Old (serial 1)",)}, "CAFilesUsed", "CaFilesUnused", id="there is more in its Secret"
        ),
    ],
)
def test_a_status_says(world, condition, reason):
    assert _reasons(**world)[condition] == reason


def test_of_a_shared_ca_it_is_said_where_the_clients_of_others_are_refused():
    """`by_shared_ca` of tests/gate/asked/attacks.py shows both."""
    status = _status(authority=given.authority(generated=False))
    (said,) = [each["message"] for each in status["conditions"] if each["type"] == "CAExclusive"]
    assert "admits clients that no ClientCertificate names, except where the gate service is asked" in said


def test_no_file_however_full_makes_a_message_too_long():
    parts = tuple(f"CN={number}{'x' * 500}" for number in range(9))
    (said,) = [each for each in _status(unused=parts)["conditions"] if each["type"] == "CAFilesUsed"]
    assert "CN=4x" in said["message"]
    assert "CN=5x" not in said["message"]
    assert said["message"].endswith("and 4 more. Remove what does not belong there")


@pytest.mark.parametrize("gone", ["CutOffHolds", "HostsSeparated"])
def test_a_condition_that_an_older_version_wrote_and_nothing_can_set_goes_from_the_status(gone):
    settled = _status()
    old = settled["conditions"][0] | {"type": gone, "status": "Unknown", "reason": "SessionResumption"}
    before = settled | {"conditions": [*settled["conditions"], old]}
    assert _status(status=before)["conditions"] == settled["conditions"]


def test_a_gate_without_consent_is_told_with_the_command_to_run():
    conditions = _status(gates=(given.gate(state=GateState.DENIED),))["conditions"]
    (message,) = [item["message"] for item in conditions if item["type"] == "GatesCurrent"]
    assert "kubectl -n edge create rolebinding doorward-secrets" in message


def test_a_status_shows_ca_and_crl():
    status = _status(records=(REVOKED,))
    assert (status["ca"]["subject"], status["ca"]["serialNumber"]) == ("CN=Partners CA", "64")
    assert (status["crl"]["entries"], status["crl"]["nextUpdate"]) == (1, "2026-09-08T11:00:00Z")


def test_a_status_lists_fifty_gates_and_counts_them_all():
    gates = tuple(given.gate(f"edge-{n}", targets=tuple(map(str, range(20)))) for n in range(60))
    status = _status(gates=gates)
    assert (len(status["gates"]), status["gatesTotal"]) == (50, 60)
    assert len(status["gates"][0]["targets"]) == 16


def test_a_status_counts_live_revoked_and_expired():
    records = (given.record(1), given.record(2), replace(REVOKED, serial=3, key=given.record(3).key))
    records += (given.expired(4, since=SECOND),)
    assert _status(records=records)["counts"] == {"live": 2, "revoked": 1, "expired": 1}


def test_certificates_of_a_generation_that_no_gate_trusts_do_not_count_as_live():
    other = ObjectKey(given.ISSUER.namespace, "partners.2.2")
    records = (given.record(1), given.record(2, generation=2, key=other))
    assert _status(records=records)["counts"] == {"live": 1, "revoked": 1, "expired": 0}


def test_a_settled_status_is_not_written_again_and_the_next_crl_is_due_in_time():
    assert _after() == Plan(due=NOW + 23 * HOUR)


def test_the_end_of_a_hold_is_due_before_the_next_crl():
    ends = given.record(1, revocation=given.hold(final_at=NOW + HOUR))
    assert _after(records=(ends,)).due == NOW + HOUR


def test_a_status_that_is_written_is_looked_at_again_for_its_counts():
    assert _plan().due == NOW + 10 * SECOND


def test_counts_alone_are_written_when_they_are_due():
    before = _status()
    world = {"status": before, "records": (given.record(1),)}
    assert _plan(**world, counts_due=NOW + SECOND) == Plan(due=NOW + SECOND)
    assert _names(**world, counts_due=NOW) == ["WriteStatus"]


def test_anything_else_is_written_at_once():
    assert _names(status=_status(), counts_due=NOW + SECOND, gates=(given.gate(),)) == ["WriteStatus"]


# CA generations and the CRL's room


def large(share):
    return given.trust({1: (given.authority(), given.crl())}, size=int(share * MAX_BYTES))


@pytest.mark.parametrize(
    ("share", "is_said"), [pytest.param(0.69, False, id="below 70 %"), pytest.param(0.701, True, id="above 70 %")]
)
def test_a_crl_that_grows_large_is_said(share, is_said):
    assert ("CRLRoom" in _reasons(published=large(share))) is is_said


@pytest.mark.parametrize(
    ("share", "is_crowded"), [pytest.param(0.89, False, id="below 90 %"), pytest.param(0.901, True, id="above 90 %")]
)
def test_the_last_room_of_a_crl_is_kept_for_people(share, is_crowded):
    assert issuer_status.crowded(given.trust_domain(published=large(share))) is is_crowded


def test_a_next_generation_is_made_with_what_the_spec_asks_for():
    wanted = {"commonName": "Partners CA", "rotate": "today", "duration": "48h"}
    (action,) = _plan(spec=given.issuer_spec(ca={"generate": wanted})).actions
    assert (action.generation, action.rotate, action.lifetime) == (2, "today", 2 * DAY)


def test_a_cut_off_is_published_before_the_key_of_the_next_ca_is_made():
    spec = given.issuer_spec(ca={"generate": {"commonName": "Partners CA", "rotate": "today"}})
    assert _names(spec=spec, published=given.published(), records=(REVOKED,)) == ["PublishCrl"]


def test_a_bundle_that_holds_something_else_is_published_anew():
    odd = given.trust({1: (given.authority(), given.crl())}, sound=False)
    assert _names(published=odd) == ["PublishCrl"]


def test_gates_are_closed_where_no_ca_is_left_that_may_be_trusted():
    spec = given.issuer_spec(ca={"generate": {"commonName": "Partners CA"}, "distrust": [1]})
    assert _names(spec=spec, gates=(given.gate(),)) == ["CloseGate"]
    assert _names(spec=spec) == ["CreateCa"]


# What a person's own CA says, and a status cannot


@settings(max_examples=100)
@given_that(
    serial=st.integers(min_value=-(2**200), max_value=2**200),
    subject=st.text(min_size=1, max_size=50).map(lambda text: text * 100),
    year=st.integers(2027, 9999),
)
def test_a_status_holds_whatever_a_ca_says(serial, subject, year):
    ca = given.authority(serial=serial, subject=subject, not_after=NOW.replace(year=year), generated=False)
    told = MTLSIssuerStatus.model_validate(_status(spec=OWN_CA, authority=ca)).ca
    assert told is not None
    assert told.serial_number == f"{serial:x}" or told.serial_number.endswith("...")


def test_a_serial_of_22_octets_is_cut_off():
    ca = given.authority(serial=0x7F0102030405060708090A0B0C0D0E0F101112131415, generated=False)
    assert _status(spec=OWN_CA, authority=ca)["ca"]["serialNumber"] == "7f0102030405060708090a0b0c0d0e0f10111..."
