"""A Secret that is missing, or that holds another client's certificate, is no proof that a key was lost."""

import asyncio

import pytest

from doorward.cluster.gateway import CLIENT_CERTIFICATE, EVENT, ISSUED_CERTIFICATE, ISSUER, NAMESPACE, SECRET
from doorward.objects.meta import ObjectKey
from tests.support import promises
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, PEOPLE, OperatorBed
from tests.unit.given import NOW, reasons

EDGE, WEB = NAMESPACE_NAME, "web"
OF_NAMESPACE = "tests/the-rest"
"""A finalizer: the namespace stays for as long as there is anything in it."""


def client(bed, where, name="alice", **spec):
    reference = {"name": ISSUER_AT.name, "namespace": EDGE}
    body = {"metadata": {"name": name}, "spec": {"issuerRef": reference, "commonName": name} | spec}
    bed.cluster.create(CLIENT_CERTIFICATE, where, body, PEOPLE)


def secret(bed, where, name="alice-mtls"):
    return bed.cluster.find(SECRET, ObjectKey(where, name))


def serial(bed, where, name="alice"):
    return promises.held_serial(secret(bed, where, f"{name}-mtls"))


def said(bed, where, name="alice"):
    return reasons(bed.cluster.find(CLIENT_CERTIFICATE, ObjectKey(where, name))["status"])


def revocations(bed):
    """By serial, what its record says of it."""
    records = bed.cluster.all(ISSUED_CERTIFICATE)
    return {int(each["spec"]["serialNumber"], 16): each["spec"].get("revocation") for each in records}


@pytest.fixture
def bed():
    """One issuer for all namespaces, with alice in both of them."""
    with OperatorBed(NOW) as made:
        made.cluster.create(NAMESPACE, "", {"metadata": {"name": WEB, "finalizers": [OF_NAMESPACE]}}, PEOPLE)
        made.issuer(issuance={"allowedNamespaces": {"from": "All"}, "allowedSubjects": [{"commonName": "*"}]})
        for where in (EDGE, WEB):
            client(made, where)
        made.settle()
        yield made


# A namespace that ends


def end(bed, where=WEB):
    bed.cluster.delete(NAMESPACE, ObjectKey("", where), PEOPLE)


def remove(bed, kind, where, name):
    if bed.cluster.find(kind, ObjectKey(where, name)) is not None:  # the garbage collector may have been first
        bed.cluster.delete(kind, ObjectKey(where, name), "namespace-controller")


@pytest.mark.promise(1)
@pytest.mark.parametrize("restart", [False, True], ids=["it runs", "it is down"])
@pytest.mark.parametrize(
    "order",
    [
        pytest.param(["secret", "client"], id="the Secret goes first"),
        pytest.param(["client", "secret"], id="the ClientCertificate goes first"),
        pytest.param(["secret"], id="only the Secret goes so far"),
        pytest.param([], id="nothing goes so far"),
    ],
)
def test_in_a_namespace_that_ends_clients_are_held_as_at_a_deletion_when(bed, order, restart):
    number, before = serial(bed, WEB), len(revocations(bed))
    if restart:
        bed.kill()
    end(bed)
    for what in order:
        if not restart:
            bed.advance(1)
        remove(bed, *((SECRET, WEB, "alice-mtls") if what == "secret" else (CLIENT_CERTIFICATE, WEB, "alice")))
    if restart:
        bed.start()
    bed.settle()
    held = revocations(bed)
    assert (len(held), secret(bed, WEB) is None) == (before, "secret" in order)
    assert (held[number]["reason"], held[number]["heldBy"]) == ("certificateHold", "Deletion")
    assert promises.newest_crl(bed.cluster) == {number}


def test_a_namespace_that_ends_is_told_on_its_clients(bed):
    end(bed)
    bed.settle()
    assert said(bed, WEB) == {"Ready": "NamespaceTerminating", "Admitted": "OnHold"}


def test_nothing_is_issued_to_a_client_of_a_namespace_that_ends(bed):
    bed.cluster.merge_patch(ISSUER, ISSUER_AT, {"spec": {"ca": {"generate": {"rotate": "now"}}}}, PEOPLE, "")
    client(bed, WEB, "bob")
    first = len(bed.gateway.writes)
    end(bed)
    bed.settle()
    bed.jump(days=80)
    bed.settle()
    holders = [record["spec"]["clientCertificate"] for record in bed.cluster.all(ISSUED_CERTIFICATE)]
    assert "bob" not in {holder["name"] for holder in holders}
    assert not any(write.namespace == WEB and write.kind == "Secret" for write in bed.gateway.writes[first:])


@pytest.mark.promise(1)
def test_a_revoked_client_of_a_namespace_that_ends_stays_revoked_for_good(bed):
    number = serial(bed, WEB)
    bed.cluster.merge_patch(CLIENT_CERTIFICATE, ObjectKey(WEB, "alice"), {"spec": {"revoked": True}}, PEOPLE, "")
    end(bed)
    bed.settle()
    assert revocations(bed)[number]["reason"] != "certificateHold"


@pytest.mark.promise(1)
def test_a_suspended_client_of_a_namespace_that_ends_is_held_by_its_deletion(bed):
    number = serial(bed, WEB)
    bed.cluster.merge_patch(CLIENT_CERTIFICATE, ObjectKey(WEB, "alice"), {"spec": {"suspended": True}}, PEOPLE, "")
    bed.settle()
    end(bed)
    bed.settle()
    assert revocations(bed)[number]["heldBy"] == "Deletion"


# A copied Secret


def copy(bed, *, to, name="alice-mtls", annotations=None, owners=False):
    """What `kubectl get -o json | jq | kubectl apply` does with alice's Secret in edge."""
    body = secret(bed, EDGE)
    kept = ("labels", "annotations", "ownerReferences") if owners else ("labels", "annotations")
    metadata = {"name": name} | {key: body["metadata"][key] for key in kept}
    metadata["annotations"] = metadata["annotations"] | (annotations or {})
    at = ObjectKey(to, name)
    if bed.cluster.find(SECRET, at) is None:
        bed.cluster.create(SECRET, to, {"metadata": metadata, "type": body["type"], "data": body["data"]}, PEOPLE)
    else:
        bed.cluster.merge_patch(SECRET, at, {"metadata": metadata, "data": body["data"]}, PEOPLE, "")


@pytest.mark.parametrize(
    ("how", "told"),
    [
        pytest.param({"to": WEB}, "SecretCopied", id="from another namespace"),
        pytest.param(
            {"to": EDGE, "name": "bob-mtls", "annotations": {"doorward.io/client-certificate": "bob"}},
            "SecretCopied",
            id="from another name, with its annotation edited",
        ),
        pytest.param({"to": EDGE, "name": "bob-mtls"}, "SecretUnmanaged", id="from another name"),
    ],
)
def test_a_secret_of_another_client_that_is_copied_over_a_clients_own_costs_nobody_access(bed, how, told):
    client(bed, EDGE, "bob")
    bed.settle()
    where, name = how["to"], how.get("name", "alice-mtls").removesuffix("-mtls")
    before = revocations(bed)
    copy(bed, **how)
    copied = secret(bed, where, f"{name}-mtls")["data"]
    bed.jump(hours=30)
    bed.settle()
    assert set(revocations(bed).values()) == {None}
    assert revocations(bed) == before
    assert secret(bed, where, f"{name}-mtls")["data"] == copied
    assert said(bed, where, name) == {"Ready": told, "Admitted": "Live"}


def test_a_copied_secret_that_is_deleted_makes_room_for_the_clients_own(bed):
    own, theirs = serial(bed, WEB), serial(bed, EDGE)
    copy(bed, to=WEB)
    bed.settle()
    bed.cluster.delete(SECRET, ObjectKey(WEB, "alice-mtls"), PEOPLE)
    bed.settle()
    assert said(bed, WEB)["Ready"] == "Issued"
    assert serial(bed, WEB) not in (own, theirs)


def test_a_secret_that_is_copied_to_a_client_without_one_is_left_alone(bed):
    copy(bed, to=EDGE, name="carol-mtls", annotations={"doorward.io/client-certificate": "carol"})
    client(bed, EDGE, "carol")
    bed.settle()
    assert said(bed, EDGE, "carol") == {"Ready": "SecretCopied", "Admitted": "NotIssued"}


def test_a_secret_that_is_copied_while_its_client_is_issued_to_is_left_alone(bed, monkeypatch):
    create = bed.gateway.create

    async def slowly(kind, namespace, body, **rest):
        """Somebody copies after the operator looked, and it hears of that before it writes the Secret."""
        answer = await create(kind, namespace, body, **rest)
        if kind == ISSUED_CERTIFICATE and bed.cluster.find(SECRET, ObjectKey(EDGE, "carol-mtls")) is None:
            copy(bed, to=EDGE, name="carol-mtls", annotations={"doorward.io/client-certificate": "carol"})
            await asyncio.sleep(1)
        return answer

    monkeypatch.setattr(bed.gateway, "create", slowly)
    client(bed, EDGE, "carol")
    bed.settle()
    assert secret(bed, EDGE, "carol-mtls")["data"] == secret(bed, EDGE)["data"]
    assert said(bed, EDGE, "carol") == {"Ready": "SecretCopied", "Admitted": "NotIssued"}


# A Secret that is missing


def lose(bed, name="alice-mtls", where=WEB):
    """Somebody deletes the Secret; what it was."""
    body = secret(bed, where, name)
    bed.cluster.delete(SECRET, ObjectKey(where, name), PEOPLE)
    return body


def put_back(bed, body):
    """What `kubectl apply` of a backup does."""
    at = ObjectKey(body["metadata"]["namespace"], body["metadata"]["name"])
    metadata = {key: body["metadata"][key] for key in ("name", "labels", "annotations", "ownerReferences")}
    if bed.cluster.find(SECRET, at) is None:
        bed.cluster.create(
            SECRET, at.namespace, {"metadata": metadata, "type": body["type"], "data": body["data"]}, PEOPLE
        )
    else:
        bed.cluster.merge_patch(SECRET, at, {"metadata": metadata, "data": body["data"]}, PEOPLE, "")


@pytest.mark.promise(1)
@pytest.mark.parametrize("restart", [False, True], ids=["it runs", "it is down"])
@pytest.mark.parametrize(
    "data", [None, {}, {"tls.crt": "anVuaw=="}], ids=["it is deleted", "it is emptied", "it is junk"]
)
def test_a_secret_that_is_missing_is_soon_there_again_and_the_old_file_works_for_a_day_when(bed, data, restart):
    number = serial(bed, WEB)
    if restart:
        bed.kill()
    if data is None:
        lose(bed)
    else:
        everything = dict.fromkeys(secret(bed, WEB)["data"], "")
        bed.cluster.merge_patch(SECRET, ObjectKey(WEB, "alice-mtls"), {"data": everything | data}, PEOPLE, "")
    if restart:
        bed.start()
    bed.advance(10)
    again = serial(bed, WEB)
    assert again != number
    bed.jump(hours=23)
    bed.settle()
    assert (serial(bed, WEB), revocations(bed)[number], promises.without_secret(bed.cluster)) == (again, None, {number})
    bed.jump(hours=1)
    bed.settle()
    assert (revocations(bed)[number]["reason"], revocations(bed)[again]) == ("superseded", None)
    assert (serial(bed, WEB), promises.without_secret(bed.cluster)) == (again, set())
    assert promises.broken(bed.cluster) == []


@pytest.mark.parametrize("after", [1, 60, 23 * 3600], ids=["at once", "in a minute", "the next day"])
def test_a_secret_that_comes_back_keeps_its_certificate_good(bed, after):
    number, body = serial(bed, WEB), lose(bed)
    bed.advance(1)
    bed.jump(seconds=after)
    bed.advance(10)
    put_back(bed, body)
    bed.jump(days=3)  # the operator hears of the Secret and of the end of the grace period at once
    for _ in range(2):
        bed.settle()
        bed.jump(days=2)
    assert (serial(bed, WEB), revocations(bed)[number], promises.without_secret(bed.cluster)) == (number, None, set())
    assert said(bed, WEB) == {"Ready": "Issued", "Admitted": "Live"}


def test_what_was_issued_in_between_is_superseded_a_day_after_the_secret_came_back(bed):
    body = lose(bed)
    bed.settle()
    between = serial(bed, WEB)
    put_back(bed, body)
    bed.advance(10)
    assert (promises.without_secret(bed.cluster), revocations(bed)[between]) == ({between}, None)
    bed.jump(hours=25)
    bed.settle()
    assert revocations(bed)[between]["reason"] == "superseded"


def test_a_secret_that_comes_back_within_some_seconds_costs_no_certificate(bed):
    before = revocations(bed)
    body = lose(bed)
    bed.advance(2)
    put_back(bed, body)
    bed.settle()
    assert (revocations(bed), promises.without_secret(bed.cluster)) == (before, set())


def test_who_deletes_a_secret_is_told_in_an_event_what_follows(bed):
    number = serial(bed, WEB)
    lose(bed)
    bed.settle()
    (event,) = [event for event in bed.cluster.all(EVENT, WEB) if event["type"] == "Warning"]
    assert (event["reason"], event["involvedObject"]["name"]) == ("SecretMissing", "alice")
    assert f"Serial {number:x} stays valid until 2026-09-02T12:0" in event["message"]
    assert "spec.revoked" in event["message"]


def test_two_secrets_that_are_lost_one_after_the_other_each_have_their_day(bed):
    first = serial(bed, WEB)
    lose(bed)
    bed.settle()
    bed.jump(hours=12)
    second = serial(bed, WEB)
    lose(bed)
    bed.settle()
    bed.jump(hours=13)
    bed.settle()
    assert revocations(bed)[second] is None
    bed.jump(hours=13)
    bed.settle()
    assert {revocations(bed)[number]["reason"] for number in (first, second)} == {"superseded"}


def test_the_files_of_earlier_renewals_stay_good_when_a_secret_is_lost(bed):
    bed.cluster.merge_patch(CLIENT_CERTIFICATE, ObjectKey(WEB, "alice"), {"spec": {"reissue": "now"}}, PEOPLE, "")
    older = serial(bed, WEB)
    bed.settle()
    lose(bed)
    bed.settle()
    bed.jump(days=2)
    bed.settle()
    assert revocations(bed)[older] is None


@pytest.mark.promise(1)
@pytest.mark.parametrize("how", ["deleted", "revoked", "suspended"])
def test_a_client_whose_secret_is_missing_is_cut_off_with_all_its_serials(bed, how):
    lost = serial(bed, WEB)
    lose(bed)
    bed.settle()
    again = serial(bed, WEB)
    at = ObjectKey(WEB, "alice")
    if how == "deleted":
        bed.cluster.delete(CLIENT_CERTIFICATE, at, PEOPLE)
    else:
        bed.cluster.merge_patch(CLIENT_CERTIFICATE, at, {"spec": {how: True}}, PEOPLE, "")
    bed.settle()
    assert promises.newest_crl(bed.cluster) == {lost, again}


def test_a_copy_with_the_owner_of_another_namespace_is_collected_and_costs_nobody_access(bed):
    own = serial(bed, WEB)
    copy(bed, to=WEB, owners=True)
    bed.advance(10)
    assert secret(bed, WEB) is None or serial(bed, WEB) not in (own, serial(bed, EDGE))
    bed.settle()
    assert (revocations(bed)[own], said(bed, WEB)) == (None, {"Ready": "Issued", "Admitted": "Live"})


# Owners, and what cannot be written


def old_owner(body):
    """The Secret as a backup of another cluster has it."""
    owners = [owner | {"uid": "of-another-cluster"} for owner in body["metadata"]["ownerReferences"]]
    return body | {"metadata": body["metadata"] | {"ownerReferences": owners}}


@pytest.mark.parametrize("spec", [{}, {"suspended": True}, {"revoked": True}], ids=["live", "suspended", "revoked"])
def test_a_secret_that_a_backup_brings_gets_its_new_owner_before_it_is_collected(bed, spec):
    bed.cluster.merge_patch(CLIENT_CERTIFICATE, ObjectKey(WEB, "alice"), {"spec": spec}, PEOPLE, "")
    bed.settle()
    body, before = secret(bed, WEB), revocations(bed)
    put_back(bed, old_owner(body))
    bed.advance(1)
    (owner,) = secret(bed, WEB)["metadata"]["ownerReferences"]
    client = bed.cluster.find(CLIENT_CERTIFICATE, ObjectKey(WEB, "alice"))
    assert owner["uid"] == client["metadata"]["uid"]
    bed.settle()
    assert (secret(bed, WEB)["data"], revocations(bed)) == (body["data"], before)


def test_a_secret_that_the_garbage_collector_takes_all_the_same_costs_nobody_access(bed):
    number, body = serial(bed, WEB), secret(bed, WEB)
    put_back(bed, old_owner(body))
    bed.cluster.collect_garbage()
    assert secret(bed, WEB) is None
    bed.settle()
    assert (revocations(bed)[number], said(bed, WEB)) == (None, {"Ready": "Issued", "Admitted": "Live"})


@pytest.fixture
def frozen(bed):
    """Web's alice, whose Secret somebody made immutable."""
    bed.cluster.merge_patch(SECRET, ObjectKey(WEB, "alice-mtls"), {"immutable": True}, PEOPLE, "")
    bed.settle()
    return bed


def respec(bed, **spec):
    bed.cluster.merge_patch(CLIENT_CERTIFICATE, ObjectKey(WEB, "alice"), {"spec": spec}, PEOPLE, "")
    bed.settle()


def test_an_immutable_secret_still_gets_labels(frozen):
    respec(frozen, secretTemplate={"labels": {"team": "shop"}})
    assert secret(frozen, WEB)["metadata"]["labels"]["team"] == "shop"
    assert said(frozen, WEB)["Ready"] == "Issued"


def test_an_immutable_secret_is_told_where_it_must_be_written_and_is_recreated_when_it_is_deleted(frozen):
    number, count = serial(frozen, WEB), len(revocations(frozen))
    respec(frozen, reissue="now")
    assert said(frozen, WEB) == {"Ready": "SecretImmutable", "Admitted": "Live"}
    assert len(revocations(frozen)) == count
    lose(frozen)
    frozen.settle()
    assert said(frozen, WEB)["Ready"] == "Issued"
    assert (serial(frozen, WEB) != number, revocations(frozen)[number]) == (True, None)


@pytest.mark.parametrize(
    "marks", [{"labels": {"bad key!": "x"}}, {"annotations": {"a b": "x"}}], ids=["label", "annotation"]
)
def test_a_template_that_no_secret_can_have_is_told(bed, marks):
    respec(bed, secretTemplate=marks)
    assert said(bed, WEB) == {"Ready": "InvalidSpec", "Admitted": "Live"}
