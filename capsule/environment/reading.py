"""An environment: a Python plus distributions, read without importing anything of it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from capsule.environment.distributions import installed_versions
from capsule.environment.frameworks import KERAS, keras_provider
from capsule.guest import collector
from capsule.manifest import ENVIRONMENT_VARIABLES, PlatformFacts, PythonFacts

# What a keras.json sets.
SETTINGS = ("floatx", "epsilon", "image_data_format", "backend")


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
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_keras(self) -> bool:
        """Whether some Keras is installed."""
        return any(keras_provider(self.distributions, module) for module in KERAS)


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
        variables={name: os.environ[name] for name in ENVIRONMENT_VARIABLES if name in os.environ},
    )


def live_environment() -> Environment:
    """Return the environment of this process as it is now: distributions, paths, settings."""
    environment = from_facts(collector.facts(), "live")
    return replace(environment, settings={**environment.settings, **_settings_in_effect()})


def _settings_in_effect() -> dict[str, Any]:
    """Return what the Keras that is loaded in this process, if any, goes by."""
    for name in ("keras.src.backend.config", "keras.src.backend_config", "keras.backend_config"):
        module = sys.modules.get(name)
        if module is not None:
            return {key: getattr(module, key)() for key in SETTINGS if hasattr(module, key)}
    return {}


def keras_settings() -> dict[str, Any]:
    """Return what the keras.json in force sets: even an isolated Python obeys it."""
    chosen = os.environ.get("KERAS_BACKEND")
    backend = {"backend": chosen} if chosen else {}
    home = os.environ.get("KERAS_HOME") or os.path.expanduser(os.path.join("~", ".keras"))
    try:
        text = Path(home, "keras.json").read_text(encoding="utf-8")
        settings = json.loads(text)
    except (OSError, ValueError):
        return backend
    settings = settings if isinstance(settings, dict) else {}
    return {**{k: settings[k] for k in SETTINGS if k in settings}, **backend}
