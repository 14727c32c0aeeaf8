"""The configuration in a Keras ``.h5`` file, by a reader in pure Python.

pyfive, not h5py: a damaged or hostile file cannot crash it in C. Only attributes of
the root are read; datasets and links are never followed.
"""

from __future__ import annotations

import json
import mmap
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from capsule.artifact.contents import Contents
from capsule.errors import ArtifactError
from capsule.guest.digest import digest

NAME_LIMIT = 1024


def read_hdf5(path: Path, *, weights_alone: bool = False) -> Contents:
    """Return what the HDF5 file at *path* says of its model.

    Raises ArtifactError where the file is damaged, or holds no model configuration: of
    weights alone nothing is said unless *weights_alone*.
    """
    import pyfive

    notes = tuple(_links(path))
    try:
        with warnings.catch_warnings(), pyfive.File(str(path)) as file:
            warnings.simplefilter("ignore")  # of types that no Keras writes
            attributes = file.attrs
            wanted = ("model_config", "training_config", "keras_version", "backend")
            texts = {name: attributes[name] for name in wanted if name in attributes}
            alone = "model_config" not in texts and _is_weights(file, attributes)
            has_weights = alone or "model_weights" in file
    except Exception as error:  # noqa: BLE001 - a parser fed a damaged file fails in any way
        if notes:
            raise ArtifactError(
                f"{path} links into another file: {notes[0][1]};"
                " no Keras writes that, don't load it",
                code="external-link",
            ) from None
        cause = f"{type(error).__name__}: {error}"
        raise ArtifactError(
            f"{path} is a damaged HDF5 file ({cause[:120]}); copy or save it again"
        ) from None
    version, backend = _optional(texts.get("keras_version")), _optional(texts.get("backend"))
    if alone and weights_alone:
        return Contents(None, None, version, backend, notes=notes)
    if "model_config" not in texts:
        raise ArtifactError(
            f"{path} holds no model configuration (weights only?); save the whole model"
        )
    text = _text(texts["model_config"])
    try:
        config = json.loads(text)
        training = json.loads(_text(texts.get("training_config", "null")))
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{path}: its model configuration is not JSON ({error})") from None
    if not isinstance(config, dict):
        raise ArtifactError(f"{path}: its model configuration is not an object")
    return Contents(
        config,
        training,
        version,
        backend,
        {
            name: digest(_text(texts[name]))
            for name in ("model_config", "training_config")
            if name in texts
        },
        has_weights,
        notes,
    )


def _is_weights(file: Any, attributes: Any) -> bool:
    """Tell weights without a model: of Keras 1 and 2 by an attribute, of Keras 3 by groups."""
    return "layer_names" in attributes or bool(
        {"layers", "_layer_checkpoint_dependencies"} & set(file.keys())
    )


def _links(path: Path) -> Iterator[tuple[str, str]]:
    """Give the links in the file that lead to other files, found by their bytes; none is followed.

    A link message is version 1, flags that tell of a type, type 64, perhaps the order of
    its making and its alphabet, the length of its name, the name; then what it leads to.
    """
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for match in _EXTERNAL.finditer(data):
            flags, at = match[0][1], match.end()
            at += 8 * bool(flags & 4) + bool(flags & 16)
            width = 1 << (flags & 3)
            length = int.from_bytes(data[at : at + width], "little")
            name = data[at + width : at + width + min(length, NAME_LIMIT)]
            to = data[at + width + length + 3 : at + width + length + 3 + NAME_LIMIT]
            file, end, inside = to.partition(b"\0")
            if 0 < length < NAME_LIMIT and end and _readable(name) and _readable(file):
                yield (
                    "external-link",
                    f"{name.decode()} lies in another file, {file.decode()}"
                    f" ({inside.partition(bytes(1))[0][:80].decode('ascii', 'replace')})",
                )


_EXTERNAL = re.compile(rb"\x01[\x08-\x0f\x18-\x1f]\x40", re.DOTALL)


def _readable(text: bytes) -> bool:
    return bool(text) and all(31 < byte < 127 for byte in text)


def _optional(value: Any) -> str | None:
    return None if value is None else _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)
