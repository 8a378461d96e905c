"""The trust bundle in its ConfigMap and in the gates' Secrets: the same two values, and never a key."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.objects import crl_configmap
from doorward.objects.crl_configmap import MAX_BYTES, TrustBundle
from doorward.objects.meta import GENERATIONS_ANNOTATION, ISSUER_ANNOTATION, is_ours
from tests.unit.given import HOUR, ISSUER, NOW
from tests.unit.objects.given import NO_BASE64, with_data

BUNDLE = TrustBundle(anchors=b"anchors\n", crl=b"crl\n")
PEM_TEXT = st.text(st.characters(min_codepoint=10, max_codepoint=126), max_size=200).map(str.encode)


def configmap(bundle: TrustBundle = BUNDLE, version: str | None = None) -> dict[str, Any]:
    return crl_configmap.render_configmap(ISSUER, bundle, version=version)


def gate(bundle: TrustBundle = BUNDLE, version: str | None = None) -> dict[str, Any]:
    return crl_configmap.render_gate(ISSUER, "edge", bundle, since=NOW, version=version)


BOTH = pytest.mark.parametrize("render", [configmap, gate], ids=["ConfigMap", "gate Secret"])
Render = Callable[..., dict[str, Any]]


@given(anchors=PEM_TEXT, crl=PEM_TEXT)
def test_a_bundle_is_read_back_from_both(anchors: bytes, crl: bytes) -> None:
    bundle = TrustBundle(anchors=anchors, crl=crl)
    assert crl_configmap.parse_configmap(configmap(bundle)) == bundle
    assert crl_configmap.parse_gate(gate(bundle)) == bundle


@pytest.mark.promise(5)
@BOTH
def test_it_holds_ca_crt_and_ca_crl_and_nothing_else(render: Render) -> None:
    assert set(render()["data"]) == {"ca.crt", "ca.crl"}


@BOTH
def test_a_write_names_the_version_that_it_is_based_on(render: Render) -> None:
    assert render(version="42")["metadata"]["resourceVersion"] == "42"


@BOTH
def test_a_creation_names_no_version(render: Render) -> None:
    assert "resourceVersion" not in render()["metadata"]


@BOTH
def test_it_outlives_its_issuer_and_names_it(render: Render) -> None:
    metadata = render()["metadata"]
    assert "ownerReferences" not in metadata
    assert metadata["annotations"][ISSUER_ANNOTATION] == "issuers/partners"


def test_the_configmap_says_which_anchor_is_which_generation() -> None:
    bundle = TrustBundle(anchors=b"anchors\n", crl=b"crl\n", generations={2: "bb", 10: "aa"})
    assert crl_configmap.parse_configmap(configmap(bundle)) == bundle


@pytest.mark.parametrize(
    ("text", "since"),
    [
        pytest.param("2026-09-01T11:00:00Z", NOW - HOUR, id="as it says"),
        pytest.param("2036-09-01T11:00:00Z", NOW, id="not since a time that is yet to come"),
        pytest.param("junk", NOW, id="now, where it says nothing"),
        pytest.param("9999-12-31T23:59:59-01:00", NOW, id="now, where the calendar has no such instant"),
    ],
)
def test_a_gate_holds_its_anchors(text, since) -> None:
    body = gate()
    body["metadata"]["annotations"]["doorward.io/anchors-since"] = text
    assert crl_configmap.anchors_since(body, NOW) == since


@pytest.mark.parametrize(
    "text",
    [
        "",
        "junk",
        "[]",
        '{"x": 1}',
        '{"0": "aa"}',
        '{"1000001": "aa"}',
        "9" * 20_000,
        "[" * 20_000,
        '{"' + "9" * 10_000 + '": "aa"}',
        '{"1": ' + "9" * 10_000 + "}",
    ],
    ids=lambda text: text[:12] or "nothing",
)
def test_an_annotation_that_is_not_as_we_write_it_says_nothing(text: str) -> None:
    body = configmap()
    body["metadata"]["annotations"][GENERATIONS_ANNOTATION] = text
    assert crl_configmap.parse_configmap(body) == BUNDLE


@pytest.mark.parametrize(
    ("body", "kind", "namespace", "name", "role"),
    [
        (configmap(), "ConfigMap", "issuers", "partners-crl", "crl"),
        (gate(), "Secret", "edge", "doorward.issuers.partners", "gate"),
    ],
    ids=["ConfigMap", "gate Secret"],
)
def test_it_stands_where_the_design_says(body: dict[str, Any], kind: str, namespace: str, name: str, role: str) -> None:
    metadata = body["metadata"]
    assert (body["kind"], metadata["namespace"], metadata["name"]) == (kind, namespace, name)
    assert is_ours(body, role)


@pytest.mark.parametrize("data", [None, {}], ids=["null", "nothing"])
@pytest.mark.parametrize(
    "parse", [crl_configmap.parse_configmap, crl_configmap.parse_gate], ids=["ConfigMap", "gate Secret"]
)
def test_absent_keys_are_empty(parse: Callable[[dict[str, Any]], TrustBundle], data: dict[str, str] | None) -> None:
    assert parse({"data": data}) == TrustBundle(anchors=b"", crl=b"")


@pytest.mark.parametrize("value", NO_BASE64.values(), ids=NO_BASE64)
@pytest.mark.parametrize("name", ["ca_crt", "ca_crl"])
def test_what_is_no_base64_is_refused_in_a_gate(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="no base64"):
        crl_configmap.parse_gate(with_data(gate(), **{name: value}))


@pytest.mark.parametrize("name", ["tls.crt", "tls.key", "ca.key"])
def test_a_gate_with_another_key_is_not_what_was_written(name: str) -> None:
    body = gate()
    body["data"][name] = ""
    with pytest.raises(ValueError, match=name):
        crl_configmap.parse_gate(body)


def test_a_full_bundle_leaves_room_for_metadata_within_the_limit_of_the_api() -> None:
    assert 1024 * 1024 - MAX_BYTES >= 8 * 1024
