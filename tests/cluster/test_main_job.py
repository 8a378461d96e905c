"""What a person applies, and what becomes of it: the three kinds on the real API server, certificates as openssl sees them."""

import base64
import json

import pytest

from tests.support.home import Home, client, issuer
from tests.support.installation import OperatorProcess
from tests.support.kube import CERTIFICATES, CONFIGMAPS, EVENTS, ISSUERS, RECORDS, SECRETS, Object
from tests.support.openssl import OpenSsl


def plain(body: Object) -> str:
    """The object as text, what a Secret holds in base64 decoded too."""
    data = (body.get("data") or {}) if "type" in body else {}
    return json.dumps(body) + "".join(base64.b64decode(value).decode(errors="replace") for value in data.values())


def test_an_issuer_makes_its_ca_and_publishes_an_empty_crl(home: Home, openssl: OpenSsl):
    home.make(ISSUERS, issuer())
    home.signing()
    assert openssl.crl_serials(home.crl()) == set()


def test_a_client_gets_a_certificate_that_openssl_verifies(home: Home, openssl: OpenSsl):
    home.partners("alice")
    files = home.files()
    said = openssl.says(
        "verify", "-crl_check_all", "-CAfile", files["ca.crt"], "-CRLfile", home.crl(), files["tls.crt"]
    )
    assert said.endswith(": OK\n")


def test_a_revoked_client_is_on_the_crl_and_stays_ready(home: Home, openssl: OpenSsl):
    home.partners("alice")
    serial = home.issued()["status"]["serialNumber"]
    home.respec(CERTIFICATES, "alice", revoked=True)
    home.says(CERTIFICATES, "alice", "Admitted", "Revoked")
    assert openssl.crl_serials(home.crl()) == {serial}


def test_a_deleted_client_is_on_the_crl_when_the_deletion_returns(home: Home, openssl: OpenSsl):
    home.partners("alice")
    serial = home.issued()["status"]["serialNumber"]
    home.remove(CERTIFICATES, "alice")
    home.gone(CERTIFICATES, "alice")
    assert openssl.crl_serials(home.crl()) == {serial}


def test_a_client_waits_for_its_issuer_and_is_served_as_soon_as_it_is_there(home: Home):
    home.make(CERTIFICATES, client())
    assert "partners" in home.says(CERTIFICATES, "alice", "Ready", "IssuerNotFound")
    home.make(ISSUERS, issuer())
    home.issued()


@pytest.mark.promise(5)
def test_the_ca_key_is_in_its_secret_and_nowhere_else(home: Home, running_operator: OperatorProcess):
    home.partners("alice")
    home.respec(CERTIFICATES, "alice", revoked=True)
    home.says(CERTIFICATES, "alice", "Admitted", "Revoked")
    lines = home.data("partners-ca-1")["tls.key"].decode().splitlines()[1:-1]
    secret = {line for line in lines if len(line) > 40}
    kinds = (SECRETS, CONFIGMAPS, EVENTS, CERTIFICATES, ISSUERS, RECORDS)
    everything = [body for kind in kinds for body in home.admin.ask("GET", kind.path(home.namespace)).body["items"]]
    holders = [body["metadata"]["name"] for body in everything if any(part in plain(body) for part in secret)]
    assert holders == ["partners-ca-1"]
    assert not any(part in running_operator.log for part in secret)
