"""The cache of rebuilt environments: built once, under a lock, believed only when marked ready."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import platform
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs
from filelock import FileLock

from capsule.environment import installed_versions
from capsule.errors import RebuildError
from capsule.rebuild.backends import Backend, Installed, python_in
from capsule.rebuild.options import Progress
from capsule.rebuild.pins import Pins
from capsule.rebuild.pythons import FoundPython
from capsule.rebuild.sources import Sources

READY = "capsule-ready.json"
LOCK = "capsule-lock.txt"
# Errors of the disk itself, and those that are the cache's only where its own files are meant.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_NO_RIGHT = (errno.EACCES, errno.EPERM)


@dataclass(frozen=True)
class Built:
    """A rebuilt environment that is ready: where, of what, and whether it was there before."""

    folder: Path
    python: str
    backend: str
    cached: bool
    pins: Pins
    installed: Installed = field(default_factory=Installed)

    @property
    def interpreter(self) -> Path:
        """The environment's own Python."""
        return python_in(self.folder)


def cache_folder() -> Path:
    """Return the cache's folder, made if need be: ``CAPSULE_CACHE``, else the platform's.

    It is the user's own (mode 0700): raises RebuildError where others could write.
    """
    named = os.environ.get("CAPSULE_CACHE")
    folder = Path(named) if named else Path(platformdirs.user_cache_dir("capsule", appauthor=False))
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise RebuildError(f"the cache {folder} can't be made: {error.strerror}") from None
    if os.name != "nt":
        stat = folder.stat()
        if stat.st_uid != os.getuid() or stat.st_mode & 0o022:
            raise RebuildError(
                f"the cache {folder} can be written by others: chmod 700 it, or set CAPSULE_CACHE"
            )
    return folder


def environment_key(
    python: FoundPython, pins: Pins, *, backend: str, build: bool, sources: Sources | None = None
) -> str:
    """Return the key of an environment: over everything that decides what is in it."""
    parts = {
        "python": [str(python.path), python.version],
        "pins": sorted(pins.requirements),
        "platform": [platform.system(), platform.machine()],
        "backend": backend,
        "build": build,
        "hashes": {name: sorted(pins.hashes[name]) for name in sorted(pins.hashes)},
        "sources": (sources or Sources()).told(),
        "index": {
            k: v
            for k, v in sorted(os.environ.items())
            if k.startswith(("UV_", "PIP_")) and ("INDEX" in k or "FIND_LINKS" in k)
        },
    }
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:20]


def build(
    python: FoundPython,
    pins: Pins,
    backend: Backend,
    *,
    allow_build: bool,
    progress: Progress,
) -> Built:
    """Return the environment for *pins*, from the cache or built now.

    Whoever comes second waits for the first. What a killed build left is thrown away.
    """
    root = cache_folder() / "environments"
    try:
        root.mkdir(exist_ok=True, mode=0o700)
    except OSError as error:
        raise _failure(root, error) from None
    key = environment_key(
        python, pins, backend=backend.name, build=allow_build, sources=backend.sources
    )
    folder = root / key
    if is_ready(folder, pins):  # nobody has to wait for what is there
        with contextlib.suppress(OSError):  # a cache that can only be read is used as it is
            os.utime(folder / READY)
        return Built(folder, python.version, backend.name, True, pins, _installed(folder))
    with locked(root / f"{key}.lock", progress):
        if is_ready(folder, pins):
            return Built(folder, python.version, backend.name, True, pins, _installed(folder))
        if (folder / READY).exists():
            progress("the environment was changed since it was built: building it anew")
        discard(folder)
        try:
            progress(f"making an environment with Python {python.version} ({backend.name})")
            backend.create(folder, python)
            progress(f"installing {len(pins.requirements)} distributions")
            made = backend.install(folder, pins, folder / LOCK, build=allow_build)
            wrong = differences(folder, pins)
            if wrong:
                raise RebuildError(f"{backend.name} installed something else: {'; '.join(wrong)}")
            _mark_ready(folder, python, pins, backend, made)
        except BaseException as error:  # Ctrl-C as well: nothing half-built is left over
            discard(folder)
            if isinstance(error, OSError):
                raise _failure(root, error) from None
            raise
    return Built(folder, python.version, backend.name, False, pins, made)


@contextlib.contextmanager
def locked(path: Path, progress: Progress) -> Iterator[None]:
    """Hold the lock file at *path*; tell if somebody else holds it."""
    lock = FileLock(path)
    try:
        if not _try(lock):
            progress("waiting for another capsule that builds this environment")
            lock.acquire()
    except OSError as error:
        raise _failure(path.parent, error) from None
    try:
        yield
    finally:
        lock.release()


def _failure(folder: Path, error: OSError) -> RebuildError:
    """Return what to tell of *error*, which came up while *folder* of the cache was written."""
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


def _try(lock: FileLock) -> bool:
    from filelock import Timeout

    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True


def _mark_ready(
    folder: Path, python: FoundPython, pins: Pins, backend: Backend, made: Installed
) -> None:
    marker = {
        "python": python.version,
        "backend": backend.name,
        "pins": sorted(pins.requirements),
        "from_source": list(made.from_source),
        "yanked": dict(made.yanked),
        "state": state_of(folder),
    }
    temporary = folder / f"{READY}.tmp"
    with temporary.open("w", encoding="utf-8") as stream:
        json.dump(marker, stream, indent=1, sort_keys=True)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, folder / READY)


def _installed(folder: Path) -> Installed:
    """Return what the marker of *folder* tells of how it was installed."""
    marker = json.loads((folder / READY).read_text(encoding="utf-8"))
    return Installed(tuple(marker.get("from_source", ())), marker.get("yanked", {}))


def is_ready(folder: Path, pins: Pins) -> bool:
    """Tell whether *folder* was built to its end, and is still what it was."""
    try:
        marker = json.loads((folder / READY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if marker.get("pins") != sorted(pins.requirements) or marker.get("state") != state_of(folder):
        return False
    return not differences(folder, pins)


def state_of(folder: Path) -> str:
    """Return a digest of what is installed in *folder*: another one tells of a change.

    It is over names, and over sizes and times of what says what is installed and of what
    runs at every start; the content of every file would take longer than many a model.
    What Python compiles as it goes is no change.
    """
    digest = hashlib.sha256()
    for site in _sites(folder):
        with os.scandir(site) as entries:
            for entry in sorted(entries, key=lambda one: one.name):
                if entry.name == "__pycache__":
                    continue
                told = entry.path
                if entry.name.endswith(".dist-info"):
                    told = os.path.join(entry.path, "RECORD")
                elif not entry.name.endswith((".pth", ".py")):
                    told = ""
                digest.update(entry.name.encode("utf-8", "surrogateescape"))
                with contextlib.suppress(OSError):
                    stat = os.stat(told)
                    digest.update(f"{stat.st_size} {stat.st_mtime_ns}".encode("ascii"))
    return digest.hexdigest()[:20]


def _sites(folder: Path) -> list[Path]:
    return sorted([*folder.glob("lib/python*/site-packages"), *folder.glob("Lib/site-packages")])


def differences(folder: Path, pins: Pins) -> list[str]:
    """Return how what is installed in *folder* differs from *pins*, a text each."""
    installed = installed_versions(str(site) for site in _sites(folder))
    return [
        f"{name} {installed.get(name, 'is missing')}, not {version}"
        for name, version in pins.versions.items()
        if not _same_version(installed.get(name), version)
    ]


def _same_version(one: str | None, other: str) -> bool:
    from packaging.version import Version

    return one is not None and Version(one) == Version(other)


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
