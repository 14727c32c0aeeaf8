"""The cache's folder: the user's own, written under locks, never left half-written."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from capsule.rebuild.errors import RebuildError
from capsule.rebuild.options import Progress

READY = "capsule-ready.json"
"""The file that marks an environment as built to its end."""
KEY_LENGTH = 20
"""Hexadecimal digits of a key, which is the name of an environment's folder."""
# Errors of the disk itself, and those that are the cache's only where its own files are meant.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_NO_RIGHT = (errno.EACCES, errno.EPERM)


def cache_folder(*names: str) -> Path:
    """Return the cache's folder, or the one of *names* in it, made if need be.

    It is where ``CAPSULE_CACHE`` says, else where the platform keeps caches, and the user's own
    (mode 0700). Raises RebuildError where it can't be made, or others could write to it.
    """
    named = os.environ.get("CAPSULE_CACHE") or platformdirs.user_cache_dir(
        "capsule", appauthor=False
    )
    folder = Path(named).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise RebuildError(
            f"the cache {folder} can't be made: {error.strerror}; set CAPSULE_CACHE to a folder"
            " that you can write to"
        ) from None
    if os.name != "nt":
        stat = folder.stat()
        if stat.st_uid != os.getuid() or stat.st_mode & 0o022:
            raise RebuildError(
                f"the cache {folder} can be written by others: chmod 700 it, or set CAPSULE_CACHE"
            )
    for name in names:
        folder /= name
        try:
            folder.mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise failure_of(error, folder) from None
    return folder


@contextlib.contextmanager
def exclusive_lock(path: Path, progress: Progress) -> Iterator[None]:
    """Hold the lock file at *path*; report if another process holds it."""
    lock = FileLock(path)
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            progress("waiting for another capsule that builds this environment")
            lock.acquire()
    except OSError as error:
        raise failure_of(error, path.parent) from None
    try:
        yield
    finally:
        lock.release()


def failure_of(error: OSError, folder: Path) -> RebuildError:
    """Return what to raise for *error*, which came up while *folder* of the cache was written."""
    place = None if error.filename is None else Path(str(error.filename))
    ours = place is None or folder in (place, *place.parents)
    if error.errno in _NO_ROOM or (error.errno in _NO_RIGHT and ours):
        return RebuildError(
            f"the cache {folder} can't be written: {error.strerror}; make room or set"
            " CAPSULE_CACHE",
            code="cache",
        )
    reason = error.strerror or str(error)
    return RebuildError(
        f"the environment could not be built: {reason}" + (f" ({place})" if place else "")
    )


def replace_text(path: Path, text: str) -> None:
    """Write *text* to *path* at once: whoever reads it sees the old text or the new one."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def discard(folder: Path) -> None:
    """Take *folder* out of the way at once, then delete it."""
    if not folder.exists():
        return
    trash = folder.with_name(f"trash-{uuid.uuid4().hex}")
    try:
        folder.rename(trash)
    except OSError:
        trash = folder
    shutil.rmtree(trash, ignore_errors=True)
