"""What the readers of both formats return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Contents:
    """What a model file says of its model; ``config`` and ``training`` are JSON data."""

    config: Any
    training: Any
    keras_version: str | None
    backend: str | None
