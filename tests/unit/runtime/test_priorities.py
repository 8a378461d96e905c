"""With which priority a key is made ready, and on whose account: cut-offs first, and what nobody waits for last."""

import pytest

from doorward.cluster.errors import Forbidden
from doorward.cluster.gateway import CLIENT_CERTIFICATE, INGRESS, ISSUED_CERTIFICATE, NAMESPACE
from doorward.cluster.gateway import ISSUER as MTLS_ISSUER
from doorward.objects.meta import ObjectKey
from doorward.view.keys import certificate_key, issuer_key, target_key
from doorward.view.routing import share
from doorward.workqueue.priority import Priority
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, PEOPLE

ALICE = certificate_key(ObjectKey(NAMESPACE_NAME, "alice"))
NOBODY = certificate_key(ObjectKey(NAMESPACE_NAME, "nobody"))
ISSUER = issuer_key(ISSUER_AT)
TARGET = target_key(INGRESS, ObjectKey(NAMESPACE_NAME, "shop"))


def leave_as_it_is(_bed):
    pass


def revoke(bed):
    bed.gateway.refuse = lambda _: Forbidden("no")
    bed.apply("alice", revoked=True)


def ask(bed):
    bed.gateway.refuse = lambda _: Forbidden("no")
    bed.apply("alice", commonName="other")


def suspend(bed):
    bed.gateway.refuse = lambda _: Forbidden("no")
    bed.apply("alice", suspended=True)


def lose(bed):
    """The record is gone, too: the certificate in the Secret has to be recorded before it can be revoked."""
    revoke(bed)
    for body in bed.cluster.all(ISSUED_CERTIFICATE):
        bed.delete(ISSUED_CERTIFICATE, body["metadata"]["name"])


def record(bed):
    """The ledger says of every certificate that it is revoked: what is left is the issuer's, and a status."""
    bed.apply("alice", revoked=True)


def delete(bed):
    bed.gateway.refuse = lambda _: Forbidden("no")
    bed.delete(CLIENT_CERTIFICATE, "alice")


def end(bed):
    """The namespace is deleted; a finalizer keeps it."""
    bed.gateway.refuse = lambda _: Forbidden("no")
    at = ObjectKey("", NAMESPACE_NAME)
    bed.cluster.merge_patch(NAMESPACE, at, {"metadata": {"finalizers": ["tests/the-rest"]}}, PEOPLE, "")
    bed.cluster.delete(NAMESPACE, at, PEOPLE)


def lift(bed):
    bed.apply("alice", suspended=True)
    bed.settle()
    bed.gateway.refuse = lambda _: Forbidden("no")
    bed.apply("alice", suspended=False)


CASES = [
    pytest.param(
        leave_as_it_is, ISSUER, Priority.CUT_OFF, Priority.CUT_OFF, Priority.CUT_OFF, id="an issuer, which publishes"
    ),
    pytest.param(
        leave_as_it_is, TARGET, Priority.INTERACTIVE, Priority.INTERACTIVE, Priority.INTERACTIVE, id="an Ingress"
    ),
    pytest.param(
        leave_as_it_is,
        ALICE,
        Priority.ISSUANCE,
        Priority.BACKGROUND,
        Priority.BACKGROUND,
        id="a client that has access",
    ),
    pytest.param(
        leave_as_it_is,
        NOBODY,
        Priority.ISSUANCE,
        Priority.BACKGROUND,
        Priority.ISSUANCE,
        id="a client that is not there",
    ),
    pytest.param(
        ask,
        ALICE,
        Priority.ISSUANCE,
        Priority.BACKGROUND,
        Priority.ISSUANCE,
        id="a client that asks for another certificate",
    ),
    pytest.param(revoke, ALICE, Priority.CUT_OFF, Priority.CUT_OFF, Priority.CUT_OFF, id="a client that is revoked"),
    pytest.param(
        lose,
        ALICE,
        Priority.CUT_OFF,
        Priority.CUT_OFF,
        Priority.CUT_OFF,
        id="a client that is revoked, and whose records are lost",
    ),
    pytest.param(suspend, ALICE, Priority.CUT_OFF, Priority.CUT_OFF, Priority.CUT_OFF, id="a client that is suspended"),
    pytest.param(delete, ALICE, Priority.CUT_OFF, Priority.CUT_OFF, Priority.CUT_OFF, id="a client that is deleted"),
    pytest.param(end, ALICE, Priority.CUT_OFF, Priority.CUT_OFF, Priority.CUT_OFF, id="a client whose namespace ends"),
    pytest.param(
        record,
        ALICE,
        Priority.INTERACTIVE,
        Priority.INTERACTIVE,
        Priority.INTERACTIVE,
        id="a client that is revoked, as all its records say",
    ),
    pytest.param(
        lift,
        ALICE,
        Priority.INTERACTIVE,
        Priority.INTERACTIVE,
        Priority.INTERACTIVE,
        id="a client whose suspension is lifted",
    ),
]


def made_ready(bed, key, wake):
    """The priority that a key has then in a queue that nobody works on now."""
    wake(key)
    return bed.operator.queue._dirty[key].priority


@pytest.mark.parametrize(("act", "key", "now", "later", "first"), CASES)
def test_the_priority_of(served, act, key, now, later, first):
    act(served)
    served.advance(2)
    routing = served.operator._routing
    assert made_ready(served, key, routing.wake_later) is later
    assert made_ready(served, key, routing.wake_at_first) is first
    assert made_ready(served, key, routing.wake) is now


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        pytest.param(ALICE, (ISSUER_AT, NAMESPACE_NAME), id="a client: with those of its issuer and namespace"),
        pytest.param(NOBODY, (None, NAMESPACE_NAME), id="a client that is not there: with its namespace"),
        pytest.param(ISSUER, (None, NAMESPACE_NAME), id="an issuer: with its namespace"),
        pytest.param(TARGET, (None, NAMESPACE_NAME), id="an Ingress: with its namespace"),
    ],
)
def test_turns_are_taken_by(served, key, expected):
    assert share(served.operator.view, key) == expected


@pytest.fixture
def created(bed, monkeypatch):
    """What issuer keys are worked on for while a CA is created for them."""
    found, appliers = [], bed.operator._reconciler._appliers
    create = appliers._issuers.create_ca

    async def watched(key, action):
        found.append(bed.operator.queue.working_priority(issuer_key(key)))
        return await create(key, action)

    monkeypatch.setattr(appliers._issuers, "create_ca", watched)
    return found


def test_the_first_ca_of_an_issuer_is_created_in_a_turn_of_its_own(bed, created):
    body = {"metadata": {"name": "second"}, "spec": {"ca": {"generate": {"commonName": "Second CA"}}}}
    bed.cluster.create(MTLS_ISSUER, NAMESPACE_NAME, body, PEOPLE)
    bed.settle()
    assert created == [Priority.CA_CREATION]


def test_the_next_ca_of_an_issuer_is_created_in_a_turn_of_its_own_too(bed, created):
    bed.edit(MTLS_ISSUER, ISSUER_AT.name, {"spec": {"ca": {"generate": {"rotate": "now"}}}})
    bed.settle()
    assert created == [Priority.CA_CREATION]


def seen_first(routing, view):
    routing.changed(CLIENT_CERTIFICATE, ALICE.at, None, view.certificates.get(ALICE.at))


def opted_in(routing, _view):
    routing.opt_in_changed(NAMESPACE_NAME)


def changed(routing, view):
    known = view.certificates.get(ALICE.at)
    routing.changed(CLIENT_CERTIFICATE, ALICE.at, known, known)


@pytest.mark.parametrize(
    ("news", "priority"),
    [(seen_first, Priority.BACKGROUND), (opted_in, Priority.BACKGROUND), (changed, Priority.ISSUANCE)],
)
def test_nobody_waits_for_a_client_that_has_its_certificate_where_it_is(served, news, priority):
    news(served.operator._routing, served.operator.view)
    assert served.operator.queue._dirty[ALICE].priority is priority


def test_nobody_waits_for_those_either_when_an_issuer_is_seen_first(served):
    operator = served.operator
    domain = operator._domains.get(ISSUER_AT)
    operator._routing.trust_domain(ISSUER_AT, None, domain)
    assert operator.queue._dirty[ALICE].priority is Priority.BACKGROUND
