"""What a person puts into the CA Secret of an issuer that runs: the right files are used, whatever lies beside them."""

import pytest

from tests.support import promises
from tests.unit import given
from tests.unit.runtime.looks import issuer_said, serial
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
