"""Configurations of Keras 1 and 2 in the words of Keras 3, where the meaning is certain.

What isn't certain (another formula under the same name, weights in another order) is
refused with the reason: such a model goes to the Keras that wrote it.
"""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Callable, Iterator
from typing import Any

from capsule.artifact.embedded import objects
from capsule.keras_compat.keras_1 import (
    ALWAYS_TRAINING,
    RENAMED,
    in_words_of_keras_2,
    regularizer_of,
)
from capsule.keras_compat.layer_names import KERAS_LAYERS
from capsule.keras_compat.untranslatable import Untranslatable

__all__ = ["Untranslatable", "translated"]

Config = dict[str, Any]

# What Keras 3 computes otherwise under the same name, or reads in another order.
_OTHERWISE = {
    "CuDNNLSTM": "its weights are in the order of a GPU",
    "CuDNNGRU": "its weights are in the order of a GPU",
    **dict.fromkeys(
        ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer", "ClassMethod", "InstanceMethod"),
        "it is a TensorFlow operation, which Keras 3 has no layer for",
    ),
    "ConvLSTM2D": "its activation hard_sigmoid is another function in Keras 3",
    **dict.fromkeys(
        ("LocallyConnected1D", "LocallyConnected2D", "ThresholdedReLU"),
        "Keras 3 has no such layer",
    ),
}
# Keys that Keras 3's constructors don't take, with the values under which nothing is lost.
_DROPPED: dict[str, dict[str, tuple[Any, ...]]] = {
    **{name: {"time_major": (False, None)} for name in ("LSTM", "GRU", "SimpleRNN", "RNN")},
    "BatchNormalization": {
        "renorm": (False, None),
        "fused": (True, False, None),
        "virtual_batch_size": (None,),
        "adjustment": (None,),
    },
    **{f"Conv{rank}DTranspose": {"groups": (1,)} for rank in (1, 2, 3)},
    "InputLayer": {"ragged": (False, None)},
}
_FREELY_DROPPED = {
    "SeparableConv1D": ("groups", "kernel_initializer", "kernel_regularizer", "kernel_constraint"),
    "SeparableConv2D": ("groups", "kernel_initializer", "kernel_regularizer", "kernel_constraint"),
    "DepthwiseConv2D": (
        "groups",
        "kernel_initializer",
        "kernel_regularizer",
        "kernel_constraint",
        "filters",
    ),
}
_SCOPE = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.>/-]*")


def translated(config: Any, version: str | None) -> Config:
    """Return the configuration of a model as Keras 3 reads it.

    *version* is the Keras that wrote it. Raises Untranslatable with the reason.
    """
    whole: Config = copy.deepcopy(config)
    with _as_written():
        first = (version or "").startswith("1.") or (not version and _in_words_of_keras_1(whole))
        whole = _model(whole, first=first)
    return whole


@contextlib.contextmanager
def _as_written() -> Iterator[None]:
    """Say of a configuration of another shape than any Keras writes that it can't be told."""
    try:
        yield
    except (TypeError, ValueError, KeyError, AttributeError, IndexError, OverflowError) as error:
        if isinstance(error, Untranslatable):
            raise
        raise Untranslatable(
            f"its configuration is not as any Keras writes it ({str(error)[:80]})"
        ) from None


def mended(config: Any) -> Config | None:
    """Return a configuration of Keras 2 without what that Keras can't read back here.

    None where there is nothing to mend. A TensorFlow operation's argument that is a function
    was written as its bare name; where it is the operation's default, leaving it out says the
    same. Layers for GPUs alone become those that compute the same anywhere, whose weights
    that Keras turns round as it reads them. Regularizers are said as Keras 2 does.
    """
    whole: Config = copy.deepcopy(config)
    changed = False
    with _as_written():
        for data in objects(whole):
            changed = _operation_mended(data) or _everywhere(data) or _regularized(data) or changed
    return whole if changed else None


def _operation_mended(data: Config) -> bool:
    inner = data.get("config")
    operation = inner.get("function") if isinstance(inner, dict) else None
    default = _OPERATION_DEFAULTS.get(operation if isinstance(operation, str) else "")
    if default is None or data.get("class_name") != "TFOpLambda":
        return False
    name, value = default
    calls = [call for call in objects(data.get("inbound_nodes")) if call.get(name) == value]
    for arguments in calls:
        del arguments[name]
    return bool(calls)


_ON_GPU: dict[str, tuple[str, Config]] = {
    "CuDNNLSTM": ("LSTM", {"recurrent_activation": "sigmoid"}),
    "CuDNNGRU": ("GRU", {"recurrent_activation": "sigmoid", "reset_after": True}),
}


def _everywhere(data: Config) -> bool:
    name = data.get("class_name")
    if not isinstance(name, str) or name not in _ON_GPU or not isinstance(data["config"], dict):
        return False
    data["class_name"], settings = _ON_GPU[name]
    data["config"].update(settings)
    return True


def _regularized(data: Config) -> bool:
    regularizers = {
        key: value
        for key, value in data.items()
        if key.endswith("_regularizer")
        and isinstance(value, dict)
        and set(value) <= {"name", "l1", "l2"}
    }
    for key, value in regularizers.items():
        data[key] = regularizer_of(key, value)
    return bool(regularizers)


_OPERATION_DEFAULTS = {
    "signal.stft": ("window_fn", "hann_window"),
    "signal.inverse_stft": ("window_fn", "hann_window"),
}


def _in_words_of_keras_1(config: Any) -> bool:
    layers = _layers(config)
    return any(layer.get("class_name") in RENAMED for layer in layers)


def _layers(config: Config) -> list[Config]:
    inner = config.get("config")
    layers = inner.get("layers") if isinstance(inner, dict) else inner
    layers = layers if isinstance(layers, list) else []
    return [layer for layer in layers if isinstance(layer, dict)]


def _model(model: Config, *, first: bool) -> Config:
    """Translate one model: its class, then each of its layers."""
    inner = model.get("config")
    layers = [_layer(layer, first=first) for layer in _layers(model)]
    if model.get("class_name") == "Sequential":
        name = inner.get("name") if isinstance(inner, dict) else None
        label = name if isinstance(name, str) else "sequential"
        return {
            "class_name": "Sequential",
            "config": {"name": label, "layers": _with_input(layers)},
        }
    if not isinstance(inner, dict):
        raise Untranslatable(f"{model.get('class_name')} has no configuration")
    own = {key: value for key, value in inner.items() if key in ("name", "trainable")}
    sides = {key: inner.get(key) for key in ("input_layers", "output_layers")}
    _require_reached(layers, sides)
    _renumber(layers, sides)
    _rename(layers, sides)
    return {"class_name": "Functional", "config": {**own, "layers": layers, **sides}}


def _require_reached(layers: list[Config], sides: Config) -> None:
    """Refuse layers that lead to no output: Keras 2 kept them for the sake of a loss."""
    leading = {
        layer.get("name") or layer["config"].get("name"): {
            place[0] for place in _references(layer.get("inbound_nodes"))
        }
        for layer in layers
    }
    stack = [place[0] for place in _references(sides.get("output_layers"))]
    reached: set[str] = set()
    while stack:
        name = stack.pop()
        if name not in reached:
            reached.add(name)
            stack += leading.get(name, ())
    lost = [
        layer
        for layer in layers
        if layer["class_name"] != "InputLayer"
        and (layer.get("name") or layer["config"].get("name")) not in reached
    ]
    if reached and lost:
        name = lost[-1].get("name") or lost[-1]["config"].get("name")
        raise Untranslatable(f"{name} leads to no output, and Keras 3 leaves out such layers")


def _renumber(layers: list[Config], sides: Config) -> None:
    """Count the calls of an inner model from 0.

    Up to Keras 2 an inner model counted its own making as its first call; in Keras 3 it
    doesn't.
    """
    inner = {layer.get("name") or layer["config"].get("name") for layer in layers if _layers(layer)}
    places = list(_references([layer.get("inbound_nodes") for layer in layers]))
    places += list(_references(list(sides.values())))
    for name in inner:
        own = [place for place in places if place[0] == name]
        first = min((place[1] for place in own), default=0)
        for place in own:
            place[1] -= first


def _rename(layers: list[Config], sides: Config) -> None:
    """Give layers other names whose own a TensorFlow scope can't have: Keras 1 took any."""
    names = {str(layer.get("name") or layer["config"].get("name")) for layer in layers}
    places = list(_references([layer.get("inbound_nodes") for layer in layers]))
    places += list(_references(list(sides.values())))
    changed: dict[str, str] = {}
    count = 0
    for layer in layers:
        own = str(layer.get("name") or layer["config"].get("name"))
        if _SCOPE.fullmatch(own):
            continue
        plain = re.sub(r"[^A-Za-z0-9_.>-]", "_", own)
        name = plain if re.match(r"[A-Za-z0-9.]", plain) else f"layer{plain}"
        while name in names:
            count += 1
            name = f"{plain if plain[:1].isalnum() else f'layer{plain}'}_{count}"
        names.add(name)
        changed[own] = layer["config"]["name"] = name
        if "name" in layer:
            layer["name"] = name
    for place in places:
        place[0] = changed.get(place[0], place[0])


def _references(data: Any) -> Iterator[list[Any]]:
    """Give each ``[layer, call, tensor, …]`` in *data*, to be changed in place."""
    stack = [data]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            stack += item.values()
        elif isinstance(item, list):
            plain = len(item) >= 3 and isinstance(item[0], str)
            if plain and all(type(part) is int for part in item[1:3]):
                yield item
            stack += [part for part in item if isinstance(part, (list, dict))]


def _with_input(layers: list[Config]) -> list[Config]:
    """Let a Sequential begin with an input layer, and no other layer tell its input's shape."""
    shape = None
    for layer in layers:
        own = layer["config"].pop("batch_input_shape", None)
        shape = shape or own
    if layers and layers[0]["class_name"] not in ("InputLayer", "Sequential", "Functional"):
        if shape is None:
            return layers
        dtype = layers[0]["config"].get("dtype")
        start = {
            "batch_shape": shape,
            "name": f"{layers[0]['config'].get('name', 'model')}_input",
            "dtype": dtype if isinstance(dtype, str) else "float32",
        }
        layers.insert(0, {"class_name": "InputLayer", "config": start})
    return layers


def _inner_model(layer: Config, *, first: bool) -> Config:
    """Translate a model that stands in another one as a layer."""
    own = layer.get("name")
    inner = _model(layer, first=first)
    rest: Config = {k: v for k, v in layer.items() if k in ("name", "inbound_nodes")}
    if isinstance(own, str):
        inner["config"].setdefault("name", own)
    return {**inner, **rest}


def _layer(layer: Config, *, first: bool) -> Config:
    """Translate one layer of a model, which may be a model or wrap another layer."""
    name = layer.get("class_name")
    if not isinstance(name, str) or not isinstance(layer.get("config"), (dict, list)):
        raise Untranslatable("a layer without a class or a configuration")
    if _layers(layer) or name in ("Model", "Functional", "Sequential"):
        return _inner_model(layer, first=first)
    config: Config = dict(layer["config"])
    if first:
        name, config = in_words_of_keras_2(name, config)
    if name in _OTHERWISE:
        raise Untranslatable(f"{config.get('name', name)} is a {name}: {_OTHERWISE[name]}")
    for key, value in list(config.items()):
        if key in ("activation", "recurrent_activation") and value == "hard_sigmoid":
            label = config.get("name", name)
            raise Untranslatable(f"{label} uses hard_sigmoid, another function in Keras 3")
        if isinstance(value, dict) and isinstance(value.get("config"), dict):
            if key in ("layer", "cell", "backward_layer"):
                config[key] = _with_module(_layer(value, first=first))
            else:
                _settle(key, value)
    if config.pop(ALWAYS_TRAINING, False):
        layer = {**layer, "inbound_nodes": _in_training(config.get("name", name), layer)}
    return {**layer, "class_name": name, "config": _words(name, config)}


_HOMES = {"Functional": "keras.src.models.functional", "Sequential": "keras.models"}


def _with_module(layer: Config) -> Config:
    """Say where a wrapped layer's class is from: Keras 3 reads those as its own files have it."""
    name = layer["class_name"]
    if name not in KERAS_LAYERS:
        return layer
    return {**layer, "module": _HOMES.get(name, "keras.layers"), "registered_name": None}


def _in_training(label: str, layer: Config) -> list[Any]:
    """Return the calls of *layer* with ``training=True``, which only a graph of calls can say."""
    calls = layer.get("inbound_nodes")
    if not isinstance(calls, list) or not calls:
        raise Untranslatable(f"{label} normalizes by the batch at hand, which Keras 3 can't say")
    return [[[*place[:3], {"training": True}] for place in call] for call in calls]


def _words(name: str, config: Config) -> Config:
    for key in _FREELY_DROPPED.get(name, ()):
        config.pop(key, None)
    for key, harmless in _DROPPED.get(name, {}).items():
        if key in config and config[key] not in harmless:
            raise Untranslatable(f"{config.get('name', name)} has {key}={config[key]!r}")
        config.pop(key, None)
    change = _CHANGED.get(name)
    if change is not None:
        change(config)
    if name != "InputLayer" and isinstance(config.get("dtype"), dict):
        config.pop("dtype")
    return config


def _settle(key: str, value: Config) -> None:
    """Say an initializer as Keras 3 does, whose dtype is its weight's."""
    if key.endswith("initializer"):
        value["config"].pop("dtype", None)
    if (
        value.get("class_name") == "VarianceScaling"
        and value["config"].get("distribution") == "normal"
    ):
        value["config"]["distribution"] = "truncated_normal"


def _input(config: Config) -> None:
    if "batch_input_shape" in config:
        config["batch_shape"] = config.pop("batch_input_shape")
    config.pop("input_dtype", None)


def _normalization(config: Config) -> None:
    axis = config.get("axis")
    if isinstance(axis, list):
        if len(axis) != 1:
            raise Untranslatable(f"{config.get('name')} normalizes several axes")
        config["axis"] = axis[0]


def _leaky(config: Config) -> None:
    if "alpha" in config:
        config["negative_slope"] = config.pop("alpha")


def _gru(config: Config) -> None:
    config.setdefault("reset_after", False)  # as it was before there was a choice


_CHANGED: dict[str, Callable[[Config], None]] = {
    "InputLayer": _input,
    "BatchNormalization": _normalization,
    "LeakyReLU": _leaky,
    "GRU": _gru,
}
