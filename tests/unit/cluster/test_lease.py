"""Who may take the Lease, and when; what is written into it."""

import pytest

from doorward.cluster import lease
from doorward.objects.meta import ObjectKey
from tests.unit.given import NOW

AT = ObjectKey("doorward-system", "doorward")
ME, OTHER = "me_1", "other_2"


def body(holder: str | None = OTHER, *, version: int = 7, **spec: object) -> dict[str, object]:
    held = {"holderIdentity": holder, "leaseDurationSeconds": lease.DURATION} | spec
    return {"metadata": {"uid": "u", "resourceVersion": str(version)}, "spec": held}


SEEN = lease.look(body(), None, 100.0)


@pytest.mark.parametrize(
    ("seen", "now", "may"),
    [
        pytest.param(lease.look(None, None, 100.0), 100.0, True, id="there is none"),
        pytest.param(lease.look(body(""), None, 100.0), 100.0, True, id="it was released"),
        pytest.param(lease.look(body(None), None, 100.0), 100.0, True, id="it names nobody"),
        pytest.param(lease.look(body(ME), None, 100.0), 100.0, True, id="it is ours: the answer to our claim was lost"),
        pytest.param(SEEN, 100.0, False, id="another's, just seen"),
        pytest.param(SEEN, 109.9, False, id="another's, a moment before its end"),
        pytest.param(SEEN, 110.0, True, id="another's, not changed since its duration"),
        pytest.param(
            lease.look(body(), SEEN, 109.9), 110.0, True, id="seen again unchanged, which starts nothing anew"
        ),
        pytest.param(lease.look(body(version=8), SEEN, 109.9), 110.0, False, id="renewed meanwhile"),
        pytest.param(lease.look(None, SEEN, 109.0), 110.0, False, id="deleted: its holder may not know yet"),
        pytest.param(lease.look(None, SEEN, 109.0), 119.0, True, id="deleted, and not made again since its duration"),
        pytest.param(
            lease.look(body(leaseDurationSeconds=30), None, 100.0), 129.9, False, id="one that says a longer duration"
        ),
        pytest.param(
            lease.look(body(leaseDurationSeconds=1), None, 100.0), 101.0, False, id="one that says hardly any duration"
        ),
        pytest.param(
            lease.look(body(leaseDurationSeconds=10**9), None, 100.0), 160.0, True, id="one that says for ever"
        ),
        pytest.param(
            lease.look(body(renewTime="2099-01-01T00:00:00.000000Z"), None, 100.0),
            110.0,
            True,
            id="one renewed in the future by its holder's clock",
        ),
    ],
)
def test_it_may_be_taken(seen: lease.Seen, now: float, may: bool):
    assert lease.may_take(seen, ME, now) is may


@pytest.mark.parametrize(
    ("now", "rest"),
    [
        pytest.param(100.0, lease.LOOK_EVERY, id="while it holds"),
        pytest.param(109.75, 0.25, id="its end comes first"),
        pytest.param(111.0, 0.0, id="it is over"),
    ],
)
def test_who_waits_looks_again_after(now: float, rest: float):
    assert lease.next_look(SEEN, now) == rest


def test_who_leads_stops_writing_long_before_others_take_over():
    assert lease.DEADLINE + 3 <= lease.DURATION
    assert lease.RENEW_EVERY * 2 < lease.DEADLINE


def test_a_first_claim_makes_the_lease():
    claimed = lease.claimed(AT, None, ME, NOW)
    assert claimed["metadata"] == {"namespace": AT.namespace, "name": AT.name}
    assert (claimed["spec"]["holderIdentity"], claimed["spec"]["leaseTransitions"]) == (ME, 0)


def test_a_renewal_says_nothing_new_but_its_time_and_goes_onto_the_version_that_was_read():
    before = body(ME, acquireTime="2026-01-01T00:00:00.000000Z", leaseTransitions=3)
    renewed = lease.claimed(AT, before, ME, NOW)
    assert renewed["spec"] == before["spec"] | {"renewTime": NOW.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
    assert renewed["metadata"]["resourceVersion"] == "7"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(3, 4, id="counts"),
        pytest.param(None, 1, id="begins to count"),
        pytest.param(lease.MOST_CHANGES, lease.MOST_CHANGES, id="does not go beyond what the API takes"),
    ],
)
def test_a_takeover(before: int | None, after: int):
    assert lease.claimed(AT, body(leaseTransitions=before), ME, NOW)["spec"]["leaseTransitions"] == after


def test_who_lets_go_leaves_it_to_nobody():
    let_go = lease.released(AT, body(ME), NOW)
    assert (let_go["spec"]["holderIdentity"], let_go["metadata"]["resourceVersion"]) == ("", "7")
