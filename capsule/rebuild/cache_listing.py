"""Which environments the cache keeps: how large they are, when they were used, and pruning."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from capsule.errors import InputError
from capsule.rebuild.cache import READY, cache_folder, discard

KEY_LENGTH = 20


@dataclass(frozen=True)
class Kept:
    """An environment in the cache. ``size`` in bytes as its files say; ``used``: when last.

    ``ready`` is False for what a build left that did not come to its end.
    """

    key: str
    folder: Path
    python: str
    backend: str
    pins: tuple[str, ...]
    size: int
    used: datetime.datetime
    ready: bool

    @property
    def framework(self) -> str:
        """The Keras and its backend in it, as pins in a few words."""
        wanted = ("keras", "tf-keras", "tensorflow", "tensorflow-cpu", "jax", "torch")
        return ", ".join(pin for pin in self.pins if pin.partition("==")[0] in wanted)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {
            "key": self.key,
            "path": str(self.folder),
            "python": self.python,
            "backend": self.backend,
            "pins": list(self.pins),
            "size": self.size,
            "used": self.used.isoformat(timespec="seconds"),
            "ready": self.ready,
        }


def kept_environments() -> list[Kept]:
    """Return what the cache keeps, the last used first. Raises RebuildError as the cache does."""
    found = [_kept(folder) for folder in _folders()]
    return sorted(found, key=lambda one: one.used, reverse=True)


def kept_environment(key: str) -> Kept:
    """Return the environment whose key begins with *key*. Raises InputError unless it is one."""
    found = [one for one in kept_environments() if one.key.startswith(key)]
    if len(found) == 1:
        return found[0]
    many = f"{len(found)} environments begin so" if found else "there is no such environment"
    raise InputError(f"{key}: {many}; capsule env list shows them")


def prune(days: int) -> list[Kept]:
    """Remove what was not used for so many days, and what no build finished; return it.

    What is being built just now is left alone.
    """
    now = datetime.datetime.now(datetime.timezone.utc)
    gone = []
    for one in kept_environments():
        if one.ready and now - one.used < datetime.timedelta(days=days):
            continue
        try:
            with FileLock(one.folder.with_name(f"{one.key}.lock"), timeout=0):
                discard(one.folder)
        except Timeout:
            continue
        gone.append(one)
    for trash in _environments().glob("trash-*"):
        discard(trash)
    return gone


def _environments() -> Path:
    return cache_folder() / "environments"


def _folders() -> Iterator[Path]:
    try:
        names = sorted(os.listdir(_environments()))
    except FileNotFoundError:
        return
    for name in names:
        folder = _environments() / name
        if len(name) == KEY_LENGTH and folder.is_dir():
            yield folder


def _kept(folder: Path) -> Kept:
    marker: dict[str, Any] = {}
    used = folder.stat().st_mtime
    try:
        marker = json.loads((folder / READY).read_text(encoding="utf-8"))
        used = (folder / READY).stat().st_mtime
    except (OSError, ValueError):
        pass
    return Kept(
        folder.name,
        folder,
        str(marker.get("python", "?")),
        str(marker.get("backend", "?")),
        tuple(marker.get("pins", ())),
        _size(folder),
        datetime.datetime.fromtimestamp(used, datetime.timezone.utc),
        bool(marker),
    )


def _size(folder: Path) -> int:
    total = 0
    waiting = [os.fspath(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue  # it is being built, or taken away
    return total
