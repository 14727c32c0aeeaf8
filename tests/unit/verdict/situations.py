"""What the tables of the verdict's tests are made of: situations, effects, and rows."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Union

from capsule.environment import Environment
from capsule.manifest import Manifest
from capsule.verdict import Verdict
from tests.making import (
    VERSIONS,
    environment_with,
    manifest_json,
    manifest_with,
    verdict_of,
    verdict_of_file,
)

EVERY = "keras capsule same"
LAMBDA = "__main__:<lambda>"


class Effect(NamedTuple):
    """What a finding does: its code, its severity, and the questions that it decides."""

    code: str
    severity: str
    decides: tuple[str, ...]


def fatal(code: str, decides: str = EVERY) -> Effect:
    """Return the effect of a finding that answers the questions in *decides* with no."""
    return Effect(code, "fatal", tuple(decides.split()))


def warning(code: str, decides: str = EVERY) -> Effect:
    """Return the effect of a finding that answers the questions in *decides* with unknown."""
    return Effect(code, "warning", tuple(decides.split()))


def note(code: str) -> Effect:
    """Return the effect of a finding that decides nothing."""
    return Effect(code, "note", ())


@dataclass(frozen=True)
class Saved:
    """A model that was saved under capsule, and an environment to load it in."""

    manifest: Manifest
    environment: Environment
    custom_objects: tuple[str, ...] = ()
    intact: bool = True

    def verdict(self, folder: Path) -> Verdict:
        """Return the verdict."""
        return verdict_of(
            self.manifest,
            self.environment,
            custom_objects=self.custom_objects,
            intact=self.intact,
        )


@dataclass(frozen=True)
class Bare:
    """A model file without a sidecar, and an environment to load it in."""

    write: Callable[[Path], Path]
    environment: Environment
    custom_objects: tuple[str, ...] = ()
    bind: Mapping[str, Any] | None = None

    def verdict(self, folder: Path) -> Verdict:
        """Return the verdict; the file is written into *folder*, which is made."""
        folder.mkdir()
        return verdict_of_file(
            self.write(folder),
            self.environment,
            custom_objects=self.custom_objects,
            bind=self.bind,
        )


Situation = Union[Saved, Bare]


@dataclass(frozen=True)
class Row:
    """One way to a finding: the situation that has it, and the nearest one that has not."""

    title: str
    effect: Effect
    subject: str
    cause: Situation
    neighbour: Situation
    answers: str
    """The answers to keras, capsule and same where the finding is there."""
    neighbour_answers: str = "yes yes yes"
    side_effects: tuple[Effect, ...] = ()
    """What else the cause has and the neighbour has not."""
    neighbour_effects: tuple[Effect, ...] = ()
    """What the neighbour has in its place."""


def environment(**changes: Any) -> Environment:
    """Return an environment like the sidecar's but for *changes*.

    ``kind`` and ``variables`` are fields of it, everything else as ``environment_with`` has it.
    """
    fields = {name: changes.pop(name) for name in ("kind", "variables") if name in changes}
    return dataclasses.replace(environment_with(**changes), **fields)


def environment_here(**changes: Any) -> Environment:
    """Return an environment on the Python that runs the tests, which writes the bytecode here."""
    return environment(**{"python": platform.python_version(), **changes})


def module(origin: str = "distribution", **more: Any) -> dict[str, Any]:
    """Return the node of a module; of a distribution it is numpy's if no other is named."""
    known = {"distribution": "numpy"} if origin == "distribution" else {}
    return {"kind": "module", "origin": origin, "names": [], **known, **more}


def binding(name: str, how: str = "global", **more: Any) -> dict[str, Any]:
    """Return an edge of the import graph: what *name* stands for in a function."""
    return {"name": name, "how": how, **more}


def node(*names: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the node of a lambda that uses *names*; None takes a key out of it."""
    changed = {**manifest_json()["nodes"][LAMBDA], "names": list(names), **changes}
    return {key: value for key, value in changed.items() if value is not None}


def function(**changes: Any) -> dict[str, Any]:
    """Return the entry of a function that the model file holds."""
    return {**manifest_json()["functions"][0], **changes}


def sidecar(
    *names: dict[str, Any],
    nodes: Mapping[str, Any] | None = None,
    requires: Mapping[str, Sequence[str]] | None = None,
    **parts: Any,
) -> Manifest:
    """Return the manifest of a model with a Lambda layer.

    Parameters
    ----------
    names
        What the lambda uses. Without any it is a function of its arguments alone.
    nodes
        More of the import graph, or another node for the lambda.
    requires
        More distributions, of version 1.0, each with what it requires; or other requirements
        of one that is there.
    parts
        Other values for the keys of the sidecar; an object is updated with those given.
    """
    keras = {**manifest_json()["keras"], **(parts.get("keras") or {})}
    versions = {**VERSIONS, keras["distribution"]: keras["version"]}
    versions[keras["backend_distribution"]] = keras["backend_version"]
    needs = {"keras": ["numpy"], **(requires or {})}
    distributions = [
        {
            "name": name,
            "version": versions.get(name) or "1.0",
            "requires": list(needs.get(name, ())),
            "direct_url": None,
            "installer": "uv",
        }
        for name in {**versions, **needs}
        if name is not None
    ]
    graph = {LAMBDA: node(*names), **(nodes or {})}
    return manifest_with(**{"distributions": distributions, "nodes": graph, **parts})
