"""Accounts with `view`, `edit` and `admin` write what is Doorward's, under its marks and under its name; checked from outside."""

import base64
import json
import time
from collections.abc import Iterator

import pytest

from tests.support import quotas
from tests.support.home import API, Home, client, issuer
from tests.support.kube import (
    CERTIFICATES,
    CONFIGMAPS,
    INGRESSES,
    ISSUERS,
    LEASES,
    MERGE,
    NAMESPACES,
    RECORDS,
    SECRETS,
    Answer,
    Kind,
    Object,
    Person,
    bind,
    eventually,
)
from tests.support.openssl import OpenSsl

from .policies_support import ISSUER, OURS, SECRET, VERIFY, configmap, ingress

JSON_PATCH = "application/json-patch+json"
OPERATORS = "doorward"
"""The operator's field manager."""


@pytest.fixture
def served(home: Home) -> Home:
    """An issuer with alice and bob, and an Ingress that lets them in."""
    home.partners("alice", "bob")
    home.make(INGRESSES, ingress(home.namespace, {ISSUER: "partners"}))
    home.says(ISSUERS, "partners", "GatesCurrent", "AllCurrent")
    return home


def account(home: Home, role: str) -> Person:
    person = home.admin.alias(f"{role}.{home.namespace}")
    bind(home.admin, home.namespace, person.name, role)
    eventually(lambda: person.may("get", CERTIFICATES, home.namespace), f"{role} is bound")
    eventually(lambda: person.may("get", CONFIGMAPS, home.namespace), f"{role} is bound")
    return person


@pytest.fixture
def erin(home: Home) -> Person:
    """With `edit`."""
    return account(home, "edit")


@pytest.fixture
def adam(home: Home) -> Person:
    """With `admin`."""
    return account(home, "admin")


def patch(person: Person, home: Home, kind: Kind, name: str, change: object, *, content: str = MERGE) -> Answer:
    return person.ask("PATCH", kind.path(home.namespace, name), change, content=content)  # type: ignore[arg-type]


# Status


@pytest.mark.parametrize("role", ["view", "edit", "admin"])
@pytest.mark.parametrize(("kind", "name"), [(CERTIFICATES, "alice"), (ISSUERS, "partners")], ids=["client", "issuer"])
def test_nobody_but_the_operator_writes_a_status(served: Home, role: str, kind: Kind, name: str):
    person = account(served, role)
    path = kind.path(served.namespace, name) + "/status"
    answers = [person.ask("PATCH", path, {"status": {"serialNumber": "1"}}, content=MERGE)]
    answers.append(person.ask("PUT", path, served.body(kind, name)))
    assert [answer.status for answer in answers] == [403, 403]


# The CRL


def crl_edits(home: Home, other: str) -> dict[str, tuple[str, object]]:
    """Content type and change: what an account might do to the ConfigMap."""
    old = home.body(CONFIGMAPS, "partners-crl")
    foreign = home.body(CONFIGMAPS, other)["data"]
    return {
        "another issuer's CRL": (MERGE, {"data": foreign}),
        "no CRL": (MERGE, {"data": {"ca.crl": ""}}),
        "nothing": (MERGE, {"data": None}),
        "another key beside": (MERGE, {"data": {"x": "y"}}),
        "bytes beside": (MERGE, {"binaryData": {"x": "eQ=="}}),
        "frozen": (MERGE, {"immutable": True}),
        "without its mark": (MERGE, {"metadata": {"labels": None}}),
        "with another role": (MERGE, {"metadata": {"labels": {"doorward.io/role": "archive"}}}),
        "by JSON patch": (
            JSON_PATCH,
            [{"op": "replace", "path": "/data/ca.crl", "value": old["data"]["ca.crl"] + " "}],
        ),
    }


@pytest.mark.parametrize("role", ["edit", "admin"])
def test_no_account_changes_a_crl(served: Home, role: str):
    served.make(ISSUERS, issuer("others"))
    served.signing("others")
    person = account(served, role)
    old = served.body(CONFIGMAPS, "partners-crl")
    answers = {
        what: patch(person, served, CONFIGMAPS, "partners-crl", change, content=content).status
        for what, (content, change) in crl_edits(served, "others-crl").items()
    }
    body = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"ca.crl": "x"}}
    applied = served.here(body | {"metadata": {"name": "partners-crl"}})
    answers["applied under the operator's name"] = person.apply(CONFIGMAPS, applied, manager=OPERATORS).status
    answers["replaced"] = person.replace(CONFIGMAPS, old | {"data": {}}).status
    answers["deleted"] = person.delete(CONFIGMAPS, old).status
    assert set(answers.values()) == {403}, answers
    person.ask("DELETE", CONFIGMAPS.path(served.namespace))  # all at once: each is asked about
    assert served.body(CONFIGMAPS, "partners-crl")["data"] == old["data"]


def test_the_last_crl_is_not_brought_back_and_no_marked_configmap_is_made(served: Home, adam: Person):
    old = served.body(CONFIGMAPS, "partners-crl")
    served.respec(CERTIFICATES, "alice", revoked=True)
    served.says(CERTIFICATES, "alice", "Admitted", "Revoked")
    again = {key: old[key] for key in ("apiVersion", "kind", "data")} | {"metadata": {"name": "partners-crl"}}
    assert adam.replace(CONFIGMAPS, old).status in (403, 409)
    assert adam.apply(CONFIGMAPS, served.here(again), manager="kubectl").status == 403
    marked = configmap(served.namespace, "others-crl", labels=OURS | {"doorward.io/role": "crl"})
    assert adam.create(CONFIGMAPS, marked).status == 403
    plain = configmap(served.namespace, "plain")
    assert adam.create(CONFIGMAPS, plain).ok
    assert patch(adam, served, CONFIGMAPS, "plain", {"metadata": {"labels": OURS}}).status == 403


# Records and the Lease


def test_edit_writes_no_record_and_admin_only_revokes(served: Home, erin: Person, adam: Person):
    (held,) = served.records("alice")
    name = held["metadata"]["name"]
    revoked = {"spec": {"revocation": {"reason": "keyCompromise"}}}
    assert patch(erin, served, RECORDS, name, revoked).status == 403
    assert adam.delete(RECORDS, held).status == 403
    again = {key: held[key] for key in ("apiVersion", "kind", "spec")} | {"metadata": {"name": "partners.1.1"}}
    assert adam.create(RECORDS, served.here(again)).status == 403
    for field, value in {"serialNumber": "1", "notAfter": "2026-01-01T00:00:00Z", "generation": 9}.items():
        assert patch(adam, served, RECORDS, name, {"spec": {field: value}}).status in (403, 422)
    holder = held["spec"]["clientCertificate"] | {"uid": served.body(CERTIFICATES, "bob")["metadata"]["uid"]}
    assert patch(adam, served, RECORDS, name, {"spec": {"clientCertificate": holder}}).status in (403, 422)
    assert patch(adam, served, RECORDS, name, revoked).ok
    served.says(CERTIFICATES, "bob", "Admitted", "Live")


@pytest.mark.parametrize("role", ["view", "edit", "admin"])
def test_an_account_of_another_namespace_neither_takes_nor_deletes_the_lease(served: Home, role: str):
    person = account(served, role)
    lease = {"metadata": {"namespace": "doorward-system", "name": "doorward"}}
    spec = {"spec": {"holderIdentity": "mallory"}}
    answers = [person.patch(LEASES, lease, spec), person.delete(LEASES, lease), person.create(LEASES, lease | spec)]
    assert [answer.status for answer in answers] == [403, 403, 403]


# Secrets that somebody made first


def marked(home: Home, name: str, holder: str, **body: object) -> Object:
    metadata = {
        "name": name,
        "labels": OURS | {"doorward.io/role": "client"},
        "annotations": {"doorward.io/client-certificate": holder},
    }
    return home.here({"metadata": metadata, "data": {"tls.crt": "anVuaw==", "tls.key": "anVuaw=="}, **body})


PLANTED = {
    "with our marks": {},
    "that is frozen": {"immutable": True},
    "of another type": {"type": "example.com/mine"},
    "of the server's certificates' type": {"type": "kubernetes.io/tls"},
}


@pytest.mark.parametrize("body", PLANTED.values(), ids=PLANTED)
def test_a_secret_that_was_planted_for_a_client_is_taken_or_told_and_costs_one_serial(served: Home, erin: Person, body):
    assert erin.create(SECRETS, marked(served, "carol-mtls", "carol", **body)).ok
    served.make(CERTIFICATES, client("carol"))
    eventually(lambda: served.condition(CERTIFICATES, "carol", "Ready").get("message"), "carol is told")

    def decided() -> str:
        return str(served.condition(CERTIFICATES, "carol", "Ready").get("reason", ""))

    reason = eventually(
        lambda: decided() in ("Issued", "SecretRefused", "SecretImmutable", "WriteRefused") and decided(), "an end"
    )
    live = [r for r in served.records("carol") if not r["spec"].get("revocation")]
    assert len(live) <= 1
    print(f"\n{body or 'marked'}: {reason}: {served.condition(CERTIFICATES, 'carol', 'Ready')['message']}")
    if reason != "Issued":
        served.remove(SECRETS, "carol-mtls")
        served.issued("carol")
    served.says(CERTIFICATES, "bob", "Admitted", "Live")


def test_a_copy_of_anothers_secret_gives_its_name_to_nobody(served: Home, erin: Person):
    """Bob's certificate under carol's name: bob keeps his, and carol gets her own when the copy is deleted."""
    before = served.data("bob-mtls")
    copy = marked(served, "carol-mtls", "carol", type="kubernetes.io/tls")
    copy["data"] = {key: base64.b64encode(value).decode() for key, value in before.items()}
    assert erin.create(SECRETS, copy).ok
    served.make(CERTIFICATES, client("carol"))
    served.says(CERTIFICATES, "carol", "Ready", "SecretCopied")
    served.remove(SECRETS, "carol-mtls")
    served.issued("carol")
    assert served.serial("carol") != served.serial("bob")
    assert served.data("carol-mtls")["tls.key"] != before["tls.key"]
    assert served.data("bob-mtls") == before
    served.says(CERTIFICATES, "bob", "Admitted", "Live")


# The operator's field manager


def annotations(home: Home, name: str = "app") -> dict[str, str]:
    return dict(home.body(INGRESSES, name)["metadata"].get("annotations") or {})


def test_who_applies_under_the_operators_name_opens_no_host_that_opted_in(served: Home, erin: Person):
    served.told()
    before = annotations(served)
    bare = ingress(served.namespace, {})
    bare["metadata"].pop("annotations")
    answer = erin.apply(INGRESSES, bare, manager=OPERATORS)
    assert answer.ok, answer.message
    assert answer.annotations.get(SECRET) == before[SECRET]
    eventually(lambda: annotations(served) == before, "all of it is back")


def test_who_applies_under_the_operators_name_changes_no_strictness(served: Home, erin: Person):
    served.told()
    open_ = ingress(served.namespace, {VERIFY: "off", SECRET: f"{served.namespace}/mine"})
    assert erin.apply(INGRESSES, open_, manager=OPERATORS).status == 422
    assert annotations(served)[VERIFY] == "on"


# Quotas

COUNTED = {
    "a client's Secret": ("count/secrets", CERTIFICATES, client("carol")),
    "a record": ("count/issuedcertificates.doorward.io", CERTIFICATES, client("carol")),
    "a CA": ("count/secrets", ISSUERS, issuer("others")),
    "a CRL": ("count/configmaps", ISSUERS, issuer("others")),
}


@pytest.mark.parametrize(("counted", "kind", "body"), COUNTED.values(), ids=COUNTED)
def test_a_quota_that_leaves_no_room_is_told_and_stops_no_cut_off(
    served: Home, adam: Person, openssl: OpenSsl, counted: str, kind: Kind, body: Object
):
    """Quotas are the cluster's administrator's; `admin` may not write them."""
    quota = served.here({"metadata": {"name": "none"}, "spec": {"hard": {counted: "0"}}})
    assert adam.create(quotas.QUOTAS, quota).status == 403
    quotas.impose(served, **{counted: "0"})
    name = body["metadata"]["name"]
    served.make(kind, body)

    def told() -> bool:
        found = served.body(kind, name).get("status", {}).get("conditions", ())
        return any("exceeded quota" in condition["message"] for condition in found)

    eventually(told, "the object says that a quota is in the way")
    serial = served.serial("alice")
    served.respec(CERTIFICATES, "alice", revoked=True)
    served.says(CERTIFICATES, "alice", "Admitted", "Revoked")
    assert serial in openssl.crl_entries(served.crl().read_bytes())
    quotas.lift(served)
    if kind == CERTIFICATES:
        served.issued(name)
    else:
        served.signing(name)


# Large marks


def test_objects_with_as_many_marks_as_fit_are_served_and_cut_off(served: Home, erin: Person, openssl: OpenSsl):
    """256 KiB of annotations, and a hundred field managers, on a client, its Secret and an Ingress."""
    large = {"metadata": {"annotations": {f"example.com/{n}": "x" * 60_000 for n in range(4)}}}
    for kind, name in ((CERTIFICATES, "alice"), (SECRETS, "alice-mtls"), (INGRESSES, "app")):
        assert patch(erin, served, kind, name, large).ok
    for number in range(100):
        mark = {"metadata": {"name": "alice", "annotations": {f"example.org/{number}": "x"}}}
        body = served.here({"apiVersion": API, "kind": "ClientCertificate"} | mark)
        assert erin.apply(CERTIFICATES, body, manager=f"manager-{number}").ok
    serial = served.serial("alice")
    served.respec(CERTIFICATES, "alice", revoked=True)
    served.says(CERTIFICATES, "alice", "Admitted", "Revoked")
    assert serial in openssl.crl_entries(served.crl().read_bytes())
    served.make(CERTIFICATES, client("carol"))
    served.issued("carol")


# Events


@pytest.fixture
def crowd(admin: Person, home: Home) -> Iterator[Home]:
    """Another namespace that consented."""
    other = Home.found(admin, home.folder, prefix="crowd-")
    yield other
    other.abandon()


def test_a_flood_of_events_and_of_changes_delays_no_cut_off(served: Home, crowd: Home, openssl: OpenSsl):
    mallory = account(crowd, "edit")
    crowd.make(ISSUERS, issuer())
    crowd.make(CERTIFICATES, client())
    events = Kind("api/v1", "events")
    about = {"apiVersion": API, "kind": "ClientCertificate", "namespace": crowd.namespace, "name": "alice"}
    for number in range(500):
        event = {"metadata": {"generateName": "flood-"}, "involvedObject": about, "reason": "CutOff", "type": "Warning"}
        assert mallory.create(events, crowd.here(event | {"message": str(number)})).ok
        mark = {"metadata": {"annotations": {"example.com/n": str(number)}}}
        assert patch(mallory, crowd, CERTIFICATES, "alice", mark).ok
    serial = served.serial("alice")
    served.respec(CERTIFICATES, "alice", revoked=True)
    served.says(CERTIFICATES, "alice", "Admitted", "Revoked")
    assert serial in openssl.crl_entries(served.crl().read_bytes())
    ours = [e for e in crowd.admin.ask("GET", events.path(crowd.namespace)).body["items"] if e["reason"] != "CutOff"]
    assert len(ours) < 10, json.dumps(ours)[:500]


def storm(person: Person, home: Home, number: int, **reference: str) -> list[int]:
    body = client()
    body["metadata"] = {"generateName": "storm-"}
    body["spec"]["issuerRef"] |= reference
    return [person.create(CERTIFICATES, home.here(body)).status for _ in range(number)]


def test_a_storm_of_generated_names_without_the_right_to_issue_makes_nothing(served: Home, crowd: Home):
    mallory = account(crowd, "admin")
    assert set(storm(mallory, crowd, 100, namespace=served.namespace)) == {403}
    assert crowd.admin.ask("GET", CERTIFICATES.path(crowd.namespace)).body["items"] == []
    assert len(served.records()) == 2


def test_a_storm_of_generated_names_delays_no_cut_off_of_another_namespace(served: Home, crowd: Home, openssl: OpenSsl):
    crowd.make(ISSUERS, issuer())
    crowd.signing()
    mallory = account(crowd, "admin")
    eventually(lambda: mallory.may("issue", ISSUERS, crowd.namespace), "admin includes doorward-issuer-admin")
    assert set(storm(mallory, crowd, 300)) == {201}
    serial, begun = served.serial("alice"), time.monotonic()
    served.respec(CERTIFICATES, "alice", revoked=True)
    served.says(CERTIFICATES, "alice", "Admitted", "Revoked")
    print(f"\ncut off beside a storm: {time.monotonic() - begun:.2f} s")
    assert serial in openssl.crl_entries(served.crl().read_bytes())
    size = len(json.dumps(crowd.body(ISSUERS, "partners")["status"]))
    assert size < 10_000


def test_who_may_label_no_namespace_opens_no_issuer_that_selects_by_label(served: Home, adam: Person):
    answer = adam.ask(
        "PATCH", NAMESPACES.path(None, served.namespace), {"metadata": {"labels": {"t": "x"}}}, content=MERGE
    )
    assert answer.status == 403
