"""Real hosts, while Secrets are deleted, copied, frozen and restored: whoever had access keeps it, and whoever had none gets none."""

import json
from pathlib import Path

import pytest

from tests.support.home import Home, issuer
from tests.support.installation import OperatorProcess
from tests.support.kube import CERTIFICATES, ISSUERS, NAMESPACES, SECRETS, Object, Person, eventually
from tests.testbed.controlplane import Cluster
from tests.testbed.ingress_nginx import IngressNginx

from .doors import IN, NO_CERTIFICATE, NOBODY, REFUSED, Door, Files, Street, admitted
from .test_rotation import kept

KINDS = "mtlsissuers,clientcertificates,issuedcertificates,secrets,configmaps"


def without(body: Object, *names: str) -> Object:
    return body | {"metadata": {k: v for k, v in body["metadata"].items() if k not in names}}


def applied(cluster: Cluster, *bodies: Object) -> None:
    """As kubectl does it; what the API server refuses, it says, and goes on. Once more where kubectl lost a race: it does not
    overwrite what the operator made after it had looked.
    """
    listed = {"apiVersion": "v1", "kind": "List", "items": list(bodies)}
    for _ in range(2):
        done = cluster.kubectl("apply", "-f", "-", input=json.dumps(listed), check=False)
        if "AlreadyExists" not in done.stderr:
            break


@pytest.mark.promise(1)
def test_a_deleted_secret_refuses_nobody_and_a_revocation_does(home: Home, shop: Door, cluster: Cluster):
    home.partners()
    alice = kept(admitted(home, shop, "alice"))
    before = home.serial()
    cluster.kubectl("-n", home.namespace, "delete", "secret", "alice-mtls")
    home.reissued(before)
    new = home.files()
    shop.comes_to_tell(new, IN)
    assert shop.tells(alice) == IN
    home.respec(CERTIFICATES, "alice", revoked=True)
    for held in (alice, new):
        shop.comes_to_tell(held, REFUSED)


@pytest.mark.promise(1)
def test_a_copy_of_a_secret_of_the_same_name_refuses_nobody(
    home: Home, shop: Door, admin: Person, cluster: Cluster, ingress_nginx: IngressNginx, tmp_path: Path
):
    """Two namespaces, each with an issuer `partners` and an alice of its own."""
    home.partners()
    alice = admitted(home, shop, "alice")
    web = Home.found(admin, tmp_path, prefix="web-")
    try:
        web.make(ISSUERS, issuer())
        door = Street.build(ingress_nginx, web).door("shop")
        hers = kept(admitted(web, door, "alice"))
        copy = without(home.body(SECRETS, "alice-mtls"), "uid", "resourceVersion", "ownerReferences", "managedFields")
        applied(cluster, copy | {"metadata": copy["metadata"] | {"namespace": web.namespace}})
        web.says(CERTIFICATES, "alice", "Ready", "SecretCopied")
        bob = admitted(web, door, "bob")
        web.respec(CERTIFICATES, "bob", revoked=True)
        door.comes_to_tell(bob, REFUSED)  # so the gate has a CRL from after the copy
        assert (door.tells(hers), shop.tells(alice)) == (IN, IN)
        assert door.tells(alice) == REFUSED
    finally:
        web.abandon()


@pytest.mark.promise(1)
@pytest.mark.parametrize("consent_first", [True, False], ids=["consent first", "consent last"])
def test_a_backup_that_kubectl_applies_gives_access_to_the_same_clients(
    home: Home,
    shop: Door,
    cluster: Cluster,
    running_operator: OperatorProcess,
    ingress_nginx: IngressNginx,
    consent_first: bool,
):
    home.partners()
    held: dict[str, Files] = {name: kept(admitted(home, shop, name)) for name in ("alice", "bob")}
    home.respec(CERTIFICATES, "bob", revoked=True)
    shop.comes_to_tell(held["bob"], REFUSED)
    bodies = json.loads(cluster.kubectl("-n", home.namespace, "get", KINDS, "--output=json").stdout)["items"]
    home.abandon()
    eventually(lambda: home.admin.get(NAMESPACES, None, home.namespace).status == 404, "the namespace is gone")
    running_operator.restart()
    assert home.admin.create(NAMESPACES, {"metadata": {"name": home.namespace}}).ok
    if consent_first:
        home.consent()
    applied(cluster, *(without(body, "uid", "resourceVersion") for body in bodies))
    door = Street.build(ingress_nginx, home).door("shop")
    if not consent_first:
        home.consent()
    door.comes_to_tell(held["alice"], IN)
    assert (door.tells(held["bob"]), door.tells(NOBODY)) == (REFUSED, NO_CERTIFICATE)
    home.issued()
    assert door.tells(home.files()) == IN


def test_an_immutable_secret_is_told_and_its_client_keeps_access(home: Home, shop: Door):
    home.partners()
    alice = kept(admitted(home, shop, "alice"))
    before = home.serial()
    home.change(SECRETS, "alice-mtls", {"immutable": True})
    home.respec(CERTIFICATES, "alice", secretTemplate={"labels": {"team": "shop"}})
    eventually(lambda: home.body(SECRETS, "alice-mtls")["metadata"]["labels"].get("team") == "shop", "it has the label")
    home.issued()
    home.respec(CERTIFICATES, "alice", secretTemplate={"labels": {"bad key!": "x"}})
    assert "bad key!" in home.says(CERTIFICATES, "alice", "Ready", "InvalidSpec")
    home.respec(CERTIFICATES, "alice", secretTemplate=None, reissue="now")
    assert "Delete the Secret" in home.says(CERTIFICATES, "alice", "Ready", "SecretImmutable")
    home.remove(SECRETS, "alice-mtls")
    home.reissued(before)
    shop.comes_to_tell(home.files(), IN)
    assert shop.tells(alice) == IN
