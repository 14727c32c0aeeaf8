"""As much of a Keras as its loaders show to the guest, for tests where no Keras is.

Layers are made from a configuration, functions unmarshalled from their bytecode: what it would
have unmarshalled stands in ``unmarshalled``. The real ones are in the functional tests.
"""

from __future__ import annotations

import contextlib
import json
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


class Layer:
    """A layer that keeps what it is made of."""

    def __init__(self, name: str | None = None, **options: Any) -> None:
        self.name = name
        self.options = options

    @classmethod
    def from_config(cls, config: Any, custom_objects: Any = None) -> Any:
        return cls(**config)


class Dense(Layer):
    """A layer whose activation may be the user's."""


class FakeKeras:
    """The modules of a Keras under the name *top*, in ``sys.modules`` until the test ends."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, top: str = "tf_keras") -> None:
        self.unmarshalled: list[Any] = []
        self.found: list[Any] = []
        self.loads: list[dict[str, Any]] = []
        self.scopes: list[dict[str, Any]] = []
        self.module: Any = types.ModuleType(top)
        self.reading: Any = types.ModuleType(f"{top}.src.generic_utils")
        self.core: Any = types.ModuleType(f"{top}.src.layers.core")
        self.stranger: Any = types.ModuleType(f"not_{top}.core")
        self.reading.func_load = self._func_load
        self.reading.class_and_config_for_serialized_keras_object = self._class_and_config
        self.reading._find_replace_nested_dict = self._find_replace
        # Imported by name, as Keras' own modules do.
        self.core.func_load = self.reading.func_load
        self.stranger.func_load = self.reading.func_load
        self.lambda_class = _lambda_of(self.core)
        self.module.layers = types.SimpleNamespace(Layer=Layer, Dense=Dense)
        self.module.layers.Lambda = self.lambda_class
        self.module.models = types.SimpleNamespace(
            load_model=self._load_model, model_from_json=self._model_from_json
        )
        self.module.utils = types.SimpleNamespace(CustomObjectScope=self._scope)
        for module in (self.module, self.reading, self.core, self.stranger):
            monkeypatch.setitem(sys.modules, module.__name__, module)

    def _func_load(
        self, code: Any, defaults: Any = None, closure: Any = None, globs: Any = None
    ) -> Any:
        self.unmarshalled.append((code, defaults, closure))
        return "unmarshalled"

    def _class_and_config(self, config: Any, *others: Any, **named: Any) -> Any:
        self.found.append((config, others, named))
        return Dense, config["config"]

    def _find_replace(self, config: Any, find: str, replace: str) -> Any:
        return json.loads(json.dumps(config).replace(find, replace))

    @contextlib.contextmanager
    def _scope(self, names: dict[str, Any]) -> Iterator[None]:
        self.scopes.append(dict(names))
        yield

    def _load_model(
        self,
        path: str,
        custom_objects: Any = None,
        compile: bool = True,  # noqa: A002
        safe_mode: bool = True,
    ) -> Any:
        facts = {"custom_objects": custom_objects, "compile": compile, "safe_mode": safe_mode}
        self.loads.append(facts)
        return [self.layer_of(data) for data in json.loads(Path(path).read_text())]

    def _model_from_json(self, text: str, custom_objects: Any = None) -> Any:
        layers = [self.layer_of(data) for data in json.loads(text)]
        return _Model(layers, custom_objects)

    def layer_of(self, data: dict[str, Any]) -> Any:
        """Return a layer as a loader makes it, of ``{"class_name", "config"}``."""
        owner = getattr(self.module.layers, data["class_name"])
        return owner.from_config(data["config"])


class _Model:
    def __init__(self, layers: list[Any], custom_objects: Any) -> None:
        self.layers = layers
        self.custom_objects = custom_objects
        self.weights_of: str | None = None

    def load_weights(self, path: str) -> None:
        self.weights_of = path


def _lambda_of(core: Any) -> Any:
    """Return a Lambda that unmarshals by what *core* has under ``func_load`` then."""

    class Lambda(Layer):
        _output_shape: Any = None

        def __init__(
            self,
            function: Any,
            output_shape: Any = None,
            mask: Any = None,
            arguments: Any = None,
            name: str | None = None,
            **options: Any,
        ) -> None:
            super().__init__(name, **options)
            self.function, self.mask, self.arguments = function, mask, arguments
            self._output_shape = output_shape

        def compute_output_shape(self, input_shape: Any) -> Any:
            if self._output_shape is None:
                return self.function(input_shape)
            return self._output_shape

        @classmethod
        def from_config(cls, config: Any, custom_objects: Any = None, safe_mode: Any = None) -> Any:
            config = dict(config)
            for role in ("function", "output_shape", "mask"):
                kind = config.pop(f"{role}_type", None)
                config.pop(f"{role}_module", None)
                if kind == "lambda":
                    config[role] = core.func_load(config[role])
            config.pop("module", None)
            return cls(**config)

    return Lambda
