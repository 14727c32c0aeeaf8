"""A SavedModel: a folder whose functions are in a graph, with no Python left of them."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

from capsule.artifact.contents import Contents
from capsule.artifact.protobuf import ProtobufError, messages, text
from capsule.errors import ArtifactError

GRAPH = "saved_model.pb"
METADATA = "keras_metadata.pb"
SIZE_LIMIT = 256 * 1024 * 1024
METADATA_LIMIT = 64 * 1024 * 1024

# Operations that do more than compute: what a graph may do to the machine that serves it.
_REACHING = {
    "ReadFile": "reads files",
    "WriteFile": "writes files",
    "MatchingFiles": "looks for files",
    "PyFunc": "calls Python",
    "PyFuncStateless": "calls Python",
    "EagerPyFunc": "calls Python",
    "PrintV2": "prints",
    "Save": "writes files",
    "DebugIdentity": "writes files",
}


def identify_folder(folder: Path) -> tuple[int, str]:
    """Return size and digest of the SavedModel in *folder*.

    The digest is SHA-256 over the sorted relative paths, sizes and digests of its files.
    Raises ArtifactError for a folder that is none, or that holds links.
    """
    if not (folder / GRAPH).is_file():
        raise ArtifactError(f"{folder} is a folder but not a SavedModel: it has no {GRAPH}")
    lines: list[str] = []
    total = 0
    try:
        for path in sorted(_files(folder)):
            size, digest = _digest(path)
            total += size
            lines.append(f"{path.relative_to(folder).as_posix()}\0{size}\0{digest}\n")
    except OSError as error:
        raise ArtifactError(f"{folder} can't be read: {error.strerror}") from None
    return total, hashlib.sha256("".join(lines).encode("utf-8")).hexdigest()


def _files(folder: Path) -> list[Path]:
    paths = []
    for place, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            path = Path(place, name)
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode):
                paths.append(path)
            elif not stat.S_ISDIR(mode):
                raise ArtifactError(f"{path} is a link or a device: no SavedModel holds such")
    return paths


def _digest(path: Path) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            size += len(chunk)
            digest.update(chunk)
    return size, digest.hexdigest()


def read_saved_model(folder: Path) -> Contents:
    """Return what a SavedModel tells: Keras 2's metadata as a configuration, and its graph.

    Raises ArtifactError where the graph is no protocol buffer.
    """
    graph = _bytes(folder / GRAPH, SIZE_LIMIT)
    if not graph:
        raise ArtifactError(f"{folder / GRAPH} is empty: the save did not finish; save it again")
    try:
        version = text(graph, 2, 1, 5)
        notes = [("tensorflow-version", version)] if version else []
        # Operations of the graph itself, and of the functions in its library.
        operations = {*messages(graph, 2, 2, 1, 2), *messages(graph, 2, 2, 2, 1, 3, 2)}
        kinds = {operation.decode("utf-8", "replace") for operation in operations}
        notes += [
            ("graph-reaches", f"{kind} {_REACHING[kind]}")
            for kind in sorted(kinds & set(_REACHING))
        ]
        config = _metadata(folder / METADATA)
    except ProtobufError as error:
        raise ArtifactError(f"{folder} holds a damaged graph ({error}); copy it again") from None
    keras = None
    if isinstance(config, dict):
        keras = next((v for v in [config.get("keras_version")] if isinstance(v, str)), None)
    return Contents(config, None, keras, "tensorflow", notes=tuple(notes))


def _metadata(path: Path) -> Any:
    """Return the model's configuration as Keras 2 kept it beside the graph, None if it didn't.

    What the layers say of themselves stands beside it, under ``layers``.
    """
    if not path.is_file():
        return None
    whole, layers, version = None, [], None
    for node in messages(_bytes(path, METADATA_LIMIT), 1):
        said = text(node, 5)
        version = version or text(node, 6, 2)
        try:
            data = _listed(json.loads(said)) if said else None
        except (ValueError, RecursionError):
            continue
        if not isinstance(data, dict):
            continue
        version = data.get("keras_version") or version
        if text(node, 4) in ("_tf_keras_model", "_tf_keras_network", "_tf_keras_sequential"):
            own = {key: data.get(key) for key in ("class_name", "config")}
            whole = whole or data.get("model_config") or own
        layers.append({k: data.get(k) for k in ("class_name", "config", "name")})
    if not isinstance(whole, dict):
        whole = {"class_name": "SavedModel", "config": {"layers": layers}}
    return {**whole, "keras_version": version if isinstance(version, str) else None}


def _listed(data: Any) -> Any:
    """Return JSON data with lists for what TensorFlow wrote as ``__tuple__`` objects."""
    if isinstance(data, list):
        return [_listed(item) for item in data]
    if not isinstance(data, dict):
        return data
    if data.get("class_name") == "__tuple__" and isinstance(data.get("items"), list):
        return _listed(data["items"])
    return {key: _listed(value) for key, value in data.items()}


def _bytes(path: Path, limit: int) -> bytes:
    try:
        if path.stat().st_size > limit:
            raise ArtifactError(f"{path} is larger than {limit >> 20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path} can't be read: {error.strerror}") from None
