"""DER is read as strictly as X.690 §10 has it: one way to write a thing, and nothing behind its end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.pki import der
from doorward.pki.der import NotDer


@given(tag=st.integers(0, 255).filter(lambda tag: tag & 0x1F != 0x1F), content=st.binary(max_size=70_000))
def test_what_is_encoded_is_read_back(tag: int, content: bytes) -> None:
    data = der.encode(tag, content)
    found = der.whole(data, tag)
    assert (data[found.start : found.stop], der.raw(data, found)) == (content, data)


@given(parts=st.lists(st.binary(max_size=300), max_size=5))
def test_children_come_in_their_order(parts: list[bytes]) -> None:
    data = der.encode(der.SEQUENCE, *(der.encode(der.OCTET_STRING, part) for part in parts))
    assert [data[c.start : c.stop] for c in der.children(data, der.whole(data, der.SEQUENCE))] == parts


@pytest.mark.parametrize(
    "data",
    ["", "30", "300100ff", "3002", "308000", "30810100", "3082000100", "30860000000000010000", "1f0100", "310100"],
    ids=[
        "nothing",
        "a tag alone",
        "bytes behind its end",
        "less than its length",
        "no definite length",
        "a long length for a short content",
        "a length with a leading zero",
        "a length of six octets",
        "a tag of several octets",
        "another tag",
    ],
)
def test_what_is_no_der_is_refused(data: str) -> None:
    with pytest.raises(NotDer):
        der.whole(bytes.fromhex(data), der.SEQUENCE)


def test_a_tag_of_several_octets_is_none() -> None:
    with pytest.raises(NotDer, match="a tag of several bytes"):
        der.element(bytes.fromhex("1f0100"), 0, 3)


@pytest.mark.parametrize("stop", [5, 100])
def test_an_element_ends_within_the_data(stop: int) -> None:
    with pytest.raises(NotDer, match="ends early"):
        der.element(bytes.fromhex("0403aabb"), 0, stop)


@pytest.mark.parametrize(
    "data",
    [b"\x04\x80", b"\x04\x82\x00\x80" + bytes(128), b"\x04\x85\x00\x00\x00\x00\x80" + bytes(128)],
    ids=["without a length", "a zero before it", "five octets"],
)
def test_a_length_has_one_form(data: bytes) -> None:
    with pytest.raises(NotDer, match="a length that is not the shortest"):
        der.element(data, 0, len(data))


def test_a_child_does_not_reach_beyond_its_parent() -> None:
    data = bytes.fromhex("3003020200ff")
    with pytest.raises(NotDer, match="ends early"):
        der.children(data, der.element(data, 0, len(data)))


@given(data=st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        found = der.whole(data, der.SEQUENCE)
        children = der.children(data, found)
    except NotDer:
        return
    assert data == der.encode(der.SEQUENCE, *(der.raw(data, child) for child in children))
