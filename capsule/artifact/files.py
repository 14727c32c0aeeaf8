"""Which kind of model file a path is, its digest, and its configuration as JSON.

The content decides, never the extension: Keras up to 2.12 wrote HDF5 into files
named ``.keras``.
"""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from capsule.artifact.carried import (
    Carried,
    carried_functions,
    foreign_classes,
    lambda_arguments,
    objects,
)
from capsule.artifact.saved_model import identify_folder
from capsule.errors import ArtifactError

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
ZIP_MAGIC = b"PK\x03\x04"


@dataclass(frozen=True)
class Artifact:
    """A model file as read: format, size in bytes, SHA-256, and what it says of itself.

    ``config`` is the model's configuration as Keras wrote it (JSON data), ``training``
    what it was compiled with where that stands apart; ``keras_version`` and ``backend``
    are None where the file doesn't tell; ``judged`` as in Contents.
    """

    path: Path
    format: str
    size: int
    sha256: str
    config: Any
    training: Any
    keras_version: str | None
    backend: str | None
    judged: dict[str, str] = field(default_factory=dict)

    def foreign(self, brought: Collection[str] = ()) -> tuple[str, ...]:
        """Classes named by the file that are not Keras' own, or that load files themselves.

        *brought* are the names of those that loading will bring.
        """
        both = (self.config, self.training)
        return tuple(sorted({name for one in both for name in foreign_classes(one, brought)}))

    @property
    def arguments(self) -> set[str]:
        """The names of the layers that pass arguments to a function."""
        return lambda_arguments(self.config)

    @property
    def texts(self) -> set[str]:
        """Every text that stands as a value in the configuration."""
        found: set[str] = set()
        for data in (*objects(self.config), *objects(self.training)):
            for value in data.values():
                many = value if isinstance(value, list) else [value]
                found.update(item for item in many if isinstance(item, str))
        return found

    @property
    def functions(self) -> list[Carried]:
        """The functions that the file carries or names, in its order."""
        found = carried_functions(self.config)
        if self.format == "keras-h5":
            found += carried_functions(self.training)
        return found


def identify(path: str | os.PathLike[str]) -> tuple[str, int, str]:
    """Return format, size and SHA-256 of the artifact at *path*, reading it once.

    Raises ArtifactError for a missing file, a folder that is no SavedModel, an empty file
    and a file that is neither HDF5 nor zip.
    """
    path = Path(path)
    if os.path.isdir(path):
        return identify_folder(path)
    digest = hashlib.sha256()
    size = 0
    head = b""
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise ArtifactError(f"{path} is no file but a pipe or a device")
        with path.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                head = head or chunk[:8]
                size += len(chunk)
                digest.update(chunk)
    except FileNotFoundError:
        raise ArtifactError(f"{path} does not exist", code="artifact-missing") from None
    except OSError as error:
        raise ArtifactError(f"{path} can't be read: {error.strerror}") from None
    if not size:
        raise ArtifactError(f"{path} is empty: the save did not finish; save the model again")
    if head == HDF5_MAGIC:
        form = "keras-h5"
    elif head[:4] == ZIP_MAGIC:
        form = "keras-zip"
    else:
        raise ArtifactError(f"{path} is no model file: it is neither HDF5 nor a .keras archive")
    return form, size, digest.hexdigest()


def _refuse_two_faced(path: Path, form: str, size: int) -> None:
    """Refuse a file that is an archive and HDF5 at once: Keras might read the other one."""
    if form == "keras-h5":
        both = zipfile.is_zipfile(path)
    else:
        both = False
        with path.open("rb") as stream:
            start = 512  # where HDF5 may begin behind a user block: at each power of two
            while start < size and not both:
                stream.seek(start)
                both = stream.read(8) == HDF5_MAGIC
                start *= 2
    if both:
        raise ArtifactError(f"{path} is HDF5 and a zip archive at once: no Keras writes that")


def open_artifact(path: str | os.PathLike[str]) -> Artifact:
    """Read the artifact at *path*: digest and configuration; no weights, nothing executed."""
    path = Path(path)
    form, size, sha256 = identify(path)
    if form == "saved-model":
        # Its functions are in its graph, with no Python left of them.
        return Artifact(path, form, size, sha256, None, None, None, None)
    _refuse_two_faced(path, form, size)
    # Imported when needed: the HDF5 reader brings numpy along.
    if form == "keras-h5":
        from capsule.artifact.hdf5 import read_hdf5 as read
    else:
        from capsule.artifact.keraszip import read_zip as read
    told = read(path)
    return Artifact(
        path, form, size, sha256, told.config, told.training, told.keras_version, told.backend,
        told.judged,
    )  # fmt: skip
