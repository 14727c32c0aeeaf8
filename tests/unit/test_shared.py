"""Large arrays through shared memory: each side's own files, used again only when let go."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from capsule.guest import shared
from capsule.guest.shared import MIN_SIZE, SharedError, SharedFolder
from capsule.guest.wire import WireError, encode_frame, read_frame, send

LARGE = np.arange(MIN_SIZE // 8, dtype="float64")


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def frame_of(array: Any, side: SharedFolder, held: bool = False) -> bytes:
    stream = io.BytesIO()
    send(stream, encode_frame({}, [array], side), held)
    return stream.getvalue()


def test_arrays_go_by_way_of_the_folder_from_a_size_on(tmp_path: Path) -> None:
    side = SharedFolder(str(tmp_path), copies=False)
    assert len(frame_of(LARGE, side)) < 1000
    assert len(files(tmp_path)) == 1
    smaller = LARGE[:-1]
    assert len(frame_of(smaller, side)) > smaller.nbytes
    assert len(files(tmp_path)) == 1
    assert files(tmp_path) == [f"{os.getpid()}-1"]
    if os.name != "nt":
        assert (tmp_path / files(tmp_path)[0]).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "place",
    [
        {"name": "../secret", "kept": True},
        {"name": "/etc/passwd", "kept": True},
        {"name": "1-1/../../secret", "kept": False},
        {"name": "secret", "kept": True},
        {"name": "1-1\n", "kept": True},
        {"name": "-1-1", "kept": True},
        {"name": "1-", "kept": True},
        {"name": "", "kept": True},
        {"name": 11, "kept": True},
        {"kept": True},
        "1-1",
        ["1-1"],
        None,
    ],
)
@pytest.mark.parametrize("copies", [True, False])
def test_only_files_of_the_folder_are_taken(tmp_path: Path, place: Any, copies: bool) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for path in (tmp_path / "secret", folder / "secret", folder / "-1-1", folder / "1-"):
        path.write_bytes(b"\0" * 64)
    with pytest.raises(SharedError, match="not shared"):
        SharedFolder(str(folder), copies).read(place, 8, np.dtype("float64"))


@pytest.mark.parametrize(
    ("size", "kept", "taken"),
    [
        (64, True, True),
        (56, True, True),
        (72, True, False),
        (64, False, True),
        (56, False, False),
        (72, False, False),
    ],
)
def test_a_file_holds_what_is_said_of_it(
    tmp_path: Path, size: int, kept: bool, taken: bool
) -> None:
    (tmp_path / "1-1").write_bytes(np.arange(8.0).tobytes())
    side = SharedFolder(str(tmp_path), copies=True)
    place = {"name": "1-1", "kept": kept}
    if not taken:
        with pytest.raises(SharedError, match="length"):
            side.read(place, size, np.dtype("float64"))
        return
    array = side.read(place, size, np.dtype("float64"))
    assert array.tolist() == list(range(size // 8))
    array[0] = 7.0  # the reader's own
    assert files(tmp_path) == (["1-1"] if kept else [])


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    for kept in (True, False):
        with pytest.raises(SharedError, match="is gone"):
            SharedFolder(str(tmp_path), True).read({"name": "1-1", "kept": kept}, 8, np.dtype("f8"))
    frame = frame_of(LARGE, SharedFolder(str(tmp_path), copies=False))
    for path in tmp_path.iterdir():
        path.unlink()
    with pytest.raises(WireError, match="is gone"):
        read_frame(io.BytesIO(frame), SharedFolder(str(tmp_path), copies=True))


def test_what_the_host_takes_is_its_own_and_what_a_worker_takes_is_not(tmp_path: Path) -> None:
    (tmp_path / "1-1").write_bytes(np.arange(8.0).tobytes())
    host, worker = SharedFolder(str(tmp_path), True), SharedFolder(str(tmp_path), False)
    place = {"name": "1-1", "kept": True}
    own = host.read(place, 64, np.dtype("f8"))
    view = worker.read(place, 64, np.dtype("f8"))
    (tmp_path / "1-1").write_bytes(np.zeros(8).tobytes())
    assert own.tolist() == list(range(8))
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1
    assert host.release() is False
    assert worker.release() is True
    del view
    assert worker.release() is False


def test_a_file_is_written_again_only_when_the_other_side_let_go(tmp_path: Path) -> None:
    side = SharedFolder(str(tmp_path), copies=False)
    first = side.put(LARGE)
    second = side.put(LARGE)
    assert first != second
    side.reclaim(in_use=False)
    third, fourth, fifth = side.put(LARGE), side.put(LARGE), side.put(LARGE)
    assert [third, fourth] in ([first, second], [second, first])
    assert fifth not in (first, second)
    side.reclaim(in_use=True)
    assert files(tmp_path) == []
    assert side.put(LARGE) not in (first, second, fifth)


def test_the_smallest_file_that_fits_is_used_again(tmp_path: Path) -> None:
    side = SharedFolder(str(tmp_path), copies=False)
    sizes = {count: side.put(LARGE[:count]) for count in (100, 300, 200)}
    side.reclaim(in_use=False)
    assert side.put(LARGE[:150]) == sizes[200]
    assert side.put(LARGE[:100]) == sizes[100]
    assert side.put(LARGE[:301]) not in sizes.values()
    assert side.put(LARGE[:300]) == sizes[300]


def test_a_file_that_is_used_again_holds_the_new_array(tmp_path: Path) -> None:
    sender, reader = SharedFolder(str(tmp_path), False), SharedFolder(str(tmp_path), True)
    for count in (300, 200, 250):
        place = sender.put(LARGE[:count] + count)
        array = reader.read(place, count * 8, np.dtype("f8"))
        np.testing.assert_array_equal(array, LARGE[:count] + count)
        sender.reclaim(in_use=reader.release())
    assert len(files(tmp_path)) == 1


def test_no_more_is_kept_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "REUSE_LIMIT", 250 * 8)
    side = SharedFolder(str(tmp_path), copies=False)
    places = [side.put(LARGE[:count]) for count in (100, 150, 1)]
    assert [place["kept"] for place in places if place] == [True, True, False]
    side.reclaim(in_use=False)
    assert len(files(tmp_path)) == 3  # what is not kept is its reader's to delete
    assert side.put(LARGE[:100]) == places[0]
    side.reclaim(in_use=False)
    assert len(files(tmp_path)) == 3
    assert side.put(LARGE[:200])["kept"]  # type: ignore[index]
    side.reclaim(in_use=False)
    assert len(files(tmp_path)) == 2  # it and the one beside it that is not kept


def test_of_a_folder_without_room_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    side = SharedFolder(str(tmp_path), copies=False)

    def full(*arguments: Any, **options: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fdopen", full)
    assert side.put(LARGE) is None
    assert files(tmp_path) == []
    monkeypatch.undo()
    (tmp_path / f"{os.getpid()}-2").write_text("somebody else's")
    assert side.put(LARGE) is None
    assert side.put(LARGE) == {"name": f"{os.getpid()}-3", "kept": True}
    assert SharedFolder(str(tmp_path / "nowhere"), False).put(LARGE) is None


def test_the_other_side_tells_what_it_still_holds(tmp_path: Path) -> None:
    host, worker = SharedFolder(str(tmp_path), True), SharedFolder(str(tmp_path), False)
    asked = read_frame(io.BytesIO(frame_of(LARGE, host)), worker)
    assert asked is not None
    for held, count in ((False, 1), (True, 0)):
        read_frame(io.BytesIO(frame_of(np.zeros(1), worker, held)), host)
        assert len(files(tmp_path)) == count
