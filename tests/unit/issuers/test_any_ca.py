"""Whatever CA somebody has: either the issuer names the part that it cannot use, or OpenSSL and Go take what gates get.

The same through nginx: tests/gate/test_any_ca.py.
"""

import base64
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given as for_any
from hypothesis import settings
from hypothesis import strategies as st

from doorward.issuers import ca_reading
from doorward.issuers.memory import Unusable
from doorward.pki.certificates import build_leaf
from doorward.pki.pem import certificate_pem
from tests.support import any_ca, go_x509
from tests.support.any_ca import UserCa
from tests.support.openssl import OpenSsl
from tests.unit import given
from tests.unit.pki.given import crl, entry, template

MINUTE = timedelta(minutes=1)
IGNORED = ("ignore:Parsed a serial number which wasn't positive", "ignore:Attribute's length must be")


def load(ca: UserCa):
    data = {name: base64.b64encode(value).decode() for name, value in ca.values.items()}
    body = {"metadata": {"name": "corp", "resourceVersion": "1"}, "data": data}
    return ca_reading.load(body, generation=1, generated=False, name="corp", now=given.NOW)


@pytest.mark.promise(7)
@pytest.mark.filterwarnings(*IGNORED)
@settings(max_examples=150)
@for_any(seed=st.integers(0, 2**64))
def test_a_ca_is_refused_by_the_name_of_a_part_or_its_clients_are_admitted_and_can_be_revoked(openssl: OpenSsl, seed):
    ca = any_ca.draw(Random(seed), given.NOW)
    found = load(ca)
    if isinstance(found, Unusable):
        assert any(fault in found.why.message for fault in ca.faults), (found.why.message, ca.faults, ca.drawn)
        return
    assert ca.sound, (ca.faults, ca.drawn)
    anchor, signer = found.authority.anchor_pem, found.signer
    leaf = certificate_pem(build_leaf(template(serial=0xA1, lasts=timedelta(days=1)), signer))
    empty, listed = crl(signer=signer), crl(entry(0xA1), signer=signer)
    asked = {"anchor": anchor, "at": given.NOW + MINUTE, "strict": "no name at all" not in ca.drawn}
    assert openssl.verdict(leaf, crl=empty, **asked) == "OK", ca.drawn
    assert openssl.verdict(leaf, crl=listed, **asked) == "certificate revoked", ca.drawn
    assert go_x509.unreadable(anchor + empty + listed) == "", ca.drawn


@pytest.mark.filterwarnings(*IGNORED)
def test_the_cas_that_are_drawn_are_taken_and_refused_about_as_often():
    drawn = [any_ca.draw(Random(seed), given.NOW) for seed in range(60)]
    assert 15 < sum(ca.sound for ca in drawn) < 45


@pytest.mark.parametrize("body", [b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"])
def test_go_tells_what_it_cannot_read(body):
    assert go_x509.unreadable(body).startswith("x509: malformed")
