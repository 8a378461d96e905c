"""The health that Argo CD shows, for each reason of each condition, by the Lua of examples/gitops/argocd."""

from typing import Any

import pytest
import yaml
from lupa.lua51 import LuaError

from doorward.api import reasons_client as client
from doorward.api import reasons_issuer as issuer
from doorward.api import reasons_writes as writes
from doorward.api.conditions import Condition, merge
from doorward.api.reason import Reason
from doorward.api.reasons import BY_CONDITION, REASONS
from doorward.cluster.gateway import FIELD_MANAGER
from tests.support import argocd
from tests.unit.given import NOW

GENERATION = 7
OF_CLIENT = {"Ready": client.READY | writes.READY, "Admitted": client.ADMITTED}
SHARED = {name: client.READY[name] for name in ("InvalidSpec", "NotPermitted", "ClockSkewed")}
"""Reasons of a ClientCertificate that an MTLSIssuer has, too."""
OF_ISSUER = {
    condition: table
    for condition, table in BY_CONDITION.items()
    if condition not in ("Ready", "Admitted", "Reconciling", "Gate")
} | {"Ready": issuer.READY | writes.READY | SHARED}

NOT_READY_YET = {"Deleting", "NamespaceTerminating", "SecretMissing", "IssuerNotFound", "IssuerNotReady"}
"""Ready=False of a client, and nobody has to act, or another object of the same commit may be missing."""
ADMITTED = dict.fromkeys(client.ADMITTED, "Degraded") | {
    "Live": "Healthy",
    "LettingIn": "Progressing",
    "CuttingOff": "Progressing",
    "CaNotTrusted": "Progressing",
}
"""By the reason of Admitted: the health of a client that is to have access."""
NO_FAULT = {
    "HandshakeOnly",
    "NextCaShown",
    "ClientsMoving",
    "SharedCA",
    "NotVerified",
    "NotReachable",
    "CutOffNotVerified",
    "SeparationNotVerified",
}
"""Reasons of an MTLSIssuer that are not True and leave it healthy."""
PASSES = {"CaAnnounced", "NotPublished"}
"""And those that pass by themselves."""


def body(kind: str, *reasons: Reason, observed: int = GENERATION, **metadata: Any) -> dict[str, Any]:
    """An object with these conditions, written as the operator writes them."""
    conditions = [Condition(reason=reason, message=f"because of {reason.name}") for reason in reasons]
    said = merge(conditions, (), generation=observed, now=NOW)
    return {
        "apiVersion": "doorward.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": "it", "namespace": "edge", "generation": GENERATION} | metadata,
        "spec": {"revoked": False},
        "status": {"observedGeneration": observed, "conditions": said},
    }


def of_client(ready: str, admitted: str = "Live") -> argocd.Health:
    return argocd.health(body("ClientCertificate", REASONS[ready], REASONS[admitted]))


def of_issuer(*others: str, ready: str = "Signing") -> argocd.Health:
    return argocd.health(body("MTLSIssuer", REASONS[ready], *(REASONS[name] for name in others)))


# ClientCertificates


@pytest.mark.parametrize("name", [name for name, reason in OF_CLIENT["Ready"].items() if reason.status != "True"])
def test_a_client_that_is_not_ready_is(name: str):
    wanted = "Progressing" if name in NOT_READY_YET else "Degraded"
    assert of_client(name) == (wanted, f"because of {name}")


def test_what_is_no_fault_is_a_reason_that_exists():
    assert {name for name, reason in OF_CLIENT["Ready"].items() if reason.status == "False"} >= NOT_READY_YET
    assert {name for table in OF_ISSUER.values() for name in table} >= NO_FAULT | PASSES
    assert not [name for name in NO_FAULT | PASSES if REASONS[name].status == "True"]


@pytest.mark.parametrize("name", ADMITTED)
def test_a_client_that_has_its_certificate_is(name: str):
    assert of_client("Issued", name) == (ADMITTED[name], f"because of {name}")


@pytest.mark.parametrize("name", client.ADMITTED)
@pytest.mark.parametrize(("ready", "out"), [("CutOff", "Healthy"), ("Suspended", "Suspended")])
def test_a_client_that_git_cuts_off_is_fine_as_soon_as_it_is_refused(ready: str, out: str, name: str):
    refused = client.ADMITTED[name].status == "False"
    assert of_client(ready, name).status == (out if refused else "Progressing")


# MTLSIssuers


@pytest.mark.parametrize("name", [name for name, reason in OF_ISSUER["Ready"].items() if reason.status != "True"])
def test_an_issuer_that_is_not_ready_is(name: str):
    wanted = "Progressing" if name in PASSES else "Degraded"
    assert of_issuer(ready=name) == (wanted, f"because of {name}")


@pytest.mark.parametrize(
    "name", [name for condition, table in OF_ISSUER.items() if condition != "Ready" for name in table]
)
def test_an_issuer_that_signs_is(name: str):
    reason = REASONS[name]
    good = reason.status == "True" or name in NO_FAULT
    said = of_issuer(name)
    assert said.status == ("Progressing" if name in PASSES else "Healthy" if good else "Degraded")
    assert said.message == ("because of Signing" if good else f"{reason.condition}: because of {name}")


def test_what_needs_a_person_is_said_before_what_passes():
    for others in (("NotPublished", "SomeNotCurrent"), ("SomeNotCurrent", "NotPublished")):
        assert of_issuer("ClientsMoving", *others) == ("Degraded", "GatesCurrent: because of SomeNotCurrent")


def test_an_issuer_of_which_the_operator_cannot_read_all_is_degraded_whatever_else_is_said():
    found = body("MTLSIssuer", REASONS["Signing"], REASONS["SourceNotSynced"], observed=GENERATION - 1)
    assert argocd.health(found) == ("Degraded", "Synced: because of SourceNotSynced")


# What the operator has not seen yet

READY = {"ClientCertificate": ("Issued", "Live"), "MTLSIssuer": ("Signing",)}


@pytest.mark.parametrize("kind", READY)
@pytest.mark.parametrize(
    "status",
    [None, {}, {"observedGeneration": -1}, {"observedGeneration": GENERATION, "conditions": []}],
    ids=["no status", "an empty one", "the default", "no conditions"],
)
def test_what_the_operator_has_not_seen_yet_is_not_healthy(kind: str, status: Any):
    assert argocd.health(body(kind) | {"status": status}).status == "Progressing"


@pytest.mark.parametrize("kind", READY)
def test_a_change_that_the_operator_has_not_seen_yet_is_not_healthy(kind: str):
    reasons = [REASONS[name] for name in READY[kind]]
    assert argocd.health(body(kind, *reasons)).status == "Healthy"
    assert argocd.health(body(kind, *reasons, observed=GENERATION - 1)).status == "Progressing"


@pytest.mark.parametrize("kind", READY)
def test_what_is_being_deleted_is_not_healthy(kind: str):
    reasons = [REASONS[name] for name in READY[kind]]
    said = argocd.health(body(kind, *reasons, deletionTimestamp="2026-09-01T12:00:00Z"))
    assert said.status == "Progressing"
    assert said.message


# What Argo CD gives to a script, and what it does not compare


@pytest.mark.parametrize(
    "code", ["os.time()", "string.len('')", "('a'):len()", "math.max(1)", "io.write('')", "require('os')"]
)
def test_the_sandbox_has_no_more_than_argo_cd_gives(code: str):
    with pytest.raises(LuaError, match=r"a (nil|string) value"):
        argocd.sandbox().execute(f"return {code}")


def test_what_the_operator_writes_is_not_compared():
    ignored = {
        name.removeprefix("resource.customizations.ignoreDifferences."): yaml.safe_load(text)
        for name, text in argocd.SETTINGS.items()
        if not name.startswith(argocd.HEALTH)
    }
    assert ignored == {
        "networking.k8s.io_Ingress": {"managedFieldsManagers": [FIELD_MANAGER]},
        "doorward.io_ClientCertificate": {"jsonPointers": ["/metadata/finalizers", "/status"]},
        "doorward.io_MTLSIssuer": {"jsonPointers": ["/status"]},
    }
