"""One archive of a model with all that its environment is made of, for machines without a network.

A bundle is input like any other: what is in it is looked at by name and size before it is
unpacked, and the hashes in its lock say only that it is whole, not whose it is.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from packaging.tags import platform_tags

from capsule.consent.consent import Trust
from capsule.description.describe import Description
from capsule.errors import InputError
from capsule.manifest.files import SUFFIX, sidecar_path
from capsule.rebuild.cache_folder import cache_folder, discard
from capsule.rebuild.errors import RebuildError
from capsule.rebuild.locks import lock_path
from capsule.rebuild.options import Progress, ReplayOptions, silent
from capsule.rebuild.resolve import Resolution, resolve
from capsule.rebuild.sources import Sources

ENDING = ".capsule.zip"
WHEELS = "wheels"
MEMBER_LIMIT = 4 << 30
TOTAL_LIMIT = 16 << 30
COUNT_LIMIT = 2000


class Bundle(NamedTuple):
    """An archive that was written."""

    path: Path
    wheels: int
    """How many it holds."""
    python: str
    """The version of the Python that they are for."""


def is_bundle(path: str | os.PathLike[str]) -> bool:
    """Tell whether *path* is named like a bundle and is an archive."""
    return os.fspath(path).endswith(ENDING) and zipfile.is_zipfile(path)


def write_bundle(
    description: Description,
    trust: Trust,
    options: ReplayOptions,
    output: Path | None = None,
    progress: Progress = silent,
) -> Bundle:
    """Write the bundle of a model: its file, its sidecar, its lock, and all wheels.

    Parameters
    ----------
    description
        The model.
    trust
        What was allowed.
    options
        How its environment is to be rebuilt.
    output
        Where to write it, if not beside the model.
    progress
        Called with each step that takes long.

    Raises
    ------
    InputError
        The model has no sidecar, or *output* can't be written.
    RebuildError
        A distribution can't be had as a wheel: a bundle holds nothing that needs building.
    """
    artifact = description.path
    sidecar = description.sidecar or sidecar_path(artifact)
    if artifact.is_dir() or not sidecar.exists():
        raise InputError(
            f"{artifact} can't be bundled without a sidecar: capsule save {artifact} writes one"
        )
    path = output or artifact.with_name(artifact.name + ENDING)
    progress("locking its distributions")
    resolution = resolve(description, trust, replace(options, obey_lock=False), progress)
    lock = resolution.write_lock()
    with tempfile.TemporaryDirectory(prefix="capsule-") as folder:
        progress(f"collecting {len(resolution.pins.requirements)} wheels")
        wheels = _download(resolution, Path(folder))
        members = {
            artifact.name: artifact,
            artifact.name + SUFFIX: sidecar,
            lock.name: lock,
            **{f"{WHEELS}/{wheel.name}": wheel for wheel in wheels},
        }
        _write_archive(path, members)
    return Bundle(path, len(wheels), resolution.python.version)


def _write_archive(path: Path, members: Mapping[str, Path]) -> None:
    """Write an archive of files, by their names in it, at once."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for name, file in members.items():
                archive.write(file, name)
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"{path} can't be written: {error.strerror}") from None
    finally:
        temporary.unlink(missing_ok=True)


def _download(resolution: Resolution, folder: Path) -> list[Path]:
    """Let pip fetch the wheels of a model for its Python on this platform; return them."""
    major, minor = resolution.python.version.split(".")[:2]
    abi = f"cp{major}{minor}" + ("m" if (int(major), int(minor)) < (3, 8) else "")
    command = [sys.executable, "-I", "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--only-binary", ":all:", "--dest", str(folder)]
    command += ["--implementation", "cp", "--python-version", f"{major}.{minor}"]
    for tag in (abi, "abi3", "none"):
        command += ["--abi", tag]
    for tag in platform_tags():
        command += ["--platform", tag]
    command += [*resolution.options.sources.arguments(), *resolution.pins.requirements]
    process = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if process.returncode != 0:
        lines = process.stderr.strip().splitlines()
        errors = [line for line in lines if line.startswith("ERROR")]
        reason = (errors or lines or ["pip gave no reason"])[-1]
        raise RebuildError(
            f"not every distribution has a wheel to bundle: {reason[:300]}", code="no-wheel"
        )
    return sorted(folder.iterdir())


class BundledModel(NamedTuple):
    """A model that was unpacked from a bundle."""

    path: Path
    sources: Sources
    """Its wheels, which are all that its environment is made of."""


def unpack_bundle(path: Path) -> BundledModel:
    """Unpack the bundle at *path* into the cache, once; return the model there.

    Raises InputError for an archive that is none, that holds links or names which lead out
    of it, or more than a bundle may.
    """
    folder = cache_folder("bundles") / _digest(path)[:20]
    if not folder.exists():
        temporary = Path(tempfile.mkdtemp(dir=folder.parent))
        try:
            _extract(path, temporary)
            os.replace(temporary, folder)
        except OSError as error:
            if not folder.exists():  # or another process was faster
                raise InputError(f"{path} can't be unpacked: {error.strerror}") from None
        finally:
            discard(temporary)
    sidecars = [file for file in folder.iterdir() if file.name.endswith(SUFFIX)]
    artifact = folder / sidecars[0].name[: -len(SUFFIX)] if len(sidecars) == 1 else folder
    if not artifact.is_file() or not lock_path(artifact).exists():
        raise InputError(f"{path} is no bundle: it holds no model with a sidecar and a lock")
    return BundledModel(artifact, Sources(find_links=(str(folder / WHEELS),), offline=True))


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}") from None
    return digest.hexdigest()


def _extract(path: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _require_sound(path, members)
            for info in members:
                target = folder / info.filename
                target.parent.mkdir(exist_ok=True)
                with archive.open(info) as source, target.open("xb") as stream:
                    shutil.copyfileobj(source, stream, 1 << 20)
                    if stream.tell() != info.file_size:
                        raise InputError(f"{path}: {info.filename} is not of the size it says")
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{path} is a damaged bundle ({error}); copy it again") from None


def _require_sound(path: Path, members: list[zipfile.ZipInfo]) -> None:
    """Refuse what no bundle holds, before a byte of it is written."""
    names = [info.filename for info in members]
    if len(members) > COUNT_LIMIT or sum(info.file_size for info in members) > TOTAL_LIMIT:
        raise InputError(f"{path} holds more than a bundle may")
    if len(set(names)) != len(names):
        raise InputError(f"{path} holds a name twice")
    for info in members:
        parts = info.filename.split("/")
        plain = parts if len(parts) == 1 else parts[1:]
        inside = len(parts) == 1 or (len(parts) == 2 and parts[0] == WHEELS)
        odd = any(p in ("", ".", "..") or "\\" in p or ":" in p or "\0" in p for p in plain)
        if not inside or odd:
            raise InputError(f"{path} holds {info.filename[:80]!r}, which no bundle does")
        if info.external_attr >> 28 not in (0, 8) or info.is_dir():
            raise InputError(f"{path}: {info.filename[:80]!r} is no plain file")
        if info.file_size > MEMBER_LIMIT:
            raise InputError(f"{path}: {info.filename[:80]!r} is larger than a bundle's may be")
