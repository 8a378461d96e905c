"""What becomes of the serial of a Secret that is missing, or that holds something else: rows of a world and what is asked for."""

from dataclasses import replace

import pytest

from doorward.planning import losses
from doorward.planning.losses import GRACE, SETTLES, SHORTEST_GRACE
from doorward.planning.observed import Unseen
from doorward.planning.plan import MarkSecretMissing
from tests.unit import given
from tests.unit.given import DAY, HOUR, NOW, SECOND
from tests.unit.planning.plans import asked, on_its_way, planned, told

LEAF = given.leaf()
LIVE = given.record(of=LEAF)
OLDER = given.record(0xB2, issued_at=NOW - 30 * DAY)
NEWER = given.record(0xC3, issued_at=NOW - HOUR)
RESTORED = given.record(0xD4, revocation=given.hold(lifted=True, held_by="Deletion"), issued_at=NOW)
EXCHANGED = given.secret(LEAF, has_key=False, any_key=True)
MISSING = [
    pytest.param({"secret": Unseen.ABSENT}, id="it is deleted"),
    pytest.param({"secret": given.broken()}, id="it holds no certificate"),
    pytest.param({"secret": given.secret(given.leaf(0xE5)), "leaf_is_ours": False}, id="it holds an unknown one"),
    pytest.param({"secret": given.secret(LEAF, has_key=False)}, id="its key was taken out"),
]
LATE = given.secret(given.leaf(0xF6, issued=NOW))
"""What is issued now in place of a certificate whose Secret is missing."""


def since(record, at):
    return replace(record, secret_missing_since=at)


def with_grace(text):
    return given.issuer(spec=given.issuer_spec(certificates={"supersededGracePeriod": text}))


# Marks


@pytest.mark.promise(1)
@pytest.mark.parametrize("world", MISSING)
def test_a_serial_whose_secret_is_missing_is_marked_and_nobody_is_revoked_when(world):
    (mark,) = planned(records=(LIVE, OLDER), **world).actions
    assert isinstance(mark, MarkSecretMissing)
    assert (mark.records, mark.since, mark.until) == ((LIVE,), NOW, NOW + GRACE)


@pytest.mark.parametrize("world", MISSING)
def test_the_mark_is_written_once_and_another_certificate_is_issued_some_seconds_later_when(world):
    marked = (since(LIVE, NOW), OLDER)
    assert told(records=marked, **world)["Ready"] == "SecretMissing"
    assert planned(records=marked, **world).due == NOW + SETTLES
    assert asked(NOW + SETTLES, records=marked, **world) == ["Issue"]


UNKNOWN = {"secret": given.secret(given.leaf(0xE5)), "leaf_is_ours": False, "secret_since": NOW}


@pytest.mark.parametrize("records", [(), (since(LIVE, NOW - HOUR),)], ids=["without a record", "with a record"])
def test_a_secret_whose_certificate_no_ledger_knows_is_not_overwritten_at_once(records):
    """A backup may bring the record a moment later."""
    assert told(records=records, **UNKNOWN)["Ready"] == "SecretMissing"
    assert planned(records=records, **UNKNOWN).due == NOW + SHORTEST_GRACE
    assert asked(NOW + SHORTEST_GRACE, records=records, **UNKNOWN) == ["Issue"]


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(given.secret(given.leaf(0xE5), has_key=False), id="without a key"),
        pytest.param(given.secret(LEAF), id="that the ledger knows, of a CA that is another one now"),
    ],
)
def test_a_certificate_is_replaced_soon(secret):
    world = UNKNOWN | {"secret": secret, "records": (since(LIVE, NOW - HOUR),)}
    assert asked(**world) == ["Issue"]


def test_a_clock_that_was_ahead_makes_nobody_wait_for_longer():
    assert planned(records=(since(LIVE, NOW + DAY),), secret=Unseen.ABSENT).due == NOW + SETTLES


@pytest.mark.parametrize(
    "records",
    [
        pytest.param((), id="never had one"),
        pytest.param((given.record(of=LEAF, revocation=given.revocation()),), id="was revoked"),
        pytest.param((given.expired(since=DAY),), id="had one that expired"),
        pytest.param((RESTORED,), id="has one that came back from a deletion"),
    ],
)
def test_no_missing_secret_is_waited_for_where_the_client(records):
    assert asked(secret=Unseen.ABSENT, records=records) == ["Issue"]


def test_a_serial_that_is_newer_than_the_one_in_the_secret_is_marked():
    (mark,) = planned(records=(LIVE, NEWER)).actions
    assert (mark.records, mark.since) == ((NEWER,), NOW)


def test_the_mark_goes_when_the_secret_is_back():
    (mark,) = planned(records=(since(LIVE, NOW - HOUR), OLDER)).actions
    assert (mark.records, mark.since, mark.until) == ((since(LIVE, NOW - HOUR),), None, None)


@pytest.mark.parametrize(
    "world",
    [
        pytest.param({"secret": Unseen.DENIED}, id="may not be read"),
        pytest.param({"secret": Unseen.UNKNOWN}, id="could not be read"),
        pytest.param({"secret": given.foreign()}, id="is somebody else's"),
        pytest.param({"secret": given.foreign(copied=True)}, id="is a copy of another client's"),
        pytest.param({"leaf_is_ours": None}, id="holds a certificate of a CA that is not known yet"),
    ],
)
def test_nothing_is_marked_where_a_secret(world):
    assert "MarkSecretMissing" not in asked(records=(LIVE, OLDER), **world)


def test_the_serial_that_is_on_its_way_into_the_secret_is_not_marked():
    assert asked(secret=Unseen.ABSENT, records=(given.record(0xB2),), pending=on_its_way(serial=0xB2)) == ["Deliver"]


def test_a_loss_of_a_client_whose_issuer_is_missing_waits():
    assert told(secret=Unseen.ABSENT, records=(LIVE,), issuer=Unseen.ABSENT)["Ready"] == "IssuerNotFound"


# The end of the grace period


@pytest.mark.parametrize(
    ("issuer", "ends"),
    [
        pytest.param(given.issuer(), DAY, id="as long as a deletion can be undone"),
        pytest.param(with_grace("48h"), 2 * DAY, id="as the issuer says"),
        pytest.param(with_grace("1s"), SHORTEST_GRACE, id="never shorter than a restore may take"),
    ],
)
def test_a_serial_whose_secret_is_missing_stays_good_for(issuer, ends):
    records = (since(LIVE, NOW - HOUR), given.record(of=LATE.leaf))
    world = {"secret": LATE, "records": records, "issuer": issuer}
    assert planned(**world).due == NOW + ends
    (revoke,) = planned(NOW + ends, **world).actions
    assert (revoke.record, revoke.revocation.reason) == (records[0], "superseded")


def test_the_grace_period_begins_when_the_next_certificate_is_issued():
    """Otherwise a client whose issuer could not sign for a day would never have two good files."""
    records = (since(LIVE, NOW - 3 * DAY), given.record(of=LATE.leaf))
    assert "Revoke" not in asked(secret=LATE, records=records)


def test_nobody_is_revoked_before_the_next_certificate_is_in_the_secret():
    late = since(LIVE, NOW - 3 * DAY)
    problem = given.issuer(authority=None, problem="no CA")
    assert told(secret=Unseen.ABSENT, records=(late,), issuer=problem)["Admitted"] == "Live"


def test_a_serial_that_was_signed_while_a_backup_was_restored_has_the_grace_period_of_its_own():
    """By the server's clock its record is older than the one of the Secret, which was restored after it."""
    between = given.record(0xC3, issued_at=NOW - 60 * SECOND, not_before=NOW - HOUR)
    restored = given.record(of=LEAF, issued_at=NOW)
    world = {"records": (restored, between), "issuer": with_grace("1h")}
    assert "Revoke" not in asked(**world)
    assert "Revoke" in asked(NOW + HOUR, **world)


# A loss that is certain


@pytest.mark.promise(1)
def test_a_serial_beside_which_another_key_was_put_is_superseded_before_the_next_is_signed():
    plan = planned(secret=EXCHANGED, records=(LIVE, OLDER))
    assert [(action.record, action.revocation.reason) for action in plan.actions] == [
        (LIVE, "superseded"),
        (OLDER, "superseded"),
    ]


@pytest.mark.parametrize(
    ("world", "certain"),
    [
        pytest.param({"secret": EXCHANGED}, True, id="another private key"),
        pytest.param({"secret": EXCHANGED, "leaf_is_ours": False}, False, id="a whole pair of somebody else's"),
        pytest.param({"secret": given.secret(LEAF, has_key=False)}, False, id="no private key"),
        pytest.param({"secret": given.secret(LEAF)}, False, id="what was written"),
        pytest.param({"secret": given.broken()}, False, id="nothing that can be read"),
        pytest.param(
            {"secret": EXCHANGED, "spec": given.spec(request=given.csr())}, False, id="a key beside a CSR's certificate"
        ),
    ],
)
def test_a_loss_is_certain_or_not_where_the_secret_holds(world, certain):
    assert losses.is_certain(given.certificate(**world)) is certain
