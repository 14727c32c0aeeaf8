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
from typing import TYPE_CHECKING, Any, NamedTuple

from capsule.artifact.contents import Contents
from capsule.artifact.embedded import (
    StoredFunction,
    foreign_classes,
    lambda_arguments,
    objects,
    stored_functions,
)
from capsule.artifact.json_file import looks_like_json, read_json
from capsule.artifact.limited_process import run_limited
from capsule.artifact.saved_model import identify_folder, read_saved_model
from capsule.errors import ArtifactError

if TYPE_CHECKING:
    from capsule.manifest import Format

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
ZIP_MAGIC = b"PK\x03\x04"


class Identity(NamedTuple):
    """Which file it is: its format by content, size in bytes, SHA-256 in hex."""

    format: Format
    size: int
    sha256: str


@dataclass(frozen=True)
class Artifact:
    """A model file as read: its identity, and what it says of itself.

    ``config`` is the model's configuration as Keras wrote it (JSON data), ``training``
    what it was compiled with where that stands apart; ``keras_version`` and ``backend``
    are None where the file doesn't tell; ``judged``, ``weights`` and ``notes`` as in Contents.
    """

    path: Path
    format: Format
    size: int
    sha256: str
    config: Any
    training: Any
    keras_version: str | None
    backend: str | None
    judged: dict[str, str] = field(default_factory=dict)
    weights: bool = True
    notes: tuple[tuple[str, str], ...] = ()

    def foreign(self, supplied: Collection[str] = ()) -> tuple[str, ...]:
        """Classes named by the file that are not Keras' own, or that load files themselves.

        *supplied* are the names of those that loading will bring.
        """
        configs = (self.config, self.training)
        return tuple(sorted({name for c in configs for name in foreign_classes(c, supplied)}))

    @property
    def arguments(self) -> set[str]:
        """The names of the layers that pass arguments to a function."""
        return lambda_arguments(self.config)

    @property
    def texts(self) -> set[str]:
        """Every text that stands as a value in the configuration."""
        texts: set[str] = set()
        for data in (*objects(self.config), *objects(self.training)):
            for value in data.values():
                items = value if isinstance(value, list) else [value]
                texts.update(item for item in items if isinstance(item, str))
        return texts

    @property
    def functions(self) -> list[StoredFunction]:
        """The functions that the file holds or names, in its order.

        None of a SavedModel's: its graph computes, with no Python of what is written beside it.
        """
        if self.format == "saved-model":
            return []
        functions = stored_functions(self.config)
        if self.format == "keras-h5":
            functions += stored_functions(self.training)
        return functions


def identify(path: str | os.PathLike[str]) -> Identity:
    """Return the identity of the artifact at *path*, reading it once.

    Raises
    ------
    ArtifactError
        The file is missing, empty, or neither HDF5, zip nor JSON; the folder is no SavedModel.
    """
    path = Path(path)
    if os.path.isdir(path):
        return Identity("saved-model", *identify_folder(path))
    digest = hashlib.sha256()
    size = 0
    head = b""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise ArtifactError(f"{path} is not a file but a pipe or a device")
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
    return Identity(_format(head, path), size, digest.hexdigest())


def _format(head: bytes, path: Path) -> Format:
    """Return the format of a file that begins with *head*. Raises ArtifactError for another."""
    if head[:8] == HDF5_MAGIC:
        return "keras-h5"
    if head[:4] == ZIP_MAGIC:
        return "keras-zip"
    if looks_like_json(head):
        return "keras-json"
    raise ArtifactError(
        f"{path} is not a model file: it is neither HDF5, nor a .keras archive, nor JSON"
    )


def _refuse_two_faced(path: Path, form: Format, size: int) -> None:
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
    path: str | os.PathLike[str],
    *,
    identity: Identity | None = None,
    isolated: bool = True,
    weights_alone: bool = False,
) -> Artifact:
    """Read the artifact at *path*: digest and configuration; no weights, nothing executed.

    Parameters
    ----------
    path
        The model file or SavedModel folder.
    identity
        What `identify` said of it, so that it is not hashed again.
    isolated
        Read in a child process with limits of time and memory. False is for a file that
        this process wrote itself.
    weights_alone
        Accept a file that holds weights and no model.

    Raises
    ------
    ArtifactError
        The file can't be read, or is no model.
    """
    path = Path(path)
    identity = identity or identify(path)
    if isolated and identity.format != "saved-model":
        options = {"form": identity.format, "weights_alone": weights_alone}
        contents = Contents.from_json(run_limited(contents_json, path, options))
    else:
        contents = contents_of(path, identity.format, weights_alone=weights_alone)
    return artifact_of(path, identity, contents)


def artifact_of(path: Path, identity: Identity, contents: Contents) -> Artifact:
    """Return the artifact of which *contents* were read."""
    form = identity.format
    if form == "keras-h5" and contents.config is None:
        form = "weights-h5"
    return Artifact(path, form, identity.size, identity.sha256, **vars(contents))


def contents_of(path: Path, form: Format, *, weights_alone: bool = False) -> Contents:
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


def contents_json(path: Path, *, form: Format, weights_alone: bool) -> dict[str, Any]:
    """Return ``contents_of`` as JSON data, for the process that asked."""
    return contents_of(path, form, weights_alone=weights_alone).to_json()
