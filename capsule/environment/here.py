"""Which environment a verdict is about: the one here, unless another is named."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from capsule.environment.reading import Environment, live_environment
from capsule.errors import EnvironmentUnknownError


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
