"""What lies in the cache of environments: how large it is, when it was used, and pruning."""

from __future__ import annotations

import datetime
import json
import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from capsule.errors import InputError
from capsule.rebuild.cache_folder import KEY_LENGTH, READY, cache_folder, discard

_FRAMEWORKS = ("keras", "tf-keras", "tensorflow", "tensorflow-cpu", "jax", "torch")


@dataclass(frozen=True)
class CacheEntry:
    """A folder of the cache: an environment, or what a build left that did not end."""

    key: str
    """Its name, by which commands take it."""
    folder: Path
    python: str
    """The version of its Python; ``?`` where it is not ready."""
    backend: str
    """The installer that built it; ``?`` where it is not ready."""
    pins: tuple[str, ...]
    """Its distributions, as requirements."""
    size: int
    """Bytes, as its files say."""
    used: datetime.datetime
    """When a model was last replayed in it."""
    ready: bool
    """Whether its build came to its end."""

    @property
    def framework(self) -> str:
        """The Keras and its backend in it, as pins in a few words."""
        return ", ".join(pin for pin in self.pins if pin.partition("==")[0] in _FRAMEWORKS)

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


def list_cache() -> list[CacheEntry]:
    """Return what lies in the cache, the last used first. Raises RebuildError as the cache does."""
    entries = [_entry(folder) for folder in _folders()]
    return sorted(entries, key=lambda entry: entry.used, reverse=True)


def find_entry(key: str) -> CacheEntry:
    """Return the only entry whose key begins with *key*. Raises InputError without such a one."""
    entries = [entry for entry in list_cache() if entry.key.startswith(key)]
    if len(entries) == 1:
        return entries[0]
    reason = f"{len(entries)} environments begin so" if entries else "there is no such environment"
    raise InputError(f"{key}: {reason}; capsule env list shows them")


def prune(days: int) -> list[CacheEntry]:
    """Remove what was not used for so many days, and what no build finished; return it.

    What is being built just now is left alone.
    """
    now = datetime.datetime.now(datetime.timezone.utc)
    removed = []
    for entry in list_cache():
        if entry.ready and now - entry.used < datetime.timedelta(days=days):
            continue
        try:
            with FileLock(entry.folder.with_name(f"{entry.key}.lock"), timeout=0):
                discard(entry.folder)
        except Timeout:
            continue
        removed.append(entry)
    for trash in (cache_folder() / "environments").glob("trash-*"):
        discard(trash)
    return removed


def _folders() -> Iterator[Path]:
    root = cache_folder() / "environments"
    try:
        names = sorted(os.listdir(root))
    except FileNotFoundError:
        return
    for name in names:
        if len(name) == KEY_LENGTH and (root / name).is_dir():
            yield root / name


def _entry(folder: Path) -> CacheEntry:
    marker: dict[str, Any] = {}
    used = folder.stat().st_mtime
    try:
        marker = json.loads((folder / READY).read_text(encoding="utf-8"))
        used = (folder / READY).stat().st_mtime
    except (OSError, ValueError):
        pass
    return CacheEntry(
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
    """Return the bytes of all files in *folder*."""
    total = 0
    folders = deque([os.fspath(folder)])
    while folders:
        try:
            with os.scandir(folders.popleft()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue  # it is being built, or taken away
    return total
