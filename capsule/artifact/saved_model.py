"""A SavedModel: a folder whose functions are in a graph, with no Python left of them."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from capsule.errors import ArtifactError

GRAPH = "saved_model.pb"
FORMAT = "saved-model"


def identify_folder(folder: Path) -> tuple[str, int, str]:
    """Return format, size and digest of the SavedModel in *folder*.

    The digest is SHA-256 over the sorted relative paths, sizes and digests of its files.
    Raises ArtifactError for a folder that is none, or that holds links.
    """
    if not (folder / GRAPH).is_file():
        raise ArtifactError(f"{folder} is a folder, and no SavedModel: it has no {GRAPH}")
    lines: list[str] = []
    total = 0
    try:
        for path in sorted(_files(folder)):
            size, digest = _digest(path)
            total += size
            lines.append(f"{path.relative_to(folder).as_posix()}\0{size}\0{digest}\n")
    except OSError as error:
        raise ArtifactError(f"{folder} can't be read: {error.strerror}") from None
    return FORMAT, total, hashlib.sha256("".join(lines).encode("utf-8")).hexdigest()


def _files(folder: Path) -> list[Path]:
    found = []
    for place, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            path = Path(place, name)
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode):
                found.append(path)
            elif not stat.S_ISDIR(mode):
                raise ArtifactError(f"{path} is a link or a device: no SavedModel holds such")
    return found


def _digest(path: Path) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            size += len(chunk)
            digest.update(chunk)
    return size, digest.hexdigest()
