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

from capsule.artifact.contents import Contents
from capsule.artifact.embedded import (
    Carried,
    carried_functions,
    foreign_classes,
    lambda_arguments,
    objects,
)
from capsule.artifact.json_file import looks_like_json, read_json
from capsule.artifact.limited_process import in_child
from capsule.artifact.saved_model import identify_folder, read_saved_model
from capsule.errors import ArtifactError

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
ZIP_MAGIC = b"PK\x03\x04"


@dataclass(frozen=True)
class Artifact:
    """A model file as read: format, size in bytes, SHA-256, and what it says of itself.

    ``config`` is the model's configuration as Keras wrote it (JSON data), ``training``
    what it was compiled with where that stands apart; ``keras_version`` and ``backend``
    are None where the file doesn't tell; ``judged``, ``weights`` and ``notes`` as in Contents.
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
    weights: bool = True
    notes: tuple[tuple[str, str], ...] = ()

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
        """The functions that the file carries or names, in its order.

        None of a SavedModel's: its graph computes, with no Python of what is written beside it.
        """
        if self.format == "saved-model":
            return []
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
                head = head or chunk[:64]
                size += len(chunk)
                digest.update(chunk)
    except FileNotFoundError:
        raise ArtifactError(f"{path} does not exist", code="artifact-missing") from None
    except OSError as error:
        raise ArtifactError(f"{path} can't be read: {error.strerror}") from None
    if not size:
        raise ArtifactError(f"{path} is empty: the save did not finish; save the model again")
    if head[:8] == HDF5_MAGIC:
        form = "keras-h5"
    elif head[:4] == ZIP_MAGIC:
        form = "keras-zip"
    elif looks_like_json(head):
        form = "keras-json"
    else:
        raise ArtifactError(
            f"{path} is no model file: it is neither HDF5, nor a .keras archive, nor JSON"
        )
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


def open_artifact(
    path: str | os.PathLike[str], *, isolated: bool = True, weights_alone: bool = False
) -> Artifact:
    """Read the artifact at *path*: digest and configuration; no weights, nothing executed.

    It is read in a child process with limits of time and memory, unless *isolated* is
    False: for a file that this process wrote itself. Raises ArtifactError for what can't
    be read; a file of weights alone counts as that unless *weights_alone*.
    """
    path = Path(path)
    form, size, sha256 = identify(path)
    if isolated and form != "saved-model":
        options = {"form": form, "weights_alone": weights_alone}
        told = Contents.from_json(in_child(f"{__name__}:contents_json", path, options))
    else:
        told = contents_of(path, form, weights_alone=weights_alone)
    return artifact_of(path, form, size, sha256, told)


def artifact_of(path: Path, form: str, size: int, sha256: str, told: Contents) -> Artifact:
    """Return the artifact of which *told* was read."""
    if form == "keras-h5" and told.config is None:
        form = "weights-h5"
    return Artifact(
        path,
        form,
        size,
        sha256,
        told.config,
        told.training,
        told.keras_version,
        told.backend,
        told.judged,
        told.weights,
        told.notes,
    )


def contents_of(path: Path, form: str, *, weights_alone: bool = False) -> Contents:
    """Return what the artifact at *path* says, in this process. Raises ArtifactError."""
    if form == "saved-model":
        # Its functions are in its graph, with no Python left of them.
        return read_saved_model(path) if weights_alone else Contents(None, None, None, None)
    _refuse_two_faced(path, form, path.stat().st_size)
    # Imported when needed: the HDF5 reader brings numpy along.
    if form == "keras-h5":
        from capsule.artifact.hdf5 import read_hdf5

        return read_hdf5(path, weights_alone=weights_alone)
    if form == "keras-json":
        return read_json(path)
    from capsule.artifact.keraszip import read_zip

    return read_zip(path)


def contents_json(path: Path, *, form: str, weights_alone: bool) -> dict[str, Any]:
    """Return ``contents_of`` as JSON data, for the process that asked."""
    return contents_of(path, form, weights_alone=weights_alone).to_json()
