"""A live Keras model as it is in this process: its layers, Keras, backend and settings."""

from __future__ import annotations

import functools
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from types import FunctionType, MethodType
from typing import Any

from capsule.capture.origins import Origins
from capsule.guest.keras_adapter import describe
from capsule.manifest import KerasFacts, ModelFacts, Settings, Tensor

Where = tuple[str, ...]

# Keras keeps them under other names than its configuration does.
_ATTRIBUTES = {"output_shape": ("_output_shape",), "mask": ("mask",)}
_ADAPTED = ("IndexLookup", "IntegerLookup", "StringLookup", "TextVectorization", "Discretization")
# What layers of every kind call the functions and objects that they were given.
_ROLES = ("activation", "initializer", "regularizer", "constraint")
# Whoever imports Keras has these: nothing of them need be captured.
_WITH_KERAS = ("keras", "tf_keras", "tensorflow", "tensorflow_core", "builtins", "numpy")


def layers(model: Any) -> Iterator[tuple[Where, Any]]:
    """Give each layer below *model*, wrapped ones and nested models too, with its path."""
    seen: set[int] = set()
    waiting: deque[tuple[Where, Any]] = deque([((), model)])
    while waiting:
        where, outer = waiting.popleft()
        for layer in outer._flatten_layers(recursive=False, include_self=False):
            if id(layer) in seen:
                continue
            seen.add(id(layer))
            path = (*where, layer.name)
            yield path, layer
            waiting.append((path, layer))


def held_callable(layer: Any, role: str) -> Any:
    """Return the callable that *layer* holds for a configuration's *role*, or None."""
    for attribute in _ATTRIBUTES.get(role, (role, f"_{role}")):
        value = getattr(layer, attribute, None)
        if callable(value):
            return value
    return None


def roles(layer: Any) -> Iterator[tuple[str, Any]]:
    """Give what *layer* was given to call by role: activations, initializers and the like."""
    for attribute, value in vars(layer).items():
        role = attribute.lstrip("_")
        if role.endswith(_ROLES) and value is not None and not isinstance(value, str):
            yield role, value


def config_callables(layer: Any) -> dict[str, Any]:
    """Return what of a layer's own configuration is, or holds, a function."""
    config: dict[str, Any] = layer.get_config()
    return {role: value for role, value in config.items() if _holds_function(value)}


def _holds_function(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_holds_function(item) for item in value)
    if isinstance(value, dict):
        return any(_holds_function(item) for item in value.values())
    return isinstance(value, (FunctionType, MethodType, functools.partial))


def foreign_class(thing: Any, origins: Origins) -> type | None:
    """Return the class of *thing* if plain Keras has no such class, else None.

    That is the user's own, or a library's that builds on Keras.
    """
    kind = type(thing)
    if isinstance(thing, (FunctionType, MethodType, type)) or _comes_with_keras(kind):
        return None
    builds_on_keras = any(map(_comes_with_keras, kind.__mro__[:-1]))
    return kind if builds_on_keras or origins.is_users(kind) else None


def _comes_with_keras(kind: type) -> bool:
    return kind.__module__.split(".")[0] in _WITH_KERAS


def holders(model: Any) -> Iterator[tuple[Where, Any]]:
    """Give every object that the file may hold by its class' name, with where it sits."""
    yield (), model
    for where, layer in layers(model):
        yield where, layer
        yield from ((where, thing) for _, thing in roles(layer))
    yield from (((), thing) for _, thing in compiled_callables(model))
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        yield (), optimizer
        yield (), getattr(optimizer, "_learning_rate", None)


def registered_name(model: Any, thing: type) -> str:
    """Return the name under which Keras writes a class or function: its own, or the registered."""
    keras = _keras(keras_module(model))
    for place in ("saving", "utils"):
        registered = getattr(getattr(keras, place, None), "get_registered_name", None)
        if registered is not None:
            return str(registered(thing))
    return thing.__name__


def keras_module(model: Any) -> str:
    """Return which Keras *model* belongs to: keras, tf_keras or tensorflow.keras."""
    for kind in type(model).__mro__:
        top = kind.__module__.split(".")[0]
        if top in ("keras", "tf_keras"):
            return top
        if kind.__module__.startswith("tensorflow.python.keras"):
            return "tensorflow.keras"
    return "keras"


def is_keras3(model: Any) -> bool:
    """Tell whether *model* belongs to Keras 3."""
    return hasattr(sys.modules.get(keras_module(model)), "ops")


def keras_facts(model: Any, installed: Mapping[str, str], origins: Origins) -> KerasFacts:
    """Return Keras, backend, their versions and distributions, as loaded in this process.

    *installed* are the versions of the distributions, by canonical name.
    """
    module = keras_module(model)
    keras = _keras(module)
    backend = "tensorflow"
    if hasattr(keras, "config") and hasattr(keras.config, "backend"):
        backend = str(keras.config.backend())
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


def compiled_callables(model: Any) -> Iterator[tuple[str, Any]]:
    """Give what *model* was compiled with, leaf by leaf, as ``(role, loss or metric)``."""
    yield from (("loss", leaf) for leaf in _leaves(getattr(model, "loss", None)))
    for holder in ("_compile_metrics", "compiled_metrics"):
        container = getattr(model, holder, None)
        plain = getattr(container, "_user_metrics", None)
        yield from (("metrics", leaf) for leaf in _leaves(plain))
        weighted = getattr(container, "_user_weighted_metrics", None)
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
    tensors = describe(model)
    every = [(model.name, model), *(("/".join(where), layer) for where, layer in layers(model))]
    unbuilt = (path for path, layer in every if not getattr(layer, "built", True))
    classes = {foreign_class(thing, origins) for _, thing in holders(model)} - {None}
    custom = [kind for kind in classes if kind is not None and origins.is_users(kind)]
    return ModelFacts(
        class_name=tensors["class"],
        inputs=_tensors(tensors["inputs"]),
        outputs=_tensors(tensors["outputs"]),
        unbuilt=tuple(dict.fromkeys(unbuilt)),
        stateful=tuple(path for path, layer in every if getattr(layer, "stateful", False)),
        custom=tuple(sorted({f"{kind.__module__}:{kind.__qualname__}" for kind in custom})),
        losses=_compiled_names(model, {"loss"}),
        metrics=_compiled_names(model, {"metrics", "weighted_metrics"}),
        arguments=tuple(path for path, layer in every if not arguments_come_back(layer)),
        adapted=tuple(path for path, layer in every if _is_adapted(layer)),
        operations=_operations(model),
        subclassed=not any(hasattr(model, name) for name in ("_nodes_by_depth", "_functional")),
    )


def _is_adapted(layer: Any) -> bool:
    return any(kind.__name__ in _ADAPTED for kind in type(layer).__mro__)


def _operations(model: Any) -> tuple[str, ...]:
    """Return what stands in the graph of a Keras 3 model and is no layer: ``x[:, 0] > 1``."""
    operations = getattr(model, "operations", ())
    return tuple(sorted({type(op).__name__ for op in operations if not hasattr(op, "weights")}))


def _compiled_names(model: Any, roles: set[str]) -> tuple[str, ...]:
    """Return the losses or metrics that *model* was compiled with by a text."""
    compiled = compiled_callables(model)
    names = {leaf for role, leaf in compiled if role in roles and isinstance(leaf, str)}
    return tuple(sorted(names))


def arguments_come_back(layer: Any) -> bool:
    """Tell whether JSON brings all of a Lambda's arguments back as they were."""
    return all(_comes_back(value) for value in (getattr(layer, "arguments", None) or {}).values())


def _comes_back(value: Any) -> bool:
    if isinstance(value, list):
        return all(_comes_back(item) for item in value)
    return value is None or type(value) in (bool, int, float, str)


def _tensors(described: list[dict[str, Any]]) -> tuple[Tensor, ...]:
    return tuple(Tensor(t["name"], tuple(t["shape"]), t["dtype"]) for t in described)
