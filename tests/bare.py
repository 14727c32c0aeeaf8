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


def dies(path: Path) -> None:
    """End the process that calls this, as a crash in a reader would."""
    os.abort()


def hoards(path: Path) -> int:
    """Take more memory than a reader may."""
    return len(bytearray(1 << 29))
