"""Every array that a model may take or give goes through a frame unchanged, or not at all."""

from __future__ import annotations

import io
import json
import struct
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from capsule.guest import wire
from capsule.guest.wire import WireError, read_frame, write_frame
from tests.unit.test_values import dtypes


def sent(header: Any, *outputs: Any) -> bytes:
    stream = io.BytesIO()
    write_frame(stream, header, outputs)
    return stream.getvalue()


def arrived(*outputs: Any) -> list[Any]:
    frame = read_frame(io.BytesIO(sent({}, *outputs)))
    assert frame is not None
    return list(frame[1])


class Dripping(io.BytesIO):
    """A pipe that gives few bytes at a time."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size or 0, 3))

    def readinto(self, buffer: Any) -> int:
        return super().readinto(memoryview(buffer)[:3])


def same(first: Any, second: Any) -> bool:
    facts = first.dtype == second.dtype and first.shape == second.shape
    return facts and first.tobytes() == second.tobytes()


@given(st.lists(arrays.arrays(dtypes, arrays.array_shapes(min_dims=0, min_side=0)), max_size=3))
@settings(deadline=None)
def test_arrays_arrive_bit_for_bit_in_their_order(outputs: list[Any]) -> None:
    assert all(map(same, arrived(*outputs), outputs))
    frame = read_frame(Dripping(sent([1, {"a": None}], *outputs)))
    assert frame is not None
    assert frame[0] == [1, {"a": None}]
    assert len(frame[1]) == len(outputs)
    assert all(map(same, frame[1], outputs))


@pytest.mark.parametrize(
    "array",
    [
        np.array(["a", "ü", "", "a\0b"], object),
        np.array([[b"\0\xff", b""]], object),
        np.array([], object),
        np.zeros((0, 2), object),
        np.array("text", object),
        np.arange(6).reshape(2, 3).T,
        np.arange(10)[::3],
        np.arange(3, dtype=">i4"),
    ],
    ids=lambda array: f"{array.dtype} {array.shape}",
)
def test_odd_arrays_arrive_as_they_were(array: Any) -> None:
    (again,) = arrived(array)
    assert (again.dtype, again.shape) == (array.dtype, array.shape)
    assert again.tolist() == array.tolist()
    assert [type(item) for item in again.ravel()] == [type(item) for item in array.ravel()]
    again[...] = array  # the receiver's own


@pytest.mark.parametrize(
    "array",
    [
        np.array([None]),
        np.array(["a", b"b"], object),
        np.array(["a", 1], object),
        np.array([[1], "x"], object),
        np.zeros(2, "datetime64[s]"),
        np.zeros(2, "timedelta64[s]"),
        np.zeros(2, [("x", "f4")]),
    ],
    ids=lambda array: str(array.dtype),
)
def test_other_arrays_are_not_sent(array: Any) -> None:
    with pytest.raises(WireError, match="can be sent"):
        sent({}, array)


def test_frames_follow_each_other_and_end() -> None:
    stream = io.BytesIO(sent({"n": 1}, np.arange(3)) + sent({"n": 2}))
    first, second = read_frame(stream), read_frame(stream)
    assert first is not None
    assert second is not None
    assert (first[0], first[1][0].tolist()) == ({"n": 1}, [0, 1, 2])
    assert second == ({"n": 2}, [])
    assert read_frame(stream) is None


def test_a_frame_that_is_cut_anywhere_is_an_error() -> None:
    whole = sent({"do": "call"}, np.arange(3), np.array(["ab"], object))
    for size in range(1, len(whole)):
        with pytest.raises(WireError):
            read_frame(io.BytesIO(whole[:size]))


SPEC = {"kind": "plain", "dtype": "<f4", "shape": [2], "nbytes": 8}
TEXT = {"kind": "text", "dtype": "|u1", "shape": [2], "nbytes": 3, "lengths": [1, 2]}


def forged(header: Any, raw: bytes = b"\0" * 64) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack(">4sQ", b"cps2", len(text)) + text + raw


def of_spec(spec: Any) -> bytes:
    return forged({"header": 1, "arrays": [spec]})


def test_what_is_forged_here_is_read_where_it_is_right() -> None:
    for spec in (SPEC, TEXT, {**SPEC, "shape": [2, 1]}, {**SPEC, "shape": [0, 7], "nbytes": 0}):
        assert read_frame(io.BytesIO(of_spec(spec))) is not None


@pytest.mark.parametrize(
    "spec",
    [
        {**SPEC, "nbytes": 7},
        {**SPEC, "nbytes": 9},
        {**SPEC, "nbytes": 80},
        {**SPEC, "nbytes": -8},
        {**SPEC, "nbytes": "8"},
        {**SPEC, "shape": [3]},
        {**SPEC, "shape": [-2]},
        {**SPEC, "shape": [-1, -2]},
        {**SPEC, "shape": [2.0]},
        {**SPEC, "shape": ["2"]},
        {**SPEC, "shape": 2},
        {**SPEC, "shape": None},
        {**SPEC, "dtype": "O"},
        {**SPEC, "dtype": "|O8"},
        {**SPEC, "dtype": "V4"},
        {**SPEC, "dtype": "M8[s]", "nbytes": 16},
        {**SPEC, "dtype": "f4,f4", "nbytes": 16},
        {**SPEC, "dtype": "no such"},
        {**SPEC, "dtype": None},
        {**SPEC, "kind": "no such"},
        {**SPEC, "shared": {"name": "1-1", "kept": True}},
        {**SPEC, "shape": [1 << 39], "nbytes": 1 << 41},
        {**TEXT, "lengths": [1, 1]},
        {**TEXT, "lengths": [3]},
        {**TEXT, "lengths": [1, 1, 1]},
        {**TEXT, "lengths": [4, -1]},
        {**TEXT, "lengths": [1.0, 2]},
        {**TEXT, "lengths": None},
        *({key: value for key, value in SPEC.items() if key != name} for name in SPEC),
        {key: value for key, value in TEXT.items() if key != "lengths"},
        "text",
        None,
    ],
)
def test_a_spec_that_lies_is_refused(spec: Any) -> None:
    with pytest.raises(WireError):
        read_frame(io.BytesIO(of_spec(spec)))


@pytest.mark.parametrize(
    "frame",
    [
        b"cps1" + forged({"header": 1, "arrays": []})[4:],
        b"PK\x03\x04" + b"\0" * 60,
        b"a line of text that something printed\n",
        forged(b"{"),
        forged(b"\xff"),
        forged([]),
        forged({"arrays": []}),
        forged({"header": 1}),
        forged({"header": 1, "arrays": 3}),
        struct.pack(">4sQ", b"cps2", 100) + b"{}",
    ],
)
def test_what_is_no_frame_is_refused(frame: bytes) -> None:
    with pytest.raises(WireError):
        read_frame(io.BytesIO(frame))


def test_a_header_that_is_too_long_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = forged({"header": "x" * 100, "arrays": []}, b"")
    size = len(frame) - 12
    monkeypatch.setattr(wire, "HEADER_LIMIT", size)
    assert read_frame(io.BytesIO(frame)) is not None
    monkeypatch.setattr(wire, "HEADER_LIMIT", size - 1)
    with pytest.raises(WireError, match="no frame"):
        read_frame(io.BytesIO(frame))


def test_an_array_that_is_too_large_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "ARRAY_LIMIT", 8)
    assert read_frame(io.BytesIO(of_spec(SPEC))) is not None
    monkeypatch.setattr(wire, "ARRAY_LIMIT", 7)
    with pytest.raises(WireError, match="length"):
        read_frame(io.BytesIO(of_spec(SPEC)))


def test_numbers_of_sixteen_bits_arrive_without_the_extension_as_wider_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="numpy alone knows no bfloat16")
    frame = sent({}, np.array([[1.5], [-3e38]], ml_dtypes.bfloat16))
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    read = read_frame(io.BytesIO(frame))
    assert read is not None
    assert (read[1][0].dtype, read[1][0].shape) == (np.dtype("float32"), (2, 1))
    np.testing.assert_allclose(read[1][0], [[1.5], [-3e38]], rtol=2.0**-7)
