"""Which held serials come back when deletions are undone."""

import pytest

from doorward.objects.meta import ObjectKey
from doorward.planning import undo
from tests.unit import given

HELD = given.NOW - given.HOUR
OLD = given.record(1, issued_at=HELD - given.DAY, revocation=given.hold(time=HELD))
OTHER = ObjectKey("edge", "bob")


def later(at=HELD + given.SECOND, **override):
    return given.record(2, issued_at=at, **override)


@pytest.mark.parametrize(
    ("other", "is_newer"),
    [
        pytest.param(later(), True, id="signed after the hold"),
        pytest.param(later(HELD - given.SECOND), False, id="signed before it"),
        pytest.param(later(HELD), False, id="a renewal in the second of the deletion"),
        pytest.param(later(HELD, holder_uid="another"), True, id="another object's in that second"),
        pytest.param(later(holder=OTHER), False, id="another client's"),
        pytest.param(later(issuer=ObjectKey("edge", "partners")), False, id="another issuer's"),
        pytest.param(later(revocation=given.revocation("superseded")), True, id="one that is revoked"),
        pytest.param(OLD, False, id="itself"),
    ],
)
def test_a_certificate_is_newer_than_the_hold_where_it_was(other, is_newer):
    assert list(undo.newer(OLD, [other])) == ([other] if is_newer else [])


LIVE = later()
SUPERSEDED = given.record(3, issued_at=HELD + given.SECOND, revocation=given.revocation("superseded"))
HELD_AGAIN = later(revocation=given.hold())
FINAL = later(revocation=given.revocation("cessationOfOperation"))
BETWEEN = given.record(4, issued_at=HELD + given.SECOND, revocation=given.revocation("cessationOfOperation"))
UNDONE = later(revocation=given.hold(lifted=True))
SUSPENDED = later(revocation=given.suspension())

CASES = {
    "nothing newer": ((), False, None, None),
    "created again, with no certificate yet": ((), True, undo.CREATED_AGAIN, None),
    "a newer one": ((LIVE,), True, "newer certificate 2", None),
    "a newer one, and one that it superseded": ((SUPERSEDED, LIVE), True, "newer certificate 2", None),
    "a newer one that was deleted as well": ((HELD_AGAIN,), False, "before certificate 2", "before certificate 2"),
    "a newer one whose deletion is final": ((FINAL,), False, "before certificate 2", "before certificate 2"),
    "a newer one whose deletion was undone": ((UNDONE,), True, "before certificate 2", "before certificate 2"),
    "a newer one, and one between whose deletion is final": (
        (BETWEEN, LIVE),
        True,
        "before certificate 4",
        "before certificate 4",
    ),
    "newer ones that are all revoked": ((SUPERSEDED,), True, "before certificate 3", "before certificate 3"),
    "a newer one that is suspended": ((SUSPENDED,), True, "before certificate 2", "before certificate 2"),
}


@pytest.mark.parametrize(("others", "created_again", "unnamed", "named"), CASES.values(), ids=CASES)
def test_a_serial_stays_held_where_its_client_has(others, created_again, unnamed, named):
    for is_named, expected in ((False, unnamed), (True, named)):
        why = undo.why_not(others, created_again=created_again, named=is_named)
        assert (why is None) == (expected is None)
        assert expected is None or expected in why
