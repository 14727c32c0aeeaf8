"""Frames between host and worker."""

from __future__ import annotations

import io
import struct

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
        read_frame(io.BytesIO(forged('{"header": 1, "arrays": [{"dtype": "O", "shape": [1],'
                                     ' "nbytes": 8}]}')))  # fmt: skip


def forged(text: str) -> bytes:
    return struct.pack(">4sQ", b"cps1", len(text)) + text.encode() + b"\0" * 64


@pytest.mark.parametrize(
    "spec",
    [
        '{"dtype": "<f4", "shape": [2], "nbytes": 80}',
        '{"dtype": "<f4", "shape": [-1], "nbytes": 0}',
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
