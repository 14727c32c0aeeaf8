"""Frames between host and worker."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capsule.guest.wire import WireError, read_frame, write_frame


def sent(header: object, *arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    write_frame(stream, header, arrays)
    return stream.getvalue()


def test_a_header_and_arrays_arrive_as_they_were() -> None:
    arrays = [np.arange(6.0).reshape(2, 3), np.zeros((0, 4), "int8"), np.array(7)]
    frame = read_frame(io.BytesIO(sent({"do": "call"}, *arrays)))
    assert frame is not None
    assert frame[0] == {"do": "call"}
    for one, other in zip(frame[1], arrays):
        np.testing.assert_array_equal(one, other)
        assert one.shape == other.shape


def test_an_ended_stream_is_none_and_a_cut_one_an_error() -> None:
    whole = sent({"do": "call"}, np.arange(5))
    assert read_frame(io.BytesIO(b"")) is None
    for cut in (1, 11, 20, len(whole) - 1):
        with pytest.raises(WireError):
            read_frame(io.BytesIO(whole[:cut]))


def test_objects_are_neither_sent_nor_taken() -> None:
    with pytest.raises(WireError):
        sent({}, np.array([object()]))
    with pytest.raises(WireError):
        read_frame(io.BytesIO(forged('{"header": 1, "arrays": [{"kind": "plain", "dtype": "O", "shape": [1],'
                                     ' "nbytes": 8}]}')))  # fmt: skip


def forged(text: str) -> bytes:
    return struct.pack(">4sQ", b"cps2", len(text)) + text.encode() + b"\0" * 64


@pytest.mark.parametrize(
    "spec",
    [
        '{"kind": "plain", "dtype": "<f4", "shape": [2], "nbytes": 80}',
        '{"kind": "plain", "dtype": "<f4", "shape": [-1], "nbytes": 0}',
        '{"kind": "text", "dtype": "|u1", "shape": [2], "nbytes": 3, "lengths": [1, -2]}',
        '{"kind": "plain", "dtype": "<f4", "shape": [1], "nbytes": 4, "shared": "../secret"}',
        '{"kind": "plain", "dtype": "<f4", "shape": [1], "nbytes": 4, "shared": "1-1"}',
        '{"dtype": "<f4"}',
    ],
)
def test_lengths_that_lie_are_refused(spec: str) -> None:
    with pytest.raises(WireError):
        read_frame(io.BytesIO(forged(f'{{"header": 1, "arrays": [{spec}]}}')))


@given(st.binary(max_size=200))
def test_noise_is_an_error_and_nothing_worse(noise: bytes) -> None:
    try:
        read_frame(io.BytesIO(noise))
    except WireError:
        pass


def test_texts_bytes_and_bfloat16_arrive_as_they_were() -> None:
    texts = np.array([["grün", ""], ["a\0b", "c"]], object)
    raw = np.array([b"\0\1\0", b""], object)
    frame = read_frame(io.BytesIO(sent({}, texts, raw)))
    assert frame is not None
    assert frame[1][0].tolist() == texts.tolist()
    assert frame[1][1].tolist() == raw.tolist()
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="numpy alone knows no bfloat16")
    narrow = np.array([1.5, -2.0, 3e38], ml_dtypes.bfloat16)
    frame = read_frame(io.BytesIO(sent({}, narrow)))
    assert frame is not None
    assert frame[1][0].dtype == narrow.dtype
    np.testing.assert_array_equal(frame[1][0], narrow)


def test_large_arrays_go_by_way_of_the_shared_folder_and_leave_nothing(tmp_path: Path) -> None:
    large = np.arange(1 << 19, dtype="float64")
    stream = io.BytesIO()
    write_frame(stream, {}, [large, np.arange(3)], str(tmp_path))
    assert len(stream.getvalue()) < 1000
    assert len(list(tmp_path.iterdir())) == 1
    stream.seek(0)
    frame = read_frame(stream, str(tmp_path))
    assert frame is not None
    frame[1][0][0] = 7.0  # the reader's own to write to
    np.testing.assert_array_equal(frame[1][0][1:], large[1:])
    assert list(tmp_path.iterdir()) == []


def test_a_shared_folder_without_room_is_no_trouble(tmp_path: Path) -> None:
    large = np.arange(1 << 19, dtype="float64")
    stream = io.BytesIO()
    write_frame(stream, {}, [large], str(tmp_path / "gone"))
    stream.seek(0)
    frame = read_frame(stream)
    assert frame is not None
    np.testing.assert_array_equal(frame[1][0], large)
