"""An architecture ``.json``: a model's configuration alone, as ``model.to_json()`` gave it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from capsule.artifact.contents import Contents
from capsule.errors import ArtifactError

SIZE_LIMIT = 64 * 1024 * 1024


def looks_like_json(head: bytes) -> bool:
    """Tell whether a file that begins with *head* may be JSON."""
    bare = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    return bool(bare) and bare[:1] in (b"{", b"[", b'"')


def read_json(path: Path) -> Contents:
    """Return what the JSON file at *path* says of its model; JSON in a JSON string, too.

    Raises ArtifactError where it is no JSON, or describes no model.
    """
    if path.stat().st_size > SIZE_LIMIT:
        raise ArtifactError(f"{path} is larger than {SIZE_LIMIT >> 20} MiB: no architecture is")
    try:
        text = path.read_text(encoding="utf-8-sig")
        data = json.loads(text)
        for _ in range(3):  # some wrote json.dumps(model.to_json())
            if not isinstance(data, str):
                break
            data = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{path} can't be read as JSON ({_brief(error)})") from None
    config, version, backend = _model(data)
    if config is None:
        raise ArtifactError(f"{path} is JSON, and no architecture of a Keras model")
    return Contents(config, None, version, backend, weights=False)


def _model(data: Any) -> tuple[Any, str | None, str | None]:
    """Return the configuration with the Keras version and backend that stand in it."""
    if isinstance(data, list):
        # What Keras 1's Sequential.get_config() gave: the layers alone.
        layers = data and all(isinstance(layer, dict) and "class_name" in layer for layer in data)
        return ({"class_name": "Sequential", "config": data} if layers else None), None, None
    if not isinstance(data, dict):
        return None, None, None
    if not isinstance(data.get("class_name"), str) or "config" not in data:
        inner = data.get("model_config")  # in a file with training settings beside it
        return _model(inner) if isinstance(inner, dict) else (None, None, None)
    version, backend = data.get("keras_version"), data.get("backend")
    return (
        data,
        version if isinstance(version, str) else None,
        backend if isinstance(backend, str) else None,
    )


def _brief(error: Exception) -> str:
    return "nested too deep" if isinstance(error, RecursionError) else str(error)[:80]
