"""What the cache keeps is listed, shown and pruned; what is half built is never taken for ready."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from filelock import FileLock

from capsule.errors import InputError
from capsule.rebuild.cache_folder import READY
from capsule.rebuild.cache_listing import find_entry, list_cache, prune

DAY = 24 * 3600


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tmp_path.chmod(0o700)
    monkeypatch.setenv("CAPSULE_CACHE", str(tmp_path))
    return tmp_path / "environments"


def environment(cache: Path, letter: str, *, days: int, ready: bool = True) -> Path:
    folder = cache / (letter * 20)
    (folder / "lib").mkdir(parents=True)
    (folder / "lib" / "code.py").write_text("x" * 1000)
    if ready:
        marker = {"python": "3.11.7", "backend": "uv", "pins": ["keras==3.5.0", "numpy==2.0.0"]}
        (folder / READY).write_text(json.dumps(marker))
        when = time.time() - days * DAY
        os.utime(folder / READY, (when, when))
    return folder


def test_an_empty_cache_has_nothing_to_show(cache: Path) -> None:
    assert list_cache() == []
    assert prune(0) == []


def test_environments_are_listed_the_last_used_first(cache: Path) -> None:
    environment(cache, "a", days=3)
    environment(cache, "b", days=1)
    first, second = list_cache()
    assert (first.key[0], second.key[0]) == ("b", "a")
    assert first.framework == "keras==3.5.0"
    assert first.size > 1000
    assert first.ready


def test_an_environment_is_named_by_the_first_letters_of_its_key(cache: Path) -> None:
    environment(cache, "a", days=0)
    assert find_entry("aa").key == "a" * 20
    with pytest.raises(InputError, match="no such environment"):
        find_entry("b")


def test_pruning_takes_the_unused_and_the_unfinished_and_nothing_else(cache: Path) -> None:
    old, new = environment(cache, "a", days=40), environment(cache, "b", days=10)
    half, busy = (environment(cache, letter, days=0, ready=False) for letter in "cd")
    (cache / "trash-1").mkdir()
    with FileLock(cache / ("d" * 20 + ".lock")):
        gone = prune(30)
    assert {entry.folder for entry in gone} == {old, half}
    assert new.exists()
    assert busy.exists()
    assert not old.exists()
    assert not (cache / "trash-1").exists()
