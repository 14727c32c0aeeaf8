"""An environment: a Python plus distributions, read without importing anything of it."""

from __future__ import annotations

import functools
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from capsule.environment.distributions import installed_versions
from capsule.errors import EnvironmentUnknownError
from capsule.guest import collector
from capsule.manifest import PlatformFacts, PythonFacts

PROBE_SECONDS = 30
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


def _from_facts(facts: Mapping[str, Any], kind: str) -> Environment:
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
    return _from_facts(collector.facts(), "live")


def of_interpreter(
    interpreter: str | os.PathLike[str], *, kind: str = "interpreter"
) -> Environment:
    """Return the environment of another Python. Starts it once; imports nothing of it.

    Raises EnvironmentUnknownError if it is not there or does not answer.
    """
    path = Path(interpreter)
    if path.is_dir():
        inside = path / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        if not inside.exists():
            raise EnvironmentUnknownError(f"{path} is a folder without a Python in it")
        path = inside
    return _from_facts(collect(path), kind)


def collect(interpreter: Path, *, isolated: bool = True) -> dict[str, Any]:
    """Run the collector under *interpreter* and return what it says."""
    marker = secrets.token_hex(16)
    script = Path(collector.__file__)
    # -I: neither the current folder nor PYTHON… variables may lend it anything.
    command = [str(interpreter), "-I", str(script), marker]
    if not isolated:
        command.insert(2, "-S")
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PROBE_SECONDS, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        raise EnvironmentUnknownError(f"there is no interpreter at {interpreter}") from None
    except (OSError, ValueError) as error:
        raise EnvironmentUnknownError(f"{interpreter} can't be started: {error}") from None
    except subprocess.TimeoutExpired:
        raise EnvironmentUnknownError(
            f"{interpreter} did not answer within {PROBE_SECONDS} s: is it a Python?"
        ) from None
    parts = done.stdout.split(marker)
    if len(parts) != 3:
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise EnvironmentUnknownError(f"{interpreter} is no Python of 3.6 or later: {last[:200]}")
    facts: dict[str, Any] = json.loads(parts[1])
    return facts


def environment_here(python: str | os.PathLike[str] | None = None) -> Environment:
    """Return the environment that a verdict is about when nothing else is said.

    That is *python* if given; else this Python if it has Keras; else the active virtual
    environment. Never capsule's own private one: EnvironmentUnknownError then asks.
    """
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
