"""One difference, with everything that a person or a pipeline needs of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

QUESTIONS = ("keras", "capsule", "same")
SEVERITIES = ("fatal", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """A finding: stable ``code``, severity, what was expected and found, reach, remedy.

    ``decides`` names the questions that it answers: with no if it is fatal, with
    unknown if it is a warning.
    """

    code: str
    severity: str
    subject: str
    message: str
    expected: str | None = None
    found: str | None = None
    reach: tuple[str, ...] = ()
    remedy: str | None = None
    decides: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The finding in one line: what is wrong, how it is reached, what to do."""
        parts = [self.message]
        if len(self.reach) > 2:
            parts.append(f"(reached by {' → '.join(self.reach[1:])})")
        text = " ".join(parts)
        return f"{text}; {self.remedy}" if self.remedy else text

    def to_json(self) -> dict[str, Any]:
        """Return the finding as JSON data."""
        return {**asdict(self), "reach": list(self.reach), "decides": list(self.decides)}
