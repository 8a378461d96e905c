"""Which state a certificate is in."""

from datetime import timedelta

import pytest

from doorward.planning.states import CertificateState, state_of
from tests.unit import given
from tests.unit.given import NOW

AFTER = timedelta(days=1_000)


@pytest.mark.parametrize(
    ("record", "trusted", "state"),
    [
        pytest.param(given.record(), {1}, "live", id="a good one"),
        pytest.param(given.record(), None, "live", id="a good one, before anything is known to be published"),
        pytest.param(given.record(), {2}, "revoked", id="its CA generation is trusted no longer"),
        pytest.param(given.record(revocation=given.hold()), {1}, "held", id="on hold"),
        pytest.param(given.record(revocation=given.revocation("keyCompromise")), {1}, "revoked", id="revoked for good"),
    ],
)
def test_a_certificate_has_one_state(record, trusted, state):
    assert state_of(record, trusted, NOW) is CertificateState(state)


@pytest.mark.parametrize(
    ("record", "trusted", "state"),
    [
        pytest.param(given.record(), {1}, "expired", id="a good one"),
        pytest.param(given.record(), {2}, "expired", id="its CA generation is trusted no longer"),
        pytest.param(
            given.record(revocation=given.revocation("keyCompromise")), {1}, "revoked", id="one that was revoked"
        ),
    ],
)
def test_what_was_not_revoked_expires(record, trusted, state):
    assert state_of(record, trusted, NOW + AFTER) is CertificateState(state)
