"""An environment: a Python plus distributions, read without importing anything of it."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from capsule.environment.distributions import installed_versions
from capsule.errors import EnvironmentUnknownError
from capsule.guest import collector
from capsule.manifest import PlatformFacts, PythonFacts

# Who provides Keras: TensorFlow brought its own along up to 2.5.
KERAS_PROVIDERS = ("keras", "tf-keras", "keras-nightly", "tensorflow", "tensorflow-cpu")


@dataclass(frozen=True)
class Environment:
    """A Python, its platform and markers, where its distributions lie and which they are.

    ``distributions`` maps canonical names to versions; ``settings`` is what a keras.json
    in force there says.
    """

    kind: str
    python: PythonFacts
    platform: PlatformFacts
    markers: Mapping[str, str]
    executable: str
    base_executable: str
    paths: tuple[str, ...]
    distributions: Mapping[str, str]
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_keras(self) -> bool:
        """Whether some Keras is installed."""
        return any(name in self.distributions for name in KERAS_PROVIDERS)


def from_facts(facts: Mapping[str, Any], kind: str) -> Environment:
    """Return the environment that the collector's *facts* describe."""
    python, platform = facts["python"], facts["platform"]
    return Environment(
        kind=kind,
        python=PythonFacts(**python),
        platform=PlatformFacts(platform["system"], platform["machine"], tuple(platform["libc"])),
        markers=facts["markers"],
        executable=facts["executable"],
        base_executable=facts["base_executable"],
        paths=tuple(facts["paths"]),
        distributions=installed_versions(facts["paths"]),
        settings=keras_settings(),
    )


@functools.lru_cache(maxsize=1)
def live_environment() -> Environment:
    """Return the environment of this process, read once."""
    return from_facts(collector.facts(), "live")


def environment_here(python: str | os.PathLike[str] | None = None) -> Environment:
    """Return the environment that a verdict is about when nothing else is said.

    That is *python* if given; else this Python if it has Keras; else the active virtual
    environment. Never capsule's own private one: EnvironmentUnknownError then asks.
    """
    # Imported only where another Python is started.
    from capsule.environment.interpreters import of_interpreter

    if python is not None:
        return of_interpreter(python)
    live = live_environment()
    if live.has_keras:
        return live
    active = os.environ.get("VIRTUAL_ENV") or os.environ.get("CONDA_PREFIX")
    if active and Path(active).resolve() != Path(sys.prefix).resolve():
        return of_interpreter(active)
    raise EnvironmentUnknownError(
        "capsule's own Python has no Keras and no virtual environment is active; "
        "name the one to look at with --python INTERPRETER"
    )


def keras_settings() -> dict[str, Any]:
    """Return what the keras.json in force sets: even an isolated Python obeys it."""
    home = os.environ.get("KERAS_HOME") or os.path.expanduser(os.path.join("~", ".keras"))
    try:
        text = Path(home, "keras.json").read_text(encoding="utf-8")
        settings = json.loads(text)
    except (OSError, ValueError):
        return {}
    known = ("floatx", "epsilon", "image_data_format", "backend")
    return {k: settings[k] for k in known if k in settings} if isinstance(settings, dict) else {}
