"""What is created again before the operator hears that it went is not taken for what went: the answer to a call may be late.

Each call after which the object is not there is answered a second late, and somebody creates the object again within that second.
So the watch tells of the new one first.
"""

import asyncio

import pytest

from doorward.cluster.errors import Forbidden
from doorward.cluster.gateway import (
    CLIENT_CERTIFICATE,
    CONFIG_MAP,
    EVENT,
    INGRESS,
    ISSUED_CERTIFICATE,
    ISSUER,
    NAMESPACE,
    SECRET,
)
from doorward.gates.ingress_nginx.plane import SETTLES
from doorward.objects.archive import issuer_of_archive
from doorward.objects.guarded_services import NAME as GUARDED
from doorward.objects.meta import FINALIZER, ObjectKey, key_of
from tests.support import promises
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, PEOPLE, OperatorBed, host_spec
from tests.unit.given import NOW, reasons
from tests.unit.runtime.looks import GATE, RECORDS

LATE = 1.0
"""Seconds that such an answer takes; the watch takes none."""
ALICE = ObjectKey(NAMESPACE_NAME, "alice")
ALICE_SECRET = ObjectKey(NAMESPACE_NAME, "alice-mtls")
OWN_GATE, FAR = ObjectKey(NAMESPACE_NAME, GATE), ObjectKey("far", GATE)
STORES = {
    CLIENT_CERTIFICATE: lambda view: view.certificates,
    ISSUED_CERTIFICATE: lambda view: view.ledger.store,
    SECRET: lambda view: view.secrets,
    CONFIG_MAP: lambda view: view.configmaps,
}


@pytest.fixture
def bed():
    with OperatorBed(NOW) as made:
        made.cluster.create(NAMESPACE, "", {"metadata": {"name": "far"}}, PEOPLE)
        made.issuer(gates={"allowedNamespaces": {"from": "All"}})
        made.ingress()
        host = {"name": "shop", "annotations": {"doorward.io/issuer": str(ISSUER_AT)}}
        made.cluster.create(INGRESS, "far", {"metadata": host, "spec": host_spec("far.example")}, PEOPLE)
        made.apply("alice")
        made.settle()
        yield made


class Again:
    """Creates an object again, once, as soon as a call of the operator found or made it gone."""

    def __init__(self, bed, monkeypatch, kind, at, before=lambda: None):
        self.bed, self.kind, self.at, self.before = bed, kind, at, before
        self.body = bed.cluster.find(kind, self.at)
        self.done = False
        for verb in ("get", "patch", "replace", "delete"):
            monkeypatch.setattr(bed.gateway, verb, self.late(getattr(bed.gateway, verb)))

    def late(self, call):
        async def wrapped(kind, namespace, name, *arguments, **options):
            mine = (kind, ObjectKey(namespace, name)) == (self.kind, self.at) and not self.done
            if mine:
                self.before()
            try:
                return await call(kind, namespace, name, *arguments, **options)
            finally:
                if mine and self.bed.cluster.find(self.kind, self.at) is None:
                    self.done = True
                    self.create()
                    await asyncio.sleep(LATE)

        return wrapped

    def create(self):
        kept = {
            name: value
            for name, value in self.body["metadata"].items()
            if name in ("name", "labels", "annotations", "ownerReferences")
        }
        rest = {name: value for name, value in self.body.items() if name not in ("metadata", "status")}
        self.bed.cluster.create(self.kind, self.at.namespace, rest | {"metadata": kept}, PEOPLE)


def said(bed, name="alice"):
    return reasons(bed.find(CLIENT_CERTIFICATE, name)["status"])


def unknown(bed):
    """What is in the cluster, and the operator does not know of it; of an archive it keeps the index alone."""
    found = set()
    for kind, store in STORES.items():
        known = set(store(bed.operator.view).keys())
        found |= {(kind.name, key_of(body)) for body in bed.cluster.all(kind) if key_of(body) not in known}
    return {(kind, at) for kind, at in found if issuer_of_archive(at) is None}


def delete_client(bed):
    bed.delete(CLIENT_CERTIFICATE, "alice")


def let_go_by_hand(bed):
    """Somebody takes the finalizer off: that deletes it at last."""
    if bed.find(CLIENT_CERTIFICATE, "alice")["metadata"].get("deletionTimestamp"):
        bed.edit(CLIENT_CERTIFICATE, "alice", {"metadata": {"finalizers": []}})


def nothing(_bed):
    pass


def reissue(bed):
    bed.apply("alice", reissue="now")


def revoke(bed):
    bed.apply("alice", revoked=True)


def delete_secret(bed):
    if bed.find(SECRET, "alice-mtls") is not None:
        bed.delete(SECRET, "alice-mtls")


def delete_gate(bed):
    if bed.find(SECRET, GATE) is not None:
        bed.delete(SECRET, GATE)


def delete_far_gate(bed):
    if bed.cluster.find(SECRET, FAR) is not None:
        bed.cluster.delete(SECRET, FAR, PEOPLE)


def disallow(bed):
    """The gate of the other namespace is closed, and then deleted."""
    bed.edit(ISSUER, ISSUER_AT.name, {"spec": {"gates": {"allowedNamespaces": {"from": "Same"}}}})


def delete_host(bed):
    bed.delete(INGRESS, "shop")


@pytest.mark.promise(7)
@pytest.mark.parametrize(
    ("kind", "at", "act", "before"),
    [
        pytest.param(CLIENT_CERTIFICATE, ALICE, delete_client, nothing, id="a client, by the operator"),
        pytest.param(CLIENT_CERTIFICATE, ALICE, delete_client, let_go_by_hand, id="a client, by somebody else"),
        pytest.param(SECRET, ALICE_SECRET, reissue, delete_secret, id="the Secret that is written"),
        pytest.param(SECRET, FAR, disallow, nothing, id="the gate that is closed, then deleted"),
        pytest.param(SECRET, OWN_GATE, revoke, delete_gate, id="the gate that is written"),
        pytest.param(SECRET, FAR, disallow, delete_far_gate, id="the gate that is closed"),
        pytest.param(CONFIG_MAP, ObjectKey(NAMESPACE_NAME, GUARDED), delete_host, nothing, id="the guarded Services"),
    ],
)
def test_the_operator_knows_of_what_was_created_again(bed, monkeypatch, caplog, kind, at, act, before):
    again = Again(bed, monkeypatch, kind, at, lambda: before(bed))
    act(bed)
    bed.advance(SETTLES.total_seconds() + LATE * 3)
    bed.settle()
    assert again.done
    assert unknown(bed) == set()
    assert "gate not deleted" not in caplog.text
    assert said(bed)["Ready"] in ("Issued", "CutOff")


def test_a_record_that_is_put_back_while_the_archived_one_is_deleted_is_known(bed, monkeypatch):
    number = promises.held_serial(bed.find(SECRET, "alice-mtls"))
    bed.edit(ISSUER, ISSUER_AT.name, {"spec": {"retention": "24h"}})
    delete_client(bed)
    bed.settle()
    again = Again(bed, monkeypatch, ISSUED_CERTIFICATE, ObjectKey(NAMESPACE_NAME, f"{RECORDS}{number:x}"))
    for _ in range(30):
        bed.jump(days=7)
        bed.advance(60)
    assert again.done
    assert unknown(bed) == set()


@pytest.mark.promise(7)
def test_a_client_that_is_created_again_while_the_old_one_is_let_go_has_its_certificate(bed, monkeypatch):
    old = promises.held_serial(bed.find(SECRET, "alice-mtls"))
    again = Again(bed, monkeypatch, CLIENT_CERTIFICATE, ALICE)
    bed.delete(CLIENT_CERTIFICATE, "alice")
    bed.settle()
    assert again.done
    assert said(bed) == {"Ready": "Issued", "Admitted": "Live"}
    assert promises.held_serial(bed.find(SECRET, "alice-mtls")) != old
    assert promises.newest_crl(bed.cluster) == {old}


def let_go(bed, name):
    """Somebody deletes it, and takes the finalizer off."""
    bed.delete(CLIENT_CERTIFICATE, name)
    bed.edit(CLIENT_CERTIFICATE, name, {"metadata": {"finalizers": []}})


def statuses(bed, kind, name):
    """What was said of the object that is there now, from its creation on."""
    uid = bed.find(kind, name)["metadata"]["uid"]
    changes = (change.becomes for change in bed.cluster.history if (change.kind, change.at.name) == (kind, name))
    found = [body["status"] for body in changes if body and body["metadata"]["uid"] == uid]
    return [status for status in found if status.get("conditions")]


def ready(bed, kind, name):
    """Every reason of Ready that the object which is there now ever had."""
    return {reasons(status)["Ready"] for status in statuses(bed, kind, name)}


def meanwhile(bed, monkeypatch, verb, concerned, act, *, late=True):
    """Once, something happens while such a call of the operator is on its way, which takes a second if it is `late`."""
    call, done = getattr(bed.gateway, verb), []

    async def wrapped(kind, namespace, name, *arguments, **options):
        if concerned(kind, name, options) and not done:
            done.append(name)
            act()
            await asyncio.sleep(LATE if late else 0)
        return await call(kind, namespace, name, *arguments, **options)

    monkeypatch.setattr(bed.gateway, verb, wrapped)
    return done


@pytest.mark.promise(7)
@pytest.mark.parametrize("late", [True, False], ids=["the status is late", "the watch is late"])
def test_no_status_is_written_onto_a_client_that_was_created_again(bed, monkeypatch, late):
    def recreate():
        let_go(bed, "alice")
        bed.apply("alice", suspended=False)
        bed.gateway.lag = 0 if late else LATE

    bed.apply("alice", suspended=True)
    status = lambda kind, _name, options: kind == CLIENT_CERTIFICATE and options.get("subresource") == "status"  # noqa: E731
    done = meanwhile(bed, monkeypatch, "patch", status, recreate, late=late)
    bed.settle()
    assert done
    assert "Suspended" not in ready(bed, CLIENT_CERTIFICATE, "alice")
    assert FINALIZER in bed.find(CLIENT_CERTIFICATE, "alice")["metadata"]["finalizers"]
    assert said(bed) == {"Ready": "Issued", "Admitted": "Live"}


@pytest.mark.promise(7)
def test_what_was_planned_for_a_client_is_not_said_of_the_one_that_was_created_again(bed, monkeypatch):
    def recreate():
        let_go(bed, "bob")
        bed.apply("bob")

    bed.finalizer_at_creation = True
    bed.cluster.create(SECRET, NAMESPACE_NAME, {"metadata": {"name": "word"}, "data": {}}, PEOPLE)
    done = meanwhile(bed, monkeypatch, "get", lambda _kind, name, _: name == "word", recreate)
    bed.apply("bob", keystores={"pkcs12": {"passwordSecretRef": {"name": "word", "key": "word"}}})
    bed.settle()
    assert done
    assert "PasswordMissing" not in ready(bed, CLIENT_CERTIFICATE, "bob")
    assert said(bed, "bob") == {"Ready": "Issued", "Admitted": "Live"}


@pytest.mark.promise(7)
def test_what_was_planned_for_an_issuer_is_not_said_of_the_one_that_was_created_again(bed, monkeypatch):
    def recreate():
        bed.delete(ISSUER, ISSUER_AT.name)
        bed.issuer(ca={"secretRef": {"name": "nowhere"}})

    ca = f"{ISSUER_AT.name}-ca-1"
    done = meanwhile(bed, monkeypatch, "get", lambda _kind, name, _: name == ca, recreate)
    bed.edit(SECRET, ca, {"metadata": {"labels": {"team": "a"}}})
    bed.edit(ISSUER, ISSUER_AT.name, {"spec": {"crl": {"validity": "200h"}}})
    bed.settle()
    assert done
    assert ready(bed, ISSUER, ISSUER_AT.name) == {"CaSecretMissing"}


@pytest.mark.promise(7)
def test_what_was_refused_for_a_client_is_not_said_of_the_one_that_was_created_again(bed, monkeypatch):
    patch, done = bed.gateway.patch, []

    async def refused(kind, namespace, name, body, **options):
        if name != "bob" or done:
            return await patch(kind, namespace, name, body, **options)
        done.append(name)
        bed.delete(CLIENT_CERTIFICATE, "bob")
        bed.apply("bob")
        await asyncio.sleep(LATE)
        raise Forbidden("no finalizers today")

    monkeypatch.setattr(bed.gateway, "patch", refused)
    bed.apply("bob")
    bed.settle()
    assert done
    assert ready(bed, CLIENT_CERTIFICATE, "bob") == {"Issued"}


def after_the_answer(bed, monkeypatch, concerned, act):
    """Once, something happens after a patch of the operator was carried out, a second before it hears of that."""
    patch, done = bed.gateway.patch, []

    async def wrapped(kind, namespace, name, body, **options):
        answer = await patch(kind, namespace, name, body, **options)
        if concerned(kind, name, body) and not done:
            done.append(name)
            act()
            await asyncio.sleep(LATE)
        return answer

    monkeypatch.setattr(bed.gateway, "patch", wrapped)
    return done


def events(bed, kind, name):
    """The reasons of the Events about the object of that name that is there now."""
    uid = bed.find(kind, name)["metadata"]["uid"]
    return {event["reason"] for event in bed.cluster.all(EVENT) if event["involvedObject"]["uid"] == uid}


def unprotected(bed, name):
    """An Ingress that does not opt in."""
    body = {"metadata": {"name": name}, "spec": host_spec(f"{name}.example")}
    bed.cluster.create(INGRESS, NAMESPACE_NAME, body, PEOPLE)


@pytest.mark.promise(7)
def test_no_event_of_a_client_is_told_of_the_one_that_was_created_again(bed, monkeypatch):
    def recreate():
        let_go(bed, "bob")
        bed.apply("bob", issuerRef={"name": "nobody"})

    done = after_the_answer(bed, monkeypatch, lambda _kind, name, body: name == "bob" and "status" in body, recreate)
    bed.apply("bob")
    bed.settle()
    assert done
    assert "Issued" not in events(bed, CLIENT_CERTIFICATE, "bob")


@pytest.mark.promise(7)
def test_no_event_of_an_ingress_is_told_of_the_one_that_was_created_again(bed, monkeypatch):
    def recreate():
        bed.delete(INGRESS, "door")
        unprotected(bed, "door")

    bed.ingress("door")
    done = after_the_answer(bed, monkeypatch, lambda kind, name, _: (kind, name) == (INGRESS, "door"), recreate)
    bed.settle()
    assert done
    assert events(bed, INGRESS, "door") == set()


@pytest.mark.promise(3)
def test_an_ingress_that_is_created_again_and_again_is_protected_each_time(bed):
    for _ in range(6):
        bed.delete(INGRESS, "shop")
        bed.ingress()
        bed.advance(10)
        annotations = bed.find(INGRESS, "shop")["metadata"]["annotations"]
        assert annotations["doorward.io/gate"].startswith("Protected")
        assert "nginx.ingress.kubernetes.io/auth-tls-secret" in annotations


@pytest.mark.promise(7)
def test_a_client_that_is_created_again_and_again_is_not_said_to_be_changed_by_others(bed):
    for _ in range(6):
        delete_client(bed)
        bed.advance(5)
        bed.apply("alice")
        bed.advance(20)
        assert said(bed) == {"Ready": "Issued", "Admitted": "Live"}


@pytest.mark.promise(7)
def test_an_ingress_that_was_deleted_meanwhile_is_no_trouble(bed, monkeypatch, caplog):
    act = lambda: bed.delete(INGRESS, "door")  # noqa: E731
    done = meanwhile(bed, monkeypatch, "patch", lambda _kind, name, _: name == "door", act, late=False)
    bed.ingress("door")
    bed.settle()
    assert done
    assert "cannot be done" not in caplog.text
    assert {reasons(status)["GatesCurrent"] for status in statuses(bed, ISSUER, ISSUER_AT.name)} == {"AllCurrent"}


@pytest.mark.promise(3)
def test_an_ingress_that_was_created_again_is_not_given_what_the_old_one_asked_for(bed, monkeypatch, caplog):
    def recreate():
        bed.delete(INGRESS, "door")
        unprotected(bed, "door")

    bed.gateway.lag = LATE
    done = meanwhile(bed, monkeypatch, "patch", lambda _kind, name, _: name == "door", recreate, late=False)
    bed.ingress("door")
    bed.settle()
    assert done
    assert "cannot be done" not in caplog.text
    uid = bed.find(INGRESS, "door")["metadata"]["uid"]
    bodies = [change.becomes for change in bed.cluster.history if change.kind == INGRESS]
    assert all("annotations" not in body["metadata"] for body in bodies if body and body["metadata"]["uid"] == uid)
