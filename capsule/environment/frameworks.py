"""Who provides a Keras or a backend in an environment: several distributions do the same thing."""

from __future__ import annotations

from collections.abc import Mapping

# All of these install the module `tensorflow`: for a verdict they are one thing.
TENSORFLOW = (
    "tensorflow",
    "tensorflow-cpu",
    "tensorflow-gpu",
    "tensorflow-intel",
    "tensorflow-macos",
    "tensorflow-rocm",
    "intel-tensorflow",
    "tf-nightly",
    "tf-nightly-cpu",
)
KERAS = {
    "keras": ("keras", "keras-nightly"),
    "tf_keras": ("tf-keras", "tf-keras-nightly"),
    # Up to 2.5 TensorFlow brought its Keras along.
    "tensorflow.keras": TENSORFLOW,
}
BACKENDS = {"tensorflow": TENSORFLOW, "jax": ("jax",), "torch": ("torch",), "numpy": ("numpy",)}

# What the numbers themselves come from, beyond Keras and the backend.
NUMERIC = ("numpy", "ml-dtypes", "jaxlib", "scipy", "opt-einsum")


def provider(installed: Mapping[str, str], names: tuple[str, ...]) -> tuple[str, str] | None:
    """Return name and version of the first of *names* that is installed, or None."""
    return next(((name, installed[name]) for name in names if name in installed), None)


def keras_provider(installed: Mapping[str, str], module: str) -> tuple[str, str] | None:
    """Return the distribution, with version, that provides the Keras *module*, or None."""
    return provider(installed, KERAS.get(module, (module,)))


def backend_provider(installed: Mapping[str, str], backend: str) -> tuple[str, str] | None:
    """Return the distribution, with version, that provides *backend*, or None."""
    return provider(installed, BACKENDS.get(backend, (backend,)))


def same_provider(one: str) -> tuple[str, ...]:
    """Return the distributions that provide what the distribution *one* does, itself first."""
    if one in TENSORFLOW:
        return (one, *(name for name in TENSORFLOW if name != one))
    return (one,)
