"""An account that may write Secrets in an issuer's namespace, and nothing else, makes a CA of its own look like the operator's."""

import base64
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from doorward.clock import SystemClock
from doorward.objects.meta import labels
from doorward.pki.certificates import LeafTemplate, build_ca, build_leaf
from doorward.pki.keys import private_key_pem
from doorward.pki.pem import certificate_pem
from doorward.pki.signers import KeySigner
from doorward.pki.subjects import AltNames, Subject
from tests.support.gate_clients import admits, held
from tests.support.home import Home, issuer
from tests.support.installation import OperatorProcess
from tests.support.kube import INGRESSES, ISSUERS, SECRETS, Answer, Object, Person, bind, eventually
from tests.unit import given

from .policies_support import ISSUER, account, ingress, unbound

HOUR = timedelta(hours=1)
FENCE = "fence-ca.doorward.io"
OURS = labels("ca")


def own_ca() -> given.CertificateAuthority:
    """The attacker's CA: its name is the operator's, its key is not."""
    now, key = SystemClock().now(), given.key(66)
    subject = Subject(common_name="partners CA")
    certificate = build_ca(subject=subject, key=key, serial=66, not_before=now - HOUR, not_after=now + 2000 * HOUR)
    return given.CertificateAuthority(certificate=certificate, chain=(), anchor=certificate, signer=KeySigner(key))


def data() -> dict[str, str]:
    pem = certificate_pem(own_ca().certificate)
    values = {"tls.crt": pem, "tls.key": private_key_pem(given.key(66)).reveal(), "ca.crt": pem}
    return {name: base64.b64encode(value).decode() for name, value in values.items()}


def forged() -> Any:
    """A client certificate that the attacker signed."""
    now = SystemClock().now()
    template = LeafTemplate(
        subject=Subject(common_name="admin"),
        alt_names=AltNames(),
        public_key=given.key(67).public_key(),
        serial=4711,
        not_before=now - HOUR,
        not_after=now + 100 * HOUR,
    )
    return build_leaf(template, own_ca())


def planted(namespace: str, name: str = "partners-ca-2", *, marks: bool = True) -> Object:
    metadata = {"namespace": namespace, "name": name, "annotations": {"doorward.io/issuer": f"{namespace}/partners"}}
    return {
        "metadata": metadata | ({"labels": OURS} if marks else {}),
        "type": "kubernetes.io/tls",
        "data": data(),
    }


@pytest.fixture
def mallory(home: Home) -> Person:
    """May create Secrets, as a CI job does."""
    person = account(home, "mallory", "create")
    eventually(lambda: person.may("create", SECRETS, home.namespace), "the right is seen")
    return person


@pytest.fixture
def served(home: Home) -> Home:
    """An issuer, alice, and an Ingress that admits her."""
    home.partners("alice")
    home.make(INGRESSES, ingress(home.namespace, {ISSUER: "partners"}))
    home.says(ISSUERS, "partners", "GatesCurrent", "AllCurrent")
    return home


def assert_refused(home: Home) -> None:
    """The gate admits alice, and nobody whom the attacker signed for."""
    gate = home.body(SECRETS, home.gate)
    assert admits(gate, held(home.body(SECRETS, "alice-mtls")))
    assert not admits(gate, forged())


# The fence


def test_a_ca_of_doorwards_is_created_by_nobody_else(served: Home, mallory: Person):
    answer = mallory.create(SECRETS, planted(served.namespace))
    assert (answer.status, "spec.ca.secretRef" in answer.message) == (403, True)
    assert mallory.create(SECRETS, planted(served.namespace, "other-ca-1", marks=False)).ok
    assert_refused(served)


@pytest.mark.parametrize("who", ["edit", "admin"])
@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"data": data()}, id="its key"),
        pytest.param({"data": {"ca.crt": None}}, id="a file less"),
        pytest.param({"metadata": {"labels": {"doorward.io/role": None}}}, id="without its role"),
        pytest.param({"metadata": {"labels": {"doorward.io/role": "client"}}}, id="as another role"),
        pytest.param({"metadata": {"labels": {"app.kubernetes.io/managed-by": "me"}}}, id="as another's"),
        pytest.param({"metadata": {"annotations": {"doorward.io/issuer": "a/b"}}}, id="as another issuer's"),
        pytest.param({"metadata": {"annotations": {"doorward.io/rotate": "x"}}}, id="made for another reason"),
        pytest.param({"immutable": True}, id="unchangeable"),
        pytest.param(
            {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "1"}]}},
            id="with an owner",
        ),
    ],
)
def test_the_ca_in_use_is_changed_by_no_other_account(served: Home, who: str, change: Object):
    erin = served.admin.alias(f"erin.{served.namespace}")
    bind(served.admin, served.namespace, erin.name, who)
    eventually(lambda: erin.may("patch", SECRETS, served.namespace), "the role is seen")
    before = served.body(SECRETS, "partners-ca-1")
    assert erin.patch(SECRETS, before, change).status == 403
    assert erin.patch(SECRETS, before, {"metadata": {"annotations": {"their.own/note": "x"}}}).ok


def test_another_secret_is_not_made_a_ca_by_its_labels(served: Home):
    erin = served.admin.alias(f"erin.{served.namespace}")
    bind(served.admin, served.namespace, erin.name, "edit")
    eventually(lambda: erin.may("patch", SECRETS, served.namespace), "the role is seen")
    body = planted(served.namespace, marks=False)
    assert erin.create(SECRETS, body).ok
    first = {"metadata": {"labels": {"app.kubernetes.io/managed-by": "doorward"}}}
    labelled = body | {"apiVersion": "v1", "kind": "Secret", "metadata": body["metadata"] | {"labels": OURS}}
    assert erin.patch(SECRETS, body, {"metadata": {"labels": OURS}}).status == 403
    assert erin.patch(SECRETS, body, first).ok
    assert erin.patch(SECRETS, body, {"metadata": {"labels": {"doorward.io/role": "ca"}}}).status == 403
    assert erin.apply(SECRETS, labelled, manager="doorward").status == 403


def test_whoever_may_restore_creates_and_changes_it(home: Home):
    account(home, "rita", "create", "patch", "get")
    rita = account(home, "rita", "restore", resource="mtlsissuers", group="doorward.io")
    eventually(lambda: rita.may("restore", ISSUERS, home.namespace), "the verb is seen")
    eventually(lambda: rita.may("create", SECRETS, home.namespace), "the right is seen")
    body = planted(home.namespace)

    def taken() -> Answer:
        return rita.create(SECRETS, body)

    eventually(lambda: taken().status in (201, 409), "the policy knows of the verb")
    assert rita.patch(SECRETS, body, {"data": {"ca.crt": ""}}).ok


# Where the fence is missing


@pytest.fixture
def unfenced(admin: Person, served: Home) -> Iterator[Home]:
    person = account(served, "probe", "create")
    eventually(lambda: person.may("create", SECRETS, served.namespace), "the right is seen")
    probe = planted(served.namespace, "probe-ca-1")
    with unbound(admin, FENCE, lambda: person.create(SECRETS, probe, dry_run=True)):
        yield served


@pytest.mark.promise(3)
@pytest.mark.parametrize("number", [2, 999_999])
def test_a_planted_ca_is_ignored_and_said(unfenced: Home, mallory: Person, number: int):
    name = f"partners-ca-{number}"
    answer = mallory.create(SECRETS, planted(unfenced.namespace, name))
    assert answer.ok, answer.message
    assert name in unfenced.says(ISSUERS, "partners", "CAOrigin", "CaSecretUnproven")
    assert_refused(unfenced)
    first = unfenced.serial()
    unfenced.respec(ISSUERS, "partners", ca={"generate": {"rotate": "now"}})
    made = 3 if number == 2 else 2
    eventually(
        lambda: [r["spec"]["generation"] for r in unfenced.records("alice")] == [1, made], "alice has a new certificate"
    )
    unfenced.reissued(first)
    assert_refused(unfenced)
    eventually(lambda: unfenced.body(ISSUERS, "partners")["status"]["ca"]["generation"] == made, "the issuer says it")


@pytest.mark.promise(3)
def test_a_ca_that_is_planted_before_the_issuer_is_not_its_first(admin: Person, home: Home, mallory: Person):
    probe = planted(home.namespace, "probe-ca-1")
    with unbound(admin, FENCE, lambda: mallory.create(SECRETS, probe, dry_run=True)):
        assert mallory.create(SECRETS, planted(home.namespace, "partners-ca-1")).ok
        home.make(ISSUERS, issuer())
        home.says(ISSUERS, "partners", "CAOrigin", "CaSecretUnproven")
        home.signing()
    assert home.body(ISSUERS, "partners")["status"]["ca"]["generation"] == 2


@pytest.mark.promise(6)
def test_a_planted_ca_is_ignored_by_the_next_process_too(
    unfenced: Home, mallory: Person, running_operator: OperatorProcess
):
    running_operator.stop()
    assert mallory.create(SECRETS, planted(unfenced.namespace)).ok
    running_operator.start()
    unfenced.says(ISSUERS, "partners", "CAOrigin", "CaSecretUnproven")
    assert_refused(unfenced)
    assert {r["spec"]["generation"] for r in unfenced.records()} == {1}
