"""Keras 1's layers in the words of Keras 2: other names for classes and their arguments."""

from __future__ import annotations

from typing import Any

from capsule.keras_compat.untranslatable import Untranslatable, certain, only

Config = dict[str, Any]

# Classes that were renamed, and those of Keras 1 whose arguments were.
RENAMED = {
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "Deconvolution2D": "Conv2DTranspose",
    "SeparableConvolution2D": "SeparableConv2D",
    "AtrousConvolution2D": "Conv2D",
}
_ARGUMENTS = {
    "output_dim": "units",
    "p": "rate",
    "sigma": "stddev",
    "nb_filter": "filters",
    "filter_length": "kernel_size",
    "subsample": "strides",
    "subsample_length": "strides",
    "border_mode": "padding",
    "atrous_rate": "dilation_rate",
    "pool_length": "pool_size",
    "stride": "strides",
    "bias": "use_bias",
    "init": "kernel_initializer",
    "W_regularizer": "kernel_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "b_constraint": "bias_constraint",
    "beta_init": "beta_initializer",
    "gamma_init": "gamma_initializer",
    "dim_ordering": "data_format",
}
# The sizes of a kernel, which had a name each.
_KERNEL = ("kernel_dim1", "kernel_dim2", "kernel_dim3", "nb_row", "nb_col")
# Not an argument: the layer is called with ``training=True``.
ALWAYS_TRAINING = "always_training"
_INITIALIZERS = {
    "normal": "random_normal",
    "uniform": "random_uniform",
    "zero": "zeros",
    "one": "ones",
}
_UNCERTAIN = (
    "LSTM",
    "GRU",
    "SimpleRNN",
    "MaxoutDense",
    "Highway",
    "TimeDistributedDense",
    "SpatialDropout2D",
    "Masking",
)
_MERGES = {
    "sum": "Add",
    "mul": "Multiply",
    "ave": "Average",
    "max": "Maximum",
    "concat": "Concatenate",
}
# What a layer may say besides, under which nothing is lost.
_SILENT = ("input_dtype", "input_dim", "input_length", "dropout")


def in_words_of_keras_2(name: str, config: Config) -> tuple[str, Config]:
    """Return the class and arguments that Keras 2 has for a layer of Keras 1.

    Raises Untranslatable for what was computed otherwise, or stored in another order.
    """
    label = str(config.get("name", name))
    if name in _UNCERTAIN:
        raise Untranslatable(f"{label} is a {name}, whose weights Keras 1 kept in another order")
    if name == "Merge":
        return _merge(label, config)
    if name == "Embedding":
        own = ("input_dim", "output_dim", "mask_zero", "name", "trainable")
        return name, {key: value for key, value in config.items() if key in own}
    words = {_ARGUMENTS.get(k, k): value for k, value in config.items() if k not in _SILENT}
    _kernel(words)
    _rewrite_values(label, words)
    if name == "BatchNormalization":
        mode = words.pop("mode", 0)
        if mode == 2:  # by the batch at hand, always: as Keras 2 and 3 do in training
            words[ALWAYS_TRAINING] = True
        else:
            only(label, "mode", mode, (0,))
    return RENAMED.get(name, name), words


def _rewrite_values(label: str, words: Config) -> None:
    """Put the values of Keras 1's arguments in Keras 2's words."""
    if words.get("data_format") is not None:
        order = {"tf": "channels_last"}
        words["data_format"] = certain(label, "dim_ordering", words["data_format"], order)
    for key, value in list(words.items()):
        if key.endswith("_initializer"):
            words[key] = _INITIALIZERS.get(value, value)
        elif key.endswith("_regularizer"):
            words[key] = regularizer_of(label, value)
        elif key.endswith("_constraint"):
            only(label, key, value, (None,))
    if isinstance(words.get("padding"), str):
        modes = {"valid": "valid", "same": "same"}
        words["padding"] = certain(label, "border_mode", words["padding"], modes)


def _kernel(words: Config) -> None:
    """Put the sizes of a kernel, which had a name each, in one place."""
    sizes = [words.pop(key) for key in _KERNEL if key in words]
    if sizes:
        words["kernel_size"] = sizes


def regularizer_of(label: str, value: Any) -> Any:
    """Return a regularizer as Keras 2 says it. Raises Untranslatable for one of its own kind."""
    if value is None:
        return None
    if isinstance(value, dict) and set(value) <= {"name", "l1", "l2"}:
        rates = {key: float(value.get(key) or 0.0) for key in ("l1", "l2")}
        return {"class_name": "L1L2", "config": rates}
    raise Untranslatable(f"{label} has a regularizer of its own kind")


def _merge(label: str, config: Config) -> tuple[str, Config]:
    mode = config.get("mode")
    if config.get("mode_type", "raw") != "raw" or not isinstance(mode, str):
        raise Untranslatable(f"{label} merges by a function")
    kind = str(certain(label, "mode", mode, {**_MERGES}))
    own: Config = {key: value for key, value in config.items() if key in ("name", "trainable")}
    if kind == "Concatenate":
        own["axis"] = config.get("concat_axis", -1)
    return kind, own
