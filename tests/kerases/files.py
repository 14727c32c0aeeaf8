"""Model files with the plans that the host makes for them, as a guest is given both."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from capsule.consent.consent import Trust
from capsule.consent.plan import make_plan
from capsule.description.configuration import configuration_as_written, configuration_for
from capsule.description.custom import CustomObjects
from capsule.description.describe import describe
from capsule.environment.frameworks import InstalledKeras
from capsule.guest.probe import make_inputs, record
from capsule.manifest import EmbeddedFunction, Manifest, Node
from tests.bare import keras_2_lambda

INPUTS = [{"shape": [4, 3], "dtype": "float32", "seed": 20, "low": -1.0, "high": 1.0}]
EVERYTHING = Trust(safe_mode=False)
# What a file may hold by its name alone: the source comes from a sidecar.
SOURCES = {
    "squash": "def squash(x):\n    return x / (1.0 + x * x)\n",
    "halve": "def halve(x):\n    return x / 2.0\n",
}

File = dict[str, Any]  # what in_keras.py reads: path, plan, outputs, weights, by_name


def plan_file(path: Path, module: str, saved: dict[str, Any]) -> File:
    """Return the file that the Keras *module* saved at *path*, with the plan of a replay."""
    description = describe(path, custom=CustomObjects(bind={"SCALE": 3.0}))
    description = description.with_manifest(_add_sources(description.manifest))
    build = configuration_as_written(description)
    plan = make_plan(description, EVERYTHING, keras=module, build=build)
    return {
        "path": str(path),
        "plan": plan.to_json(),
        "outputs": saved["outputs"],
        # An architecture alone has none: they are set, so that its outputs can be compared.
        "weights": saved["weights"] if path.suffix == ".json" else None,
        "by_name": [],
    }


def _add_sources(manifest: Manifest) -> Manifest:
    """Return *manifest* with the sources of what is stored by name, as a sidecar has them."""
    functions = [
        replace(function, node=f"__main__:{function.name}") if function.key is None else function
        for function in manifest.functions
    ]
    if all(function.name != "squash" for function in functions):
        # Up to Keras 2.12 an activation is a bare word, which only a sidecar explains.
        place = (("dense",), "activation", "squash", "by-name", None, None, False, False)
        functions.append(EmbeddedFunction(*place, "__main__", "__main__:squash"))
    nodes = {
        f"__main__:{name}": Node(
            kind="function",
            module="__main__",
            qualname=name,
            namespace="__main__",
            origin="main",
            source=source,
        )
        for name, source in SOURCES.items()
    }
    return replace(manifest, functions=tuple(functions), nodes={**manifest.nodes, **nodes})


def drop_sources(file: File) -> File:
    """Return *file* with functions stored by name that come from the caller alone."""
    functions = [
        {**entry, "node": None} if entry["key"] is None else entry
        for entry in file["plan"]["functions"]
    ]
    return {**file, "plan": {**file["plan"], "functions": functions}, "by_name": list(SOURCES)}


def drop_bytecode(file: File) -> File:
    """Return *file* with a plan that lists none of the bytecode in it."""
    functions = [entry for entry in file["plan"]["functions"] if entry["key"] is None]
    return {**file, "plan": {**file["plan"], "functions": functions}}


def write_keras_2_file(path: Path, version: str) -> File:
    """Write an HDF5 file as Keras 2 does, with the plan of a load by Keras 3 of that *version*."""
    import h5py
    import numpy

    kernel = numpy.linspace(-0.3, 0.4, 6, dtype="float32").reshape(3, 2)
    bias = numpy.array([0.1, -0.2], "float32")
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = "2.4.0", "tensorflow"
        file.attrs["model_config"] = json.dumps(_keras_2_config())
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [b"moved", b"dense"]
        weights.create_group("moved").attrs["weight_names"] = []
        group = weights.create_group("dense")
        group.attrs["weight_names"] = [b"dense/kernel:0", b"dense/bias:0"]
        group["dense/kernel:0"], group["dense/bias:0"] = kernel, bias
    description = describe(path)
    build = configuration_for(description, InstalledKeras("keras", "keras", version))
    plan = make_plan(description, EVERYTHING, keras="keras", build=build)
    outputs = numpy.maximum((make_inputs(INPUTS)[0] * 2.0 + 1.0) @ kernel + bias, 0.0)
    return {
        "path": str(path),
        "plan": plan.to_json(),
        "outputs": [record(outputs.astype("float32"))],
        "weights": None,
        "by_name": [],
    }


def _keras_2_config() -> dict[str, Any]:
    start = {"batch_input_shape": [None, 3], "name": "x", "dtype": "float32"}
    dense = {"name": "dense", "units": 2, "activation": "relu", "use_bias": True}
    layers = [
        {"class_name": "InputLayer", "config": start},
        keras_2_lambda(lambda x: x * 2.0 + 1.0, "moved"),
        {"class_name": "Dense", "config": dense},
        # Keras 3 has no such layer: the guest has.
        {"class_name": "AddLoss", "config": {"name": "add_loss", "unconditional": False}},
    ]
    return {"class_name": "Sequential", "config": {"name": "m", "layers": layers}}
