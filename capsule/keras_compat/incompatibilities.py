"""What plain Keras, the newest, will say of a file: reasons of form, before any code runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from capsule.artifact.embedded import objects
from capsule.artifact.files import Artifact


def troubles_of(artifact: Artifact) -> Iterator[tuple[str, str]]:
    """Give why today's Keras does not load the file as it is: a code, and one line."""
    if artifact.format == "weights-h5":
        yield "weights-only", "it holds weights and no model: build the model, then load_weights"
        return
    if artifact.format == "keras-json":
        yield "architecture-only", "it holds an architecture and no weights"
    if artifact.format == "saved-model":
        return
    config = artifact.config
    if not isinstance(config, dict):
        return
    if _listed(config):
        yield "keras-1-list", "Keras 3 raises \"Expected 'config' to be a dict\" for Sequential"
    if any(data.get("class_name") == "Model" and "module" not in data for data in _models(config)):
        yield "model-class", "Keras 3 raises \"Could not locate class 'Model'\""
    version = artifact.keras_version or ""
    if version.startswith("1.") or (_listed(config) and not version.startswith("2.")):
        yield "keras-1-arguments", "its layers are written in Keras 1's words"
    if artifact.format == "keras-zip" and version.startswith("2."):
        yield "archive-of-keras-2", "Keras 3 does not read the archives of Keras 2"


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
