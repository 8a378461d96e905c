"""Answers come late, watches come later, and people delete and create the same names in between: what the operator knows is what is
there, and each object is told of itself.

Every call of the operator travels for a while in each direction, and each kind has a watch that is behind by a time of its own. After
that nothing happens for some minutes, and no process is started again: what was lost stays lost.
"""

import asyncio
import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

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
from doorward.objects.archive import issuer_of_archive
from doorward.objects.meta import FINALIZER, ObjectKey, key_of
from tests.support import promises
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, PEOPLE, OperatorBed, host_spec
from tests.unit.given import NOW, reasons
from tests.unit.runtime.looks import CRL, GATE

EDGE, WEB = NAMESPACE_NAME, "web"
WEB_AT = ObjectKey("", WEB)
HOMES = {"alice": EDGE, "bob": EDGE, "dave": WEB}
OTHER = "others"
"""An issuer that is not there."""
SPEC = {
    "issuance": {"allowedNamespaces": {"from": "All"}, "allowedSubjects": [{"commonName": "*"}]},
    "gates": {"allowedNamespaces": {"from": "All"}},
}
AUTH = "nginx.ingress.kubernetes.io/auth-tls-secret"
OPTED_IN = {"annotations": {"doorward.io/issuer": str(ISSUER_AT)}}
OBJECTS = {
    "shop": (INGRESS, ObjectKey(EDGE, "shop")),
    "far": (INGRESS, ObjectKey(WEB, "far")),
    "issuer": (ISSUER, ISSUER_AT),
    "crl": (CONFIG_MAP, ObjectKey(EDGE, CRL)),
    "gate": (SECRET, ObjectKey(EDGE, GATE)),
    "ca": (SECRET, ObjectKey(EDGE, f"{ISSUER_AT.name}-ca-1")),
} | {f"{name}'s Secret": (SECRET, ObjectKey(at, f"{name}-mtls")) for name, at in HOMES.items()}
WATCHED = (CLIENT_CERTIFICATE, ISSUER, INGRESS, SECRET, CONFIG_MAP, ISSUED_CERTIFICATE, NAMESPACE)
KEPT = ("name", "labels", "annotations", "ownerReferences", "finalizers")

PATIENCE = timedelta(seconds=30)

CLIENTS = st.sampled_from(sorted(HOMES))
COMES_AND_GOES = st.sampled_from(["drop", "restore", "renew"])
ACTS = st.one_of(
    st.tuples(st.sampled_from(["delete", "create", "again", "force", "elsewhere"]), CLIENTS),
    st.tuples(st.sampled_from(["suspend", "resume", "revoke", "reissue"]), CLIENTS),
    st.tuples(COMES_AND_GOES, st.sampled_from(sorted(OBJECTS))),
    st.tuples(COMES_AND_GOES, st.just(WEB)),
    st.sampled_from([("watches end", ""), ("watches break", ""), ("open", ""), ("narrow", ""), ("lose a record", "")]),
)
PAUSES = st.sampled_from([0.0, 0.01, 0.05, 0.1, 0.25, 1.0, 5.0])
STORIES = st.lists(st.tuples(ACTS, PAUSES), min_size=1, max_size=12)
DELAYS = st.lists(st.sampled_from([0.0, 0.0, 0.001, 0.01, 0.03, 0.2, 1.0]), min_size=7, max_size=13)
LAGS = st.lists(st.sampled_from([0.0, 0.05, 0.3, 1.5]), min_size=len(WATCHED), max_size=len(WATCHED))


def restorable(body):
    """As a backup has it."""
    metadata = {name: body["metadata"][name] for name in KEPT if name in body["metadata"]}
    return {name: value for name, value in body.items() if name not in ("metadata", "status")} | {"metadata": metadata}


class Errors(logging.Handler):
    """What is logged as a fault of the operator's own."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(f"{record.getMessage()} {getattr(record, 'error', '')}")


class Story:
    """One cluster, and what people do in it."""

    def __init__(self, delays, lags, *, fence) -> None:
        self.bed = OperatorBed(NOW, finalizer_at_creation=fence)
        self.cluster = self.bed.cluster
        self.cluster.create(NAMESPACE, "", {"metadata": {"name": WEB}}, PEOPLE)
        self.bed.start()
        self.bed.issuer(**SPEC)
        self.bed.ingress()
        self.cluster.create(
            INGRESS, WEB, {"metadata": {"name": "far"} | OPTED_IN, "spec": host_spec("far.example")}, PEOPLE
        )
        for name in HOMES:
            self.create(name)
        self.bed.settle()
        self.saved = {name: self.cluster.get(*at) for name, at in OBJECTS.items()}
        self.lost = []
        self.slow_down(delays, lags)

    def slow_down(self, delays, lags) -> None:
        """Each way of each call takes the next of the delays."""
        gateway, travel, number = self.bed.gateway, self.bed.gateway._travel, 0
        behind = dict(zip(WATCHED, lags, strict=True))
        gateway.lag_of = lambda kind: behind.get(kind, 0.0)

        async def slow(*, date=True):
            nonlocal number
            await travel(date=date)
            if date:  # an event of a watch travels with its lag
                number += 1
                await asyncio.sleep(delays[number % len(delays)])

        gateway._travel = slow

    # What people do

    def act(self, what, name) -> None:
        match what:
            case "delete":
                self.drop(CLIENT_CERTIFICATE, ObjectKey(HOMES[name], name))
            case "create":
                self.create(name)
            case "again":
                self.drop(CLIENT_CERTIFICATE, ObjectKey(HOMES[name], name))
                self.create(name)
            case "force":
                self.force(name)
                self.create(name)
            case "elsewhere":
                self.force(name)
                self.create(name, issuer=OTHER)
            case "suspend" | "resume":
                self.edit(name, suspended=what == "suspend")
            case "revoke":
                self.edit(name, revoked=True, suspended=False)
            case "reissue":
                self.edit(name, reissue=str(self.cluster.version))
            case "watches end" | "watches break":
                if what == "watches break":
                    self.cluster.compact()
                self.bed.gateway.end_watches()
            case "open":
                self.drop(*OBJECTS["shop"])
                body = {"metadata": {"name": "shop"}, "spec": host_spec("shop.example")}
                self.cluster.create(INGRESS, EDGE, body, PEOPLE)
            case "narrow" | "widen":
                self.allow("Same" if what == "narrow" else "All")
            case "lose a record":
                self.lost += self.cluster.all(ISSUED_CERTIFICATE)[:1]
                for body in self.lost:
                    self.drop(ISSUED_CERTIFICATE, key_of(body))
            case "drop" | "restore" | "renew":
                drop, restore = (self.drop_web, self.restore_web) if name == WEB else (self.drop, self.restore)
                if what != "restore":
                    drop(*(OBJECTS[name] if name != WEB else ()))
                if what != "drop":
                    restore(*((name,) if name != WEB else ()))

    def create(self, name, issuer=ISSUER_AT.name) -> None:
        at = ObjectKey(HOMES[name], name)
        if self.cluster.find(NAMESPACE, ObjectKey("", at.namespace)) and not self.cluster.find(CLIENT_CERTIFICATE, at):
            finalizers = {"finalizers": [FINALIZER]} if self.bed.finalizer_at_creation else {}
            spec = {"issuerRef": {"name": issuer, "namespace": EDGE}, "commonName": name}
            self.cluster.create(
                CLIENT_CERTIFICATE, at.namespace, {"metadata": {"name": name} | finalizers, "spec": spec}, PEOPLE
            )

    def edit(self, name, **spec) -> None:
        at = ObjectKey(HOMES[name], name)
        found = self.cluster.find(CLIENT_CERTIFICATE, at)
        if found is not None and not found["spec"].get("revoked"):  # which is final
            self.cluster.merge_patch(CLIENT_CERTIFICATE, at, {"spec": spec}, PEOPLE, "")

    def force(self, name) -> None:
        """Delete it, and take the finalizer off."""
        at = ObjectKey(HOMES[name], name)
        self.drop(CLIENT_CERTIFICATE, at)
        if self.cluster.find(CLIENT_CERTIFICATE, at) is not None:
            self.cluster.merge_patch(CLIENT_CERTIFICATE, at, {"metadata": {"finalizers": []}}, PEOPLE, "")

    def allow(self, where) -> None:
        if self.cluster.find(ISSUER, ISSUER_AT) is not None:
            rule = {"gates": {"allowedNamespaces": {"from": where}}}
            self.cluster.merge_patch(ISSUER, ISSUER_AT, {"spec": rule}, PEOPLE, "")

    def drop(self, kind, at) -> None:
        if self.cluster.find(kind, at) is not None:
            self.cluster.delete(kind, at, PEOPLE)

    def restore(self, name) -> None:
        kind, at = OBJECTS[name]
        if self.cluster.find(kind, at) is None and self.cluster.find(NAMESPACE, ObjectKey("", at.namespace)):
            self.cluster.create(kind, at.namespace, restorable(self.saved[name]), PEOPLE)

    def drop_web(self) -> None:
        """With all that is in it."""
        for kind in (CLIENT_CERTIFICATE, INGRESS, SECRET, CONFIG_MAP):
            for body in self.cluster.all(kind, WEB):
                if kind == CLIENT_CERTIFICATE:
                    self.force(body["metadata"]["name"])
                self.drop(kind, key_of(body))
        self.drop(NAMESPACE, WEB_AT)

    def restore_web(self) -> None:
        if self.cluster.find(NAMESPACE, WEB_AT) is None:
            self.cluster.create(NAMESPACE, "", {"metadata": {"name": WEB}}, PEOPLE)
            self.create("dave")
            self.restore("far")

    def come_to_rest(self) -> None:
        """What nobody can do without is there again, and then nothing happens for some minutes."""
        self.restore_web()
        for body in self.lost:
            if self.cluster.find(ISSUED_CERTIFICATE, key_of(body)) is None:
                self.cluster.create(ISSUED_CERTIFICATE, EDGE, restorable(body), PEOPLE)
        for name in ("issuer", "shop", "far", "ca"):
            self.restore(name)
        self.act("widen", "")
        self.cluster.merge_patch(*OBJECTS["shop"], {"metadata": OPTED_IN}, PEOPLE, "")
        self.bed.advance(200)
        self.bed.settle()

    # What is so in the end

    def differences(self) -> Iterator[object]:
        """Where the operator's view is not what is in the cluster; of an archive it keeps the index alone."""
        view = self.bed.operator.view
        stores = {
            CLIENT_CERTIFICATE: view.certificates,
            ISSUER: view.issuers,
            INGRESS: view.targets["ingresses"],
            SECRET: view.secrets,
            CONFIG_MAP: view.configmaps,
            ISSUED_CERTIFICATE: view.ledger.store,
        }
        for kind, store in stores.items():
            found = {key_of(body): int(body["metadata"]["resourceVersion"]) for body in self.cluster.all(kind)}
            there = {(key, version) for key, version in found.items() if issuer_of_archive(key) is None}
            known = {(key, store.version(key)) for key in store.keys()}  # noqa: SIM118 - a Store is no dict
            yield from ((kind.name, *each) for each in there ^ known)

    def untrue(self) -> Iterator[object]:
        """Statuses and Events that never were true of the object that they are about."""
        about: dict[str, list] = {}
        for change in self.cluster.history:
            if (body := change.becomes) is None:
                continue
            about.setdefault(body["metadata"]["uid"], []).append(body)
            for owner in body["metadata"].get("ownerReferences", ()):
                about.setdefault(owner["uid"], []).append(body)
            if change.kind == CLIENT_CERTIFICATE and not _may_say(body):
                yield change.version, str(change.at), reasons(body["status"])["Ready"], body["spec"]
            if change.kind == EVENT:
                seen = about.get(body["involvedObject"]["uid"], ())
                shown = {
                    "Issued": any(each["kind"] == SECRET.name for each in seen),
                    "Protected": any(AUTH in each["metadata"].get("annotations", {}) for each in seen),
                }
                if not shown.get(body["reason"], True):
                    yield change.version, body["involvedObject"]["name"], body["reason"]

    def check(self, *, lifted: bool) -> None:
        """`lifted`: the operator lifted holds. A CRL that was signed while a serial was lifted may be committed just after that is
        held again; the next one follows at once.
        """
        cluster = self.cluster
        assert list(self.differences()) == []
        assert list(self.untrue()) == []
        assert [*promises.left_out(cluster, PATIENCE), *promises.unrecorded(cluster)] == []
        assert lifted or list(promises.let_in_again(cluster)) == []
        clients = {key_of(body): body for body in cluster.all(CLIENT_CERTIFICATE)}
        held = dict(filter(None, map(self.check_client, clients.values())))
        issuer = cluster.get(ISSUER, ISSUER_AT)
        assert issuer["status"]["observedGeneration"] == issuer["metadata"]["generation"]
        assert promises.gate_crls(cluster) == dict.fromkeys((EDGE, WEB), promises.newest_crl(cluster))
        for body in cluster.all(INGRESS):
            annotations = body["metadata"]["annotations"]
            assert annotations["doorward.io/gate"].startswith("Protected")
            assert annotations[AUTH] == f"{body['metadata']['namespace']}/{GATE}"
        self.bed.jump(minutes=20)  # whoever has no ClientCertificate is held after ten
        self.bed.settle()
        live = promises.live_serials(cluster, cluster.now())
        assert set(held.values()) <= live
        records = [record["spec"] for record in cluster.all(ISSUED_CERTIFICATE)]
        holders = {int(spec["serialNumber"], 16): spec["clientCertificate"] for spec in records}
        assert {ObjectKey(holders[each]["namespace"], holders[each]["name"]) for each in live} <= clients.keys()

    def check_client(self, body) -> tuple[ObjectKey, int] | None:
        """Its status is of its own, and who is to have a certificate has it: the serial."""
        at, status, generation = key_of(body), body["status"], body["metadata"]["generation"]
        said = reasons(status)
        assert {status["observedGeneration"], *(each["observedGeneration"] for each in status["conditions"])} == {
            generation
        }
        assert FINALIZER in body["metadata"]["finalizers"]
        if body["spec"].get("revoked"):
            assert said["Ready"] == "CutOff"
        elif body["spec"].get("suspended"):
            assert said["Ready"] == "Suspended"
        elif body["spec"]["issuerRef"]["name"] == OTHER:
            assert said["Ready"] == "IssuerNotFound"
        elif said["Ready"] != "SecretMissing":  # a person may restore it
            assert said == {"Ready": "Issued", "Admitted": "Live"}
            secret = self.cluster.get(SECRET, ObjectKey(at.namespace, f"{at.name}-mtls"))
            assert [owner["uid"] for owner in secret["metadata"]["ownerReferences"]] == [body["metadata"]["uid"]]
            return at, promises.held_serial(secret)
        return None


def _may_say(body) -> bool:
    """Whether Ready can be true of that spec; what was said of an earlier one is not asked."""
    if body["status"].get("observedGeneration") != body["metadata"]["generation"]:
        return True
    spec, ready = body["spec"], reasons(body["status"]).get("Ready")
    suspended, revoked = bool(spec.get("suspended")), bool(spec.get("revoked"))
    fits = {
        "Issued": not suspended and not revoked and spec["issuerRef"]["name"] == ISSUER_AT.name,
        "Suspended": suspended,
        "CutOff": revoked or "deletionTimestamp" in body["metadata"],
    }
    return fits.get(ready, True)


def tell(acts, delays, lags, *, fence) -> None:
    """One story, to its end."""
    errors, logger = Errors(), logging.getLogger("doorward")
    logger.addHandler(errors)
    story = Story(delays, lags, fence=fence)
    try:
        for (what, name), pause in acts:
            story.act(what, name)
            story.bed.advance(pause)
        story.come_to_rest()
        story.check(lifted=any(what == "resume" for (what, _), _ in acts))
        assert errors.found == []
    finally:
        logger.removeHandler(errors)
        story.bed.__exit__()


@pytest.mark.promise(1)
@pytest.mark.promise(7)
@settings(max_examples=20, deadline=None)
@example(  # the namespace goes again before the creation of its ConfigMap is answered
    acts=[(("renew", WEB), 0.0), (("again", "bob"), 0.05), (("renew", WEB), 0.0)],
    delays=[0.0, 0.03, 0.0, 0.2, 0.0, 0.0, 0.0, 0.0, 0.0],
    lags=[0.0, 0.0, 1.5, 0.3, 0.0, 0.0, 0.05],
    fence=False,
)
@example(  # a status is on its way to the one that was there before
    acts=[(("again", "alice"), 0.0), (("force", "bob"), 0.25), (("drop", WEB), 1.0), (("force", "bob"), 0.1)],
    delays=[0.0, 0.2, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0],
    lags=[0.0, 0.0, 0.3, 0.3, 0.0, 0.0, 1.5],
    fence=True,
)
@given(acts=STORIES, delays=DELAYS, lags=LAGS, fence=st.booleans())
def test_whatever_is_late_the_operator_knows_what_is_there_and_tells_each_of_itself(acts, delays, lags, fence):
    tell(acts, delays, lags, fence=fence)
