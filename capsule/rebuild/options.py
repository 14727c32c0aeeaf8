"""How a model's environment is to be rebuilt: chosen once, passed unchanged to the last room."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, get_args

from capsule.errors import InputError
from capsule.rebuild.sources import Sources

Scope = Literal["model", "all"]
Backend = Literal["uv", "pip-tools"]
Download = Literal["auto", "never"]
Progress = Callable[[str], None]

_CHOICES = {"scope": Scope, "backend": Backend, "download": Download}


@dataclass(frozen=True)
class ReplayOptions:
    """How an environment is rebuilt. Raises InputError for a choice that there is not."""

    scope: Scope = "model"
    """``model``: what the model uses; ``all``: every distribution that was recorded."""
    backend: Backend = "uv"
    """The installer."""
    python: str | None = None
    """The interpreter to build on, in place of one that is looked for."""
    download: Download = "auto"
    """Whether uv may bring a Python that is missing."""
    sources: Sources = field(default_factory=Sources)
    """Where distributions come from."""
    relax: bool = False
    """Move what can't be had, and no function uses, to the nearest version."""
    obey_lock: bool = True
    """Refuse what has another hash than the lock beside the model says."""
    timeout: float | None = None
    """Seconds after which an answer of the model is given up."""

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value not in get_args(choices):
                raise InputError(f"{name}={value!r}: choose {' or '.join(get_args(choices))}")


def silent(message: str) -> None:
    """Report no progress."""
