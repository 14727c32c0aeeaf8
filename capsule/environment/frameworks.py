"""Who provides a Keras or a backend in an environment: several distributions do the same thing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from packaging.version import Version

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
    "tensorflow.keras": TENSORFLOW,
}
# Up to 2.5 TensorFlow brought its Keras along.
KERAS_LEFT_TENSORFLOW = Version("2.6.0.dev0")
BACKENDS = {"tensorflow": TENSORFLOW, "jax": ("jax",), "torch": ("torch",), "numpy": ("numpy",)}

# What the numbers themselves come from, beyond Keras and the backend.
NUMERIC = ("numpy", "ml-dtypes", "jaxlib", "scipy", "opt-einsum")


class Provider(NamedTuple):
    """An installed distribution that provides a Keras or a backend."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class InstalledKeras(NamedTuple):
    """A Keras of an environment: the module to import, and the distribution that brings it."""

    module: str
    distribution: str
    version: str

    @property
    def third(self) -> bool:
        """Whether it is Keras 3 or later."""
        return self.module == "keras" and Version(self.version).major >= 3


def provider(installed: Mapping[str, str], names: tuple[str, ...]) -> Provider | None:
    """Return the first of *names* that is installed, or None."""
    return next((Provider(name, installed[name]) for name in names if name in installed), None)


def keras_provider(installed: Mapping[str, str], module: str) -> Provider | None:
    """Return the distribution that provides the Keras *module*, or None."""
    brought = provider(installed, KERAS.get(module, (module,)))
    if module == "tensorflow.keras" and brought is not None:
        return brought if Version(brought.version) < KERAS_LEFT_TENSORFLOW else None
    return brought


def installed_kerases(installed: Mapping[str, str], first: str = "keras") -> list[InstalledKeras]:
    """Return the Kerases of an environment, the one imported as *first* before the others."""
    modules = dict.fromkeys((first, *KERAS))
    providers = ((module, keras_provider(installed, module)) for module in modules)
    return [InstalledKeras(m, *brought) for m, brought in providers if brought is not None]


def backend_provider(installed: Mapping[str, str], backend: str) -> Provider | None:
    """Return the distribution that provides *backend*, or None."""
    return provider(installed, BACKENDS.get(backend, (backend,)))


def same_provider(name: str) -> tuple[str, ...]:
    """Return the distributions that provide what the distribution *name* does, itself first."""
    if name in TENSORFLOW:
        return (name, *(other for other in TENSORFLOW if other != name))
    return (name,)
