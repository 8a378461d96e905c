"""The admin of one gate's namespace binds a role of their own, without one of the verbs: that stops no CRL anywhere else."""

from pathlib import Path

import pytest

from tests.support.home import Home
from tests.support.kube import (
    CERTIFICATES,
    INGRESSES,
    ISSUERS,
    OPERATOR,
    ROLEBINDINGS,
    ROLES,
    SECRETS,
    Person,
    bind,
    eventually,
)

from .policies_support import ISSUER, ingress

VERBS = ["get", "list", "watch", "create", "update", "delete"]


def give(boss: Person, namespace: str, verbs: list[str]) -> None:
    """A role that is bound by the namespace's own admin."""
    rules = [
        {"apiGroups": [""], "resources": ["secrets"], "verbs": verbs},
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": VERBS},
    ]
    role = {"metadata": {"namespace": namespace, "name": "some-rights"}, "rules": rules}
    assert boss.create(ROLES, role).ok
    bind(boss, namespace, OPERATOR, "some-rights", kind="Role")


@pytest.fixture
def far(admin: Person, home: Home, tmp_path: Path) -> Home:
    """Another namespace with a gate of the issuer, and somebody with `admin` there, who takes the consent back."""
    home.partners("alice", gates={"allowedNamespaces": {"from": "All"}})
    other = Home.found(admin, tmp_path)
    other.make(INGRESSES, ingress(other.namespace, {ISSUER: f"{home.namespace}/partners"}))
    eventually(lambda: other.get(SECRETS, home.gate).ok, "the gate is there")
    yield other
    other.abandon()


@pytest.mark.promise(1)
@pytest.mark.promise(4)
@pytest.mark.parametrize("lacks", VERBS)
def test_a_rotation_reaches_everybody_else_where_one_namespace_gives_all_rights_but(admin, home, far, lacks):
    boss = admin.alias(f"boss.{far.namespace}")
    bind(admin, far.namespace, boss.name, "admin")
    eventually(lambda: boss.may("create", ROLES, far.namespace), "admin is bound")
    eventually(lambda: boss.may("create", ROLEBINDINGS, far.namespace), "admin is bound")
    give(boss, far.namespace, [verb for verb in VERBS if verb != lacks])
    far.withdraw()
    eventually(lambda: not admin.alias(OPERATOR).may(lacks, SECRETS, far.namespace), "the right is missing")
    home.respec(ISSUERS, "partners", ca={"generate": {"commonName": "partners CA", "rotate": "today"}})
    eventually(lambda: home.crl().read_text().count("BEGIN X509 CRL") == 2, "the CRL of the next CA is published")
    home.respec(CERTIFICATES, "alice", revoked=True)
    home.says(CERTIFICATES, "alice", "Admitted", "Revoked")
    published = home.crl().read_bytes()

    def held_or_told() -> bool:
        if far.data(home.gate)["ca.crl"] == published:
            return True
        told = home.condition(ISSUERS, "partners", "GatesCurrent")
        return told.get("reason") == "SomeNotCurrent" and far.namespace in told["message"]

    eventually(held_or_told, "the gate holds it, or the issuer says that it does not")
