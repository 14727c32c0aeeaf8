"""Locks with hashes: PEP 751 files beside the model, written by uv, obeyed by every replay."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from capsule.errors import InputError
from capsule.rebuild.backends import Uv
from capsule.rebuild.pins import Pins, as_text
from capsule.rebuild.pythons import FoundPython

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SIZE_LIMIT = 32 * 1024 * 1024


def lock_path(artifact: Path) -> Path:
    """Return where the lock of *artifact* lies: beside it, ``pylock.model-h5.toml``."""
    return artifact.parent / f"pylock.{artifact.name.replace('.', '-')}.toml"


def write_lock(pins: Pins, python: FoundPython, path: Path, uv: Uv) -> None:
    """Write the lock of *pins* to *path*, atomically: every file of theirs with its hash.

    Raises RebuildError where the index does not have them.
    """
    with tempfile.TemporaryDirectory(prefix="capsule-") as folder:
        wanted = Path(folder, "pins.in")
        wanted.write_text(as_text(pins.requirements), encoding="utf-8")
        made = Path(folder, "pylock.toml")
        uv.lock(wanted, python, made)
        text = made.read_text(encoding="utf-8")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(f"{path} can't be written: {error.strerror}") from None


def read_hashes(path: Path, pins: Pins) -> dict[str, tuple[str, ...]]:
    """Return the SHA-256 digests that the lock at *path* has for each of *pins*, by name.

    What comes from a repository has none: the commit is its hash, and must be the pin's.
    Raises InputError where it is no lock, lacks one of them, or has another version.
    """
    packages = _packages(path)
    found: dict[str, tuple[str, ...]] = {}
    for name, version in pins.versions.items():
        if name not in packages:
            raise InputError(f"{path} has no {name}, which the model needs: capsule lock it again")
        locked, hashes, commit = packages[name]
        if Version(locked) != Version(version):
            raise InputError(
                f"{path} has {name} {locked}, the model {version}: capsule lock it again"
            )
        requirement = pins.requirements[list(pins.versions).index(name)]
        if commit is not None and f"@{commit}" not in requirement:
            raise InputError(
                f"{path} takes {name} from a repository: allow that with --unsafe, or lock it again"
            )
        found[name] = hashes
    return found


def _packages(path: Path) -> dict[str, tuple[str, tuple[str, ...], str | None]]:
    """Return version, hashes, and the commit if there is one, of each package of a lock."""
    try:
        if path.stat().st_size > SIZE_LIMIT:
            raise InputError(f"{path} is larger than {SIZE_LIMIT >> 20} MiB: no lock is")
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no TOML ({str(error)[:80]}): capsule lock writes it") from None
    listed = data.get("packages")
    if str(data.get("lock-version", "")).partition(".")[0] != "1" or not isinstance(listed, list):
        raise InputError(f"{path} is no lock of version 1 (PEP 751)")
    found: dict[str, tuple[str, tuple[str, ...], str | None]] = {}
    for place, package in enumerate(listed):
        where = f"{path}: packages[{place}]"
        if not isinstance(package, dict):
            raise InputError(f"{where} is no table")
        name, version = package.get("name"), package.get("version")
        if not isinstance(name, str) or not isinstance(version, str):
            raise InputError(f"{where} has no name or version")
        try:
            Version(version)
        except InvalidVersion:
            raise InputError(f"{where}.version is no version: {version[:40]!r}") from None
        vcs = package.get("vcs")
        commit = str(vcs.get("commit-id")) if isinstance(vcs, dict) else None
        hashes = () if commit is not None else _hashes(package, where)
        found[canonicalize_name(name)] = (version, hashes, commit)
    return found


def _hashes(package: dict[str, Any], where: str) -> tuple[str, ...]:
    wheels = package.get("wheels", [])
    files = [
        *(wheels if isinstance(wheels, list) else []),
        package.get("sdist"),
        package.get("archive"),
    ]
    found = []
    for one in files:
        hashes = one.get("hashes") if isinstance(one, dict) else None
        digest = hashes.get("sha256") if isinstance(hashes, dict) else None
        if isinstance(digest, str) and len(digest) == 64 and set(digest) <= set("0123456789abcdef"):
            found.append(digest)
    if not found:
        raise InputError(f"{where} has no SHA-256 of any file")
    return tuple(sorted(set(found)))
