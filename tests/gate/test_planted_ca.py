"""Who may only create Secrets plants a CA among the operator's; ingress-nginx admits nobody whom it signed for."""

import base64
from pathlib import Path

import pytest

from doorward.objects.meta import labels
from tests.cluster.policies_support import account, unbound
from tests.support.ca import OpensslCa
from tests.support.home import Home
from tests.support.kube import ISSUERS, SECRETS, Object, Person, eventually

from .doors import IN, NO_CERTIFICATE, NOBODY, REFUSED, Door, admitted

FENCE = "fence-ca.doorward.io"
pytestmark = pytest.mark.promise(3)


def planted(home: Home, name: str, ca: OpensslCa) -> Object:
    """A Secret that looks like a CA generation of the operator's."""
    files = {"tls.crt": ca.certificate, "tls.key": ca.key, "ca.crt": ca.certificate}
    metadata = {"namespace": home.namespace, "name": name, "labels": labels("ca")}
    data = {name: base64.b64encode(path.read_bytes()).decode() for name, path in files.items()}
    annotations = {"doorward.io/issuer": f"{home.namespace}/partners"}
    return {"metadata": metadata | {"annotations": annotations}, "type": "kubernetes.io/tls", "data": data}


def test_whom_a_planted_ca_signed_for_is_refused_also_after_a_rotation(
    admin: Person, home: Home, shop: Door, tmp_path: Path
):
    home.partners()
    admitted(home, shop, "alice")
    theirs = OpensslCa(tmp_path / "theirs")
    theirs.create("/CN=partners CA")
    thief = theirs.client("alice")
    mallory = account(home, "mallory", "create")
    eventually(lambda: mallory.may("create", SECRETS, home.namespace), "the right is seen")
    assert mallory.create(SECRETS, planted(home, "partners-ca-2", theirs)).status == 403
    probe = planted(home, "probe-ca-1", theirs)
    with unbound(admin, FENCE, lambda: mallory.create(SECRETS, probe, dry_run=True)):
        assert mallory.create(SECRETS, planted(home, "partners-ca-2", theirs)).ok
    home.says(ISSUERS, "partners", "CAOrigin", "CaSecretUnproven")
    assert shop.tells(thief) == REFUSED
    before = home.serial()
    home.respec(ISSUERS, "partners", ca={"generate": {"rotate": "now"}})
    eventually(lambda: home.serial() != before, "alice has a certificate of the next generation")
    shop.comes_to_tell(home.files(), IN)
    assert shop.tells(thief) == REFUSED
    assert shop.tells(NOBODY) == NO_CERTIFICATE
