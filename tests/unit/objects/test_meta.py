"""Names, labels and marks."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from doorward.api.conditions import instant
from doorward.objects import meta
from doorward.objects.meta import ObjectKey

LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)


def carrying(labels: dict[str, str] | None) -> dict[str, object]:
    return {"metadata": {"name": "x", "labels": labels}}


def test_what_carries_our_labels_is_ours() -> None:
    assert meta.is_ours(carrying(meta.labels("client")), "client")


@pytest.mark.parametrize(
    "labels",
    [
        None,
        {},
        {meta.MANAGED_BY: "doorward"},
        {meta.ROLE: "client"},
        {meta.MANAGED_BY: "Helm", meta.ROLE: "client"},
        meta.labels("gate"),
    ],
    ids=["no labels", "none of ours", "no role", "no owner", "another owner", "another role"],
)
def test_what_does_not_is_not(labels: dict[str, str] | None) -> None:
    assert not meta.is_ours(carrying(labels), "client")


def test_an_object_without_labels_is_not_ours() -> None:
    assert not meta.is_ours({"metadata": {"name": "x"}}, "client")


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (meta.crl_configmap_name("partners"), "partners-crl"),
        (meta.ca_secret_name("partners", 2), "partners-ca-2"),
        (meta.gate_secret_name(ObjectKey("issuers", "partners")), "doorward.issuers.partners"),
        (meta.client_secret_name("alice", None), "alice-mtls"),
        (meta.client_secret_name("alice", "chosen"), "chosen"),
    ],
    ids=["CRL ConfigMap", "CA Secret", "gate Secret", "client Secret", "client Secret by name"],
)
def test_names_are_those_of_the_design(made: str, name: str) -> None:
    assert made == name


def test_the_longest_names_fit() -> None:
    assert len(meta.gate_secret_name(ObjectKey("n" * 63, "i" * 63))) <= 253
    assert len(meta.client_secret_name("c" * 248, None)) == 253


@given(one=st.tuples(LABEL, LABEL), other=st.tuples(LABEL, LABEL))
def test_two_issuers_never_share_the_name_of_a_gates_secret(one: tuple[str, str], other: tuple[str, str]) -> None:
    assume(one != other)
    assert meta.gate_secret_name(ObjectKey(*one)) != meta.gate_secret_name(ObjectKey(*other))


def test_a_key_is_namespace_and_name() -> None:
    key = meta.key_of({"metadata": {"namespace": "edge", "name": "alice"}})
    assert (key, str(key)) == (ObjectKey("edge", "alice"), "edge/alice")


@given(moment=st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)))
def test_an_instant_is_read_back_to_the_second(moment: datetime) -> None:
    assert meta.parse_instant(instant(moment)) == moment.replace(microsecond=0)


@pytest.mark.parametrize(
    "text",
    ["2026-09-01T12:00:00Z", "2026-09-01T14:00:00+02:00", "2026-09-01T12:00:00.123456Z", "2026-09-01T12:00:00.9+00:00"],
)
def test_instants_are_utc_and_whole_seconds(text: str) -> None:
    parsed = meta.parse_instant(text)
    assert (parsed, parsed.tzinfo) == (datetime(2026, 9, 1, 12, tzinfo=UTC), UTC)


BEYOND = ["9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+01:00"]
"""Instants that are none in UTC: the calendar ends."""


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-09-01", "2026-09-01T12:00:00", "2026-13-01T12:00:00Z", *BEYOND]
)
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"instant|isoformat|month"):
        meta.parse_instant(text)


def test_an_instant_in_another_zone_is_written_as_read() -> None:
    east = datetime(2026, 9, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    assert instant(meta.parse_instant(east.isoformat())) == "2026-09-01T12:00:00Z"


def test_an_owner_is_named_so_that_garbage_collection_follows_and_deletion_waits_for_nobody() -> None:
    body = {"metadata": {"namespace": "edge", "name": "alice", "uid": "1-2-3"}}
    assert meta.owner_reference(body, "ClientCertificate") == {
        "apiVersion": "doorward.io/v1alpha1",
        "kind": "ClientCertificate",
        "name": "alice",
        "uid": "1-2-3",
        "controller": True,
        "blockOwnerDeletion": False,
    }
