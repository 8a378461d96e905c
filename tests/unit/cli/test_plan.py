"""`doorward plan` says who will gain and who will lose access: compared with what `doorward who` says before and after the same change was
made and the operator has done all that follows.
"""

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

from doorward.cli.errors import UserError
from doorward.cli.manifests import read_files
from doorward.cli.plan import Prune, plan
from doorward.cli.who import who
from doorward.cluster.errors import Forbidden, Invalid
from doorward.cluster.gateway import CLIENT_CERTIFICATE, INGRESS, ISSUER, NAMESPACE, Kind
from doorward.gates.registry import planes
from doorward.objects.meta import ObjectKey
from tests.support.memory_cluster import merged
from tests.support.operator_bed import NAMESPACE_NAME, PEOPLE, OperatorBed, host_spec
from tests.unit.cli.conftest import Person
from tests.unit.given import NOW

SERVICE = "http://doorward-gate.doorward-system.svc.cluster.local"
HOSTS = ("shop.example", "till.example", "desk.example", "far.example", "plain.example", "new.example")
LAST = "kubectl.kubernetes.io/last-applied-configuration"
EDGE, FAR = NAMESPACE_NAME, "far"
At = tuple[Kind, str, str]
Patch = dict[str, Any]


def client(name: str, issuer: str = "partners", labels: Mapping[str, str] | None = None, **spec: Any) -> Patch:
    metadata = {"name": name} | ({"labels": dict(labels)} if labels else {})
    return {"metadata": metadata, "spec": {"issuerRef": {"name": issuer}, "commonName": name, **spec}}


def ingress(name: str, host: str | None = None, **annotations: str) -> Patch:
    marks = {f"doorward.io/{key}": value for key, value in annotations.items()}
    return {"metadata": {"name": name, "annotations": marks}, "spec": to_own_service(name, host or f"{name}.example")}


def to_own_service(name: str, host: str) -> Patch:
    """Each Ingress has a Service of its own: one that is open elsewhere makes every answer uncertain."""
    found = host_spec(host)
    found["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"] = name
    return found


START: Mapping[At, Patch] = {
    (NAMESPACE, "", FAR): {"metadata": {"name": FAR, "labels": {"team": "far"}}},
    (ISSUER, EDGE, "partners"): {
        "metadata": {"name": "partners"},
        "spec": {"ca": {"generate": {"commonName": "Partners CA"}}},
    },
    (ISSUER, EDGE, "others"): {
        "metadata": {"name": "others"},
        "spec": {"ca": {"generate": {"commonName": "Others CA"}}},
    },
    (CLIENT_CERTIFICATE, EDGE, "alice"): client("alice"),
    (CLIENT_CERTIFICATE, EDGE, "bob"): client("bob", labels={"role": "ops"}),
    (CLIENT_CERTIFICATE, EDGE, "carl"): client("carl", suspended=True),
    (CLIENT_CERTIFICATE, EDGE, "dora"): client("dora", revoked=True),
    (CLIENT_CERTIFICATE, EDGE, "eve"): client("eve", "others"),
    (INGRESS, EDGE, "shop"): ingress("shop", issuer="partners"),
    (INGRESS, EDGE, "till"): ingress("till", issuer="edge/partners", allow="role=ops"),
    (INGRESS, EDGE, "desk"): ingress("desk", issuer="others"),
    (INGRESS, EDGE, "plain"): ingress("plain"),
    (INGRESS, FAR, "far"): ingress("far", issuer="edge/partners"),
}


@dataclass(frozen=True)
class Story:
    """What is changed: patches of objects that are there, or new ones; and what is deleted."""

    edits: Mapping[At, Patch] = field(default_factory=dict)
    deleted: tuple[At, ...] = ()
    certificates: tuple[str, ...] = ()
    """Whoever gets another one."""


def of(kind: Kind, name: str, patch: Patch, namespace: str = EDGE) -> Story:
    return Story({(kind, namespace, name): patch})


def spec(kind: Kind, name: str, **fields: Any) -> Story:
    return of(kind, name, {"spec": fields})


def marks(name: str, **annotations: str | None) -> Story:
    return of(INGRESS, name, {"metadata": {"annotations": {f"doorward.io/{k}": v for k, v in annotations.items()}}})


def removed(kind: Kind, name: str) -> Story:
    return Story(deleted=((kind, EDGE, name),))


def labels(name: str, **found: str | None) -> Story:
    return of(CLIENT_CERTIFICATE, name, {"metadata": {"labels": found}})


STORIES: Mapping[str, Story] = {
    "nothing": Story(),
    "a new client": of(CLIENT_CERTIFICATE, "fred", client("fred")),
    "a new client of another issuer": of(CLIENT_CERTIFICATE, "fred", client("fred", "others")),
    "a new client that is suspended": of(CLIENT_CERTIFICATE, "fred", client("fred", suspended=True)),
    "a new client without an issuer": of(CLIENT_CERTIFICATE, "fred", client("fred", "nobody")),
    "a new client in a namespace that may not": of(CLIENT_CERTIFICATE, "fred", client("fred"), FAR),
    "a new client with a key that is not allowed": Story(
        {
            (ISSUER, EDGE, "partners"): {"spec": {"certificates": {"allowedKeys": ["ECDSA"]}}},
            (CLIENT_CERTIFICATE, EDGE, "fred"): client("fred", privateKey={"algorithm": "Ed25519"}),
        }
    ),
    "a new client with a longer life than is allowed": of(CLIENT_CERTIFICATE, "fred", client("fred", duration="9000h")),
    "a client is suspended": spec(CLIENT_CERTIFICATE, "alice", suspended=True),
    "a client is resumed": spec(CLIENT_CERTIFICATE, "carl", suspended=False),
    "a client is resumed by a field that is gone": spec(CLIENT_CERTIFICATE, "carl", suspended=None),
    "a client is revoked": spec(CLIENT_CERTIFICATE, "alice", revoked=True),
    "a client that was suspended is revoked": spec(CLIENT_CERTIFICATE, "carl", revoked=True),
    "a client is no longer revoked": spec(CLIENT_CERTIFICATE, "dora", revoked=False),
    "a client is removed": removed(CLIENT_CERTIFICATE, "bob"),
    "a client gets a label": labels("alice", role="ops"),
    "a client loses a label": labels("bob", role=None),
    "a client has another name": Story(
        {(CLIENT_CERTIFICATE, EDGE, "alice"): {"spec": {"commonName": "alice the second"}}}, certificates=("alice",)
    ),
    "a client has another key": Story(
        {(CLIENT_CERTIFICATE, EDGE, "alice"): {"spec": {"privateKey": {"algorithm": "Ed25519"}}}},
        certificates=("alice",),
    ),
    "a client is reissued": Story(
        {(CLIENT_CERTIFICATE, EDGE, "bob"): {"spec": {"reissue": "now"}}}, certificates=("bob",)
    ),
    "a client has another duration": spec(CLIENT_CERTIFICATE, "alice", duration="800h"),
    "a list names a client": marks("till", allow="alice edge/bob"),
    "a list names another client": marks("till", allow="alice"),
    "a list names what is not selectable": marks("till", allow="far/alice"),
    "a list is taken away": marks("till", allow=None),
    "a list is made": marks("shop", allow="role=ops"),
    "a list cannot be read": marks("till", allow="*"),
    "lists are no longer enforced": spec(ISSUER, "partners", enforcement={"mode": "Handshake"}),
    "an issuer selects other namespaces": spec(ISSUER, "partners", gates={"selectableNamespaces": ["far"]}),
    "an Ingress names another issuer": marks("shop", issuer="others"),
    "an Ingress names an issuer that is not there": marks("shop", issuer="nobody"),
    "an Ingress is new": of(INGRESS, "new", ingress("new", issuer="partners")),
    "an Ingress is new at a host that is protected": of(
        INGRESS, "new", ingress("new", "shop.example", issuer="partners")
    ),
    "an Ingress without an issuer is new at a host that is protected": of(
        INGRESS, "new", ingress("new", "shop.example")
    ),
    "an Ingress is deleted": removed(INGRESS, "shop"),
    "an Ingress has another host": of(INGRESS, "shop", {"spec": to_own_service("shop", "desk2.example")}),
    "an Ingress loses its protection": marks("shop", issuer=None),
    "an Ingress gets protection": marks("plain", issuer="partners"),
    "an issuer is deleted": removed(ISSUER, "partners"),
    "an issuer admits an Ingress elsewhere": spec(ISSUER, "partners", gates={"allowedNamespaces": {"from": "All"}}),
    "an issuer admits an Ingress elsewhere by its label": spec(
        ISSUER,
        "partners",
        gates={"allowedNamespaces": {"from": "Selector", "selector": {"matchLabels": {"team": "far"}}}},
    ),
    "a namespace gets a label that an issuer asks for": Story(
        {
            (ISSUER, EDGE, "partners"): {
                "spec": {"gates": {"allowedNamespaces": {"from": "Selector", "selector": {"matchLabels": {"x": "y"}}}}}
            },
            (NAMESPACE, "", FAR): {"metadata": {"labels": {"x": "y"}}},
        }
    ),
    "an issuer allows fewer names": spec(ISSUER, "partners", issuance={"allowedSubjects": [{"commonName": "bob"}]}),
    "an issuer distrusts its CA": Story(
        {(ISSUER, EDGE, "partners"): {"spec": {"ca": {"distrust": [1]}}}}, certificates=("alice", "bob")
    ),
    "an issuer gets another CA": Story(
        {(ISSUER, EDGE, "partners"): {"spec": {"ca": {"generate": {"rotate": "now"}}}}}, certificates=("alice", "bob")
    ),
    "much at once": Story(
        {
            (CLIENT_CERTIFICATE, EDGE, "fred"): client("fred", labels={"role": "ops"}),
            (CLIENT_CERTIFICATE, EDGE, "alice"): {"spec": {"suspended": True}},
            (INGRESS, EDGE, "till"): {"metadata": {"annotations": {"doorward.io/allow": "fred alice"}}},
        },
        deleted=((CLIENT_CERTIFICATE, EDGE, "eve"),),
    ),
}


class Scene:
    """The cluster, the files that made it, and a person who plans."""

    def __init__(self, bed: OperatorBed, capsys, folder) -> None:
        self.bed = bed
        self.person = Person(bed)
        self._capsys = capsys
        self.folder = folder
        self.files: dict[At, Patch] = {}

    def make(self, at: At, body: Patch) -> None:
        """As `kubectl apply` does it the first time."""
        kind, namespace, _ = at
        stored = deepcopy(body)
        stored["metadata"].setdefault("annotations", {})
        stored["metadata"]["annotations"] = stored["metadata"]["annotations"] | {LAST: json.dumps(body)}
        self.files[at] = deepcopy(body)
        self.bed.cluster.create(kind, namespace, stored, PEOPLE)

    def change(self, story: Story) -> None:
        """Do to the cluster what the story says, and let the operator work."""
        for at, patch in story.edits.items():
            kind, namespace, name = at
            if at in self.files:
                self.bed.cluster.merge_patch(kind, ObjectKey(namespace, name), patch, PEOPLE, "")
            else:
                self.make(at, patch)
        for kind, namespace, name in story.deleted:
            self.bed.cluster.delete(kind, ObjectKey(namespace, name), PEOPLE)
        self.bed.settle()

    def write(self, story: Story) -> None:
        """The files as they are after the story."""
        wanted = {at: merged(body, story.edits.get(at, {})) for at, body in self.files.items()}
        wanted |= {at: patch for at, patch in story.edits.items() if at not in wanted}
        for number, ((kind, namespace, name), body) in enumerate(wanted.items()):
            if (kind, namespace, name) in story.deleted:
                continue
            head = {"apiVersion": kind.api_version, "kind": kind.name}
            metadata = body["metadata"] | {"name": name} | ({"namespace": namespace} if namespace else {})
            path = self.folder / f"{number:02d}.yaml"
            path.write_text(yaml.safe_dump(head | body | {"metadata": metadata}))

    def plan(self, *, prune: bool = True) -> tuple[int, dict[str, Any]]:
        files = read_files([str(self.folder)], EDGE, required=False)
        pruning = Prune() if prune else None
        status = self.person.asks(lambda reader: plan(reader, files, pruning, "json"))
        return status, json.loads(self._capsys.readouterr().out)

    def admitted(self) -> set[tuple[str, str, str]]:
        """Client, host and Ingress, as `doorward who` has it; `everybody` where nobody is asked for a certificate."""
        return {found for host in (*HOSTS, "desk2.example") for found in self._at(host)}

    def _at(self, host: str) -> Iterator[tuple[str, str, str]]:
        try:
            self.person.asks(lambda reader: who(reader, host, "json"))
        except UserError:
            return
        said = json.loads(self._capsys.readouterr().out)
        if all(each["issuer"] is None for each in said["ingresses"]):
            yield from (("everybody", host, each["ingress"]) for each in said["ingresses"])
        yield from ((each["client"], host, each["ingress"]) for each in said["admitted"])


@pytest.fixture
def scene(capsys, tmp_path):
    with OperatorBed(NOW, finalizer_at_creation=True, planes=planes(SERVICE)) as bed:
        made = Scene(bed, capsys, tmp_path)
        for at, body in START.items():
            made.make(at, body)
        bed.edit(CLIENT_CERTIFICATE, "carl", {"spec": {"suspended": False}})
        bed.edit(CLIENT_CERTIFICATE, "dora", {"spec": {"revoked": False}})
        bed.settle()
        bed.edit(CLIENT_CERTIFICATE, "carl", {"spec": {"suspended": True}})
        bed.edit(CLIENT_CERTIFICATE, "dora", {"spec": {"revoked": True}})
        bed.settle()
        yield made


def told(said: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    return {("everybody" if each["everybody"] else each["client"], each["host"], each["ingress"]) for each in said}


def without_everybody(found: set[tuple[str, str, str]], open_at: set[tuple[str, str]]) -> set[tuple[str, str, str]]:
    """At an Ingress where everybody has access, before or after, only that is compared."""
    return {each for each in found if each[0] == "everybody" or each[1:] not in open_at}


@pytest.mark.parametrize("name", STORIES)
def test_the_plan_says_what_the_gates_do_once_the_files_are_applied(scene, name):
    story = STORIES[name]
    scene.write(story)
    before = scene.admitted()
    serials = scene_serials(scene)
    status, said = scene.plan()
    assert scene.admitted() == before, "a plan changes nothing"
    scene.change(story)
    after = scene.admitted()
    open_at = {each[1:] for each in before ^ after if each[0] == "everybody"}
    # An Ingress that is new at a host that nobody protects is nobody's loss or gain.
    assert told(said["gains"]) == without_everybody(after - before, open_at), said
    assert told(said["loses"]) == without_everybody(before - after, open_at), said
    reissued = {client for client, serial in scene_serials(scene).items() if serials.get(client, serial) != serial}
    told_new = {each["client"].partition("/")[2] for each in said["newCertificates"]}
    assert told_new == set(story.certificates)
    assert told_new == reissued - {"dora"}
    assert status == (2 if said["gains"] or said["loses"] or told_new else 0)
    assert all(each["files"] for each in said["gains"]), said
    again, nothing = scene.plan()
    assert again == 0, nothing
    assert {each["change"] for each in nothing["objects"]} <= {"unchanged"}


def scene_serials(scene: Scene) -> dict[str, str]:
    """The serial number in the status of each client."""
    bodies = scene.bed.cluster.all(CLIENT_CERTIFICATE, EDGE)
    return {body["metadata"]["name"]: (body.get("status") or {}).get("serialNumber", "") for body in bodies}


WHY: Mapping[str, tuple[str, str]] = {
    "a new client": ("client", "edge/fred is new"),
    "a client is suspended": ("suspended", "spec.suspended is true"),
    "a client is resumed": ("suspended", "spec.suspended is no longer true"),
    "a client is revoked": ("revoked", "spec.revoked is true"),
    "a client is removed": ("client", "edge/bob is deleted"),
    "a client loses a label": ("access-list", "labels of ClientCertificate edge/bob changed"),
    "a list names another client": ("access-list", "the list changed"),
    "an issuer selects other namespaces": ("access-list", "MTLSIssuer edge/partners changed"),
    "an Ingress names another issuer": ("ingress-issuer", "names MTLSIssuer edge/others now (before: edge/partners)"),
    "an Ingress loses its protection": ("ingress-issuer", "nobody is asked for a certificate"),
    "an Ingress gets protection": ("ingress-issuer", "a certificate of MTLSIssuer edge/partners is needed there now"),
    "an issuer is deleted": ("issuer", "MTLSIssuer edge/partners is deleted"),
    "an issuer admits an Ingress elsewhere": ("gates.allowedNamespaces", "includes namespace far now"),
}


@pytest.mark.parametrize("name", WHY)
def test_each_change_says_by_which_rule_and_in_which_file(scene, name):
    rule, why = WHY[name]
    scene.write(STORIES[name])
    _, said = scene.plan()
    found = [each for each in said["gains"] + said["loses"] if rule in each["rules"] and why in each["why"]]
    assert found, said
    if not STORIES[name].deleted:
        named = {step["file"] for step in said["objects"] if step["change"] != "unchanged"}
        assert {file for each in found for file in each["files"]} <= named
        assert all(each["files"] for each in found)


def test_what_is_not_in_the_files_stays_unless_it_is_pruned(scene):
    scene.write(removed(CLIENT_CERTIFICATE, "bob"))
    assert scene.plan(prune=False)[0] == 0
    assert scene.plan(prune=True)[0] == 2


def test_only_what_a_selector_takes_is_pruned(scene):
    scene.write(Story(deleted=((CLIENT_CERTIFICATE, EDGE, "bob"), (CLIENT_CERTIFICATE, EDGE, "alice"))))
    files = read_files([str(scene.folder)], EDGE, required=False)
    assert scene.person.asks(lambda reader: plan(reader, files, Prune(selector="role=ops"), "json")) == 2
    said = json.loads(scene._capsys.readouterr().out)
    assert {each["client"] for each in said["loses"]} == {"edge/bob"}


@pytest.mark.parametrize(
    "error", [Forbidden("policy x: no", status=403), Invalid("issuerRef is immutable", status=422)]
)
def test_what_the_api_server_would_refuse_is_told_and_not_taken_for_applied(scene, error):
    scene.write(STORIES["much at once"])
    files = read_files([str(scene.folder)], EDGE, required=False)

    async def work(reader):
        reader.gateway.refuse = lambda write: error if write.name == "fred" else None
        return await plan(reader, files, None, "json")

    assert scene.person.asks(work) == 1
    said = json.loads(scene._capsys.readouterr().out)
    (refused,) = said["refused"]
    assert (refused["object"], refused["why"]) == ("ClientCertificate edge/fred", str(error))
    assert ".yaml:1" in refused["file"]
    assert "edge/fred" not in {each["client"] for each in said["gains"]}
    assert scene.bed.find(CLIENT_CERTIFICATE, "fred") is None


def test_a_field_that_only_the_cluster_has_stays_unless_a_file_had_it_before(scene):
    """`doorward suspend` of a person is not undone by a file that never spoke of it."""
    scene.bed.edit(CLIENT_CERTIFICATE, "bob", {"spec": {"suspended": True}})
    scene.bed.settle()
    scene.write(Story())
    assert scene.plan()[0] == 0


def test_people_see_who_gains_and_who_loses(scene, capsys):
    scene.write(STORIES["much at once"])
    files = read_files([str(scene.folder)], EDGE, required=False)
    assert scene.person.asks(lambda reader: plan(reader, files, None, None)) == 2
    out = capsys.readouterr().out
    gains, _, loses = out.partition("Loses access")
    assert "edge/fred" in gains
    assert "edge/alice" in loses
    assert "created" in loses


def test_without_the_right_to_list_everything_the_namespaces_of_the_files_are_compared(scene, capsys):
    scene.person.missing = lambda verb, _kind, namespace: verb == "list" and namespace is None
    scene.write(STORIES["a client is suspended"])
    files = read_files([str(scene.folder)], EDGE, required=False)
    assert scene.person.asks(lambda reader: plan(reader, files, None, "json")) == 2
    out, err = capsys.readouterr()
    assert {each["client"] for each in json.loads(out)["loses"]} == {"edge/alice"}
    assert "note: " in err


def test_several_issuers_at_one_host_are_not_certain(scene):
    scene.write(of(INGRESS, "new", ingress("new", "shop.example", issuer="others")))
    _, said = scene.plan()
    assert any("different MTLSIssuers (edge/others, edge/partners)" in each for each in said["warnings"])


DOUBTS: Mapping[str, tuple[Patch, str]] = {
    "a path of another": (ingress("new", "plain.example", issuer="partners"), "PathShared: plain.example/ is served"),
    "no redirection": (
        ingress("new", issuer="partners") | {"spec": to_own_service("new", "new.example") | {"tls": []}},
        "PlainHTTP: ",
    ),
    "no reference": (ingress("new", issuer="a/b/c"), "is neither <issuer> nor <namespace>/<issuer>"),
    "no rules": (ingress("new", issuer="partners") | {"spec": {}}, "add spec.rules"),
}


@pytest.mark.parametrize("name", DOUBTS)
def test_what_more_decides_at_an_ingress_is_told(scene, name):
    body, why = DOUBTS[name]
    scene.write(of(INGRESS, "new", body))
    _, said = scene.plan()
    assert any(each.startswith("Ingress edge/new: ") and why in each for each in said["warnings"]), said["warnings"]


def test_an_optional_certificate_without_the_gate_service_admits_everybody(scene):
    story = Story(
        {
            (ISSUER, EDGE, "partners"): {
                "spec": {"enforcement": {"mode": "Handshake"}, "gates": {"allowOptional": True}}
            },
            (INGRESS, EDGE, "shop"): {"metadata": {"annotations": {"doorward.io/verify-client": "optional"}}},
        }
    )
    scene.write(story)
    status, said = scene.plan()
    assert status == 2
    assert ("everybody", "shop.example", "edge/shop") in told(said["gains"])
