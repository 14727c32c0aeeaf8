"""What the readers of both formats return."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Contents:
    """What a model file says of its model; ``config`` and ``training`` are JSON data.

    ``judged`` are digests of texts that Keras will read by another reader than capsule's;
    ``weights`` whether there are weights; ``notes`` what a careful reader should hear of the
    file itself, as (code, what was seen).
    """

    config: Any
    training: Any
    keras_version: str | None
    backend: str | None
    judged: dict[str, str] = field(default_factory=dict)
    weights: bool = True
    notes: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data, for another process."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Contents:
        """Return what another process read."""
        return cls(**{**data, "notes": tuple((code, message) for code, message in data["notes"])})
