"""What may go wrong with a model though nothing shows it: warned of at save, never a yes."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Iterator
from typing import Any

from capsule.capture import live
from capsule.capture.origins import Origins

_EVERYONES = ("name", "dtype", "trainable", "args", "kwargs")
# Where plain Keras looks for a class by the bare name that it wrote.
_ROOMS = (
    "layers",
    "losses",
    "metrics",
    "initializers",
    "regularizers",
    "constraints",
    "optimizers",
)


def save_warnings(model: Any, origins: Origins, form: str) -> tuple[str, ...]:
    """Return a sentence for each thing that may go wrong with *model* in the format *form*."""
    sentences: dict[str, None] = {}
    for _, thing in live.holders(model):
        kind = live.foreign_class(thing, origins)
        if kind is not None and origins.is_users(kind):
            sentences.update(dict.fromkeys(_of_name(model, kind, form)))
            sentences.update(dict.fromkeys(_of_variables(model, thing, kind)))
            sentences.update(dict.fromkeys(_of_config(thing, kind)))
    for role, thing in live.compiled_callables(model):
        if isinstance(thing, functools.partial):
            sentences[f"the {role} is a partial, which Keras does not bring back"] = None
    return tuple(sentences)


def _of_name(model: Any, kind: type, form: str) -> Iterator[str]:
    keras = sys.modules.get(live.keras_module(model).split(".")[0])
    written = live.registered_name(model, kind)
    for room in _ROOMS if form == "keras-h5" and keras is not None else ():
        if hasattr(getattr(keras, room, None), written):
            yield f"{written} is the name of a class of Keras, too: .h5 tells them not apart"


def _of_variables(model: Any, thing: Any, kind: type) -> Iterator[str]:
    for name, value in vars(thing).items():
        if type(value).__name__ == "ResourceVariable" and live.is_keras3(model):
            yield f"{kind.__name__}.{name} is a tf.Variable, which Keras 3 does not save"


def _of_config(thing: Any, kind: type) -> Iterator[str]:
    if not hasattr(thing, "get_config"):
        return
    try:
        config = thing.get_config()
    except NotImplementedError:
        return  # Keras' own word for a class that cannot be saved with its arguments
    for name, parameter in inspect.signature(kind).parameters.items():
        if name in config:
            if not _is_json(config[name]):
                yield f"the {name} of {kind.__name__} is nothing that JSON brings back as it was"
        elif name not in _EVERYONES and _is_lost(thing, parameter):
            yield f"get_config of {kind.__name__} leaves out {name}"


def _is_lost(thing: Any, parameter: inspect.Parameter) -> bool:
    """Tell whether *thing* has another value for a parameter than it gets by default."""
    if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        return False
    name, default = parameter.name, parameter.default
    value = getattr(thing, name, getattr(thing, f"_{name}", default))
    return value is not default and not (type(value) is type(default) and value == default)


def _is_json(value: Any) -> bool:
    """Tell whether JSON brings a value of a configuration back; functions come otherwise."""
    if isinstance(value, list):
        return all(_is_json(item) for item in value)
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
    return not isinstance(value, (tuple, set, bytes)) and type(value).__module__ != "numpy"
