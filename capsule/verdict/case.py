"""What is judged: a manifest, what it reaches, and the environment that it is held against."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from capsule.environment import Environment
from capsule.environment.frameworks import keras_provider
from capsule.keras_compat.facts import keras_generation
from capsule.manifest import Manifest
from capsule.verdict.finding import Finding
from capsule.verdict.reach import Reach, Reaches, required


@dataclass(frozen=True)
class Case:
    """A manifest, its reaches, and the environment that it is held against."""

    manifest: Manifest
    reaches: Reaches
    environment: Environment

    @cached_property
    def core(self) -> tuple[str, ...]:
        """The distributions of Keras and its backend, which have rules of their own."""
        keras = self.manifest.keras
        names = (keras.distribution, keras.backend_distribution) if keras else ()
        return tuple(name for name in names if name is not None)

    @cached_property
    def keras(self) -> tuple[str, str, str] | None:
        """The Keras that would load it, see ``keras_here``."""
        return keras_here(self.manifest, self.environment)

    @cached_property
    def framework(self) -> dict[str, Reach]:
        """What Keras and its backend require, with the reach of each."""
        return required(self.manifest, list(self.core))


def keras_here(manifest: Manifest, environment: Environment) -> tuple[str, str, str] | None:
    """Return the Keras that would load it, as ``(module, distribution, version)``, or None.

    The one that saved it, unless another that is there reads such files and it does not.
    """
    saved = manifest.keras
    if saved is None:
        return None
    form = manifest.artifact.format
    wanted = keras_generation(saved.module, saved.version, form)
    there = []
    for module in dict.fromkeys((saved.module, "keras", "tf_keras")):
        found = keras_provider(environment.distributions, module)
        if found is not None:
            there.append((module, *found))
    same = [keras for keras in there if keras_generation(keras[0], keras[2], form) == wanted]
    own = [keras for keras in there if keras[0] == saved.module or form == "keras-h5"]
    return next(iter([*same, *own]), None)


Rule = Callable[[Case], Iterator[Finding]]
