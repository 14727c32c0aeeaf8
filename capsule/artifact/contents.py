"""What the readers of both formats return."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Contents:
    """What a model file says of its model; ``config`` and ``training`` are JSON data.

    ``judged`` are digests of texts that Keras will read by another reader than capsule's.
    """

    config: Any
    training: Any
    keras_version: str | None
    backend: str | None
    judged: dict[str, str] = field(default_factory=dict)
