"""What the rules of a verdict read: a manifest, and the environment that it is held against."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from capsule.description.configuration import Configuration, configuration_for
from capsule.description.custom import CustomObjects
from capsule.description.describe import Description
from capsule.environment import Environment
from capsule.environment.frameworks import InstalledKeras, installed_kerases
from capsule.keras_compat.facts import keras_generation
from capsule.keras_compat.untranslatable import Untranslatable
from capsule.manifest import EmbeddedFunction, Manifest, Node
from capsule.verdict.finding import Finding, Reach
from capsule.verdict.reach import Reaches, layer_of, short
from capsule.verdict.requirements import required


@dataclass(frozen=True)
class Subject:
    """A manifest with what it reaches: all that a rule needs before there is an environment."""

    manifest: Manifest
    custom: CustomObjects
    """What whoever loads the model supplies."""

    @cached_property
    def reaches(self) -> Reaches:
        """The shortest paths from the model to all that it uses."""
        return Reaches(self.manifest)

    @property
    def inferred(self) -> bool:
        """Whether nothing was recorded when the model was saved."""
        return self.manifest.origin == "inferred"

    @property
    def served(self) -> bool:
        """Whether the model is a graph, with nothing of it Python any more."""
        return self.manifest.artifact.format == "saved-model"

    @cached_property
    def functions(self) -> tuple[tuple[EmbeddedFunction, Node | None], ...]:
        """The embedded functions, each with its node if its definition is known."""
        nodes = self.manifest.nodes
        return tuple((f, nodes[f.node] if f.node else None) for f in self.manifest.functions)

    def called(self, name: str) -> str:
        """Return what a person calls the function of a node: in a file, the layer it sits in."""
        if not self.inferred:
            return short(name)
        places = (layer_of(f) for f in self.manifest.functions if f.node == name)
        return next(places, short(name))

    @cached_property
    def core(self) -> tuple[str, ...]:
        """The distributions of Keras and its backend, which have rules of their own."""
        keras = self.manifest.keras
        names = (keras.distribution, keras.backend_distribution) if keras else ()
        return tuple(name for name in names if name is not None)

    @cached_property
    def framework(self) -> dict[str, Reach]:
        """What Keras and its backend require, with the reach of each."""
        return required(self.manifest, list(self.core))


@dataclass(frozen=True)
class Case(Subject):
    """A model held against an environment."""

    description: Description
    environment: Environment

    @cached_property
    def keras(self) -> InstalledKeras | None:
        """The Keras that would load it: the one that saved it, else one that reads such files."""
        saved, form = self.manifest.keras, self.manifest.artifact.format
        first = saved.module if saved else "keras"
        kerases = installed_kerases(self.environment.distributions, first)
        if saved is None:
            return next(iter(kerases), None)
        generation = keras_generation(saved.module, saved.version, form)
        same = [k for k in kerases if keras_generation(k.module, k.version, form) == generation]
        own = [k for k in kerases if k.module == saved.module or form != "keras-zip"]
        return next(iter([*same, *own]), None)

    @cached_property
    def configuration(self) -> Configuration | Untranslatable | None:
        """What that Keras would build in place of the file's own configuration, or why not."""
        try:
            return configuration_for(self.description, self.keras)
        except Untranslatable as error:
            return error


SubjectRule = Callable[[Subject], Iterator[Finding]]
CaseRule = Callable[[Case], Iterator[Finding]]
