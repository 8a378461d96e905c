"""A CA of openssl's is given to Doorward: what openssl revoked before stays refused at the gate, and the others stay admitted."""

from doorward.cli.main import main
from tests.support.ca import OpensslCa
from tests.support.home import Home, issuer
from tests.support.kube import ISSUERS
from tests.support.openssl import OpenSsl
from tests.testbed.controlplane import Cluster

from .doors import IN, REFUSED, Door, admitted


def test_what_openssl_revoked_is_refused_at_the_gate_once_its_index_is_imported(
    home: Home, shop: Door, cluster: Cluster, openssl: OpenSsl, tmp_path
):
    ca = OpensslCa(tmp_path / "ca")
    ca.create("/CN=Old CA")
    good, stolen, lost = (ca.client(name) for name in ("good", "stolen", "lost"))
    data = {"tls.crt": ca.certificate.read_bytes(), "tls.key": ca.key.read_bytes()}
    home.secret("old-ca", data, type="kubernetes.io/tls")
    home.make(ISSUERS, issuer(ca={"secretRef": {"name": "old-ca"}}))
    alice = admitted(home, shop, "alice")
    shop.comes_to_tell(stolen, IN)
    ca.revoke(stolen["tls.crt"])
    where = ["--issuer", f"{home.namespace}/partners", "--kubeconfig", str(cluster.kubeconfig)]
    assert main(["import", str(ca.folder / "index.txt"), *where]) == 0
    shop.comes_to_tell(stolen, REFUSED)
    assert set(openssl.crl_entries(home.crl().read_bytes())) == {"1001"}
    ca.revoke(lost["tls.crt"])
    (tmp_path / "old.crl").write_bytes(ca.crl())
    assert main(["import", str(tmp_path / "old.crl"), *where]) == 0
    shop.comes_to_tell(lost, REFUSED)
    assert set(openssl.crl_entries(home.crl().read_bytes())) == {"1001", "1002"}
    assert (shop.tells(good), shop.tells(alice)) == (IN, IN)
