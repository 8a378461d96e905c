"""The CRDs: what stands in deploy/crds/ is what the models say, and every field is described and bounded."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from doorward.api import crds

GOLDEN = Path(__file__).parents[3] / "deploy" / "crds"
CRDS = {crd["spec"]["names"]["kind"]: crd for crd in map(yaml.safe_load, crds.files().values())}
BOUND = {"string": {"maxLength", "enum"}, "array": {"maxItems"}, "map": {"maxProperties"}}


def version(kind: str) -> dict[str, Any]:
    (only,) = CRDS[kind]["spec"]["versions"]
    return only


def nodes(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema below, by path; a step into an array or a map is written []."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for inner in ("items", "additionalProperties"):
        if isinstance(schema.get(inner), dict):
            yield from nodes(schema[inner], f"{path}[]")


ALL = [
    (path, schema)
    for kind in CRDS
    for part, top in version(kind)["schema"]["openAPIV3Schema"]["properties"].items()
    if part in ("spec", "status")
    for path, schema in nodes(top, f"{kind}.{part}")
]


def test_deploy_crds_holds_exactly_what_the_models_say():
    assert {path.name: path.read_text() for path in GOLDEN.iterdir()} == crds.files()


def test_there_is_a_crd_for_each_of_the_three_kinds():
    assert set(CRDS) == {"MTLSIssuer", "ClientCertificate", "IssuedCertificate"}


def test_every_field_has_a_description():
    assert [path for path, schema in ALL if not path.endswith("[]") and not schema.get("description")] == []


def test_every_string_list_and_map_has_a_bound():
    def shape(schema: dict[str, Any]) -> str:
        return "map" if "additionalProperties" in schema else schema["type"]

    assert [path for path, schema in ALL if not BOUND.get(shape(schema), {"type"}) & schema.keys()] == []


def test_no_field_is_free_of_a_schema():
    loose = {"x-kubernetes-preserve-unknown-fields", "$ref", "anyOf", "oneOf", "title"}
    assert [path for path, schema in ALL if loose & schema.keys() or "type" not in schema] == []


def test_every_text_of_a_spec_that_has_a_format_has_a_rule_that_reads_it():
    """Without one the API server takes a list for it (measured)."""
    formatted = {path: schema for path, schema in ALL if "format" in schema and ".spec" in path}
    assert formatted
    assert [path for path, schema in formatted.items() if "x-kubernetes-validations" not in schema] == []


def test_every_rule_says_what_to_write_instead():
    rules = [(path, rule) for path, schema in ALL for rule in schema.get("x-kubernetes-validations", ())]
    assert rules
    assert [path for path, rule in rules if len(rule.get("message", "")) < 20] == []


def test_the_message_of_a_rule_names_each_field_that_the_rule_reads():
    shown = {"metadata", "spec", "revocation"}  # the API server prints the path of what the rule stands on
    silent = [
        (path, name)
        for path, schema in ALL
        for rule in schema.get("x-kubernetes-validations", ())
        for read in re.findall(r"\bself((?:\.\w+)+)\b(?!\()", rule["rule"])
        for name in set(read.strip(".").split(".")) - shown
        if not re.search(rf"\b{name}\b", rule["message"])
    ]
    assert silent == []


def test_a_default_is_static_and_fits_its_own_schema():
    wrong = [
        path
        for path, schema in ALL
        if "default" in schema and "enum" in schema and schema["default"] not in schema["enum"]
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        pytest.param(
            "ClientCertificate",
            [
                "Issuer",
                "Who",
                "Ready",
                "Admitted",
                "Why",
                "Expires",
                "Secret",
                "Serial",
                "Revoked",
                "Generation",
                "Age",
            ],
            id="a client: who, can they get in, and why",
        ),
        pytest.param(
            "IssuedCertificate",
            ["Client", "Namespace", "Revoked", "Reason", "Lifted", "Expires", "Issuer", "Subject", "Age"],
            id="a serial: whose, until when, and why it is refused",
        ),
        pytest.param(
            "MTLSIssuer",
            [
                "Ready",
                "Gates",
                "Enforced",
                "Verified",
                "CA",
                "Generation",
                "CA-Expires",
                "Next-Update",
                "Live",
                "Revoked",
                "Age",
            ],
            id="an issuer: does it sign, and until when is its CRL good",
        ),
    ],
)
def test_kubectl_get_prints_of(kind, columns):
    assert [column["name"] for column in version(kind)["additionalPrinterColumns"]] == columns


def test_who_gets_in_and_why_is_printed_without_a_wide_screen():
    wide = {kind: {c["name"] for c in version(kind)["additionalPrinterColumns"] if "priority" in c} for kind in CRDS}
    assert wide == {
        "ClientCertificate": {"Secret", "Serial", "Revoked", "Generation"},
        "IssuedCertificate": {"Issuer", "Subject"},
        "MTLSIssuer": set(),
    }


@pytest.mark.parametrize("kind", ["ClientCertificate", "IssuedCertificate"])
def test_a_field_that_can_be_selected_is_a_text_of_the_schema(kind):
    texts = {path for path, schema in ALL if schema["type"] == "string"}
    selectable = [kind + field["jsonPath"] for field in version(kind)["selectableFields"]]
    assert 0 < len(selectable) <= 8  # the API server takes no more
    assert [path for path in selectable if path not in texts] == []


@pytest.mark.parametrize("kind", CRDS)
def test_only_the_age_is_printed_as_a_date(kind):
    # A column of type date prints <invalid> for what lies ahead, such as an expiry.
    dates = [column["name"] for column in version(kind)["additionalPrinterColumns"] if column["type"] == "date"]
    assert dates == ["Age"]


@pytest.mark.parametrize("kind", CRDS)
def test_every_column_points_at_a_field_that_is_there(kind):
    known = {path for path, _ in ALL} | {f"{kind}.metadata.creationTimestamp"}
    columns = version(kind)["additionalPrinterColumns"]
    paths = {kind + column["jsonPath"].split("[?", 1)[0] for column in columns}
    assert paths - known == set()


@pytest.mark.parametrize(
    ("kind", "short", "plural", "longest_name"),
    [
        pytest.param("ClientCertificate", ["ccert"], "clientcertificates", 248, id="ClientCertificate"),
        pytest.param("IssuedCertificate", ["issued"], "issuedcertificates", 253, id="IssuedCertificate"),
        pytest.param("MTLSIssuer", ["mtls"], "mtlsissuers", 63, id="MTLSIssuer"),
    ],
)
def test_a_kind_is_named_in_kubectl_as(kind, short, plural, longest_name):
    spec = CRDS[kind]["spec"]
    assert (spec["names"]["shortNames"], spec["names"]["plural"], spec["scope"]) == (short, plural, "Namespaced")
    assert spec["names"]["categories"] == ["doorward"]
    rules = version(kind)["schema"]["openAPIV3Schema"]["x-kubernetes-validations"]
    assert f"size(self.metadata.name) <= {longest_name}" in [rule["rule"] for rule in rules]


@pytest.mark.parametrize(
    ("kind", "subresources"),
    [
        pytest.param("ClientCertificate", {"status": {}}, id="ClientCertificate"),
        pytest.param("MTLSIssuer", {"status": {}}, id="MTLSIssuer"),
        pytest.param("IssuedCertificate", {}, id="IssuedCertificate, which is a record and has no status"),
    ],
)
def test_the_status_is_a_subresource_of(kind, subresources):
    assert version(kind).get("subresources", {}) == subresources


@pytest.mark.parametrize("kind", ["ClientCertificate", "MTLSIssuer"])
def test_conditions_are_a_map_by_type(kind):
    status = version(kind)["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]
    assert status["conditions"]["x-kubernetes-list-type"] == "map"
    assert status["conditions"]["x-kubernetes-list-map-keys"] == ["type"]
    assert "observedGeneration" in status
