"""What may go wrong with a model though nothing shows it: said as doubts, never as a yes."""

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


def doubts(model: Any, origins: Origins, form: str) -> tuple[str, ...]:
    """Return a sentence for each doubt about *model*, saved in the format *form*."""
    found: dict[str, None] = {}
    for _, thing in live.holders(model):
        kind = live.brought_class(thing, origins)
        if kind is not None and origins.is_users(kind):
            found.update(dict.fromkeys(_of_class(model, thing, kind, form)))
    for role, thing in live.compiled_callables(model):
        if isinstance(thing, functools.partial):
            found[f"the {role} is a partial, which Keras does not bring back"] = None
    return tuple(found)


def _of_class(model: Any, thing: Any, kind: type, form: str) -> Iterator[str]:
    keras = sys.modules.get(live.keras_module(model).split(".")[0])
    written = live.registered_name(model, kind)
    for room in _ROOMS if form == "keras-h5" and keras is not None else ():
        if hasattr(getattr(keras, room, None), written):
            yield f"{written} is the name of a class of Keras, too: .h5 tells them not apart"
    for name, value in vars(thing).items():
        if type(value).__name__ == "ResourceVariable" and live.is_keras3(model):
            yield f"{kind.__name__}.{name} is a tf.Variable, which Keras 3 does not save"
    if not hasattr(thing, "get_config"):
        return
    try:
        config = thing.get_config()
    except NotImplementedError:
        return  # Keras' own word for a class that cannot be saved with its arguments
    for name, parameter in inspect.signature(kind).parameters.items():
        held = getattr(thing, name, getattr(thing, f"_{name}", parameter.default))
        if name in config and not _is_json(config[name]):
            yield f"the {name} of {kind.__name__} is nothing that JSON brings back as it was"
        if name in config or name in _EVERYONES or held is parameter.default:
            continue
        if type(held) is type(parameter.default) and held == parameter.default:
            continue
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            yield f"get_config of {kind.__name__} leaves out {name}"


def _is_json(value: Any) -> bool:
    """Tell whether JSON brings a value of a configuration back; functions come otherwise."""
    if isinstance(value, list):
        return all(_is_json(item) for item in value)
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
    return not isinstance(value, (tuple, set, bytes)) and type(value).__module__ != "numpy"
