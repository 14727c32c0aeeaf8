"""Protocol buffers are read to the last byte, or refused where they break off or lie."""

from __future__ import annotations

from typing import Union

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsule.artifact import protobuf
from capsule.artifact.protobuf import ProtobufError, fields, messages, text

Field = tuple[int, Union[bytes, int]]

VARINT, EIGHT_BYTES, LENGTH, FOUR_BYTES = 0, 1, 2, 5


def varint(number: int) -> bytes:
    low = [number >> shift & 0x7F for shift in range(0, max(number.bit_length(), 1), 7)]
    return bytes([*(part | 0x80 for part in low[:-1]), low[-1]])


def field(number: int, value: bytes | int, kind: int = LENGTH) -> bytes:
    """Return one field as it is written: a whole number as a varint, bytes of a kind."""
    if isinstance(value, int):
        return varint(number << 3 | VARINT) + varint(value)
    size = varint(len(value)) if kind == LENGTH else b""
    return varint(number << 3 | kind) + size + value


def read(data: bytes) -> list[Field]:
    return list(fields(data))


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        (b"\x00", 0),
        (b"\x7f", 127),
        (b"\x80\x01", 128),
        (b"\xac\x02", 300),
        (b"\x80\x00", 0),  # longer than it need be
        (b"\xff" * 9 + b"\x01", 2**64 - 1),
        (b"\x80" * 9 + b"\x01", 2**63),
    ],
)
def test_a_number_is_read_up_to_ten_bytes_and_sixty_four_bits(raw: bytes, number: int) -> None:
    assert read(b"\x08" + raw) == [(1, number)]
    assert read(b"\x08" + raw + b"\x10\x05") == [(1, number), (2, 5)]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x80",
        b"\xff" * 9,
        b"\x80" * 10,
        b"\xff" * 9 + b"\x02",
        b"\xff" * 9 + b"\x7f",
        b"\xff" * 10 + b"\x00",
        b"\x80" * 10 + b"\x00",
        b"\x80" * 10_000 + b"\x01",
    ],
)
def test_a_number_that_ends_too_late_or_not_at_all_is_refused(raw: bytes) -> None:
    with pytest.raises(ProtobufError, match="a number"):
        read(b"\x08" + raw)
    with pytest.raises(ProtobufError, match="a number"):
        read(b"\x0a" + raw)
    if raw:
        with pytest.raises(ProtobufError, match="a number"):
            read(raw)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (field(1, 3) + field(2, b"ab"), [(1, 3), (2, b"ab")]),
        (field(1, b""), [(1, b"")]),
        (field(1, b"12345678", EIGHT_BYTES), [(1, b"12345678")]),
        (field(1, b"1234", FOUR_BYTES) + field(3, 1), [(1, b"1234"), (3, 1)]),
        (field(5000, 1), [(5000, 1)]),
        (field(1, b"x" * 300), [(1, b"x" * 300)]),
        (b"", []),
    ],
)
def test_every_kind_of_field_is_read(data: bytes, expected: list[Field]) -> None:
    assert read(data) == expected


@pytest.mark.parametrize(
    "data",
    [
        field(1, b"1234567", EIGHT_BYTES),
        field(1, b"123", FOUR_BYTES),
        field(1, b"abc")[:-1],
        b"\x0a\x01",
        b"\x0a" + varint(2**63) + b"x",
        b"\x0b",  # 3 and 4 are groups, which nobody writes any more
        b"\x0c",
        b"\x0e",
        b"\x0f",
    ],
)
def test_a_field_that_breaks_off_or_is_of_no_kind_is_refused(data: bytes) -> None:
    with pytest.raises(ProtobufError, match=r"bytes at byte|unknown kind"):
        read(data)


def test_there_is_a_limit_to_the_number_of_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protobuf, "FIELD_LIMIT", 3)
    assert len(read(field(1, 1) * 3)) == 3
    with pytest.raises(ProtobufError, match="more than 3 fields"):
        read(field(1, 1) * 4)


def test_what_stands_at_a_path_is_given_as_often_as_it_stands_there() -> None:
    inner = field(2, b"a") + field(3, b"no") + field(2, b"b")
    data = field(1, inner) + field(4, b"no") + field(1, field(2, b"c")) + field(1, 7)
    assert list(messages(data, 1, 2)) == [b"a", b"b", b"c"]
    assert list(messages(data)) == [data]
    assert list(messages(data, 9)) == []


def test_the_first_text_at_a_path_is_given_or_none() -> None:
    data = field(1, field(2, "grün".encode()) + field(2, b"second")) + field(3, b"\xff")
    assert text(data, 1, 2) == "grün"
    assert text(data, 3) == "\ufffd"
    assert text(data, 1, 9) is None


values = st.one_of(
    st.tuples(st.integers(0, 2**64 - 1), st.just(VARINT)),
    st.tuples(st.binary(max_size=20), st.just(LENGTH)),
    st.tuples(st.binary(min_size=8, max_size=8), st.just(EIGHT_BYTES)),
    st.tuples(st.binary(min_size=4, max_size=4), st.just(FOUR_BYTES)),
)


@given(st.lists(st.tuples(st.integers(1, 2**29 - 1), values), max_size=5), st.data())
@settings(deadline=None)
def test_whatever_is_written_is_read_again_and_what_is_cut_is_no_more_than_its_start(
    message: list[tuple[int, tuple[bytes | int, int]]], data: st.DataObject
) -> None:
    raw = b"".join(field(number, value, kind) for number, (value, kind) in message)
    expected = [(number, value) for number, (value, _) in message]
    assert read(raw) == expected
    cut = raw[: data.draw(st.integers(0, len(raw)))]
    try:
        start = read(cut)
    except ProtobufError:
        return
    assert start == expected[: len(start)]
    assert b"".join(field(n, v, k) for n, (v, k) in message[: len(start)]) == cut


@given(st.binary(max_size=60))
@settings(deadline=None)
def test_noise_is_read_or_refused(noise: bytes) -> None:
    try:
        for number, value in fields(noise):
            assert number >= 0
            assert isinstance(value, bytes) or value < 2**64
    except ProtobufError as error:
        assert "\n" not in str(error)
