"""Frames between host and worker."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capsule.guest.shared import SharedFolder
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
        read_frame(
            io.BytesIO(
                forged(
                    '{"header": 1, "arrays": [{"kind": "plain", "dtype": "O", "shape": [1],'
                    ' "nbytes": 8}]}'
                )
            )
        )


def forged(text: str) -> bytes:
    return struct.pack(">4sQ", b"cps2", len(text)) + text.encode() + b"\0" * 64


@pytest.mark.parametrize(
    "spec",
    [
        '{"kind": "plain", "dtype": "<f4", "shape": [2], "nbytes": 80}',
        '{"kind": "plain", "dtype": "<f4", "shape": [-1], "nbytes": 0}',
        '{"kind": "text", "dtype": "|u1", "shape": [2], "nbytes": 3, "lengths": [1, -2]}',
        '{"kind": "plain", "dtype": "<f4", "shape": [1], "nbytes": 4, "shared": {"name": "../secret"}}',
        '{"kind": "plain", "dtype": "<f4", "shape": [1], "nbytes": 4, "shared": {"name": "1-1"}}',
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


LARGE = np.arange(1 << 19, dtype="float64")


def through(folder: Path, *arrays: np.ndarray) -> list[np.ndarray]:
    """Send arrays by way of a folder, as a worker does to the host."""
    stream = io.BytesIO()
    write_frame(stream, {}, arrays, SharedFolder(str(folder), copies=False))
    assert len(stream.getvalue()) < 1000
    stream.seek(0)
    frame = read_frame(stream, SharedFolder(str(folder), copies=True))
    assert frame is not None
    return list(frame[1])


def test_what_is_too_large_to_keep_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("capsule.guest.shared.REUSE_LIMIT", LARGE.nbytes - 1)
    (large,) = through(tmp_path, LARGE)
    large[0] = 7.0
    np.testing.assert_array_equal(large[1:], LARGE[1:])
    assert list(tmp_path.iterdir()) == []


def test_large_arrays_go_by_way_of_the_shared_folder(tmp_path: Path) -> None:
    large, small = through(tmp_path, LARGE, np.arange(3))
    large[0] = 7.0  # the reader's own to write to
    np.testing.assert_array_equal(large[1:], LARGE[1:])
    np.testing.assert_array_equal(small, np.arange(3))
    assert len(list(tmp_path.iterdir())) == 1


def test_a_shared_folder_without_room_is_no_trouble(tmp_path: Path) -> None:
    stream = io.BytesIO()
    write_frame(stream, {}, [LARGE], SharedFolder(str(tmp_path / "gone"), copies=True))
    stream.seek(0)
    frame = read_frame(stream)
    assert frame is not None
    np.testing.assert_array_equal(frame[1][0], LARGE)


class Sides:
    """A host and its worker, turn by turn."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sender, self.reader = SharedFolder(str(folder), True), SharedFolder(str(folder), False)

    def turn(self, *arrays: np.ndarray) -> list[np.ndarray]:
        stream = io.BytesIO()
        write_frame(stream, {}, arrays, self.sender)
        stream.seek(0)
        frame = read_frame(stream, self.reader)
        assert frame is not None
        return list(frame[1])

    @property
    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


def test_a_file_in_shared_memory_is_used_again(tmp_path: Path) -> None:
    sides = Sides(tmp_path)
    for factor in range(1, 4):
        (large,) = sides.turn(LARGE * factor)
        np.testing.assert_array_equal(large, LARGE * factor)
        with pytest.raises(ValueError, match="read-only"):
            large[0] = 1.0
        del large
        sides.sender.reclaim(in_use=sides.reader.release())
        assert len(sides.files) == 1
    (smaller,) = sides.turn(LARGE[: 1 << 18])
    np.testing.assert_array_equal(smaller, LARGE[: 1 << 18])
    assert len(sides.files) == 1


def test_what_the_model_kept_is_never_written_over(tmp_path: Path) -> None:
    sides = Sides(tmp_path)
    (kept,) = sides.turn(LARGE)
    held = sides.reader.release()
    assert held
    sides.sender.reclaim(held)
    (other,) = sides.turn(LARGE * 2)
    np.testing.assert_array_equal(kept, LARGE)
    np.testing.assert_array_equal(other, LARGE * 2)


def test_two_arrays_of_one_frame_have_a_file_each_and_much_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("capsule.guest.shared.REUSE_LIMIT", LARGE.nbytes * 2)
    sides = Sides(tmp_path)
    for turn in range(3):
        arrays = sides.turn(LARGE + turn, LARGE * turn, LARGE - turn)
        for array, expected in zip(arrays, (LARGE + turn, LARGE * turn, LARGE - turn)):
            np.testing.assert_array_equal(array, expected)
        del arrays, array
        sides.sender.reclaim(in_use=sides.reader.release())
        assert len(sides.files) == 2
