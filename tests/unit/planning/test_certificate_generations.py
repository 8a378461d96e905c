"""A ClientCertificate whose issuer's CA changes: it moves, and says whether the gates trust what it holds."""

from dataclasses import replace

import pytest

from doorward.planning import certificate, room
from doorward.planning.observed import Unseen
from doorward.planning.plan import Issue
from tests.unit import given
from tests.unit.given import DAY, HOUR, NOW

LEAF = given.leaf()
LIVE = given.record(of=LEAF)
TWO = given.authority(generation=2)
BOTH = given.trust({1: (given.authority(), given.crl()), 2: (TWO, given.crl())})
ONLY_TWO = given.trust({2: (TWO, given.crl())})
MOVED = given.issuer(authority=TWO, published=BOTH)
CROWDED = given.issuer(crowded=True, spec=given.issuer_spec(certificates={"supersededGracePeriod": "1h"}))


def planned(**world):
    return certificate.plan(given.certificate(secret=given.secret(LEAF), **world), NOW)


def admitted(**world):
    (action,) = planned(**world).actions
    return given.reasons(action.status)["Admitted"]


def test_a_certificate_of_an_older_generation_is_followed_by_one_of_the_generation_that_signs():
    (issue,) = planned(issuer=MOVED).actions
    assert isinstance(issue, Issue)
    assert (issue.generation, issue.because) == (2, "the issuer signs with CA generation 2 now")


def test_a_key_that_is_kept_at_renewals_is_kept_when_the_ca_changes():
    (issue,) = planned(issuer=MOVED, spec=given.spec(privateKey={"rotationPolicy": "Never"})).actions
    assert issue.keep_key


STAYING = replace(MOVED, staying={1: given.authority()})


def test_a_certificate_of_an_older_generation_is_left_in_use_where_only_its_number_was_too_high():
    (status,) = planned(issuer=STAYING).actions
    assert given.reasons(status.status) == {"Ready": "Issued", "Admitted": "Live"}


def test_its_secret_is_repaired_with_the_ca_that_signed_it():
    broken = given.secret(LEAF, ca=b"another")
    (rewrite,) = certificate.plan(given.certificate(secret=broken, issuer=STAYING), NOW).actions
    assert (given.names([rewrite]), rewrite.generation) == (["RewriteSecret"], 1)


def test_the_secret_of_a_client_that_waits_for_the_next_ca_is_not_written_again_and_again():
    full = replace(MOVED, unexpired_of_authority=room.CRL_ENTRIES, authority=replace(TWO, chain_pem=b"two"))
    (status,) = planned(issuer=full).actions
    assert given.reasons(status.status) == {"Ready": "CertificateLimitReached", "Admitted": "Live"}


def test_nobody_moves_while_nothing_can_be_signed():
    waiting = given.issuer(authority=None, problem="no CA", published=BOTH)
    assert given.names(planned(issuer=waiting).actions) == ["WriteStatus"]


@pytest.mark.parametrize(
    ("trust", "reason"),
    [
        pytest.param(BOTH, "Live", id="the gates trust its CA"),
        pytest.param(ONLY_TWO, "CaNotTrusted", id="they do not"),
        pytest.param(None, "Live", id="nothing is published yet"),
    ],
)
def test_a_client_is_admitted_where(trust, reason):
    assert admitted(issuer=given.issuer(authority=None, problem="no CA", published=trust)) == reason


MARKED = replace(given.record(0xB2, issued_at=NOW - HOUR), secret_missing_since=NOW - 2 * DAY)


@pytest.mark.parametrize(
    "world",
    [
        pytest.param({"records": (LIVE, given.record(0xB2, issued_at=NOW - 30 * DAY))}, id="a superseded serial"),
        pytest.param({"records": (LIVE, MARKED)}, id="a serial that no Secret holds any more"),
    ],
)
def test_the_room_that_is_kept_in_the_crl_is_not_taken_by(world):
    assert given.names(planned(issuer=CROWDED, **world).actions) == ["WriteStatus"]
    assert "Revoke" in given.names(planned(issuer=replace(CROWDED, crowded=False), **world).actions)


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(Unseen.ABSENT, id="it is missing"),
        pytest.param(given.secret(has_key=False, any_key=True), id="its key was exchanged"),
    ],
)
def test_a_lost_certificate_gets_a_successor_and_runs_out_where_the_crl_has_no_room(secret):
    record = replace(given.record(of=given.leaf()), secret_missing_since=NOW - HOUR)
    lost = given.certificate(secret=secret, records=(record,), issuer=CROWDED)
    assert given.names(certificate.plan(lost, NOW).actions) == ["Issue"]


def test_a_client_that_is_revoked_is_revoked_however_full_the_crl_is():
    spec = given.spec(revoked=True)
    assert given.names(planned(issuer=CROWDED, spec=spec).actions) == ["Revoke"]
