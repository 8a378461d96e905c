"""A CA that the gates trust no more, or whose Secret somebody made again: what clients are told is what their status says."""

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from doorward.clock import SystemClock
from doorward.pki.certificates import build_ca
from doorward.pki.pem import certificate_pem
from doorward.pki.subjects import Subject
from tests.support.home import Home, issuer
from tests.support.installation import OperatorProcess
from tests.support.kube import CERTIFICATES, ISSUERS, SECRETS
from tests.support.openssl import Issued, OpenSsl

from .doors import CLOSED, IN, REFUSED, Door, admitted
from .test_renewed_ca import files_of
from .test_rotation import kept

SOON = timedelta(seconds=20)


def ending_soon(ca: Issued, name: str) -> Issued:
    """The same CA, renewed by somebody who was wrong about the date."""
    key, now = load_pem_private_key(ca.key, None), SystemClock().now()
    made = build_ca(subject=Subject(common_name=name), key=key, serial=7, not_before=now - SOON, not_after=now + SOON)
    return Issued(certificate=certificate_pem(made), key=ca.key)


def test_a_client_whose_ca_was_renewed_to_end_before_it_is_refused_and_not_called_live(
    home: Home, shop: Door, openssl: OpenSsl
):
    ours = openssl.ca("Corp CA")
    home.secret("own-ca", files_of(ours))
    home.make(ISSUERS, issuer(ca={"secretRef": {"name": "own-ca"}}))
    home.signing()
    alice = kept(admitted(home, shop, "alice"))
    home.put_secret("own-ca", files_of(ending_soon(ours, "Corp CA")))
    shop.comes_to_tell(alice, REFUSED)
    assert "expired at" in home.says(CERTIFICATES, "alice", "Admitted", "CaNotTrusted")
    home.says(ISSUERS, "partners", "Ready", "CaExpired")
    home.put_secret("own-ca", files_of(ours))
    shop.comes_to_tell(alice, IN)
    home.says(CERTIFICATES, "alice", "Admitted", "Live")


@pytest.mark.promise(3)
def test_a_client_whose_only_ca_is_distrusted_is_refused_and_not_called_live(home: Home, shop: Door, openssl: OpenSsl):
    home.secret("own-ca", files_of(openssl.ca("Corp CA")))
    home.make(ISSUERS, issuer(ca={"secretRef": {"name": "own-ca"}}))
    home.signing()
    alice = kept(admitted(home, shop, "alice"))
    home.change(ISSUERS, "partners", {"spec": {"ca": {"distrust": [1]}}})
    shop.comes_to_tell(alice, CLOSED)
    home.says(CERTIFICATES, "alice", "Admitted", "CaNotTrusted")
    home.change(ISSUERS, "partners", {"spec": {"ca": {"distrust": []}}})
    shop.comes_to_tell(alice, IN)
    home.says(CERTIFICATES, "alice", "Admitted", "Live")


@pytest.mark.promise(1)
def test_a_ca_that_was_restored_with_kubectl_create_secret_refuses_who_is_revoked(
    running_operator: OperatorProcess, home: Home, shop: Door
):
    home.partners()
    alice, bob = (kept(admitted(home, shop, name)) for name in ("alice", "bob"))
    files = home.data("partners-ca-1")
    home.remove(SECRETS, "partners-ca-1")
    home.says(ISSUERS, "partners", "Ready", "CaSecretMissing")
    home.secret("partners-ca-1", files)
    running_operator.restart()
    home.says(ISSUERS, "partners", "Ready", "CaSecretUnmanaged")
    home.respec(CERTIFICATES, "bob", revoked=True)
    shop.comes_to_tell(bob, REFUSED)
    assert shop.tells(alice) == IN
    labels = {"app.kubernetes.io/managed-by": "doorward", "doorward.io/role": "ca"}
    home.change(SECRETS, "partners-ca-1", {"metadata": {"labels": labels}})
    home.signing()
    assert (shop.tells(alice), shop.tells(bob)) == (IN, REFUSED)
