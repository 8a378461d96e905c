"""Which CA a certificate may be signed with, whatever a plan was made from."""

from dataclasses import replace

import pytest

from doorward.cluster.errors import Conflict
from doorward.view.trust_domains import LoadedCa, TrustDomain, TrustDomains
from tests.unit import given
from tests.unit.given import ISSUER

LOADED = LoadedCa(version=1, authority=given.authority(), signer=given.ca())
CRL_ONLY = replace(LOADED, authority=given.authority(crl_only=True))


def domains(**held):
    found = TrustDomains()
    found.keep(ISSUER, TrustDomain(held={int(number[1:]): loaded for number, loaded in held.items()}))
    return found


def test_a_ca_that_is_loaded_signs():
    assert domains(_1=LOADED).signer(ISSUER, 1) is LOADED


@pytest.mark.parametrize("held", [{}, {"_2": LOADED}, {"_1": CRL_ONLY}], ids=["none", "another", "for CRLs only"])
def test_no_other_ca_signs(held):
    with pytest.raises(Conflict):
        domains(**held).signer(ISSUER, 1)


def test_what_a_ca_signed_before_can_be_written_again_though_it_signs_crls_only():
    assert domains(_1=CRL_ONLY).loaded(ISSUER, 1) is CRL_ONLY
