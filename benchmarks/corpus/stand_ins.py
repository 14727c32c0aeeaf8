"""Functions and classes that the corpus' files name and do not hold, as their owners have them.

Written from what the configurations tell of them: arguments, shapes, weights.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


def euclidean_distance(vectors: Any) -> Any:
    one, other = vectors
    return ops.sqrt(ops.sum(ops.square(one - other), axis=1, keepdims=True) + 1e-7)


def euclidean_distance_shape(shapes: Any) -> Any:
    return (shapes[0][0], 1)


def sampling(parts: Any) -> Any:
    mean, log_variance = parts
    return mean + ops.exp(0.5 * log_variance) * keras.random.normal(ops.shape(mean))


class PlanarFlow(keras.layers.Layer):
    def __init__(self, latent_dim: int, **options: Any) -> None:
        super().__init__(**options)
        self.latent_dim = latent_dim

    def build(self, shape: Any) -> None:
        self.u = self.add_weight(shape=(self.latent_dim, 1), name="u")
        self.w = self.add_weight(shape=(self.latent_dim, 1), name="w")
        self.b = self.add_weight(shape=(1,), name="b")

    def call(self, z: Any) -> Any:
        return z + ops.tanh(ops.matmul(z, self.w) + self.b) * ops.transpose(self.u)


class Conv2DMod(keras.layers.Layer):
    """A convolution whose kernel is scaled by a style, of StyleGAN 2; its options are as stored."""

    def __init__(self, filters: int, kernel_size: Any, demod: bool = True, **options: Any) -> None:
        for name in (
            "strides",
            "padding",
            "dilation_rate",
            "kernel_initializer",
            "kernel_regularizer",
            "activity_regularizer",
            "kernel_constraint",
        ):
            options.pop(name, None)
        super().__init__(**options)
        self.filters, self.kernel_size, self.demod = filters, tuple(kernel_size), demod

    def build(self, shapes: Any) -> None:
        shape = (*self.kernel_size, shapes[0][-1], self.filters)
        self.kernel = self.add_weight(shape=shape, initializer="he_uniform", name="kernel")

    def call(self, inputs: Any) -> Any:
        image, style = inputs
        made = ops.conv(image * style[:, None, None, :], self.kernel, padding="same")
        if self.demod:
            made = made / (ops.std(made, axis=(1, 2), keepdims=True) + 1e-8)
        return made


class FirstOfAll(keras.layers.Layer):
    """A layer that adds a loss and passes its first input on."""

    def __init__(self, beta: float = 1.0, **options: Any) -> None:
        super().__init__(**options)

    def call(self, inputs: Any) -> Any:
        return 1 * (inputs[0] if isinstance(inputs, (list, tuple)) else inputs)


KNOWN = {
    "PlanarFlow": PlanarFlow,
    "Conv2DMod": Conv2DMod,
    "CustomVariationalLayer": FirstOfAll,
    "CustomLayer": FirstOfAll,
    "OmniLossLayer": FirstOfAll,
    "euclidean_distance": euclidean_distance,
    "euclidean_distance_shape": euclidean_distance_shape,
    "sampling": sampling,
}


def stand_ins(names: list[str]) -> dict[str, Any]:
    """Return those of the given names, for ``custom_objects``."""
    return {name: KNOWN[name] for name in names if name in KNOWN}
