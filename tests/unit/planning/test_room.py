"""How much fits into a trust bundle is known before anything is signed, and is never too little."""

from datetime import datetime

import pytest
from hypothesis import example, settings
from hypothesis import given as generated
from hypothesis import strategies as st

from doorward.pki.certificates import CertificateAuthority, build_ca
from doorward.pki.crls import build_crl
from doorward.pki.pem import certificate_pem
from doorward.pki.signers import KeySigner
from doorward.pki.subjects import Subject
from doorward.planning import room
from doorward.planning.crl import CrlContent
from tests.unit import given
from tests.unit.given import CA_BORN, CA_ENDS, NOW

LAST_DAY = datetime(9999, 12, 31, tzinfo=NOW.tzinfo)
KEYS = [("ECDSA", 256), ("ECDSA", 384), ("RSA", 2048), ("RSA", 4096), ("Ed25519", 256)]


def content(*lines):
    entries = {line.serial: line for line in lines}
    return CrlContent(entries=entries, leaving=frozenset(), number=1, previous=None)


def authority(algorithm, size, units=()):
    key = given.key(9, algorithm, size)
    subject = Subject(common_name="Partners CA", organizational_units=units)
    certificate = build_ca(subject=subject, key=key, serial=9, not_before=CA_BORN, not_after=CA_ENDS)
    return CertificateAuthority(certificate=certificate, chain=(), anchor=certificate, signer=KeySigner(key))


def really(ca, lines, number=1):
    """Bytes, PEM, of the anchor and a CRL that was signed."""
    crl = build_crl(ca=ca, entries=lines, number=number, this_update=NOW, next_update=LAST_DAY)
    return len(certificate_pem(ca.anchor)) + len(crl)


@pytest.mark.parametrize(("algorithm", "size"), KEYS)
@pytest.mark.parametrize("units", [(), tuple(f"unit {n} ".ljust(64, "x") for n in range(400))], ids=["short", "long"])
@pytest.mark.parametrize("number", [1, (1 << 159) - 1])
def test_an_anchor_and_its_crl_take_no_more_than_is_planned_for(algorithm, size, units, number):
    ca = authority(algorithm, size, units)
    planned, real = room.size_of(content(), certificate_pem(ca.anchor)), really(ca, [], number)
    assert 0 < planned - real < 1500 + len(certificate_pem(ca.anchor))


@settings(max_examples=60, deadline=None)
@generated(
    serials=st.sets(st.integers(1, (1 << 159) - 1), max_size=200),
    at=st.datetimes(datetime(1950, 1, 1), datetime(9999, 12, 31)),
    reason=st.sampled_from([None, "keyCompromise", "certificateHold", "superseded"]),
)
@example(serials={(1 << 159) - 1 - n for n in range(200)}, at=datetime(2050, 1, 1), reason="keyCompromise")
def test_entries_take_no_more_than_is_planned_for(serials, at, reason):
    lines = [given.entry(serial, reason, at=at.replace(microsecond=0, tzinfo=NOW.tzinfo)) for serial in serials]
    planned = room.size_of(content(*lines), certificate_pem(given.ca().anchor))
    assert 0 < planned - really(given.ca(), lines) < 1500


@pytest.mark.promise(1)
@pytest.mark.parametrize(("algorithm", "size"), [("ECDSA", 256), ("RSA", 4096)])
def test_so_many_serials_as_are_signed_at_most_fit_into_one_crl_whatever_is_said_of_each(algorithm, size):
    ca = authority(algorithm, size)
    lines = [given.entry((1 << 159) - 1 - n, "keyCompromise", at=LAST_DAY) for n in range(room.CRL_ENTRIES)]
    assert really(ca, lines) <= room.size_of(content(*lines), certificate_pem(ca.anchor)) <= room.ROOM
    assert room.overflowing({1: room.size_of(content(*lines), certificate_pem(ca.anchor))}) == frozenset()


PART = room.ROOM // 10


@pytest.mark.parametrize(
    ("parts", "leave"),
    [
        pytest.param({1: 10}, (), id="nobody: it just fits"),
        pytest.param({1: 11}, (1,), id="the only one"),
        pytest.param({1: 1, 2: 6, 3: 6}, (2,), id="the oldest that makes room enough"),
        pytest.param({1: 2, 2: 12, 3: 3}, (2,), id="the one that overflows by itself"),
        pytest.param({1: 12, 2: 13, 3: 4}, (1, 2), id="all that do"),
        pytest.param(dict.fromkeys(range(1, 9), 2), (1, 2, 3), id="as many of equal size as it takes, the oldest"),
        pytest.param({}, (), id="nobody where there is none"),
    ],
)
def test_it_leaves(parts, leave):
    assert room.overflowing({generation: PART * size for generation, size in parts.items()}) == frozenset(leave)


@generated(sizes=st.dictionaries(st.integers(1, 20), st.integers(0, 2 * room.ROOM), max_size=8))
def test_what_stays_always_fits_and_nothing_leaves_that_could_stay(sizes):
    out = room.overflowing(sizes)
    left = sum(size for generation, size in sizes.items() if generation not in out)
    assert left <= room.ROOM
    assert bool(out) == (sum(sizes.values()) > room.ROOM)
