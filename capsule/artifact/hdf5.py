"""The configuration in a Keras ``.h5`` file, by a reader in pure Python.

pyfive, not h5py: a damaged or hostile file cannot crash it in C. Only attributes of
the root are read; datasets and links are never followed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from capsule.artifact.contents import Contents
from capsule.errors import ArtifactError
from capsule.guest.digest import digest


def read_hdf5(path: Path) -> Contents:
    """Return what the HDF5 file at *path* says of its model.

    Raises ArtifactError where the file is damaged or holds no model configuration.
    """
    import pyfive

    try:
        with pyfive.File(str(path)) as file:
            attributes = file.attrs
            wanted = ("model_config", "training_config", "keras_version", "backend")
            found = {name: attributes[name] for name in wanted if name in attributes}
            weights_only = "layer_names" in attributes and "model_config" not in attributes
    except Exception as error:  # noqa: BLE001 - a parser fed a damaged file fails in any way
        told = f"{type(error).__name__}: {error}"
        raise ArtifactError(
            f"{path} is a damaged HDF5 file ({told}); copy or save it again"
        ) from None
    if weights_only or "model_config" not in found:
        raise ArtifactError(
            f"{path} holds no model configuration (weights only?); save the whole model"
        )
    text = _text(found["model_config"])
    try:
        config = json.loads(text)
        training = json.loads(_text(found.get("training_config", "null")))
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{path}: its model configuration is not JSON ({error})") from None
    if not isinstance(config, dict):
        raise ArtifactError(f"{path}: its model configuration is not an object")
    return Contents(
        config,
        training,
        _optional(found.get("keras_version")),
        _optional(found.get("backend")),
        {
            name: digest(_text(found[name]))
            for name in ("model_config", "training_config")
            if name in found
        },
    )


def _optional(value: Any) -> str | None:
    return None if value is None else _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)
