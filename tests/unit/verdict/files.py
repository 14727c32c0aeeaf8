"""The model files of the tables that have no sidecar."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bare import architecture, archive, keras_2_lambda, keras_3_lambda, model_of
from tests.making import described_file
from tests.unit.verdict.situations import Bare, Effect, environment_here, fatal, note, warning

K = tf = scale = None  # names that lambdas use, and that no test calls
UNKNOWN = "unknown unknown unknown"
BACKEND_UNKNOWN = warning("backend-unknown")
KERAS_MOVED = warning("keras-version")
READ_IN_PART = warning("keras-generation")
NOT_READ = fatal("keras-generation")
DECOMPILED = note("source-decompiled")
KERAS_2_HERE = environment_here(keras="2.15.0", tensorflow_cpu="2.15.1")
OTHER_PYTHON_HERE = environment_here(python="3.6.15")
# `lambda x: [a + b for a, b in x]` of Python 3.8, with a backslash among its instructions.
UNDAMAGED = base64.b64decode(
    """
    4wEAAAAAAAAAAAAAAAEAAAACAAAAQwAAAHMOAAAAZAFkAoQAfABEAIMBUwApA05jAQAAAAAAAAAAAAAAAwAAAAQA
    AABTAAAAcxgAAABnAHwAXRBcAn0BfQJ8AXwCFwCRAnEEUwCpAHIBAAAAKQPaAi4w2gFh2gFicgEAAAByAQAAAPoI
    dHJhaW4ucHnaCjxsaXN0Y29tcD4BAAAAcwQAAAAGAAYAehw8bGFtYmRhPi48bG9jYWxzPi48bGlzdGNvbXA+cgEA
    AAApAdoBeHIBAAAAcgEAAAByBQAAANoIPGxhbWJkYT4BAAAA8wAAAAA=
    """
)


def perhaps_another_python(
    function: Any, *effects: Effect, version: str = "3.5.0"
) -> tuple[Effect, ...]:
    """Return *effects*, and a warning, where other Pythons may have compiled *function* as well.

    Some Pythons compile it as no other does; then there is nothing to tell.
    """
    with tempfile.TemporaryDirectory() as folder:
        config = model_of(keras_3_lambda(function))
        manifest = described_file(archive(Path(folder) / "m.keras", config, version)).manifest
    several = len(manifest.python.versions) > 1
    return (*effects, warning("bytecode", "keras")) if several else ()


def writer_of(writer: Callable[..., Path], name: str, config: Any, version: str) -> Any:
    """Return what writes a model file of *config* into a folder."""
    return lambda folder: writer(folder / name, config, version)


def archive_of(
    *layers: dict[str, Any], at: Any = None, version: str = "3.5.0", **more: Any
) -> Bare:
    """Return a ``.keras`` archive with *layers*."""
    return Bare(
        writer_of(archive, "model.keras", model_of(*layers), version),
        at or environment_here(),
        **more,
    )


def architecture_of(
    *layers: dict[str, Any], at: Any = None, version: str = "2.2.4", **more: Any
) -> Bare:
    """Return an architecture of Keras 2 with *layers*."""
    write = writer_of(architecture, "model.json", model_of(*layers), version)
    return Bare(write, at or environment_here(), **more)


def archive_with(function: Any, **more: Any) -> Bare:
    """Return a ``.keras`` archive with a lambda."""
    return archive_of(keras_3_lambda(function), **more)


def archive_with_code(code: bytes, at: Any) -> Bare:
    """Return a ``.keras`` archive with a lambda of that marshalled code."""
    layer = keras_2_lambda(lambda x: x)
    layer["config"]["function"][0] = base64.encodebytes(code).decode("ascii")
    return archive_of(layer, at=at)


def layer(name: str, **config: Any) -> dict[str, Any]:
    """Return the entry of a layer as Keras 2 writes it."""
    return {"class_name": name, "config": {"name": name.lower(), **config}}


def by_name(name: str, module: str = "builtins") -> dict[str, Any]:
    """Return the entry of a Lambda layer in Keras 3 with a function that is stored by name."""
    function = {"module": module, "class_name": "function", "config": name}
    return {
        "module": "keras.layers",
        "class_name": "Lambda",
        "registered_name": None,
        "config": {"name": "lam", "function": {**function, "registered_name": "function"}},
    }


def of_class(name: str, module: str) -> dict[str, Any]:
    """Return the entry of a layer in Keras 3 with the module of its class."""
    config = {"name": "layer"}
    return {"module": module, "class_name": name, "registered_name": name, "config": config}


def config_with_branches(kind: str) -> dict[str, Any]:
    """Return the configuration of a model with branches, which is of the class *kind*."""
    return {
        "class_name": kind,
        "config": {
            "name": "m",
            "layers": [
                {**layer("InputLayer", batch_input_shape=[None, 4]), "inbound_nodes": []},
                {**layer("ReLU"), "inbound_nodes": [[["inputlayer", 0, 0, {}]]]},
            ],
            "input_layers": [["inputlayer", 0, 0]],
            "output_layers": [["relu", 0, 0]],
        },
    }


def branching_model(kind: str, version: str = "2.2.4", at: Any = None) -> Bare:
    """Return an architecture of a model with branches, which is of the class *kind*."""
    write = writer_of(architecture, "model.json", config_with_branches(kind), version)
    return Bare(write, at or environment_here())


async def coroutine(x: Any) -> Any:
    """Stand for code that can't be decompiled."""
    return x
