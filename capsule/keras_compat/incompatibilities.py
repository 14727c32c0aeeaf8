"""What plain Keras, the newest, will say of a file: reasons of form, before any code runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from capsule.artifact.embedded import objects
from capsule.artifact.files import Artifact


def incompatibilities(artifact: Artifact) -> Iterator[str]:
    """Give the finding codes of what today's Keras can't read of the file as it stands."""
    config = artifact.config
    if artifact.format == "saved-model" or not isinstance(config, dict):
        return
    if _listed(config):
        yield "keras-1-list"
    if any(data.get("class_name") == "Model" and "module" not in data for data in _models(config)):
        yield "model-class"
    version = artifact.keras_version or ""
    if version.startswith("1.") or (_listed(config) and not version.startswith("2.")):
        yield "keras-1-arguments"
    if artifact.format == "keras-zip" and version.startswith("2."):
        yield "archive-of-keras-2"


def _models(config: Any) -> Iterator[dict[str, Any]]:
    for data in objects(config):
        inner = data.get("config")
        if isinstance(inner, dict) and "layers" in inner:
            yield data


def _listed(config: Any) -> bool:
    """Tell whether a Sequential has its layers as a list and nothing else, as Keras 1 wrote."""
    return any(
        data.get("class_name") == "Sequential" and isinstance(data.get("config"), list)
        for data in objects(config)
    )
