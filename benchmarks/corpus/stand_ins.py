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


KNOWN = {
    "euclidean_distance": euclidean_distance,
    "euclidean_distance_shape": euclidean_distance_shape,
    "sampling": sampling,
}


def stand_ins(names: list[str]) -> dict[str, Any]:
    """Return those of the given names, for ``custom_objects``."""
    return {name: KNOWN[name] for name in names if name in KNOWN}
