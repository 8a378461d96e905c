"""Old, foreign and edited objects that somebody kept and puts back, and an issuer's namespace that somebody takes over."""

import base64
import json
from collections.abc import Callable, Mapping

import pytest
from cryptography import x509

from doorward.cluster.gateway import (
    CLIENT_CERTIFICATE,
    CONFIG_MAP,
    INGRESS,
    ISSUED_CERTIFICATE,
    ISSUER,
    NAMESPACE,
    SECRET,
    Kind,
)
from doorward.objects.meta import GENERATIONS_ANNOTATION, ISSUER_ANNOTATION, ObjectKey, key_of
from tests.support import promises
from tests.support.memory_cluster import Object
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, PEOPLE, OperatorBed
from tests.unit import given
from tests.unit.runtime.looks import CRL, GATE, issuer_said, record, said, serial

while_ = pytest.mark.parametrize(
    "down", [pytest.param(False, id="while it runs"), pytest.param(True, id="while it is down")]
)


def by_hand(bed: OperatorBed, act: Callable[[], None], *, down: bool) -> None:
    """What somebody does by hand, and what follows."""
    if down:
        bed.kill()
    act()
    if down:
        bed.start()
    bed.settle()


def everywhere(bed: OperatorBed, lost: set[int]) -> bool:
    """Whether the CRL and the gate name these and nobody else."""
    return promises.newest_crl(bed.cluster) == promises.gate_crls(bed.cluster)[NAMESPACE_NAME] == lost


# What the ConfigMap says of its generations: an annotation, which no fence keeps

SAYS: dict[str, Callable[[str], str | None]] = {
    "nothing": lambda _: None,
    "empty text": lambda _: "",
    "no generation": lambda _: "{}",
    "a list": lambda _: "[]",
    "null": lambda _: "null",
    "another number": lambda key: json.dumps({"7": key}),
    "the largest number": lambda key: json.dumps({"1000000": key}),
    "a number that is too large": lambda key: json.dumps({"1000001": key}),
    "a number below zero": lambda key: json.dumps({"-1": key}),
    "two numbers": lambda key: json.dumps({"1": key, "2": key}),
    "thousands of numbers": lambda key: json.dumps({str(number): key for number in range(1, 3000)}),
    "another key": lambda _: json.dumps({"1": "f" * 64}),
    "no key": lambda _: json.dumps({"1": None}),
    "brackets": lambda _: "[" * 16_000,
    "a number of 5,000 digits": lambda key: json.dumps({"9" * 5000: key}),
}


@while_
@pytest.mark.parametrize("says", SAYS.values(), ids=SAYS)
def test_whatever_the_crl_is_made_to_say_of_its_ca_who_is_revoked_next_is_on_it(served, says, down):
    lost = serial(served, "alice")
    (key,) = json.loads(served.find(CONFIG_MAP, CRL)["metadata"]["annotations"][GENERATIONS_ANNOTATION]).values()

    def act() -> None:
        served.edit(CONFIG_MAP, CRL, {"metadata": {"annotations": {GENERATIONS_ANNOTATION: says(key)}}})
        served.apply("alice", revoked=True)
        served.apply("carol")

    by_hand(served, act, down=down)
    assert everywhere(served, {lost})
    assert (said(served, "carol")["Ready"], issuer_said(served)["Ready"]) == ("Issued", "Signing")


# CRLs that were kept, or are another issuer's


CONFIGMAP, GATES = (CONFIG_MAP, CRL), (SECRET, GATE)


def kept(bed: OperatorBed) -> Mapping[tuple[Kind, str], Object]:
    return {at: bed.find(*at)["data"] for at in (CONFIGMAP, GATES)}


def put_back(bed: OperatorBed, old: Mapping[tuple[Kind, str], Object]) -> None:
    for (kind, name), data in old.items():
        bed.edit(kind, name, {"data": data})


@while_
def test_an_old_crl_and_an_old_gate_that_are_put_back_together_admit_nobody(served, down):
    old, lost = kept(served), {serial(served, "alice"), serial(served, "bob")}
    served.apply("alice", revoked=True)
    served.delete(CLIENT_CERTIFICATE, "bob")
    served.settle()
    by_hand(served, lambda: put_back(served, old), down=down)
    assert everywhere(served, lost)
    assert list(promises.let_in_again(served.cluster)) == []


@while_
def test_with_its_record_deleted_too_a_client_whose_object_says_revoked_stays_out(served, down):
    old, lost = kept(served), serial(served, "alice")
    served.apply("alice", revoked=True)
    served.settle()

    def act() -> None:
        put_back(served, old)
        served.delete(ISSUED_CERTIFICATE, record(served, lost)["metadata"]["name"])

    by_hand(served, act, down=down)
    assert everywhere(served, {lost})


@while_
@pytest.mark.parametrize("left", ["the CRL", "the gate", "the record", "the object"])
def test_one_object_that_was_not_rolled_back_is_enough_to_keep_a_revoked_client_out(served, left, down):
    lost = serial(served, "alice")
    at = record(served, lost)["metadata"]["name"]
    spec = served.find(ISSUED_CERTIFICATE, at)["spec"]
    old = kept(served)
    served.apply("alice", revoked=True)
    served.settle()

    def act() -> None:
        put_back(
            served, {of: data for of, data in old.items() if of != {"the CRL": CONFIGMAP, "the gate": GATES}.get(left)}
        )
        if left != "the record":
            served.delete(ISSUED_CERTIFICATE, at)
            served.cluster.create(ISSUED_CERTIFICATE, NAMESPACE_NAME, {"metadata": {"name": at}, "spec": spec}, PEOPLE)
        if left != "the object":
            served.apply("alice", revoked=False)

    by_hand(served, act, down=down)
    assert everywhere(served, {lost})


@while_
def test_another_issuers_crl_in_the_place_of_ours_is_replaced(served, down):
    served.cluster.create(ISSUER, NAMESPACE_NAME, _issuer("others"), PEOPLE)
    lost = serial(served, "alice")
    served.apply("alice", revoked=True)
    served.settle()
    foreign = served.find(CONFIG_MAP, "others-crl")["data"]
    encoded = {name: base64.b64encode(value.encode()).decode() for name, value in foreign.items()}
    by_hand(served, lambda: put_back(served, {CONFIGMAP: foreign, GATES: encoded}), down=down)
    held = served.find(CONFIG_MAP, CRL)["data"]["ca.crl"]
    listed = x509.load_pem_x509_crl(held.encode())
    assert ({entry.serial_number for entry in listed}, "Mallory" in str(listed.issuer)) == ({lost}, False)
    assert served.find(SECRET, GATE)["data"]["ca.crl"] == base64.b64encode(held.encode()).decode()


def _issuer(name: str) -> Object:
    rule = {"allowedNamespaces": {"from": "All"}}
    return {"metadata": {"name": name}, "spec": {"ca": {"generate": {"commonName": "Mallory CA"}}, "gates": rule}}


# UIDs that are claimed again


@while_
@pytest.mark.parametrize("uid", ["of bob", "of the new alice", "of nobody", "x"])
def test_a_held_record_that_is_restored_under_whatever_uid_lets_nobody_in(served, uid, down):
    """Whoever restores records (the verb `restore`) can claim any UID."""
    lost = serial(served, "alice")
    served.delete(CLIENT_CERTIFICATE, "alice")
    served.settle()
    served.apply("alice")
    served.settle()
    uids = {
        "of bob": served.find(CLIENT_CERTIFICATE, "bob")["metadata"]["uid"],
        "of the new alice": served.find(CLIENT_CERTIFICATE, "alice")["metadata"]["uid"],
        "of nobody": "00000000-0000-0000-0000-000000000000",
    }
    old = record(served, lost)
    holder = old["spec"]["clientCertificate"] | {"uid": uids.get(uid, uid)}
    spec = {name: value for name, value in old["spec"].items() if name != "revocation"}

    def act() -> None:
        served.delete(ISSUED_CERTIFICATE, old["metadata"]["name"])
        body = {"metadata": {"name": old["metadata"]["name"]}, "spec": spec | {"clientCertificate": holder}}
        served.cluster.create(ISSUED_CERTIFICATE, NAMESPACE_NAME, body, PEOPLE)

    by_hand(served, act, down=down)
    assert everywhere(served, {lost})
    assert {said(served, name)["Admitted"] for name in ("alice", "bob")} == {"Live"}


@pytest.mark.parametrize("generation", [2, 7, 1_000_000])
def test_a_restored_record_of_a_ca_that_is_not_there_is_told_and_stops_no_cut_off(served, generation):
    """Whoever may restore records stops issuing with it: a CA that has signed is never made anew."""
    lost = serial(served, "alice")
    spec = record(served, serial(served, "bob"))["spec"] | {"generation": generation, "serialNumber": "2a"}
    name = f"partners.{generation}.2a"
    body = {"metadata": {"name": name}, "spec": spec}
    served.cluster.create(ISSUED_CERTIFICATE, NAMESPACE_NAME, body, PEOPLE)
    served.settle()
    served.apply("alice", revoked=True)
    served.apply("carol")
    served.settle()
    assert (issuer_said(served)["Ready"], said(served, "carol")["Ready"]) == ("CaSecretMissing", "IssuerNotReady")
    assert lost in promises.newest_crl(served.cluster) == promises.gate_crls(served.cluster)[NAMESPACE_NAME]
    assert said(served, "bob")["Admitted"] == "Live"
    served.edit(ISSUED_CERTIFICATE, name, {"spec": {"revocation": {"reason": "superseded"}}})
    served.settle()
    assert (issuer_said(served)["Ready"], said(served, "carol")["Ready"]) == ("Signing", "Issued")


# A namespace that somebody else makes again


def test_who_makes_an_issuers_namespace_again_gets_its_gates_and_none_of_its_clients(served):
    """Not defended: an Ingress trusts whoever has the namespace that it names. In between its hosts are closed."""
    shop = "shop"
    served.edit(ISSUER, ISSUER_AT.name, {"spec": {"gates": {"allowedNamespaces": {"from": "All"}}}})
    served.cluster.create(NAMESPACE, "", {"metadata": {"name": shop}}, PEOPLE)
    marks = {"name": "app", "annotations": {ISSUER_ANNOTATION: str(ISSUER_AT)}}
    served.cluster.create(INGRESS, shop, {"metadata": marks, "spec": {}}, PEOPLE)
    served.settle()
    gate = ObjectKey(shop, GATE)
    before = served.cluster.get(SECRET, gate)["data"]["ca.crt"]
    for kind in (CLIENT_CERTIFICATE, ISSUER, SECRET, CONFIG_MAP, ISSUED_CERTIFICATE, INGRESS):
        for body in served.cluster.all(kind, NAMESPACE_NAME):
            served.cluster.merge_patch(kind, key_of(body), {"metadata": {"finalizers": None}}, PEOPLE, "")
            served.cluster.delete(kind, key_of(body), PEOPLE)
    served.settle()
    closed = served.cluster.find(SECRET, gate)
    served.cluster.create(ISSUER, NAMESPACE_NAME, _issuer(ISSUER_AT.name), "mallory")
    served.settle()
    after = served.cluster.get(SECRET, gate)["data"]["ca.crt"]
    assert closed is None
    assert after != before
    assert given.reasons(served.find(ISSUER, ISSUER_AT.name)["status"])["Ready"] == "Signing"
