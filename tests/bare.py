"""Model files without a sidecar, as every Keras wrote them: for tests that need no framework."""

from __future__ import annotations

import base64
import json
import marshal
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any

import pytest


def encoded(function: Callable[..., Any] | CodeType) -> str:
    """Return a function's code as Keras 2 and 3 write it: marshalled, in base64, in lines."""
    code = function if isinstance(function, CodeType) else function.__code__
    return base64.encodebytes(marshal.dumps(code)).decode("ascii")


def keras_2_lambda(
    function: Callable[..., Any] | CodeType, name: str = "lam", **more: Any
) -> dict[str, Any]:
    """Return the entry of a Lambda layer as Keras 2 writes it."""
    return {
        "class_name": "Lambda",
        "name": name,
        "inbound_nodes": [[["x", 0, 0, {}]]],
        "config": {
            "name": name,
            "function": [encoded(function), None, None],
            "function_type": "lambda",
            "module": "__main__",
            "arguments": {},
            **more,
        },
    }


def keras_3_lambda(function: Callable[..., Any], name: str = "lam") -> dict[str, Any]:
    """Return the entry of a Lambda layer as Keras 3 writes it."""
    held = {"code": encoded(function), "defaults": None, "closure": None}
    return {
        "module": "keras.layers",
        "class_name": "Lambda",
        "registered_name": None,
        "config": {"name": name, "function": {"class_name": "__lambda__", "config": held}},
    }


def model_of(*layers: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration of a Sequential of these layers, with an input of width 4."""
    start = {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 4], "name": "x"}}
    return {"class_name": "Sequential", "config": {"name": "m", "layers": [start, *layers]}}


def archive(path: Path, config: Any, version: str = "3.5.0", **members: str | bytes) -> Path:
    """Write a ``.keras`` archive of that configuration, and of other members by name."""
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("metadata.json", json.dumps({"keras_version": version}))
        made.writestr("config.json", json.dumps(config))
        for name, data in members.items():
            made.writestr(name, data)
    return path


def architecture(path: Path, config: Any, version: str = "2.2.4") -> Path:
    """Write an architecture ``.json``, as ``model.to_json()`` gives it."""
    path.write_text(json.dumps({**config, "keras_version": version, "backend": "tensorflow"}))
    return path


def hdf5(path: Path, config: Any = None, version: str = "2.2.4") -> Path:
    """Write an ``.h5`` of that configuration, or of weights alone."""
    h5py = pytest.importorskip("h5py", reason="h5py writes the file")
    with h5py.File(path, "w") as file:
        if config is None:
            file.attrs["layer_names"] = [b"dense"]
            file.create_group("dense")
        else:
            file.attrs["model_config"] = json.dumps(config)
            file.attrs["keras_version"] = version
            file.create_group("model_weights")
    return path


def saved_model(path: Path, config: Any = None, version: str = "2.15.0") -> Path:
    """Write the folder of a SavedModel, with what Keras 2 writes beside the graph."""
    path.mkdir()
    (path / "saved_model.pb").write_bytes(b"\x08\x01")  # the version of its schema, no graph
    if config is not None:
        whole = json.dumps({**config, "keras_version": version}).encode()
        node = _field(4, b"_tf_keras_sequential") + _field(5, whole)
        (path / "keras_metadata.pb").write_bytes(_field(1, node))
    return path


def _field(number: int, data: bytes) -> bytes:
    """Return a field of a protocol buffer: its number and kind, the length, the bytes."""
    length, size = [], len(data)
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    return bytes([number << 3 | 2, *length, size]) + data


def dies(path: Path) -> None:
    """End the process that calls this, as a crash in a reader would."""
    os.abort()


def hoards(path: Path) -> int:
    """Take more memory than a reader may."""
    return len(bytearray(1 << 29))
