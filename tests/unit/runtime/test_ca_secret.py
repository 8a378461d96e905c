"""What a person puts into the CA Secret of an issuer that runs: the right files are used, whatever lies beside them."""

import base64
from datetime import timedelta

import pytest

from doorward.cluster.gateway import CLIENT_CERTIFICATE, CONFIG_MAP, INGRESS, ISSUER, SECRET
from doorward.objects.meta import ObjectKey
from doorward.pki.certificates import build_ca
from doorward.pki.subjects import Subject
from tests.support import promises
from tests.support.operator_bed import ISSUER_AT, PEOPLE
from tests.unit import given
from tests.unit.given import CA_ENDS, DAY, NOW
from tests.unit.runtime.looks import CRL, GATE, issuer_said, live, said, serial
from tests.unit.runtime.own_ca import files, key_pem, pem, put, running


@pytest.fixture
def own():
    with running() as bed:
        yield bed


OURS, NEXT, STRANGER = (given.ca(number, "Mine").certificate for number in (201, 202, 203))
BESIDE = {
    "an extra root in ca.crt": {"ca_crt": pem(OURS, STRANGER)},
    "the root first": {"tls_crt": pem(STRANGER, OURS)},
    "garbage beside it": {"tls_crt": pem(OURS) + b"\x00garbage"},
    "garbage for a chain": {"ca_crt": b"garbage"},
}


@pytest.mark.promise(1)
@pytest.mark.parametrize("beside", BESIDE.values(), ids=BESIDE)
def test_a_file_with_more_than_the_ca_stops_nothing(own, beside):
    before = serial(own, "alice")
    put(own, **files(201) | beside)
    own.settle()
    assert (issuer_said(own)["Ready"], issuer_said(own)["CAFilesUsed"]) == ("Signing", "CaFilesUnused")
    assert serial(own, "alice") == before
    own.apply("alice", suspended=True)
    own.settle()
    assert promises.newest_crl(own.cluster) == {before}
    put(own, **files(201))
    own.settle()
    assert "CAFilesUsed" not in issuer_said(own)


@pytest.mark.promise(1)
@pytest.mark.parametrize("both", [(NEXT, OURS), (OURS, NEXT)], ids=["the new one first", "the old one first"])
def test_the_new_and_the_old_ca_in_one_file_are_a_rotation_to_the_one_that_fits_the_key(own, both):
    old = serial(own, "alice")
    put(own, tls_crt=pem(*both), tls_key=key_pem(202))
    own.settle()
    assert serial(own, "alice") != old
    assert sorted(promises.newest_bundle(own.cluster).lists) == [1, 2]
    own.apply("alice", suspended=True)
    own.settle()
    assert not promises.live_serials(own.cluster, own.cluster.now()) & {old, serial(own, "alice")}


def test_a_certificate_that_begins_later_is_used_when_its_time_comes(own):
    before = live(own)
    later = build_ca(
        subject=Subject(common_name="Mine"),
        key=given.key(201),
        serial=9,
        not_before=NOW + timedelta(hours=1),
        not_after=CA_ENDS + DAY,
    )
    put(own, tls_crt=pem(later, OURS), tls_key=key_pem(201))
    own.settle()
    assert issuer_said(own)["CAFilesUsed"] == "CaFilesUnused"
    assert pem(OURS).decode() == own.find(CONFIG_MAP, CRL)["data"]["ca.crt"]
    own.advance(3600)
    assert pem(later).decode() == own.find(CONFIG_MAP, CRL)["data"]["ca.crt"]
    assert live(own) == before


# Nothing usable is left


def expired(number):
    return build_ca(
        subject=Subject(common_name="Mine"),
        key=given.key(number),
        serial=9,
        not_before=NOW - 9 * DAY,
        not_after=NOW - DAY,
    )


LEAF = {"tls_crt": pem(given.leaf().certificate), "tls_key": key_pem(1)}
BAD = {
    "it is empty": {},
    "garbage": {"tls_crt": b"garbage", "tls_key": b"garbage"},
    "no certificate": {"tls_key": key_pem(201)},
    "no key": {"tls_crt": pem(OURS)},
    "an empty key": {"tls_crt": pem(OURS), "tls_key": b""},
    "an encrypted key": {"tls_crt": pem(OURS), "tls_key": b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n"},
    "another CA's key": {"tls_crt": pem(OURS), "tls_key": key_pem(202)},
    "another CA's certificate": {"tls_crt": pem(NEXT), "tls_key": key_pem(201)},
    "an expired CA": {"tls_crt": pem(expired(203)), "tls_key": key_pem(203)},
    "the same CA, expired": {"tls_crt": pem(expired(201)), "tls_key": key_pem(201)},
    "a certificate that is no CA": LEAF,
}


def refused_later(bed, seconds=15):
    """Alice is suspended, and so soon after her serial is in every CRL."""
    number = serial(bed, "alice")
    bed.apply("alice", suspended=True)
    bed.advance(seconds)
    published = bed.find(CONFIG_MAP, CRL)["data"]["ca.crl"]
    assert base64.b64decode(bed.find(SECRET, GATE)["data"]["ca.crl"]).decode() == published
    return number in promises.bundle_of(bed.cluster, CRL).serials


@pytest.fixture(params=[*BAD.values(), None], ids=[*BAD, "there is no Secret"])
def broken(request, own):
    """An issuer that signs, until nothing usable is in its Secret."""
    if request.param is None:
        own.delete(SECRET, "mine")
    else:
        put(own, **request.param)
    own.settle()
    return own


@pytest.mark.promise(1)
def test_where_nothing_usable_is_left_revocations_take_effect_and_nothing_is_signed(broken):
    bob = serial(broken, "bob")
    broken.apply("carol")
    assert refused_later(broken)
    assert broken.find(SECRET, "carol-mtls") is None
    assert bob in live(broken)
    assert issuer_said(broken)["CRLCurrent"] == "Published"
    assert issuer_said(broken)["Ready"] in ("CaSecretInvalid", "CaSecretMissing", "CaExpired")
    broken.apply("alice", suspended=False)
    broken.settle()
    assert promises.newest_crl(broken.cluster) == frozenset()


@pytest.mark.promise(4)
def test_where_nothing_usable_is_left_the_crl_is_renewed(broken):
    broken.jump(days=6)
    broken.settle()
    before = promises.newest_bundle(broken.cluster).number
    broken.jump(days=6)
    broken.settle()
    assert promises.newest_bundle(broken.cluster).number > before
    assert {serial(broken, "alice"), serial(broken, "bob")} <= live(broken)


@pytest.mark.promise(1)
def test_where_nothing_usable_is_left_a_deleted_client_is_refused_and_goes(broken):
    bob = serial(broken, "bob")
    broken.delete(CLIENT_CERTIFICATE, "bob")
    broken.advance(15)
    assert broken.find(CLIENT_CERTIFICATE, "bob") is None
    assert bob in promises.newest_crl(broken.cluster)


def test_the_right_files_put_back_end_it_and_reissue_nothing(broken):
    before = serial(broken, "alice")
    put(broken, **files(201))
    broken.settle()
    assert (issuer_said(broken)["Ready"], serial(broken, "alice")) == ("Signing", before)
    assert not {"CAKeyHeld", "CAFilesUsed"} & issuer_said(broken).keys()


def test_another_ca_after_a_bad_file_is_a_rotation(broken):
    old = live(broken)
    put(broken, **files(202))
    broken.settle()
    assert old < live(broken)
    assert issuer_said(broken)["Ready"] == "Signing"
    assert "CAKeyHeld" not in issuer_said(broken)


def test_a_bad_file_that_follows_a_bad_file_changes_nothing(broken):
    put(broken, tls_crt=b"more garbage")
    broken.settle()
    assert refused_later(broken)


@pytest.mark.promise(1)
def test_after_a_restart_with_a_bad_file_the_status_says_who_still_gets_in(own):
    put(own, tls_crt=b"garbage")
    own.restart()
    own.settle()
    assert (issuer_said(own)["CAKeyHeld"], issuer_said(own)["CRLCurrent"]) == ("CaKeyNotLoaded", "Published")
    assert not refused_later(own)
    own.settle()
    assert (issuer_said(own)["CAKeyHeld"], issuer_said(own)["CRLCurrent"]) == ("CaKeyNotLoaded", "NotPublished")
    put(own, **files(201))
    own.settle()
    assert serial(own, "alice") in promises.newest_crl(own.cluster)
    assert issuer_said(own)["CRLCurrent"] == "Published"


@pytest.mark.promise(5)
def test_a_key_is_forgotten_with_the_right_to_read_secrets(own):
    put(own, tls_crt=b"garbage")
    own.settle()
    assert issuer_said(own)["CAKeyHeld"] == "CaKeyInMemory"
    for may_read, says in ((False, "NotPermitted"), (True, "CaSecretInvalid")):
        own.operator.view.opted_in["edge"] = may_read
        put(own, tls_crt=b"garbage", ca_crt=says.encode())
        own.settle()
        assert issuer_said(own)["Ready"] == says
    assert issuer_said(own)["CAKeyHeld"] == "CaKeyNotLoaded"


def another_issuer(bed, name, number):
    """An MTLSIssuer beside the one of the bed, with that CA."""
    data = {f.replace("_", "."): base64.b64encode(content).decode() for f, content in files(number).items()}
    bed.cluster.create(SECRET, "edge", {"metadata": {"name": f"{name}-ca"}, "type": "Opaque", "data": data}, PEOPLE)
    spec = {"ca": {"secretRef": {"name": f"{name}-ca"}}}
    bed.cluster.create(ISSUER, "edge", {"metadata": {"name": name}, "spec": spec}, PEOPLE)
    bed.settle()


def of_the_cluster(bed, number):
    """The cluster itself trusts that CA."""
    data = {"data": {"client-ca-file": pem(given.ca(number, "Mine").certificate).decode()}}
    at = ObjectKey("kube-system", "extension-apiserver-authentication")
    bed.cluster.merge_patch(CONFIG_MAP, at, data, PEOPLE, "")
    bed.jump(minutes=11)


@pytest.mark.promise(1)
@pytest.mark.parametrize("then", [None, {"tls_crt": b"garbage"}], ids=["", "and garbage after it"])
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(lambda bed: another_issuer(bed, "older", 203), "CaKeyShared", id="another issuer's"),
        pytest.param(lambda bed: of_the_cluster(bed, 203), "ClusterCa", id="the cluster's own"),
    ],
)
def test_a_ca_that_may_not_be_used_stops_nothing_and_is_never_shown(own, make, reason, then):
    make(own)
    put(own, **files(203))
    own.settle()
    assert issuer_said(own)["Ready"] == reason
    if then is not None:
        put(own, **then)
        own.settle()
    assert refused_later(own)
    assert sorted(promises.bundle_of(own.cluster, CRL).lists) == [1]


def test_a_key_that_an_issuer_only_remembers_is_free_once_it_names_another_secret(own):
    own.edit(ISSUER, ISSUER_AT.name, {"spec": {"ca": {"secretRef": {"name": "elsewhere"}}}})
    own.settle()
    assert issuer_said(own)["Ready"] == "CaSecretMissing"
    another_issuer(own, "heir", 201)
    assert given.reasons(own.find(ISSUER, "heir")["status"])["Ready"] == "Signing"


def test_a_key_stays_an_issuers_own_while_its_secret_is_bad(own):
    put(own, tls_crt=b"garbage")
    own.settle()
    another_issuer(own, "thief", 201)
    assert given.reasons(own.find(ISSUER, "thief")["status"])["Ready"] == "CaKeyShared"


# A CA of Doorward's making


def replaced(bed):
    other = {f.replace("_", "."): base64.b64encode(content).decode() for f, content in files(203).items()}
    bed.edit(SECRET, "partners-ca-1", {"data": other})


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        pytest.param(lambda bed: bed.delete(SECRET, "partners-ca-1"), "CaSecretMissing", id="is deleted"),
        pytest.param(
            lambda bed: bed.edit(SECRET, "partners-ca-1", {"data": {"tls.key": "anVuaw=="}}),
            "CaSecretInvalid",
            id="is junk",
        ),
        pytest.param(replaced, "CaReplaced", id="holds another CA"),
    ],
)
def test_a_generated_ca_whose_secret_is_spoilt_goes_on_refusing(served, spoil, reason):
    spoil(served)
    served.settle()
    served.apply("carol")
    assert refused_later(served)
    assert (issuer_said(served)["Ready"], issuer_said(served)["CAKeyHeld"]) == (reason, "CaKeyInMemory")
    assert served.find(SECRET, "carol-mtls") is None


@pytest.mark.promise(1)
def test_an_older_generation_whose_secret_is_deleted_goes_on_refusing(served):
    old = serial(served, "alice")
    served.edit(ISSUER, ISSUER_AT.name, {"spec": {"ca": {"generate": {"rotate": "now"}}}})
    served.settle()
    served.delete(SECRET, "partners-ca-1")
    served.settle()
    assert (issuer_said(served)["Ready"], issuer_said(served)["CAKeyHeld"]) == ("Signing", "CaKeyInMemory")
    assert refused_later(served)
    assert old in promises.newest_crl(served.cluster)
    assert sorted(promises.newest_bundle(served.cluster).lists) == [1, 2]


@pytest.mark.promise(1)
def test_a_generated_ca_that_is_restored_without_its_labels_signs_crls_and_with_them_certificates(served):
    body = served.find(SECRET, "partners-ca-1")
    served.delete(SECRET, "partners-ca-1")
    served.settle()
    bare = {"metadata": {"name": "partners-ca-1"}, "type": "Opaque", "data": body["data"]}
    served.cluster.create(SECRET, ISSUER_AT.namespace, bare, PEOPLE)
    served.restart()
    served.settle()
    assert issuer_said(served)["Ready"] == "CaSecretUnmanaged"
    assert issuer_said(served)["CAKeyHeld"] == "CaKeyInSecret"
    assert refused_later(served)
    served.edit(SECRET, "partners-ca-1", {"metadata": {"labels": body["metadata"]["labels"]}})
    served.apply("carol")
    served.settle()
    assert issuer_said(served)["Ready"] == "Signing"
    assert said(served, "carol")["Admitted"] == "Live"


def test_a_key_that_the_gates_do_not_trust_signs_nothing_where_the_secret_lacks_its_labels(served):
    served.delete(SECRET, "partners-ca-1")
    served.settle()
    data = {f.replace("_", "."): base64.b64encode(content).decode() for f, content in files(203).items()}
    served.cluster.create(
        SECRET, ISSUER_AT.namespace, {"metadata": {"name": "partners-ca-1"}, "type": "Opaque", "data": data}, PEOPLE
    )
    served.restart()
    served.settle()
    number = promises.newest_bundle(served.cluster).number
    served.apply("alice", revoked=True)
    served.settle()
    assert (issuer_said(served)["Ready"], issuer_said(served)["CAKeyHeld"]) == ("CaSecretUnmanaged", "CaKeyNotLoaded")
    assert promises.newest_bundle(served.cluster).number == number


@pytest.mark.parametrize("number", [1, 2], ids=["a gate is there", "no host has a gate"])
def test_the_clients_of_a_ca_that_is_distrusted_with_no_other_in_its_place_are_not_called_live(own, number):
    if number == 2:
        own.delete(INGRESS, "shop")
        own.settle()
    own.edit(ISSUER, ISSUER_AT.name, {"spec": {"ca": {"distrust": [1]}}})
    own.settle()
    assert issuer_said(own)["Ready"] == "CaDistrusted"
    assert {said(own, name)["Admitted"] for name in ("alice", "bob")} == {"CaNotTrusted"}
    assert own.find(ISSUER, ISSUER_AT.name)["status"]["counts"] == {"live": 0, "revoked": 2, "expired": 0}
    own.edit(ISSUER, ISSUER_AT.name, {"spec": {"ca": {"distrust": []}}})
    own.settle()
    assert {said(own, name)["Admitted"] for name in ("alice", "bob")} == {"Live"}


@pytest.mark.parametrize(
    "then",
    [
        pytest.param(None, id="the next CA signs"),
        pytest.param({"tls_crt": b"junk"}, id="nothing signs"),
        pytest.param(files(201), id="the one before signs again"),
    ],
)
def test_it_is_told_that_a_ca_whose_key_is_gone_was_dropped_for_a_revocation(own, then):
    put(own, **files(202, "Next"))
    own.settle()
    assert issuer_said(own)["CASettled"] == "ClientsMoving"
    gone = 1
    if then == files(201):
        put(own, **then)
        own.settle()
        gone = 2
    own.apply("bob", revoked=True)
    own.settle()
    assert gone not in promises.newest_bundle(own.cluster).lists
    if then is not None:
        put(own, **then)
        own.settle()
    assert issuer_said(own)["CASettled"] == "OldCaDropped"
    own.jump(days=91)
    own.settle()
    assert "CASettled" not in issuer_said(own)


def test_the_clients_of_a_ca_that_was_renewed_to_end_before_them_are_not_called_live_after_it(own):
    """The same key, name and identifier: nobody gets a new certificate."""
    key = given.key(201)
    shorter = build_ca(subject=Subject(common_name="Mine"), key=key, serial=7, not_before=NOW, not_after=NOW + 5 * DAY)
    put(own, tls_crt=pem(shorter), tls_key=key_pem(201))
    own.settle()
    before = serial(own, "alice")
    assert said(own, "alice") == {"Ready": "Issued", "Admitted": "Live"}
    own.jump(days=4)  # no day of them but the last matters, and each costs a second
    own.settle()
    assert said(own, "alice")["Admitted"] == "Live"
    own.advance(DAY.total_seconds())
    own.settle()
    assert (said(own, "alice")["Admitted"], issuer_said(own)["Ready"]) == ("CaNotTrusted", "CaExpired")
    assert "CAKeyHeld" not in issuer_said(own)  # nobody has access, and no CRL is missing
    put(own, **files(201))
    own.settle()
    assert (said(own, "alice")["Admitted"], serial(own, "alice")) == ("Live", before)


def test_what_is_not_used_of_a_ca_secret_is_told_in_a_sentence(own):
    put(own, **files(201), ca_crt=pem(given.ca(203, "Other").certificate) * 200)
    own.settle()
    (told,) = [c for c in own.find(ISSUER, ISSUER_AT.name)["status"]["conditions"] if c["type"] == "CAFilesUsed"]
    assert "Not used: the chain has " in told["message"]


@pytest.mark.parametrize("refused", [False, True], ids=["nobody was revoked since", "somebody was"])
def test_a_gate_that_is_deleted_when_no_key_is_left_gets_the_last_bundle_if_that_refuses_whom_it_should(own, refused):
    put(own, tls_crt=b"junk")
    own.restart()
    own.settle()
    assert issuer_said(own)["CAKeyHeld"] == "CaKeyNotLoaded"
    if refused:
        own.apply("bob", revoked=True)
        own.settle()
    own.delete(SECRET, GATE)
    own.settle()
    assert (own.find(SECRET, GATE) is None) is refused
    assert issuer_said(own)["GatesCurrent"] == ("SomeNotCurrent" if refused else "AllCurrent")


def test_no_client_is_called_live_once_the_last_crl_has_expired(own):
    put(own, tls_crt=b"junk")
    own.restart()
    own.settle()
    own.jump(days=6)
    own.settle()
    assert said(own, "alice")["Admitted"] == "Live"
    own.advance(DAY.total_seconds())
    assert issuer_said(own)["CRLCurrent"] == "NotPublished"
    assert said(own, "alice")["Admitted"] == "CaNotTrusted"
    put(own, **files(201))
    own.settle()
    assert said(own, "alice")["Admitted"] == "Live"
