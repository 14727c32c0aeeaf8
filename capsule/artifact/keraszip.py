"""The configuration in a ``.keras`` archive: two named members, sizes checked first."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from capsule.artifact.contents import Contents
from capsule.errors import ArtifactError

MEMBER_LIMIT = 64 * 1024 * 1024
MEMBER_COUNT = 20_000


def read_zip(path: Path) -> Contents:
    """Return what the archive at *path* says of its model.

    Raises ArtifactError where the archive is damaged or is no model.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if len(archive.infolist()) > MEMBER_COUNT:
                raise ArtifactError(f"{path} holds more than {MEMBER_COUNT} members")
            notes = tuple(_notes(archive))
            config = _member(archive, path, "config.json")
            metadata = _member(archive, path, "metadata.json")
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        ValueError,
        NotImplementedError,
    ) as error:
        raise ArtifactError(
            f"{path} is a damaged archive ({error}); copy or save it again"
        ) from None
    if not isinstance(config, dict):
        raise ArtifactError(
            f"{path} is a zip file without config.json of a model: not a Keras model"
        )
    metadata = metadata if isinstance(metadata, dict) else {}
    version = metadata.get("keras_version")
    backend = metadata.get("backend")
    training = config.get("compile_config")
    return Contents(
        config, training, version and str(version), backend and str(backend), notes=notes
    )


def _notes(archive: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    """Give what a member's name does that no Keras writes: twice, or out of the archive."""
    seen: set[str] = set()
    for info in archive.infolist():
        name = info.filename.replace("\\", "/")
        if name in seen:
            yield "duplicate-member", f"{name[:80]} is there twice: readers would disagree"
        seen.add(name)
        if name.startswith("/") or ".." in name.split("/") or name[1:2] == ":":
            yield "path-escapes", f"{name[:80]} would be unpacked outside of the archive's folder"
        if info.external_attr >> 28 == 0xA:
            yield "path-escapes", f"{name[:80]} is a link"


def _member(archive: zipfile.ZipFile, path: Path, name: str) -> Any:
    members = [info for info in archive.infolist() if info.filename == name]
    if not members:
        return None
    if len(members) > 1:
        raise ArtifactError(f"{path} holds {name} twice: readers would disagree about it")
    if members[0].file_size > MEMBER_LIMIT:
        raise ArtifactError(f"{path}: {name} is larger than {MEMBER_LIMIT >> 20} MiB")
    try:
        with archive.open(members[0]) as stream:
            raw = stream.read(MEMBER_LIMIT + 1)
        if len(raw) > MEMBER_LIMIT:
            raise ArtifactError(f"{path}: {name} is larger than it says")
        return json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError, RuntimeError) as error:
        raise ArtifactError(f"{path}: {name} can't be read ({error})") from None
