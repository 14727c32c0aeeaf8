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
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.tags import platform_tags

from capsule.consent.consent import Trust
from capsule.description.describe import Description
from capsule.errors import InputError, RebuildError
from capsule.manifest.files import SUFFIX, sidecar_path
from capsule.rebuild.cache import cache_folder, discard
from capsule.rebuild.locks import lock_path
from capsule.rebuild.options import Progress, ReplayOptions, silent
from capsule.rebuild.resolve import resolve, write_lock_of
from capsule.rebuild.sources import Sources

ENDING = ".capsule.zip"
WHEELS = "wheels"
MEMBER_LIMIT = 4 << 30
TOTAL_LIMIT = 16 << 30
COUNT_LIMIT = 2000


@dataclass(frozen=True)
class Bundle:
    """An archive that was written: where, with how many wheels, for which Python."""

    path: Path
    wheels: int
    python: str


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
    """Write the bundle of a model; beside it unless *output* is named.

    Raises InputError for a model without a sidecar, RebuildError where a wheel can't be
    had: a bundle holds nothing that would have to be built.
    """
    artifact = description.path
    side = description.sidecar or sidecar_path(artifact)
    if artifact.is_dir() or not side.exists():
        raise InputError(
            f"{artifact} can't be bundled without a sidecar: capsule save {artifact} writes one"
        )
    made = output or artifact.with_name(artifact.name + ENDING)
    progress("locking its distributions")
    ready = resolve(description, trust, replace(options, locked=False), progress)
    place, sources = write_lock_of(ready, options), options.sources
    with tempfile.TemporaryDirectory(prefix="capsule-") as folder:
        wheels = Path(folder, WHEELS)
        progress(f"collecting {len(ready.pins.requirements)} wheels")
        _download(ready.pins.requirements, ready.python.version, wheels, sources)
        temporary = made.with_name(f".{made.name}.{uuid.uuid4().hex}.tmp")
        try:
            with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
                archive.write(artifact, artifact.name)
                archive.write(side, artifact.name + SUFFIX)
                archive.write(place, place.name)
                found = sorted(wheels.iterdir())
                for wheel in found:
                    archive.write(wheel, f"{WHEELS}/{wheel.name}")
            os.replace(temporary, made)
        except OSError as error:
            raise InputError(f"{made} can't be written: {error.strerror}") from None
        finally:
            temporary.unlink(missing_ok=True)
    return Bundle(made, len(found), ready.python.version)


def _download(requirements: tuple[str, ...], python: str, folder: Path, sources: Sources) -> None:
    """Let pip fetch the wheels of *requirements* for that Python on this platform."""
    major, minor = python.split(".")[:2]
    abi = f"cp{major}{minor}" + ("m" if (int(major), int(minor)) < (3, 8) else "")
    command = [
        sys.executable,
        "-I",
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--disable-pip-version-check",
        "--only-binary",
        ":all:",
        "--dest",
        str(folder),
        "--implementation",
        "cp",
        "--python-version",
        f"{major}.{minor}",
        "--abi",
        abi,
        "--abi",
        "abi3",
        "--abi",
        "none",
    ]
    for tag in platform_tags():
        command += ["--platform", tag]
    done = subprocess.run(
        [*command, *sources.options(), *requirements],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        told = (lines or done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise RebuildError(
            f"not every distribution has a wheel to bundle: {told[:300]}", code="no-wheel"
        )


def unpacked(path: Path) -> tuple[Path, Sources]:
    """Unpack the bundle at *path* into the cache; return the artifact there, and its wheels.

    Raises InputError for an archive that is none, that holds links or names which lead out
    of it, or more than a bundle may.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}") from None
    folder = cache_folder() / "bundles" / digest.hexdigest()[:20]
    if not folder.exists():
        folder.parent.mkdir(exist_ok=True, mode=0o700)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent))
        try:
            _extract(path, temporary)
            os.replace(temporary, folder)
        except OSError as error:
            if not folder.exists():  # or another process was faster
                raise InputError(f"{path} can't be unpacked: {error.strerror}") from None
        finally:
            discard(temporary)
    names = [one for one in folder.iterdir() if one.name.endswith(SUFFIX)]
    artifact = folder / names[0].name[: -len(SUFFIX)] if len(names) == 1 else folder
    if not artifact.is_file() or not lock_path(artifact).exists():
        raise InputError(f"{path} is no bundle: it holds no model with a sidecar and a lock")
    return artifact, Sources(find_links=(str(folder / WHEELS),), offline=True)


def _extract(path: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _require_sound(path, members)
            for info in members:
                target = folder / info.filename
                target.parent.mkdir(exist_ok=True)
                with archive.open(info) as source, target.open("xb") as made:
                    shutil.copyfileobj(source, made, 1 << 20)
                    if made.tell() != info.file_size:
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
