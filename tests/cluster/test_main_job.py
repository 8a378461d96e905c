"""What a person applies, and what becomes of it: the three kinds on the real API server, certificates as openssl sees them."""

import subprocess
from pathlib import Path

from tests.support.home import Home, client, issuer
from tests.support.kube import CERTIFICATES, ISSUERS


def openssl(*arguments: str | Path) -> str:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def serials(crl: Path) -> set[str]:
    text = openssl("crl", "-in", crl, "-noout", "-text")
    return {line.split(":")[1].strip().lower() for line in text.splitlines() if "Serial Number:" in line}


def test_an_issuer_makes_its_ca_and_publishes_an_empty_crl(home: Home):
    home.make(ISSUERS, issuer())
    home.signing()
    assert serials(home.crl()) == set()


def test_a_client_gets_a_certificate_that_openssl_verifies(home: Home):
    home.partners("alice")
    files = home.files()
    said = openssl("verify", "-crl_check_all", "-CAfile", files["ca.crt"], "-CRLfile", home.crl(), files["tls.crt"])
    assert said.endswith(": OK\n")


def test_a_revoked_client_is_on_the_crl_and_stays_ready(home: Home):
    home.partners("alice")
    serial = home.issued()["status"]["serialNumber"]
    home.respec(CERTIFICATES, "alice", revoked=True)
    home.says(CERTIFICATES, "alice", "Admitted", "Revoked")
    assert serials(home.crl()) == {serial}


def test_a_deleted_client_is_on_the_crl_when_the_deletion_returns(home: Home):
    home.partners("alice")
    serial = home.issued()["status"]["serialNumber"]
    home.remove(CERTIFICATES, "alice")
    home.gone(CERTIFICATES, "alice")
    assert serials(home.crl()) == {serial}


def test_a_client_waits_for_its_issuer_and_is_served_as_soon_as_it_is_there(home: Home):
    home.make(CERTIFICATES, client())
    assert "partners" in home.says(CERTIFICATES, "alice", "Ready", "IssuerNotFound")
    home.make(ISSUERS, issuer())
    home.issued()
