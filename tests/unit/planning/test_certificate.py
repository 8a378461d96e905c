"""The rules of one ClientCertificate: rows of a sentence, a world, and the plan."""

from dataclasses import replace
from datetime import timedelta

import pytest

from doorward.planning.observed import Unseen
from doorward.planning.plan import Plan, RewriteSecret
from tests.unit import given
from tests.unit.given import DAY, HOUR, NOW, SECOND
from tests.unit.planning.plans import asked, on_its_way, planned, settled, status_of, told

LEAF = given.leaf()
LIVE = given.record(of=LEAF)
REVOKED_SPEC = given.spec(revoked=True, revocationReason="keyCompromise")
NO_CA = given.issuer(authority=None, published=None)
JUST_NOW = NOW - SECOND
LONG_AGO = NOW - HOUR


# What is unknown


@pytest.mark.parametrize("deleting", [None, LONG_AGO])
def test_nothing_is_decided_before_the_ledger_is_heard_of(deleting):
    assert planned(records=Unseen.UNKNOWN, deleting_since=deleting) == Plan(due=NOW + 5 * SECOND)


@pytest.mark.parametrize("what", ["secret", "issuer"])
def test_nothing_is_issued_before_it_is_heard_of(what):
    assert planned(**{what: Unseen.UNKNOWN}) == Plan(due=NOW + 5 * SECOND)


# Issuing


def test_a_new_client_gets_its_finalizer_before_its_certificate():
    assert asked(secret=Unseen.ABSENT, has_finalizer=False) == ["AddFinalizer", "Issue"]


def test_a_client_with_a_finalizer_gets_its_certificate():
    assert asked(secret=Unseen.ABSENT) == ["Issue"]


@pytest.mark.promise(2)
@pytest.mark.parametrize(
    "world",
    [
        pytest.param({"issuer": NO_CA}, id="the issuer cannot sign"),
        pytest.param({"issuer": Unseen.ABSENT}, id="there is no issuer"),
        pytest.param({"skew": timedelta(minutes=6)}, id="the clocks disagree"),
        pytest.param({"rival": "older"}, id="its Secret is another's"),
        pytest.param({"issuer": given.issuer(authority=given.authority(not_after=NOW + HOUR))}, id="the CA ends"),
    ],
)
def test_nothing_is_signed_where(world):
    assert "Issue" not in asked(secret=Unseen.ABSENT, **world)


@pytest.mark.parametrize(
    ("world", "reason"),
    [
        pytest.param({"issuer": NO_CA}, "IssuerNotReady", id="the issuer cannot sign"),
        pytest.param({"issuer": Unseen.ABSENT}, "IssuerNotFound", id="there is no issuer"),
        pytest.param({"skew": timedelta(minutes=6)}, "ClockSkewed", id="the clocks disagree"),
        pytest.param(
            {"issuer": given.issuer(authority=given.authority(not_after=NOW + HOUR))},
            "IssuerNotReady",
            id="the CA ends",
        ),
    ],
)
def test_a_client_without_a_certificate_is_told_why(world, reason):
    assert told(secret=Unseen.ABSENT, **world) == {"Ready": reason, "Admitted": "NotIssued"}


def test_skewed_clocks_are_looked_at_again():
    assert planned(secret=Unseen.ABSENT, skew=timedelta(minutes=6)).due == NOW + 5 * SECOND


def test_a_settled_client_with_a_problem_of_its_own_is_still_shown_as_admitted():
    assert told(rival="older") == {"Ready": "SecretNameTaken", "Admitted": "Live"}


def test_a_client_whose_issuer_is_gone_is_not_called_admitted_as_its_gates_are_closed():
    assert told(issuer=Unseen.ABSENT) == {"Ready": "IssuerNotFound", "Admitted": "NoIssuer"}


# A certificate that is signed and not delivered


def test_a_serial_that_was_signed_for_a_secret_which_another_has_written_meanwhile_is_superseded():
    late = given.record(0xB2, issued_at=NOW)
    (revoke,) = planned(secret=given.foreign(), rival="bob", records=(late,), pending=given.pending()).actions
    assert (revoke.record, revoke.revocation.reason) == (late, "superseded")
    done = replace(late, revocation=given.revocation())
    assert (
        told(secret=given.foreign(), rival="bob", records=(done,), pending=given.pending())["Ready"]
        == "SecretNameTaken"
    )


def test_a_signed_certificate_is_delivered_not_signed_again():
    assert asked(secret=Unseen.ABSENT, pending=on_its_way()) == ["Deliver"]


def test_a_signed_certificate_for_another_spec_gives_way():
    assert asked(secret=Unseen.ABSENT, pending=given.pending()) == ["Issue"]


def test_a_secret_that_was_refused_is_tried_again_only_when_it_is_time():
    refused = on_its_way(refusal="quota", retry_at=NOW + SECOND)
    assert told(secret=Unseen.ABSENT, pending=refused)["Ready"] == "SecretRefused"
    assert planned(secret=Unseen.ABSENT, pending=refused).due == NOW + SECOND
    assert asked(secret=Unseen.ABSENT, pending=replace(refused, retry_at=NOW)) == ["Deliver"]


def test_the_record_of_a_certificate_on_its_way_is_no_orphan():
    pending = on_its_way(serial=0xB2)
    assert asked(secret=Unseen.ABSENT, pending=pending, records=(given.record(0xB2),)) == ["Deliver"]


# What is no loss


def test_an_unreadable_secret_revokes_nobody():
    assert told(secret=Unseen.DENIED, records=(LIVE,))["Ready"] == "NotPermitted"


def test_an_older_record_that_an_operator_dated_ahead_is_no_orphan():
    older = given.record(0xB2, not_before=NOW - DAY + HOUR, issued_at=LIVE.issued_at - HOUR)
    assert given.names(planned(records=(LIVE, older)).actions) == ["WriteStatus"]


def test_a_serial_older_than_the_secrets_stays_good():
    older = given.record(0xB2, issued_at=NOW - 2 * DAY)
    assert asked(records=(LIVE, older)) == ["WriteStatus"]


# The ledger is mended first


@pytest.mark.promise(2)
@pytest.mark.parametrize(
    ("world", "first"),
    [
        pytest.param({}, "RecordAgain", id="settled"),
        pytest.param({"has_finalizer": False}, "AddFinalizer", id="without a finalizer"),
        pytest.param({"spec": given.spec(commonName="bob")}, "RecordAgain", id="about to be reissued"),
        pytest.param({"spec": REVOKED_SPEC}, "RecordAgain", id="revoked"),
        pytest.param({"deleting_since": JUST_NOW}, "RecordAgain", id="on its way out"),
    ],
)
def test_a_certificate_without_a_record_is_recorded_first_of_a_client_that_is(world, first):
    names = asked(records=(), **world)
    assert (names[0], names[-1]) == (first, "RecordAgain")


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    "world",
    [
        pytest.param({"spec": REVOKED_SPEC}, id="revoked"),
        pytest.param({"deleting_since": JUST_NOW}, id="on its way out"),
    ],
)
def test_what_the_ledger_knows_is_cut_off_before_a_planted_certificate_is_recorded_of_a_client_that_is(world):
    assert asked(records=(given.record(7),), **world) == ["Revoke", "RecordAgain"]


@pytest.mark.parametrize("ours", [False, None])
def test_a_certificate_that_is_not_known_to_be_ours_is_not_recorded(ours):
    assert "RecordAgain" not in asked(records=(), leaf_is_ours=ours)


# Settled


def test_a_settled_client_is_told_so_and_looked_at_when_its_renewal_is_due():
    assert told() == {"Ready": "Issued", "Admitted": "Live"}
    assert planned().due == NOW + 59 * DAY


def test_a_settled_status_is_not_written_again():
    assert settled() == Plan(due=NOW + 59 * DAY)


def test_a_status_shows_the_certificate_in_the_secret():
    status = status_of()
    assert (status["serialNumber"], status["secretName"]) == ("a1", given.SECRET)
    assert (status["notAfter"], status["renewalTime"]) == ("2026-11-29T12:00:00Z", "2026-10-30T12:00:00Z")


@pytest.mark.parametrize(
    ("secret", "because"),
    [
        pytest.param({"keystore_profile": None}, "keystore.p12", id="the keystore does not open"),
        pytest.param({"keystore_profile": "LegacyDES"}, "another profile", id="the keystore has another profile"),
        pytest.param({"own_password": False}, "keystore.password", id="the password is gone"),
        pytest.param({"ca": b"junk"}, "ca.crt", id="ca.crt is not the issuer's"),
    ],
)
def test_a_secret_is_written_anew_around_its_certificate_where(secret, because):
    (action,) = planned(secret=given.secret(**secret)).actions
    assert because in action.because


NOT_OURS = {"owners": frozenset({"of another cluster"})}


@pytest.mark.parametrize(
    "world",
    [
        pytest.param({}, id="all is well"),
        pytest.param({"issuer": Unseen.ABSENT}, id="there is no issuer yet"),
        pytest.param({"issuer": given.issuer(authority=None), "leaf_is_ours": None}, id="there is no CA yet"),
        pytest.param({"spec": given.spec(suspended=True), "records": ()}, id="it is suspended"),
        pytest.param({"spec": given.spec(commonName="bob")}, id="another certificate is to be issued"),
    ],
)
@pytest.mark.parametrize("owners", [NOT_OURS["owners"], frozenset()], ids=["of another cluster", "none"])
def test_a_secret_that_was_restored_with_another_owner_is_given_to_its_client_when(world, owners):
    secret = given.secret(owners=owners)
    actions = planned(**{"secret": secret} | world).actions
    (rewrite,) = [action for action in actions if isinstance(action, RewriteSecret)]
    assert (rewrite.because, rewrite.metadata_only) == ("its owner is not this ClientCertificate", True)


@pytest.mark.parametrize(
    "world",
    [
        pytest.param(
            {"secret": given.secret(owners=frozenset({given.UID, "another"}))}, id="it has another owner besides"
        ),
        pytest.param({"secret": given.secret(**NOT_OURS), "deleting_since": LONG_AGO}, id="the client is deleted"),
        pytest.param({"secret": given.secret(**NOT_OURS), "leaf_is_ours": False}, id="nobody knows its certificate"),
        pytest.param({"secret": given.secret(**NOT_OURS), "namespace_ends": True}, id="its namespace ends"),
    ],
)
def test_a_secret_keeps_its_owners_when(world):
    assert "RewriteSecret" not in asked(**world)


@pytest.mark.parametrize(
    "world",
    [
        pytest.param({"secret": given.secret(immutable=True), "spec": given.spec(commonName="bob")}, id="another name"),
        pytest.param({"secret": given.secret(given.leaf(issued=NOW - 80 * DAY), immutable=True)}, id="a renewal"),
        pytest.param({"secret": given.secret(immutable=True, keystore_profile=None)}, id="another keystore"),
        pytest.param(
            {"secret": given.secret(immutable=True), "spec": given.spec(commonName="bob"), "pending": on_its_way()},
            id="a certificate that is signed already",
        ),
    ],
)
def test_an_immutable_secret_that_is_to_hold_something_else_is_told_and_nothing_is_signed(world):
    assert told(**world) == {"Ready": "SecretImmutable", "Admitted": "Live"}


def test_an_immutable_secret_without_a_certificate_is_told():
    assert told(secret=given.broken(immutable=True), records=())["Ready"] == "SecretImmutable"


def test_an_immutable_secret_still_gets_labels_and_an_owner():
    wanted = given.spec(secretTemplate={"labels": {"a": "1"}})
    assert asked(spec=wanted, secret=given.secret(immutable=True)) == ["RewriteSecret"]
    assert asked(secret=given.secret(immutable=True, owners=frozenset())) == ["RewriteSecret"]
    assert told(secret=given.secret(immutable=True))["Ready"] == "Issued"


@pytest.mark.parametrize("kind", ["labels", "annotations"])
def test_a_secret_is_written_anew_where_its_template_asks_for(kind):
    wanted = given.spec(secretTemplate={kind: {"a": "1"}})
    assert asked(spec=wanted) == ["RewriteSecret"]
    assert asked(spec=wanted, secret=given.secret(**{kind: {"a": "1", "b": "2"}})) == ["WriteStatus"]


def test_a_key_beside_a_certificate_from_a_csr_is_taken_out():
    leaf = given.leaf(private_key=given.key(7))
    spec = given.spec(request=given.csr())
    assert asked(spec=spec, secret=given.secret(leaf, has_key=False, any_key=True)) == ["RewriteSecret"]
    assert asked(spec=spec, secret=given.secret(leaf, has_key=False)) == ["WriteStatus"]


def test_an_own_password_goes_when_the_spec_names_one():
    spec = given.spec(keystores={"pkcs12": {"passwordSecretRef": {"name": "p"}}})
    assert asked(spec=spec) == ["RewriteSecret"]
    assert asked(spec=spec, secret=given.secret(own_password=False)) == ["WriteStatus"]


# Superseded serials

GRACE = given.issuer(spec=given.issuer_spec(certificates={"supersededGracePeriod": "48h"}))
OLDER = given.record(0xB2, issued_at=NOW - 30 * DAY)


def test_a_superseded_serial_is_revoked_when_its_grace_period_is_over():
    (revoke,) = planned(NOW + DAY, issuer=GRACE, records=(LIVE, OLDER)).actions
    assert (revoke.record, revoke.revocation.reason) == (OLDER, "superseded")


def test_a_superseded_serial_stays_good_within_its_grace_period():
    plan = planned(issuer=GRACE, records=(LIVE, OLDER))
    assert (given.names(plan.actions), plan.due) == (["WriteStatus"], NOW + DAY)


RESTORED = given.record(0xC3, revocation=given.hold(lifted=True, held_by="Deletion"), issued_at=NOW)


@pytest.mark.parametrize(
    "world",
    [
        pytest.param({"secret": Unseen.ABSENT}, id="the Secret went with the object that was deleted"),
        pytest.param({"records": (LIVE, RESTORED)}, id="it is newer than the one in the Secret"),
        pytest.param(
            {"records": (LIVE, replace(OLDER, revocation=RESTORED.revocation)), "issuer": GRACE},
            id="the grace period of older ones is over",
        ),
    ],
)
def test_a_serial_that_came_back_from_a_deletion_is_not_superseded_though(world):
    asks = planned(NOW + DAY, **{"records": (RESTORED,)} | world).actions
    assert "Revoke" not in given.names(asks)


def test_without_a_grace_period_a_superseded_serial_runs_out_by_itself():
    assert planned(records=(LIVE, OLDER)).due == NOW + 59 * DAY
