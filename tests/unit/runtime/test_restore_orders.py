"""`kubectl apply` of a backup into an empty cluster in which the operator runs, in any order and at any pace.

Whoever had access has it again with the old file, and nobody else.
"""

import base64
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from hypothesis import example, given, settings
from hypothesis import strategies as st

from doorward.cluster.errors import Forbidden, Invalid
from doorward.cluster.gateway import (
    CLIENT_CERTIFICATE,
    CONFIG_MAP,
    ISSUED_CERTIFICATE,
    ISSUER,
    ROLE_BINDING,
    SECRET,
    Kind,
    Object,
)
from doorward.objects.meta import issuer_of_gate, key_of
from tests.support import promises
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, PEOPLE, OperatorBed
from tests.unit.given import DAY, NOW, SECOND
from tests.unit.runtime.looks import GATE, issuer_said, said

PARTS = ("issuer", "clients", "records", "client Secrets", "CA Secret", "CRL")
KEPT = ("name", "labels", "annotations", "ownerReferences", "finalizers")
MINUTE = 60 * SECOND
PAUSES = st.sampled_from([0.0, 0.05, 3.0, 40.0])


@dataclass(frozen=True)
class Backup:
    """What `kubectl get -o yaml` printed in the old cluster, by part, and the serials of its clients."""

    parts: dict[str, list[tuple[Kind, Object]]]
    serials: dict[str, int]


def is_ca(body: Object) -> bool:
    return body["metadata"]["name"].startswith(f"{ISSUER_AT.name}-ca-")


@cache
def the_backup() -> Backup:
    """Alice and dora have access, bob is revoked, carol is suspended, erin was deleted."""
    with OperatorBed(NOW, finalizer_at_creation=True) as bed:
        bed.issuer()
        for name in ("alice", "bob", "carol", "dora", "erin"):
            bed.apply(name)
        bed.settle()
        names = ("alice", "bob", "carol", "dora", "erin")
        serials = {name: promises.held_serial(bed.find(SECRET, f"{name}-mtls")) for name in names}
        bed.apply("bob", revoked=True)
        bed.apply("carol", suspended=True)
        bed.delete(CLIENT_CERTIFICATE, "erin")
        bed.settle()
        secrets = [s for s in bed.cluster.all(SECRET) if issuer_of_gate(s["metadata"]["name"]) is None]
        found = {
            "issuer": (ISSUER, bed.cluster.all(ISSUER)),
            "clients": (CLIENT_CERTIFICATE, bed.cluster.all(CLIENT_CERTIFICATE)),
            "records": (ISSUED_CERTIFICATE, bed.cluster.all(ISSUED_CERTIFICATE)),
            "client Secrets": (SECRET, [s for s in secrets if not is_ca(s)]),
            "CA Secret": (SECRET, [s for s in secrets if is_ca(s)]),
            "CRL": (CONFIG_MAP, bed.cluster.all(CONFIG_MAP)),
        }
        return Backup({part: [(kind, body) for body in bodies] for part, (kind, bodies) in found.items()}, serials)


def apply(bed: OperatorBed, kind: Kind, body: Object) -> None:
    """As kubectl does it, uid and resourceVersion taken out. It goes on where the API server refuses: the fence keeps others from
    changing what is published already, and a record that the operator wrote again names the new UID of its client.
    """
    wanted = {name: value for name, value in body.items() if name != "status"}
    wanted["metadata"] = {name: body["metadata"][name] for name in KEPT if name in body["metadata"]}
    at = key_of(body)
    if bed.cluster.find(kind, at) is None:
        bed.cluster.create(kind, at.namespace, wanted, PEOPLE)
    elif kind != CONFIG_MAP:
        with suppress(Invalid):
            bed.cluster.merge_patch(kind, at, wanted, PEOPLE, "")


def file_of(backup: Backup, name: str) -> Object:
    """What the client has."""
    (body,) = [b for _, b in backup.parts["client Secrets"] if b["metadata"]["name"] == f"{name}-mtls"]
    return body


def admits(bed: OperatorBed, body: Object) -> bool:
    """Whether the published bundle lets in the certificate in that Secret: the CA that signed it is trusted, and does not name it."""
    leaf = x509.load_pem_x509_certificate(base64.b64decode(body["data"]["tls.crt"]))
    bundle = bed.find(CONFIG_MAP, f"{ISSUER_AT.name}-crl")["data"]
    anchors = x509.load_pem_x509_certificates(bundle["ca.crt"].encode())
    trusted = False
    for anchor in anchors:
        try:
            leaf.verify_directly_issued_by(anchor)
        except Exception:  # noqa: BLE001 - of another key
            continue
        trusted = True
    return trusted and leaf.serial_number not in promises.newest_crl(bed.cluster)


KUBECTL: dict[str, Any] = {"order": PARTS, "collects": True, "later": DAY, "whole": False}
"""As kubectl lists them; dora's Secret was left out."""


@settings(max_examples=60, deadline=None)
@example(**KUBECTL, pauses=[3.0] * len(PARTS), consent=0)
@example(**KUBECTL, pauses=[0.05] * len(PARTS), consent=0)
@example(**KUBECTL, pauses=[0.05] * len(PARTS), consent=2)
@given(
    order=st.permutations(PARTS),
    pauses=st.lists(PAUSES, min_size=len(PARTS), max_size=len(PARTS)),
    consent=st.integers(0, len(PARTS)),
    collects=st.booleans(),
    later=st.sampled_from([2 * MINUTE, 3 * DAY]),
    whole=st.booleans(),
)
def test_whatever_comes_first_all_clients_are_as_they_were(order, pauses, consent, collects, later, whole):
    restored(order, pauses, consent=consent, collects=collects, later=later, whole=whole)


@pytest.mark.parametrize("pause", [0.0, 2.0, 30.0])
def test_the_order_in_which_kubectl_lists_them(pause):
    restored(PARTS, [pause] * len(PARTS), consent=0, collects=True, later=DAY, whole=True)
    restored(PARTS, [pause] * len(PARTS), consent=len(PARTS), collects=True, later=DAY, whole=True)


def restored(order, pauses, *, consent, collects, later, whole):
    """Bring it back `later`, and look at what came of it. `consent`: how many parts are there before the namespace opts in;
    `collects`: whether the garbage collector takes what has an owner of the old cluster; `whole`: whether dora's Secret is there.
    """
    backup = the_backup()
    bed = OperatorBed(NOW + later, finalizer_at_creation=True, first_key=1000)
    if not collects:
        bed.cluster.collect_garbage = lambda: None
    try:
        bed.start(refuse_reads=lambda kind, _: Forbidden("no", status=403) if kind in (SECRET, CONFIG_MAP) else None)
        for number, part in enumerate([*order, None]):
            if number == consent:
                bed.gateway.refuse_reads = lambda *_: None
                bed.cluster.create(ROLE_BINDING, NAMESPACE_NAME, {"metadata": {"name": "doorward-secrets"}}, PEOPLE)
                bed.advance(3)
            if part is not None:
                for kind, body in backup.parts[part]:
                    if whole or body["metadata"]["name"] != "dora-mtls":
                        apply(bed, kind, body)
                if pauses[number]:
                    bed.advance(pauses[number])
        bed.ingress()
        for _ in range(2):
            bed.settle()
            bed.jump(hours=1)
        bed.settle()
        assert issuer_said(bed)["Ready"] == "Signing"
        access = {name: admits(bed, file_of(backup, name)) for name in ("alice", "bob", "carol", "dora")}
        assert access == {"alice": True, "bob": False, "carol": False, "dora": True}
        refused = promises.newest_crl(bed.cluster)
        assert refused == {backup.serials[name] for name in ("bob", "carol", "erin")}
        assert [said(bed, name)["Admitted"] for name in ("alice", "dora")] == ["Live", "Live"]
        assert promises.gate_crls(bed.cluster) == {NAMESPACE_NAME: refused}
        assert bed.find(SECRET, GATE)
        for name in ("alice", "dora"):  # what is in the Secret works, too
            body = bed.find(SECRET, f"{name}-mtls")
            assert admits(bed, body)
            if whole and not collects:
                assert body["data"]["tls.key"] == file_of(backup, name)["data"]["tls.key"]
            (owner,) = body["metadata"]["ownerReferences"]
            assert owner["uid"] == bed.find(CLIENT_CERTIFICATE, name)["metadata"]["uid"]
    finally:
        bed.__exit__()


# What an issuer says meanwhile


@pytest.fixture
def emptied():
    """The issuer made a CA of its own before the records came."""
    with OperatorBed(NOW + DAY, finalizer_at_creation=True, first_key=1000) as bed:
        bring(bed, "issuer", "clients")
        bed.settle()
        assert issuer_said(bed)["Ready"] == "Signing"
        bring(bed, "records")
        bed.settle()
        yield bed


def bring(bed, *parts):
    for part in parts:
        for kind, body in the_backup().parts[part]:
            apply(bed, kind, body)


@pytest.mark.parametrize("restart", [False, True], ids=["it runs", "it was restarted"])
def test_it_says_that_another_ca_signed_the_ledger_and_what_to_restore(emptied, restart):
    if restart:
        emptied.restart()
        emptied.settle()
    assert issuer_said(emptied)["CAOrigin"] == "CaNotRestored"
    emptied.jump(hours=3)
    emptied.settle()
    assert issuer_said(emptied)["CAOrigin"] == "CaNotRestored"
    bring(emptied, "CA Secret")
    emptied.settle()
    assert "CAOrigin" not in issuer_said(emptied)


@pytest.mark.parametrize("restart", [False, True], ids=["it runs", "it was restarted"])
def test_it_goes_on_with_the_ca_of_the_backup_as_soon_as_that_is_there(emptied, restart):
    if restart:
        emptied.restart()
    bring(emptied, "CA Secret")
    emptied.settle()
    assert issuer_said(emptied)["Ready"] == "Signing"
    assert admits(emptied, file_of(the_backup(), "alice"))
    assert not admits(emptied, file_of(the_backup(), "bob"))
    emptied.restart()
    emptied.settle()
    assert (issuer_said(emptied)["Ready"], emptied.writes(emptied.gateway)) == ("Signing", [])


def test_where_the_ca_is_lost_for_good_a_person_says_so_and_another_is_made(emptied):
    emptied.edit(ISSUER, ISSUER_AT.name, {"spec": {"ca": {"distrust": [1]}}})
    emptied.settle()
    assert issuer_said(emptied)["Ready"] == "Signing"
    assert said(emptied, "alice") == {"Ready": "Issued", "Admitted": "Live"}
    assert admits(emptied, emptied.find(SECRET, "alice-mtls"))
    assert not admits(emptied, file_of(the_backup(), "alice"))


@pytest.mark.parametrize("part", ["records", "CRL"])
def test_no_ca_is_made_where_records_or_a_crl_show_that_there_was_one(part):
    with OperatorBed(NOW + DAY, first_key=1000) as bed:
        bring(bed, part, "issuer", "clients")
        bed.settle()
        assert issuer_said(bed)["Ready"] == "CaSecretMissing"
        (ready,) = [c for c in bed.find(ISSUER, ISSUER_AT.name)["status"]["conditions"] if c["type"] == "Ready"]
        assert "partners-ca-1" in ready["message"]
        assert "Restore the Secret" in ready["message"]
        assert bed.find(SECRET, f"{ISSUER_AT.name}-ca-2") is None


def test_a_stranger_cannot_put_another_ca_in_the_place_of_one_that_has_signed(emptied):
    """With records of a backup that are older than the CA; the stranger's CA is younger than they are."""
    emptied.restart()
    with OperatorBed(NOW + DAY, first_key=5000) as elsewhere:
        elsewhere.issuer()
        elsewhere.settle()
        theirs = elsewhere.find(SECRET, f"{ISSUER_AT.name}-ca-1")
    apply(emptied, SECRET, theirs)
    emptied.settle()
    assert issuer_said(emptied)["Ready"] == "CaReplaced"
