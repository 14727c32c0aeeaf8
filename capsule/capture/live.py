"""A live Keras model as it is in this process: its layers, Keras, backend and settings."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from types import FunctionType
from typing import Any

from capsule.capture.origins import Origins
from capsule.environment.distributions import installed_versions
from capsule.manifest import ENVIRONMENT_VARIABLES, KerasFacts, ModelFacts, Settings, Tensor

Where = tuple[str, ...]

# Keras keeps them under other names than its configuration does.
_ATTRIBUTES = {"output_shape": ("_output_shape",), "mask": ("mask",)}
_ADAPTED = ("IndexLookup", "IntegerLookup", "StringLookup", "TextVectorization", "Discretization")
_CALLABLES = (
    "activation", "recurrent_activation", "kernel_initializer", "bias_initializer",
    "recurrent_initializer", "kernel_regularizer", "bias_regularizer", "activity_regularizer",
    "kernel_constraint", "bias_constraint",
)  # fmt: skip


def layers(model: Any) -> Iterator[tuple[Where, Any]]:
    """Give each layer below *model*, wrapped ones and nested models too, with its path."""
    seen: set[int] = set()
    waiting: list[tuple[Where, Any]] = [((), model)]
    while waiting:
        where, outer = waiting.pop(0)
        for layer in outer._flatten_layers(recursive=False, include_self=False):
            if id(layer) in seen:
                continue
            seen.add(id(layer))
            path = (*where, layer.name)
            yield path, layer
            waiting.append((path, layer))


def carried_callable(layer: Any, role: str) -> Any:
    """Return the callable that *layer* holds for a configuration's *role*, or None."""
    for attribute in _ATTRIBUTES.get(role, (role, f"_{role}")):
        value = getattr(layer, attribute, None)
        if callable(value):
            return value
    return None


def by_name_only(layer: Any) -> Iterator[tuple[str, FunctionType]]:
    """Give the functions that Keras writes as a bare name: activations and the like."""
    for role in _CALLABLES:
        value = getattr(layer, role, None)
        if isinstance(value, FunctionType):
            yield role, value


def keras_module(model: Any) -> str:
    """Return which Keras *model* belongs to: keras, tf_keras or tensorflow.keras."""
    for kind in type(model).__mro__:
        top = kind.__module__.split(".")[0]
        if top in ("keras", "tf_keras"):
            return top
        if kind.__module__.startswith("tensorflow.python.keras"):
            return "tensorflow.keras"
    return "keras"


def keras_facts(model: Any, paths: tuple[str, ...], origins: Origins) -> KerasFacts:
    """Return Keras, backend, their versions and distributions, as loaded in this process."""
    module = keras_module(model)
    keras = _keras(module)
    backend = "tensorflow"
    if hasattr(keras, "config") and hasattr(keras.config, "backend"):
        backend = str(keras.config.backend())
    installed = installed_versions(paths)
    owner = origins.of("tensorflow" if module == "tensorflow.keras" else module).distribution
    backend_owner = origins.of(backend).distribution if backend in sys.modules else None
    version = installed.get(owner or "") or str(getattr(keras, "__version__", "0"))
    return KerasFacts(
        module=module,
        version=version if module != "tensorflow.keras" else str(keras.__version__),
        distribution=owner,
        backend=backend,
        backend_version=installed.get(backend_owner or ""),
        backend_distribution=backend_owner,
    )


def _keras(module: str) -> Any:
    return sys.modules["tensorflow"].keras if module == "tensorflow.keras" else sys.modules[module]


def settings(model: Any) -> Settings:
    """Return floatx, epsilon, image format and dtype policy in effect."""
    keras = _keras(keras_module(model))
    backend = keras.backend
    if hasattr(keras, "config") and hasattr(keras.config, "dtype_policy"):
        policy = keras.config.dtype_policy().name
    elif hasattr(keras, "mixed_precision") and hasattr(keras.mixed_precision, "global_policy"):
        policy = keras.mixed_precision.global_policy().name
    else:
        policy = backend.floatx()
    return Settings(
        floatx=str(backend.floatx()),
        epsilon=float(backend.epsilon()),
        image_data_format=str(backend.image_data_format()),
        dtype_policy=str(policy),
    )


def environment_variables() -> dict[str, str]:
    """Return those variables of this process that change what Keras computes."""
    return {name: os.environ[name] for name in ENVIRONMENT_VARIABLES if name in os.environ}


def compiled_callables(model: Any) -> Iterator[tuple[str, Any]]:
    """Give what *model* was compiled with, leaf by leaf, as ``(role, loss or metric)``."""
    yield from (("loss", leaf) for leaf in _leaves(getattr(model, "loss", None)))
    for holder in ("_compile_metrics", "compiled_metrics"):
        found = getattr(model, holder, None)
        yield from (("metrics", leaf) for leaf in _leaves(getattr(found, "_user_metrics", None)))
        weighted = getattr(found, "_user_weighted_metrics", None)
        yield from (("weighted_metrics", leaf) for leaf in _leaves(weighted))


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _leaves(item)
    elif value is not None:
        yield value


def model_facts(model: Any, origins: Origins) -> ModelFacts:
    """Return the model's class, inputs and outputs, and which layers are not as they should be."""
    from capsule.guest.kerases import describe

    told = describe(model)
    unbuilt: list[str] = []
    stateful: list[str] = []
    custom: set[str] = set()
    arguments: list[str] = []
    adapted: list[str] = []
    if not getattr(model, "built", True):
        unbuilt.append(model.name)
    for where, layer in [((model.name,), model), *layers(model)]:
        path = "/".join(where)
        if not getattr(layer, "built", True) and path not in unbuilt:
            unbuilt.append(path)
        if getattr(layer, "stateful", False):
            stateful.append(path)
        if any(kind.__name__ in _ADAPTED for kind in type(layer).__mro__):
            adapted.append(path)
        if not all(_comes_back(v) for v in (getattr(layer, "arguments", None) or {}).values()):
            arguments.append(path)
        for thing in (layer, *(getattr(layer, role, None) for role in _CALLABLES)):
            _note_class(thing, origins, custom)
    for _, thing in compiled_callables(model):
        _note_class(thing, origins, custom)
    optimizer = getattr(model, "optimizer", None)
    for thing in (optimizer, getattr(optimizer, "_learning_rate", None)):
        _note_class(thing, origins, custom)
    return ModelFacts(
        class_name=told["class"],
        inputs=_tensors(told["inputs"]),
        outputs=_tensors(told["outputs"]),
        unbuilt=tuple(unbuilt),
        stateful=tuple(stateful),
        custom=tuple(sorted(custom)),
        losses=_compiled_names(model, {"loss"}),
        metrics=_compiled_names(model, {"metrics", "weighted_metrics"}),
        arguments=tuple(arguments),
        adapted=tuple(adapted),
    )


def _compiled_names(model: Any, roles: set[str]) -> tuple[str, ...]:
    """Return the losses or metrics that *model* was compiled with by a text."""
    found = compiled_callables(model)
    return tuple(sorted({leaf for role, leaf in found if role in roles and isinstance(leaf, str)}))


def _comes_back(value: Any) -> bool:
    """Tell whether JSON brings a Lambda's argument back as it was."""
    if isinstance(value, list):
        return all(_comes_back(item) for item in value)
    return value is None or type(value) in (bool, int, float, str)


def _note_class(thing: Any, origins: Origins, custom: set[str]) -> None:
    """Add the class of *thing* to *custom* if it is the user's own."""
    kind = type(thing)
    if not isinstance(thing, (FunctionType, str)) and origins.is_user_code(kind.__module__):
        custom.add(f"{kind.__module__}:{kind.__qualname__}")


def _tensors(told: list[dict[str, Any]]) -> tuple[Tensor, ...]:
    return tuple(Tensor(t["name"], tuple(t["shape"]), t["dtype"]) for t in told)
