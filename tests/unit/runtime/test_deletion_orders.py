"""Everything is deleted in some order and comes back in another: access is as docs/lifecycle.md says, and `doorward restore` tells the
truth of it.

Alice stays. Bob's ClientCertificate is deleted, and carol's Secret. Dave's namespace is deleted. Of the issuer go the object, its CA
Secret and a record.
"""

import contextlib
import io

from hypothesis import example, given, settings
from hypothesis import strategies as st

from doorward.cli import restore
from doorward.cli.deletions import Wanted
from doorward.cluster.gateway import CLIENT_CERTIFICATE, ISSUED_CERTIFICATE, ISSUER, NAMESPACE, SECRET
from doorward.objects.meta import ObjectKey
from tests.support import promises
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, PEOPLE, OperatorBed
from tests.unit.given import NOW

EDGE, WEB = NAMESPACE_NAME, "web"
HOMES = {"alice": EDGE, "bob": EDGE, "carol": EDGE, "dave": WEB}
CA = ObjectKey(EDGE, f"{ISSUER_AT.name}-ca-1")
SPEC = {"issuance": {"allowedNamespaces": {"from": "All"}, "allowedSubjects": [{"commonName": "*"}]}}
DELETIONS = ("bob", "carol's Secret", "namespace", "dave's Secret", "dave", "issuer", "CA Secret", "record")
RETURNS = ("bob", "carol's Secret", "issuer", "CA Secret", "restore bob", "restore dave")
PAUSES = st.sampled_from([0.0, 0.05, 1.0, 20.0])


class Story:
    """One cluster, what was in it, and what `doorward restore` said."""

    def __init__(self) -> None:
        self.bed = OperatorBed(NOW, finalizer_at_creation=True)
        self.cluster = self.bed.cluster
        self.cluster.create(NAMESPACE, "", {"metadata": {"name": WEB, "finalizers": ["tests/the-rest"]}}, PEOPLE)
        self.bed.start()
        self.bed.issuer(**SPEC)
        self.bed.ingress()
        for name in HOMES:
            self.client(name)
        self.bed.settle()
        self.secrets = {name: self.cluster.get(SECRET, self.secret_of(name)) for name in HOMES}
        self.serials = {name: promises.held_serial(body) for name, body in self.secrets.items()}
        self.ca = self.cluster.get(SECRET, CA)
        self.said: dict[str, str] = {}

    def secret_of(self, name: str) -> ObjectKey:
        return ObjectKey(HOMES[name], f"{name}-mtls")

    def client(self, name: str) -> None:
        reference = {"name": ISSUER_AT.name, "namespace": EDGE}
        body = {"metadata": {"name": name}, "spec": {"issuerRef": reference, "commonName": name}}
        self.cluster.create(CLIENT_CERTIFICATE, HOMES[name], body, PEOPLE)

    def drop(self, kind, at: ObjectKey) -> None:
        if self.cluster.find(kind, at) is not None:
            self.cluster.delete(kind, at, PEOPLE)

    def delete(self, what: str) -> None:
        match what:
            case "bob" | "dave":
                self.drop(CLIENT_CERTIFICATE, ObjectKey(HOMES[what], what))
            case "carol's Secret" | "dave's Secret":
                self.drop(SECRET, self.secret_of(what.removesuffix("'s Secret")))
            case "namespace":
                self.drop(NAMESPACE, ObjectKey("", WEB))
            case "issuer":
                self.drop(ISSUER, ISSUER_AT)
            case "CA Secret":
                self.drop(SECRET, CA)
            case "record":
                self.drop(ISSUED_CERTIFICATE, ObjectKey(EDGE, f"{ISSUER_AT.name}.1.{self.serials['alice']:x}"))

    def bring_back(self, what: str) -> None:
        match what:
            case "bob":
                self.client("bob")
            case "carol's Secret":
                self.put(self.secrets["carol"])
            case "issuer":
                self.bed.issuer(**SPEC)
            case "CA Secret":
                self.put(self.ca)
            case _:
                self.restore(what.removeprefix("restore "))

    def put(self, body) -> None:
        metadata = {
            n: body["metadata"][n]
            for n in ("name", "labels", "annotations", "ownerReferences")
            if n in body["metadata"]
        }
        at = ObjectKey(body["metadata"]["namespace"], body["metadata"]["name"])
        wanted = {"metadata": metadata, "type": body["type"], "data": body["data"]}
        if self.cluster.find(SECRET, at) is None:
            self.cluster.create(SECRET, at.namespace, wanted, PEOPLE)
        else:
            self.cluster.merge_patch(SECRET, at, wanted, PEOPLE, "")

    def restore(self, name: str) -> None:
        """`doorward restore --name`, and what it printed."""
        wanted = Wanted(issuer=ISSUER_AT, names=frozenset({name}))
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            self.bed.with_gateway(lambda gateway: restore.restore(gateway, wanted, self.cluster.now(), dry_run=False))
        self.said[name] = printed.getvalue()

    def admitted(self, name: str) -> bool:
        """With the file of the beginning."""
        return self.serials[name] in promises.live_serials(self.cluster, self.cluster.now())

    def told_restored(self, name: str) -> bool:
        row = [line for line in self.said[name].splitlines() if f"{self.serials[name]:x}" in line and name in line]
        return bool(row) and row[0].rstrip().endswith("restored")


@settings(max_examples=40, deadline=None)
@example(
    deletions=("namespace", "dave's Secret", *(d for d in DELETIONS if d[0] not in "nd"), "dave"),
    returns=RETURNS,
    pauses=[1.0] * 14,
)
@given(
    deletions=st.permutations(DELETIONS),
    returns=st.permutations(RETURNS),
    pauses=st.lists(PAUSES, min_size=14, max_size=14),
)
def test_whatever_goes_and_comes_first_everyone_has_or_lacks_access_as_the_docs_say(deletions, returns, pauses):
    story, waits = Story(), iter(pauses)
    bed = story.bed
    try:
        for what in deletions:
            story.delete(what)
            bed.advance(next(waits))
        bed.advance(60)
        for what in returns:
            before = story.cluster.find(ISSUER, ISSUER_AT)
            story.bring_back(what)
            if what.startswith("restore"):
                assert ("does not exist" in story.said[what.removeprefix("restore ")]) == (before is None)
            bed.advance(next(waits))
        bed.settle()
        bed.jump(minutes=20)  # whoever has no ClientCertificate is held again after ten
        bed.settle()
        assert {name: story.admitted(name) for name in ("alice", "carol")} == {"alice": True, "carol": True}
        assert story.admitted("bob") == story.told_restored("bob")
        assert not story.admitted("dave")
        assert "have no ClientCertificate" in story.said["dave"] or not story.told_restored("dave")
        for name in ("alice", "bob", "carol"):
            body = story.cluster.get(SECRET, story.secret_of(name))
            assert promises.held_serial(body) in promises.live_serials(story.cluster, story.cluster.now())
        bed.jump(days=2)  # no grace period and no undo window is left
        bed.settle()
        assert {name: story.admitted(name) for name in HOMES} == {
            "alice": True,
            "bob": story.told_restored("bob"),
            "carol": True,
            "dave": False,
        }
        assert story.told_restored("bob")
    finally:
        bed.__exit__()
