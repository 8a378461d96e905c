"""Every field of every kind, with values that nobody should write: refused with a message, or told on the object; all else goes on."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.home import Home, client, issuer
from tests.support.installation import OperatorProcess
from tests.support.kube import CERTIFICATES, ISSUERS, RECORDS, Answer, Kind, Object, eventually
from tests.support.openssl import OpenSsl

from .policies_support import record

INSTANTS = (
    "2026-02-30T00:00:00Z",
    "2026-01-01T24:00:00Z",
    "2026-12-31T23:59:60Z",
    "1000-01-01T00:00:00+19:59",
    "2999-12-31T23:59:59.999999999-19:59",
    "2026-01-01T00:00:00.123456789Z",
    ["2026-01-01T00:00:00Z"],
    [""],
    [None],
    [],
    {},
    7,
)
"""Times that a person may write, and what only looks like one."""


CRDS = Path(__file__).parents[2] / "deploy/crds"
VALUES: dict[str, Any] = {
    "null": None,
    "empty text": "",
    "an empty list": [],
    "an empty map": {},
    "a list of null": [None],
    "a list of empty text": [""],
    "a map of null": {"name": None},
    "a huge text": "x" * 70_000,
    "a huge list": ["x"] * 3_000,
    "a number": 7,
    "a negative number": -1,
    "a number of 64 bits": 2**63 - 1,
    "a fraction": 0.5,
    "true": True,
    "control characters": "a\x00b\n\x1b[2Jc",
    "a line of another language that runs from the right": "\u202eecila",
    "a name from which another letter looks at you": "p\u0430rtners",
    "a path upwards": "../../kube-system/x",
    "a template": "{{ .Values.x }}$(id)`id`",
}
"""What is put into each field."""
Path_ = tuple[str | int, ...]


def fields(schema: Object, at: Path_ = ()) -> Iterator[Path_]:
    """The path to every field below, items of lists and values of maps too."""
    for name, child in schema.get("properties", {}).items():
        yield (*at, name)
        yield from fields(child, (*at, name))
    for inner, key in (("items", 0), ("additionalProperties", "key")):
        if isinstance(child := schema.get(inner), dict):
            yield (*at, key)
            yield from fields(child, (*at, key))


def put(spec: Any, path: Path_, value: Any) -> Any:
    """The spec with that value at the path, and what lies on the way to it."""
    if not path:
        return value
    first, *rest = path
    if first == 0:
        return [put(spec[0] if isinstance(spec, list) and spec else {}, tuple(rest), value)]
    found = spec if isinstance(spec, dict) else {}
    return found | {first: put(found.get(first, {}), tuple(rest), value)}


def variants(plural: str, base: Object) -> Iterator[tuple[str, Object]]:
    """The object with each value in each field of its spec, and in the spec's own place."""
    crd = yaml.safe_load((CRDS / f"{plural}.yaml").read_text())
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    for path in [(), *fields(schema)]:
        for name, value in VALUES.items():
            body = copy.deepcopy(base)
            body["spec"] = put(body["spec"], path, value)
            yield f"spec.{'.'.join(map(str, path))}: {name}", body


@pytest.fixture
def others(home: Home) -> Home:
    """An issuer with two clients, to whom nothing may happen."""
    home.partners("alice", "bob")
    return home


def created(home: Home, kind: Kind, base: Object) -> dict[str, Answer]:
    """What the API server says to each; of what it takes, each has a name of its own."""
    answers = {}
    for number, (what, body) in enumerate(variants(kind.plural, base)):
        named = home.here(body | {"metadata": body["metadata"] | {"name": f"x{number}"}})
        answers[what] = home.admin.create(kind, named)
    return answers


def check_refusals(answers: dict[str, Answer]) -> None:
    """Each is refused as what it is, an object that is not valid, and with words."""
    wrong = {
        what: (answer.status, answer.message[:300])
        for what, answer in answers.items()
        if not answer.ok and (answer.status not in (400, 422) or not answer.message)
    }
    assert not wrong


def check_told(home: Home, kind: Kind, answers: dict[str, Answer]) -> None:
    """Each that was taken says of its present generation whether it is ready, and why."""
    untold: dict[str, Any] = {a.body["metadata"]["name"]: what for what, a in answers.items() if a.ok}
    assert untold

    def all_told() -> bool:
        for body in home.admin.ask("GET", kind.path(home.namespace)).body["items"]:
            conditions = {c["type"]: c for c in body.get("status", {}).get("conditions", ())}
            ready = conditions.get("Ready", {})
            if ready.get("observedGeneration") == body["metadata"]["generation"] and ready.get("message"):
                untold.pop(body["metadata"]["name"], None)
        return not untold

    try:
        eventually(all_told, "each says whether it is ready", seconds=180, pause=1)
    except AssertionError:
        raise AssertionError(f"not a word on {len(untold)}: {dict(list(untold.items())[:10])}") from None


def check_others(home: Home, operator: OperatorProcess, before: tuple[int, int], openssl: OpenSsl) -> None:
    """Bob is served, carol comes in, and alice is cut off; by the same process, which met nothing that it did not know.

    `before`: its PID and the length of its log before the attack.
    """
    serial = home.serial("alice")
    home.respec(CERTIFICATES, "alice", revoked=True)
    home.says(CERTIFICATES, "alice", "Admitted", "Revoked")
    assert serial in openssl.crl_entries(home.crl().read_bytes())
    home.make(CERTIFICATES, client("carol"))
    home.issued("carol")
    assert home.condition(CERTIFICATES, "bob", "Admitted")["reason"] == "Live"
    pid, logged = before
    assert (operator.pid, "Traceback" in operator.log[logged:]) == (pid, False)


BASES = {
    "ClientCertificate": (CERTIFICATES, client("x")),
    "MTLSIssuer": (ISSUERS, issuer("x")),
}


@pytest.mark.parametrize(("kind", "base"), BASES.values(), ids=BASES)
def test_whatever_stands_in_a_field_is_refused_or_told_and_all_others_are_served(
    others: Home, running_operator: OperatorProcess, openssl: OpenSsl, kind: Kind, base: Object
):
    before = running_operator.pid, len(running_operator.log)
    answers = created(others, kind, base)
    print(f"\n{kind.plural}: {len(answers)} tried, {sum(a.ok for a in answers.values())} taken")
    check_refusals(answers)
    check_told(others, kind, answers)
    check_others(others, running_operator, before, openssl)


def test_whatever_stands_in_a_record_that_was_restored_keeps_nobody_from_being_cut_off(
    others: Home, running_operator: OperatorProcess, openssl: OpenSsl
):
    before = running_operator.pid, len(running_operator.log)
    base = record(others.namespace)
    base["spec"]["revocation"] = {"reason": "keyCompromise"}
    answers = created(others, RECORDS, base)
    print(f"\nissuedcertificates: {len(answers)} tried, {sum(a.ok for a in answers.values())} taken")
    check_refusals(answers)
    check_others(others, running_operator, before, openssl)


def test_a_revocation_with_whatever_time_is_refused_with_words_or_revokes(others: Home, openssl: OpenSsl):
    times = [{field: value} for field in ("time", "finalAt") for value in INSTANTS]
    wrong, taken = {}, []
    for number in range(len(times)):
        others.make(CERTIFICATES, client(f"t{number}"))
    for number, time in enumerate(times):
        serial = others.issued(f"t{number}")["status"]["serialNumber"]
        (held,) = others.records(f"t{number}")
        answer = others.admin.patch(RECORDS, held, {"spec": {"revocation": {"reason": "keyCompromise", **time}}})
        if answer.ok:
            taken.append((serial, time))
        elif answer.status != 422 or not answer.message:
            wrong[str(time)] = (answer.status, answer.message)
    assert (wrong, len(taken) > 4) == ({}, True)
    print(f"\n{len(times)} times tried, {len(taken)} taken")

    def missing() -> list[object]:
        listed = openssl.crl_entries(others.crl().read_bytes())
        return [time for serial, time in taken if serial not in listed]

    try:
        eventually(lambda: not missing(), "all of them are on the CRL")
    except AssertionError:
        raise AssertionError(f"taken by the API server, and not revoked: {missing()}") from None


TEMPLATES: dict[str, Object] = {
    "a label's name with a space": {"labels": {"not a name": "x"}},
    "a label without a name": {"labels": {"": "x"}},
    "a label's value with a dash in front": {"labels": {"example.com/x": "-x"}},
    "a label's name of 300 letters": {"labels": {"x" * 300: "x"}},
    "an annotation's name with a slash too many": {"annotations": {"a/b/c": "x"}},
    "an annotation's name in another alphabet": {"annotations": {"d\u043eorward.io/issuer": "x"}},
}


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_marks_that_no_secret_can_have_are_told_cost_one_serial_and_heal(others: Home, template: Object):
    others.make(CERTIFICATES, client("carol", secretTemplate=template))

    def told() -> str:
        ready = others.condition(CERTIFICATES, "carol", "Ready")
        return str(ready["message"]) if ready.get("status") == "False" and ready["reason"] != "Pending" else ""

    assert eventually(told, "carol is told")
    assert len(others.records("carol")) <= 1
    others.respec(CERTIFICATES, "carol", secretTemplate=None)
    others.issued("carol")
    others.says(CERTIFICATES, "bob", "Admitted", "Live")
