"""A stand-in for Keras 3, as small as the save hook will have it: models, layers, a writer.

It lets the capture of what a *user* wrote be tested where no Keras is installed. What Keras
itself does is the matter of the tests in ``functional``, with real ones.
"""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bare import archive, keras_3_lambda, model_of

VERSION = "3.5.0"


class Layer:
    """A layer with whatever attributes it is given."""

    built = True

    def __init__(self, name: str, **attributes: Any) -> None:
        self.name = name
        vars(self).update(attributes)

    def _flatten_layers(self, recursive: bool, include_self: bool) -> Iterator[Any]:
        yield from getattr(self, "layers", ())

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}

    def entry(self) -> dict[str, Any]:
        """Return what the file holds of it."""
        own = {"module": type(self).__module__, "class_name": type(self).__name__}
        inner = [layer.entry() for layer in self._flatten_layers(False, False)]
        return {**own, "registered_name": None, "config": {**self.get_config(), "layers": inner}}


class Lambda(Layer):
    """A Lambda: the file holds its bytecode, or of a def its name."""

    def __init__(self, function: Any, name: str = "lam", **attributes: Any) -> None:
        super().__init__(name, function=function, **attributes)

    def entry(self) -> dict[str, Any]:
        if getattr(self.function, "__name__", "") == "<lambda>":
            return keras_3_lambda(self.function, self.name)
        name = getattr(self.function, "__name__", "f")
        stored = {
            "module": "builtins",
            "class_name": "function",
            "config": name,
            "registered_name": "function",
        }
        return {
            "module": "keras.layers",
            "class_name": "Lambda",
            "registered_name": None,
            "config": {"name": self.name, "function": stored},
        }


class Model(Layer):
    """A model of some layers, with what it was compiled with."""

    _functional = None
    inputs: tuple[Any, ...] = ()
    outputs: tuple[Any, ...] = ()

    def __init__(self, *layers: Any, name: str = "model", **attributes: Any) -> None:
        super().__init__(name, layers=layers, **attributes)

    def save(self, filepath: Any, **options: Any) -> None:
        sys.modules["keras.src.saving.saving_lib"].save_model(self, filepath, **options)


for kind in (Layer, Lambda, Model):
    kind.__module__ = "keras.src.models"


def save_model(model: Any, filepath: Any, *, nothing: bool = False, fail: bool = False) -> str:
    """Write a model to a file as Keras does; *nothing*: as if somebody had said no."""
    config = model_of(*(layer.entry() for layer in model.layers))
    if not nothing and str(filepath).endswith(".h5"):
        import h5py

        with h5py.File(filepath, "w") as file:
            file.attrs.update(model_config=json.dumps(config), keras_version=VERSION)
    elif not nothing:
        archive(Path(filepath), config, VERSION)
    if fail:
        raise OSError("the disk is gone")
    return "what Keras returns"


def save_weights_only(model: Any, filepath: Any) -> None:
    Path(filepath).write_bytes(b"weights")


def save_model_to_hdf5(model: Any, filepath: Any) -> None:
    sys.modules["keras.src.saving.saving_lib"].save_model(model, filepath)


class ModelCheckpoint:
    """Saves a model as the callback of that name does, in the midst of training."""

    def __init__(self, filepath: Any) -> None:
        self.filepath = filepath

    def _save_model(self, model: Any) -> None:
        model.save(self.filepath)


def install(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """Put it where Keras is looked for; return the module that writes."""
    keras = types.ModuleType("keras")
    backend = types.SimpleNamespace(
        floatx=lambda: "float32", epsilon=lambda: 1e-7, image_data_format=lambda: "channels_last"
    )
    policy = types.SimpleNamespace(name="float32")
    config = types.SimpleNamespace(backend=lambda: "jax", dtype_policy=lambda: policy)
    layers = types.SimpleNamespace(Lambda=Lambda, Dense=Layer)
    vars(keras).update(
        __version__=VERSION,
        backend=backend,
        config=config,
        ops=object(),
        layers=layers,
    )
    writers: dict[str, dict[str, Any]] = {
        "keras.src.saving.saving_lib": {
            "save_model": save_model,
            "save_weights_only": save_weights_only,
        },
        "keras.src.legacy.saving.legacy_h5_format": {"save_model_to_hdf5": save_model_to_hdf5},
        "keras.src.callbacks": {"ModelCheckpoint": ModelCheckpoint},
    }
    monkeypatch.setitem(sys.modules, "keras", keras)
    for name, functions in writers.items():
        module = types.ModuleType(name)
        vars(module).update(functions)
        monkeypatch.setitem(sys.modules, name, module)
    return sys.modules["keras.src.saving.saving_lib"]
