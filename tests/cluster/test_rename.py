"""docs/runbooks/rename-a-client.md, done: another name, the same Secret name, and the file that the client has stays valid."""

import subprocess

import pytest

from doorward.clock import SystemClock
from tests.support.home import Home, client
from tests.support.installation import DOORWARD
from tests.support.kube import CERTIFICATES, CONFIGMAPS, SECRETS, eventually
from tests.support.openssl import OpenSsl
from tests.testbed.controlplane import Cluster


@pytest.mark.promise(1)
def test_a_renamed_client_keeps_its_file_until_the_old_name_is_deleted(home: Home, cluster: Cluster, openssl: OpenSsl):
    home.partners("alice")
    old = home.data("alice-mtls")["tls.crt"]

    def verdict(leaf: bytes) -> str:
        bundle = home.body(CONFIGMAPS, "partners-crl")["data"]
        anchor, crl = bundle["ca.crt"].encode(), bundle["ca.crl"].encode()
        return openssl.verdict(leaf, anchor=anchor, crl=crl, at=SystemClock().now())

    cluster.kubectl("-n", home.namespace, "delete", "clientcertificate", "alice")
    home.make(CERTIFICATES, client(secretName="alice-before-renaming"))
    home.make(CERTIFICATES, client("alice-smith", secretName="alice-mtls"))
    issuer = f"{home.namespace}/partners"
    command = [DOORWARD, "restore", "--issuer", issuer, "--namespace", home.namespace, "--name", "alice"]
    done = subprocess.run([*command, f"--kubeconfig={cluster.kubeconfig}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    home.issued("alice")
    home.issued("alice-smith")
    eventually(lambda: verdict(old) == "OK", "the old file is valid")
    new = home.data("alice-mtls")["tls.crt"]
    assert (new != old, verdict(new)) == (True, "OK")
    home.remove(CERTIFICATES, "alice")
    home.gone(CERTIFICATES, "alice")
    assert (verdict(old), verdict(new)) == ("certificate revoked", "OK")
    assert home.get(SECRETS, "alice-mtls").ok
