"""Locks with hashes: PEP 751 files beside the model, written by uv, obeyed by every replay."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from capsule.errors import InputError
from capsule.rebuild.cache_folder import replace_text
from capsule.rebuild.installers import Uv
from capsule.rebuild.pins import Pins
from capsule.rebuild.python_discovery import Interpreter

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SIZE_LIMIT = 32 << 20
_DIGEST = re.compile(r"[0-9a-f]{64}")


def lock_path(artifact: Path) -> Path:
    """Return where the lock of *artifact* lies: beside it, ``pylock.model-h5.toml``."""
    return artifact.parent / f"pylock.{artifact.name.replace('.', '-')}.toml"


def write_lock(pins: Pins, python: Interpreter, path: Path, uv: Uv) -> None:
    """Write the lock of *pins* to *path*, atomically: every file of theirs with its hash.

    Raises RebuildError where the index does not have them, InputError where *path* can't be
    written.
    """
    text = uv.lock(pins, python)
    try:
        replace_text(path, text)
    except OSError as error:
        raise InputError(f"{path} can't be written: {error.strerror}") from None


class LockedPackage(NamedTuple):
    """What a lock says of one distribution."""

    version: str
    hashes: tuple[str, ...]
    commit: str | None
    """The commit of a repository, which stands in place of hashes."""


def read_hashes(path: Path, pins: Pins) -> dict[str, tuple[str, ...]]:
    """Return the SHA-256 digests that the lock at *path* has for each of *pins*, by name.

    What comes from a repository has none: the commit is its hash, and must be the pin's.

    Raises
    ------
    InputError
        The file is no lock, lacks one of *pins*, or has another version of it.
    """
    packages = _packages(path)
    hashes: dict[str, tuple[str, ...]] = {}
    for (name, version), requirement in zip(pins.versions.items(), pins.requirements):
        package = packages.get(name)
        if package is None:
            raise InputError(f"{path} has no {name}, which the model needs: capsule lock it again")
        if Version(package.version) != Version(version):
            raise InputError(
                f"{path} has {name} {package.version}, the model {version}: capsule lock it again"
            )
        if package.commit is not None and f"@{package.commit}" not in requirement:
            raise InputError(
                f"{path} takes {name} from a repository: allow that with --unsafe, or lock it again"
            )
        hashes[name] = package.hashes
    return hashes


def _packages(path: Path) -> dict[str, LockedPackage]:
    """Return what a lock says of each distribution, by name."""
    try:
        if path.stat().st_size > SIZE_LIMIT:
            raise InputError(f"{path} is larger than {SIZE_LIMIT >> 20} MiB: no lock is")
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no TOML ({str(error)[:80]}): capsule lock writes it") from None
    tables = data.get("packages")
    if str(data.get("lock-version", "")).partition(".")[0] != "1" or not isinstance(tables, list):
        raise InputError(f"{path} is no lock of version 1 (PEP 751): capsule lock writes one")
    return dict(_package(t, f"{path}: packages[{index}]") for index, t in enumerate(tables))


def _package(table: Any, where: str) -> tuple[str, LockedPackage]:
    """Return the name of one package of a lock, and what is said of it."""
    if not isinstance(table, dict):
        raise InputError(f"{where} is no table")
    name, version = table.get("name"), table.get("version")
    if not isinstance(name, str) or not isinstance(version, str):
        raise InputError(f"{where} has no name or version")
    try:
        Version(version)
    except InvalidVersion:
        raise InputError(f"{where}.version is no version: {version[:40]!r}") from None
    vcs = table.get("vcs")
    commit = str(vcs.get("commit-id")) if isinstance(vcs, dict) else None
    hashes = () if commit is not None else _hashes(table, where)
    return canonicalize_name(name), LockedPackage(version, hashes, commit)


def _hashes(table: dict[str, Any], where: str) -> tuple[str, ...]:
    """Return the digests of all files of one package."""
    wheels = table.get("wheels")
    files = [*(wheels if isinstance(wheels, list) else []), table.get("sdist")]
    digests = map(_sha256, (*files, table.get("archive")))
    hashes = sorted({digest for digest in digests if digest is not None})
    if not hashes:
        raise InputError(f"{where} has no SHA-256 of any file")
    return tuple(hashes)


def _sha256(file: Any) -> str | None:
    hashes = file.get("hashes") if isinstance(file, dict) else None
    digest = hashes.get("sha256") if isinstance(hashes, dict) else None
    return digest if isinstance(digest, str) and _DIGEST.fullmatch(digest) else None
