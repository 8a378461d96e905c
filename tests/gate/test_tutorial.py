"""The tutorial "mTLS for beginners", step by step: its CA and its commands, with Doorward where it had a person's hands."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.ca import OpensslCa
from tests.support.home import Home, client, issuer
from tests.support.installation import OperatorProcess
from tests.support.kube import CERTIFICATES, INGRESSES, ISSUERS, SECRETS, Object, Person
from tests.testbed.controlplane import Cluster
from tests.testbed.ingress_nginx import IngressNginx

from .doors import IN, NO_CERTIFICATE, NOBODY, REFUSED, Door, Files, Street, admitted

RSA_4096 = {"algorithm": "RSA", "size": 4096}


@dataclass(frozen=True)
class Site:
    """The tutorial's site: its CA in a Secret, its own server certificate, and port 80 redirected."""

    home: Home
    cluster: Cluster
    ca: OpensslCa
    server_secret: Object
    door: Door

    def admits(self, name: str, **spec: object) -> Files:
        """A new client's files, once it gets in."""
        return admitted(self.home, self.door, name, issuer="my-ca", **spec)

    def kubectl(self, *arguments: str) -> None:
        """As its administrator types it."""
        self.cluster.kubectl("--namespace", self.home.namespace, *arguments)


def server_certificate(ca: OpensslCa, host: str) -> dict[str, Path]:
    """Whoever made it: here openssl, self-signed."""
    files = {"tls.crt": ca.folder / "server.crt", "tls.key": ca.folder / "server.key"}
    ca.openssl("req", "-newkey", "rsa:2048", "-x509", "-nodes", "-days", "30", "-subj", f"/CN={host}", "-addext",
               f"subjectAltName=DNS:{host}", "-keyout", files["tls.key"], "-out", files["tls.crt"])  # fmt: skip
    return files


@pytest.fixture(scope="module")
def site(
    cluster: Cluster,
    admin: Person,
    ingress_nginx: IngressNginx,
    running_operator: OperatorProcess,  # noqa: ARG001 - it runs
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("tutorial")
    ca = OpensslCa(folder / "my_ca")
    ca.create("/CN=my_ca", newkey="rsa:4096")
    home = Home.found(admin, folder, prefix="tutorial-")
    home.secret("my-ca", {"ca.crt": ca.certificate.read_bytes(), "ca.key": ca.key.read_bytes()})
    home.make(ISSUERS, issuer("my-ca", ca={"secretRef": {"name": "my-ca"}}))
    street = Street.build(ingress_nginx, home)
    body = street.manifest("site", issuer="my-ca")
    host = street.host("site")
    files = server_certificate(ca, host)
    server = home.secret("site-tls", {key: path.read_bytes() for key, path in files.items()}, type="kubernetes.io/tls")
    body["spec"]["tls"][0]["secretName"] = "site-tls"
    home.make(INGRESSES, body)
    site = Site(home, cluster, ca, server, Door(ingress_nginx, host))
    site.door.comes_to_tell(NOBODY, NO_CERTIFICATE)
    yield site
    home.abandon()


def test_port_80_sends_to_https(site):
    assert site.door.ingress.hosts.ask(site.door.host, scheme="http").status == 308


def test_without_a_certificate_nobody_gets_in(site):
    assert site.door.tells(NOBODY) == NO_CERTIFICATE


def test_a_client_of_4096_bits_gets_in(site):
    files = site.admits("rsa", privateKey=RSA_4096)
    assert "Public-Key: (4096 bit)" in site.ca.openssl("x509", "-in", files["tls.crt"], "-noout", "-text")


def test_openssl_verifies_the_client_against_the_tutorials_own_ca(site):
    files = site.admits("verified")
    assert site.ca.openssl("verify", "-CAfile", site.ca.certificate, files["tls.crt"]).endswith(": OK\n")


def test_a_client_with_its_own_key_and_csr_gets_in(site, tmp_path):
    key, csr = tmp_path / "client.key", tmp_path / "client.csr"
    site.ca.openssl("req", "-newkey", "rsa:4096", "-keyout", key, "-out", csr, "-nodes", "-subj", "/CN=client")
    site.home.make(CERTIFICATES, client("own-csr", issuer="my-ca", request=csr.read_text()))
    site.home.issued("own-csr")
    files = site.home.files("own-csr")
    assert "tls.key" not in files
    site.door.comes_to_tell(files | {"tls.key": key}, IN)


def test_the_p12_opens_and_gets_in_as_a_browser_would_use_it(site):
    files = site.admits("browser")
    store, password = files["keystore.p12"], files["keystore.password"].read_text()
    opened = site.ca.openssl("pkcs12", "-in", store, "-passin", f"file:{files['keystore.password']}", "-nokeys")
    assert "CN = browser.example" in opened
    answer = site.door.ask(NOBODY, "--cert-type", "P12", "--cert", f"{store}:{password}")
    assert answer.status == 200


def test_a_revoked_client_is_refused_and_the_others_are_not(site):
    leaver, stayer = site.admits("revoked"), site.admits("unharmed-by-revoked")
    site.kubectl("patch", "clientcertificate", "revoked", "--type=merge", "--patch", '{"spec": {"revoked": true}}')
    site.door.comes_to_tell(leaver, REFUSED)
    assert site.door.tells(stayer) == IN


def test_a_deleted_client_is_refused_and_the_others_are_not(site):
    leaver, stayer = site.admits("deleted"), site.admits("unharmed-by-deleted")
    site.kubectl("delete", "clientcertificate", "deleted")
    site.door.comes_to_tell(leaver, REFUSED)
    assert site.door.tells(stayer) == IN


def test_the_servers_own_certificate_is_untouched(site):
    site.admits("any")
    assert site.home.body(SECRETS, "site-tls") == site.server_secret
    tls = site.home.body(INGRESSES, "site")["spec"]["tls"]
    assert tls == [{"hosts": [site.door.host], "secretName": "site-tls"}]


def test_what_somebody_signs_by_hand_gets_in_and_the_issuer_says_so(site, tmp_path):
    files = {"tls.crt": tmp_path / "client.crt", "tls.key": tmp_path / "client.key"}
    csr = tmp_path / "client.csr"
    site.ca.openssl("req", "-newkey", "rsa:2048", "-keyout", files["tls.key"], "-out", csr, "-nodes", "-subj", "/CN=x")
    site.ca.openssl("x509", "-req", "-in", csr, "-out", files["tls.crt"], "-CA", site.ca.certificate, "-CAkey",
                    site.ca.key, "-CAcreateserial", "-days", "30")  # fmt: skip
    assert site.door.tells(files) == IN
    assert "signs with this CA" in site.home.says(ISSUERS, "my-ca", "CAExclusive", "SharedCA")
