"""What a save records, and what it does where that fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


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


@dataclass
class Attempts:
    """Runs the parts of a capture: it meets objects of every kind, and a save must not fail."""

    strict: bool
    problems: list[str] = field(default_factory=list)

    def __call__(self, what: str, act: Callable[[], T], otherwise: T) -> T:
        """Return what *act* returns, or *otherwise* if it raises, which then is a problem."""
        try:
            return act()
        except Exception as error:
            if self.strict:
                raise
            self.problems.append(f"{what} could not be captured: {type(error).__name__}: {error}")
            return otherwise
