"""`doorward doctor`: silent where all is well, and one line for each thing that is not, with what to do."""

import json
from copy import deepcopy
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
import yaml

from doorward.api.reason import Mender
from doorward.api.reasons import REASONS
from doorward.cli.doctor import BINDING, POLICIES, POLICY, doctor
from doorward.cluster.errors import NoSuchKind
from doorward.cluster.gateway import CLIENT_CERTIFICATE, INGRESS, ISSUER, LEASE
from doorward.planning import hazards
from doorward.planning.hazards import Severity
from tests.support.operator_bed import ISSUER_AT, LEASE_AT
from tests.unit.given import DAY, HOUR, NOW

MANIFESTS = Path(__file__).parents[3] / "deploy" / "manifests"


@cache
def installed() -> tuple[dict, ...]:
    """Parsed once: it takes longer than most of these tests."""
    return tuple(body for path in MANIFESTS.glob("*.yaml") for body in yaml.safe_load_all(path.read_text()) if body)


def manifests(kind: str) -> dict[str, dict]:
    return {body["metadata"]["name"]: deepcopy(body) for body in installed() if body["kind"] == kind}


def test_the_policies_are_those_that_are_installed_and_deny():
    bindings = manifests(BINDING.name).values()
    denying = {each["spec"]["policyName"] for each in bindings if "Deny" in each["spec"]["validationActions"]}
    assert set(POLICIES) == denying


class Told:
    """What `doctor` says of a cluster in which the policies are as `installed` says."""

    def __init__(self, person, capsys) -> None:
        self.person = person
        self._capsys = capsys
        self.policies = {POLICY: [*manifests(POLICY.name).values()], BINDING: [*manifests(BINDING.name).values()]}
        self.status = 0

    def __call__(self) -> list[dict]:
        return json.loads(self.printed("json"))

    def printed(self, output: str | None) -> str:
        async def ask(reader) -> int:
            reader.is_default = True
            listed = reader.gateway.list

            async def list_(kind, namespace, **options):
                if kind in self.policies:
                    found = self.policies[kind]
                    if found is None:
                        raise NoSuchKind("404 page not found", status=404)
                    return found, "1"
                return await listed(kind, namespace, **options)

            reader.gateway.list = list_
            return await doctor(reader, LEASE_AT, output)

        self.status = self.person.asks(ask)
        out, self.err = self._capsys.readouterr()
        return out

    def reasons(self) -> set[tuple[str, str]]:
        return {(each["reason"], each["object"]) for each in self()}


@pytest.fixture
def told(person, capsys):
    return Told(person, capsys)


ISSUER_NAME = "MTLSIssuer edge/partners"
UNPROBED = {("NotVerified", ISSUER_NAME), ("SeparationNotVerified", ISSUER_NAME)}
"""Nothing probes in these tests."""


def test_nothing_is_said_of_what_is_well(told):
    assert told.reasons() == UNPROBED
    assert told.status == 0


@pytest.mark.parametrize("spec", [{"suspended": True}, {"revoked": True}])
def test_what_people_wanted_is_no_hazard(bed, told, spec):
    bed.apply("alice", **spec)
    bed.settle()
    assert told.reasons() == UNPROBED


def test_an_operator_that_does_not_work_is_a_problem(bed, told):
    bed.kill()
    bed.clock.advance(minutes=1)
    assert ("NotWorking", "Lease edge/doorward") in told.reasons()
    assert told.status == 1


def test_without_a_lease_it_is_not_known_whether_an_operator_works(bed, told):
    bed.kill()
    bed.cluster.delete(LEASE, LEASE_AT, "kubectl")
    assert told.reasons() == UNPROBED | {("NotSeen", "Lease edge/doorward")}
    assert told.status == 0


def test_a_crl_that_nobody_renews_is_told_in_time(bed, told):
    bed.kill()
    seen = []
    for _ in range(9):
        bed.clock.advance(days=1)
        seen.append({each["reason"]: each["severity"] for each in told() if each["reason"].startswith("CRL")})
    assert seen[0] == {}
    assert seen[1] == {"CRLOld": "warning"}
    assert seen[4] == {"CRLExpires": "warning"}
    assert seen[6] in ({"CRLExpires": "problem"}, {"CRLExpired": "problem"})
    assert seen[8] == {"CRLExpired": "problem"}


@pytest.mark.parametrize("name", POLICIES)
def test_an_admission_policy_that_is_missing_or_does_not_deny_is_a_problem(told, name):
    whole = dict(told.policies)
    told.policies[POLICY] = [each for each in whole[POLICY] if each["metadata"]["name"] != name]
    assert ("PolicyMissing", f"ValidatingAdmissionPolicy {name}") in told.reasons()
    told.policies = whole | {
        BINDING: [
            each
            | {"spec": each["spec"] | ({"validationActions": ["Audit"]} if each["spec"]["policyName"] == name else {})}
            for each in whole[BINDING]
        ]
    }
    assert told.reasons() == UNPROBED | {("PolicyMissing", f"ValidatingAdmissionPolicy {name}")}
    assert told.status == 1


def test_a_cluster_without_such_policies_has_none_of_them(told):
    told.policies = {POLICY: None, BINDING: None}
    assert {reason for reason, _ in told.reasons()} == {"PolicyMissing", "NotVerified", "SeparationNotVerified"}


def test_an_ingress_without_protection_is_told_with_what_to_do(bed, told):
    bed.edit(INGRESS, "shop", {"metadata": {"annotations": {"doorward.io/issuer": "nobody"}}})
    bed.settle()
    (found,) = [each for each in told() if each["object"] == "Ingress edge/shop"]
    assert (found["reason"], found["severity"]) == ("NoSuchIssuer", "problem")
    assert "there is no MTLSIssuer edge/nobody" in found["what"]
    assert found["by"] == Mender.OWNER.value


def test_an_ingress_that_the_operator_has_not_looked_at_is_told(bed, told):
    bed.kill()
    bed.ingress("new")
    assert ("NotTold", "Ingress edge/new") in told.reasons()


def test_an_ingress_beside_a_protected_one_is_told(bed, told):
    body = {"metadata": {"name": "public"}, "spec": bed.find(INGRESS, "shop")["spec"]}
    bed.cluster.create(INGRESS, "edge", body, "kubectl")
    bed.settle()
    assert ("NotOptedIn", "Ingress edge/public") in told.reasons()


def test_a_client_that_cannot_be_issued_is_told(bed, told):
    bed.cluster.create(
        CLIENT_CERTIFICATE,
        "edge",
        {"metadata": {"name": "carol"}, "spec": {"issuerRef": {"name": "nobody"}, "commonName": "carol"}},
        "kubectl",
    )
    bed.settle()
    found = [each for each in told() if each["object"] == "ClientCertificate edge/carol"]
    assert found
    assert all(each["what"] for each in found)


@pytest.mark.parametrize("kind", ["Lease", "MTLSIssuer", "ClientCertificate", "Ingress"])
def test_what_may_not_be_read_is_noted_and_the_rest_is_looked_at(told, kind):
    told.person.missing = lambda _verb, missing, _namespace: missing == kind
    found = told.reasons()
    assert found == (set() if kind == "MTLSIssuer" else UNPROBED)
    assert told.err.startswith("note: ")


def test_whatever_a_status_says_it_is_one_line_each(bed, told):
    bed.kill()
    hostile = "\x1b[2J\u202e\nfake: line"
    conditions = [{"type": hostile, "status": hostile, "reason": hostile, "message": hostile}, 3, {}]
    status = {
        "conditions": conditions,
        "crl": {"thisUpdate": 1, "nextUpdate": hostile},
        "generations": [3, {}],
        "ca": hostile,
    }
    bed.cluster.merge_patch(ISSUER, ISSUER_AT, {"status": None}, "eve", "")
    bed.cluster.merge_patch(ISSUER, ISSUER_AT, {"status": status}, "eve", "status")
    annotations = {"doorward.io/gate": hostile}
    bed.edit(INGRESS, "shop", {"metadata": {"annotations": annotations}})
    assert told()
    out = told.printed(None)
    assert all(char.isprintable() or char == "\n" for char in out)
    assert not any(line.startswith("fake") for line in out.splitlines())


@pytest.mark.parametrize("name", sorted(REASONS))
def test_every_reason_that_somebody_must_act_on_is_a_hazard(name):
    reason = REASONS[name]
    found = hazards.of_condition("x", {"status": reason.status, "reason": name, "message": "m"})
    assert (found is None) is (reason.status == "True" or reason.mender is Mender.NOBODY)
    if found is not None:
        assert found.by == reason.mender.value
        assert (found.severity is Severity.WAIT) is (reason.mender is Mender.ITSELF)


@pytest.mark.parametrize(
    ("left", "found"),
    [(31 * DAY, set()), (30 * DAY, {"expires soon"}), (timedelta(0), {"has expired"}), (-DAY, {"has expired"})],
)
def test_a_ca_without_a_successor_is_told_in_time(left, found):
    said = list(hazards.of_generations("x", [NOW - 99 * DAY, NOW + left], NOW))
    assert [all(word in each.what for word in found) for each in said] == [True] * len(found)


def test_a_crl_near_its_limit_is_told():
    filled = {
        part: [each.reason for each in hazards.of_crl("x", NOW, NOW + 7 * DAY, part, NOW + HOUR)]
        for part in (0.7, 0.71)
    }
    assert filled == {0.7: [], 0.71: ["CRLNearCapacity"]}


def test_the_worst_comes_first():
    made = [
        hazards.Hazard(severity=s, of=of, reason="r", what="w", by="b")
        for of in "ab"
        for s in (Severity.WAIT, *Severity)
    ]
    assert [each.severity for each in hazards.in_order(made)] == sorted(
        (e.severity for e in made), key=list(Severity).index
    )
