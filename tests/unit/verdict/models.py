"""The models of the tables that were saved under capsule, and what they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from packaging.version import Version

from capsule.manifest import Manifest
from tests.unit.verdict.situations import (
    LAMBDA,
    Saved,
    binding,
    environment,
    function,
    module,
    node,
    note,
    sidecar,
)

# Other Kerases, as a sidecar describes them, and an environment that has them.
KERAS_2: dict[str, Any] = {"version": "2.15.0", "backend_version": "2.15.1"}
IN_KERAS_2: dict[str, Any] = {"keras": "2.15.0", "tensorflow_cpu": "2.15.1"}
TF_KERAS: dict[str, Any] = {**KERAS_2, "module": "tf_keras", "distribution": "tf-keras"}
JAX: dict[str, Any] = {
    "backend": "jax",
    "backend_version": "0.4.30",
    "backend_distribution": "jax",
}
OVER_JAX: dict[str, Any] = {"jax": "0.4.30", "settings": {"backend": "jax"}}

# Other model files, and other Pythons.
ZIP: dict[str, Any] = {"format": "keras-zip", "name": "model.keras"}
SERVED: dict[str, Any] = {"format": "saved-model", "name": "model"}
PYPY: dict[str, Any] = {"implementation": "pypy"}
OTHER_PYTHON = environment(python="3.10.13", magic=3439)
NEXT_PYTHON = environment(python="3.12.1", magic=3531)

# Functions, and their nodes in the import graph.
STORED_BY_NAME: dict[str, Any] = {"key": None, "code_sha256": None, "encoding": "by-name"}
REFERENCE = {LAMBDA: node(kind="function", origin="reference", source=None, code=None)}
NO_SOURCE = {LAMBDA: node(source=None, reason="it was typed in")}
SECOND = "__main__:<lambda>#2"
DIFFERENT = {SECOND: node(source="lambda x: x + 1")}
EQUAL = {SECOND: node()}
IN_LAYERS = (["lambda"], ["lambda_1"])
IN_MODELS = (["left", "lambda"], ["right", "lambda"])
SAFE_MODE = note("safe-mode")

# Modules, and what a function uses of them.
NUMPY = {"numpy": module(distribution="numpy")}
TENSORFLOW = {"tensorflow": module(distribution="tensorflow-cpu")}
KERAS = {"keras": module(distribution="keras")}
SMALL = {"small": module(distribution="small")}
LOCAL = {"mine": module("local", source="SCALE = 2")}
# A module that is imported inside the lambda comes back even with plain Keras.
TANH = binding("np", "import", to="numpy", attributes=["tanh"])
FLOAT = binding("np", "import", to="numpy", attributes=["float_"])
BOOL = binding("np", "import", to="numpy", attributes=["bool"])
FLOAT_OF_SMALL = binding("small", "import", to="small", attributes=["float_"])
BACKEND_OF_KERAS = binding("K", to="keras", attribute="backend")

# Values as a sidecar stores them.
ARRAY = {"type": "ndarray", "dtype": "<f4", "shape": [0], "base64": ""}
TUPLE = {"type": "tuple", "items": [1]}
BYTES = {"type": "bytes", "base64": "eA=="}
OPAQUE = {"type": "opaque", "of": "tensorflow.Variable", "reason": "it is not plain data"}


def model_with(**facts: Any) -> Saved:
    """Return a model of which the sidecar says *facts*, in its own environment."""
    return Saved(sidecar(model=facts), environment())


def model_using(*names: dict[str, Any], **nodes: Any) -> Saved:
    """Return a model whose lambda uses *names*, in its own environment."""
    return Saved(sidecar(*names, nodes=nodes), environment())


def model_with_lambda(**changes: Any) -> Saved:
    """Return a model whose lambda has a node with *changes*, in its own environment."""
    return Saved(sidecar(nodes={LAMBDA: node(**changes)}), environment())


def model_with_class(*custom_objects: str, **changes: Any) -> Saved:
    """Return a model with a layer of the class Scale, in its own environment."""
    entry = function(where=["scale"], role="class", name="Scale", node="m:Scale", **STORED_BY_NAME)
    changes = {"kind": "class", "module": "m", "qualname": "Scale", "code": None, **changes}
    manifest = sidecar(
        nodes={"m:Scale": node(**changes)}, functions=[entry], model={"custom": ["m:Scale"]}
    )
    return Saved(manifest, environment(), custom_objects)


def model_with_function(*names: dict[str, Any], artifact: Any = None, **changes: Any) -> Saved:
    """Return a model whose file holds a function with *changes*, in its own environment."""
    manifest = sidecar(*names, functions=[function(**changes)], artifact=artifact or {})
    return Saved(manifest, environment())


def model_with_name(nodes: Any = None, **changes: Any) -> Saved:
    """Return a model whose file holds the name of a function, in its own environment."""
    entry = function(**{"name": "scale", **STORED_BY_NAME, **changes})
    return Saved(sidecar(nodes=nodes, functions=[entry]), environment())


def model_with_pair(nodes: Any, places: Sequence[list[str]] = IN_LAYERS, **changes: Any) -> Saved:
    """Return a model with two functions that the file stores alike."""
    first = function(where=places[0], **changes)
    second = function(where=places[1], node=SECOND, **changes)
    return Saved(sidecar(nodes=nodes, functions=[first, second]), environment())


def model_with_argument(*arguments: str, **changes: Any) -> Saved:
    """Return a model with a function in the arguments of a Lambda layer.

    Those of the layers *arguments* are no plain data.
    """
    entry = function(role="arguments", **STORED_BY_NAME, **changes)
    manifest = sidecar(functions=[function(), entry], model={"arguments": list(arguments)})
    return Saved(manifest, environment())


def model_closing_over(value: Any, artifact: Any = None) -> Saved:
    """Return a model whose lambda closes over *value*, in its own environment."""
    return model_with_function(binding("scale", "closure", value=value), artifact=artifact)


def model_of_keras_2(*names: dict[str, Any], functions: Any = None, **nodes: Any) -> Saved:
    """Return a model that Keras 2 saved, in its own environment."""
    entries = functions or [function()]
    manifest = sidecar(*names, nodes=nodes, keras=KERAS_2, functions=entries)
    return Saved(manifest, environment(**IN_KERAS_2))


def keras_of_tensorflow(version: str) -> dict[str, Any]:
    """Return the Keras that comes with a TensorFlow of that version, as a sidecar describes it."""
    if Version(version) >= Version("2.6"):
        return {"version": version, "backend_version": version}
    return {
        "module": "tensorflow.keras",
        "version": version,
        "distribution": "tensorflow-cpu",
        "backend_version": version,
    }


def model_of_tensorflow(version: str, *names: dict[str, Any], **nodes: Any) -> Saved:
    """Return a model that the Keras inside a TensorFlow saved, in its own environment."""
    manifest = sidecar(*names, nodes=nodes, keras=keras_of_tensorflow(version))
    outside = Version(version) >= Version("2.6")
    return Saved(manifest, environment(tensorflow_cpu=version, keras=version if outside else None))


def sidecar_requiring(text: str, **more: Sequence[str]) -> Manifest:
    """Return the manifest of a model whose Keras requires *text*, of a distribution rich."""
    return sidecar(requires={"keras": [text], "rich": [], **more})
