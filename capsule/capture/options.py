"""What a save records: the options that travel from the public verbs to the last builder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class SaveOptions:
    """What to record of a model, and what a failure to record it does."""

    probe: Any = True
    """True for inputs that capsule makes, False for no probe, or the inputs themselves."""
    source: bool = True
    """Whether source text is stored."""
    values: bool = True
    """Whether the plain values that functions use are stored."""
    strict: bool = False
    """Whether a failed capture raises, once the model is safe on disk."""
    allow: tuple[str, ...] = ()
    """Names that look like a secret's and hold none."""
