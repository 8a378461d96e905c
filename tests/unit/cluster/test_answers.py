"""Answers of the API server, which come compressed and are read later."""

import gzip
import json
from typing import Any

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from doorward.cluster.answers import Answered
from doorward.cluster.errors import Transient
from doorward.cluster.lists import whole

BODY: dict[str, Any] = {"items": [{"metadata": {"name": "a"}}] * 1000}
TEXT = json.dumps(BODY).encode()


def said(body: bytes, encoding: str) -> object:
    return Answered("GET /x", body, encoding).read(whole)


@pytest.mark.parametrize("level", [0, 1, 9])
def test_a_compressed_answer_says_what_it_would_say_as_it_is(level: int) -> None:
    assert said(gzip.compress(TEXT, level), "gzip") == BODY


@pytest.mark.parametrize("encoding", ["", "identity"])
def test_an_answer_may_come_as_it_is(encoding: str) -> None:
    assert said(TEXT, encoding) == BODY


@for_any(end=st.binary(min_size=4, max_size=4))
def test_a_wrong_length_at_the_end_takes_no_more_room_and_is_an_error(end: bytes) -> None:
    packed = gzip.compress(TEXT)
    if end == packed[-4:]:
        return
    with pytest.raises(Transient, match="GET /x"):
        said(packed[:-4] + end, "gzip")


@for_any(body=st.binary(max_size=64))
def test_what_is_no_gzip_is_an_error(body: bytes) -> None:
    with pytest.raises(Transient, match="GET /x"):
        said(body, "gzip")


def test_half_of_an_answer_is_an_error() -> None:
    packed = gzip.compress(TEXT)
    with pytest.raises(Transient):
        said(packed[: len(packed) // 2], "gzip")


@pytest.mark.parametrize(("body", "encoding"), [(TEXT, "br"), (TEXT, "gzip"), (b"{", ""), (b"\xff", "identity")])
def test_what_is_encoded_in_another_way_is_an_error(body: bytes, encoding: str) -> None:
    with pytest.raises(Transient):
        said(body, encoding)
