"""Somebody with `edit` in the namespace of a gate holds on to its Secret with a finalizer: nobody gets in there all the same."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster.policies_support import gate as any_gate
from tests.cluster.policies_support import unbound
from tests.support.ca import OpensslCa
from tests.support.home import Home
from tests.support.kube import CERTIFICATES, ISSUERS, SECRETS, Person, bind, eventually

from .doors import CLOSED, IN, REFUSED, Door, Files, Street

KEEP = {"metadata": {"finalizers": ["example.com/keep"]}}
FENCE = "fence-gates.doorward.io"
pytestmark = pytest.mark.promise(3)


@dataclass(frozen=True)
class Held:
    """A host in another namespace than its issuer's, and somebody with `edit` there who holds its gate."""

    home: Home
    """Of the issuer."""
    mallory: Person
    secret: dict[str, object]
    door: Door
    alice: Files
    thief: Files
    """A certificate that was signed with the CA's own key, and is on no record."""

    def there(self) -> bool:
        metadata = self.secret["metadata"]
        assert isinstance(metadata, dict)
        return bool(self.home.admin.get(SECRETS, metadata["namespace"], metadata["name"]).ok)


def stolen(home: Home, folder: Path) -> Files:
    """A client of whoever has the CA's key."""
    ca = OpensslCa(folder)
    data = home.data("partners-ca-1")
    ca.certificate.write_bytes(data["tls.crt"])
    ca.key.write_bytes(data["tls.key"])
    return ca.client("thief")


@pytest.fixture
def held(admin, home, ingress_nginx, tmp_path) -> Held:
    home.partners("alice", gates={"allowedNamespaces": {"from": "All"}})
    other = Home.found(admin, tmp_path)
    mallory = admin.alias(f"mallory.{other.namespace}")
    bind(admin, other.namespace, mallory.name, "edit")
    eventually(lambda: mallory.may("patch", SECRETS, other.namespace), "mallory has edit")
    door = Street.build(ingress_nginx, other).door("shop", issuer=f"{home.namespace}/partners")
    alice, thief = home.files(), stolen(home, tmp_path / "stolen")
    door.comes_to_tell(alice, IN)
    door.comes_to_tell(thief, IN)
    secret = other.body(SECRETS, home.gate)
    assert mallory.patch(SECRETS, secret, KEEP).status == 403
    # As it was before the fence refused it: a cluster that is upgraded may have such a gate.
    with unbound(admin, FENCE, lambda: mallory.create(SECRETS, any_gate(other.namespace), dry_run=True)):
        assert mallory.patch(SECRETS, secret, KEEP).ok
    yield Held(home, mallory, secret, door, alice, thief)
    with contextlib.suppress(AssertionError):
        other.abandon()


def disallow(home: Home) -> None:
    home.respec(ISSUERS, "partners", gates={"allowedNamespaces": {"from": "Same"}})


def delete_issuer(home: Home) -> None:
    home.remove(ISSUERS, "partners")


@pytest.mark.parametrize("reason", [disallow, delete_issuer])
def test_a_gate_that_is_held_is_closed_to_all_and_deleted(held: Held, reason: Callable[[Home], None]) -> None:
    reason(held.home)
    held.door.comes_to_tell(held.alice, REFUSED)
    assert held.door.tells(held.thief) == REFUSED
    held.door.comes_to_tell(held.alice, CLOSED)
    assert held.door.tells(held.thief) == CLOSED
    eventually(lambda: not held.there(), "the Secret is gone")


def test_a_stolen_ca_that_is_distrusted_gets_in_nowhere(held: Held) -> None:
    held.home.respec(ISSUERS, "partners", ca={"distrust": [1]})
    held.door.comes_to_tell(held.thief, REFUSED)
    held.home.says(ISSUERS, "partners", "GatesCurrent", "AllCurrent")
    eventually(lambda: held.home.files() and held.door.tells(held.home.files()) == IN, "alice has one of the next CA")
    assert held.door.tells(held.thief) == REFUSED


def test_a_client_that_is_revoked_after_that_is_refused_where_the_gate_was_closed(held: Held) -> None:
    disallow(held.home)
    held.home.respec(CERTIFICATES, "alice", revoked=True)
    held.door.comes_to_tell(held.alice, REFUSED)
    held.door.comes_to_tell(held.alice, CLOSED)
