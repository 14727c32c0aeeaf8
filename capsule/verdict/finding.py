"""One difference, with everything that a person or a pipeline needs of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

Question = Literal["keras", "capsule", "same"]
Answer = Literal["yes", "no", "unknown"]
Severity = Literal["fatal", "warning", "note"]
Reach = tuple[str, ...]

QUESTIONS: tuple[Question, ...] = ("keras", "capsule", "same")
SEVERITIES: tuple[Severity, ...] = ("fatal", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """A difference between what a model needs and what is there, or something it lost at save."""

    code: str
    """The name of its finding code, which stays the same between releases."""
    severity: Severity
    subject: str
    """What it is about: a distribution, a name, a layer."""
    message: str
    expected: str | None = None
    found: str | None = None
    reach: Reach = ()
    """How the model comes to need the subject, from ``model`` on."""
    remedy: str | None = None
    decides: tuple[Question, ...] = ()
    """The questions that it answers: with no if it is fatal, with unknown if a warning."""

    @property
    def sentence(self) -> str:
        """The finding in one line: what is wrong, how it is reached, what to do."""
        text = f"{self.message} (used by {self.way})" if self.way else self.message
        return f"{text}; {self.remedy}" if self.remedy else text

    @property
    def way(self) -> str:
        """How the model comes to need the subject; empty where the message says so."""
        steps = self.reach[1:]
        said = all(step in self.message for step in steps)
        return "" if said or len(steps) < 2 else " → ".join(steps)

    def to_json(self) -> dict[str, Any]:
        """Return the finding as JSON data."""
        return {**asdict(self), "reach": list(self.reach), "decides": list(self.decides)}


@dataclass(frozen=True)
class Code:
    """A kind of finding: registered once, and what its page, SARIF and schema are made from.

    Where a kind comes with several severities, questions or messages, each is a `Code` of the
    same name: the usual one, and its variants.
    """

    name: str
    title: str
    """What is the matter, in a line."""
    severity: Severity
    decides: tuple[Question, ...]
    message: str
    """The sentence of a finding; names in braces are filled in by the rule."""
    cure: str = ""
    """What to do, in the same form; ``MODEL`` stands for the file as it was named."""
    explanation: str = ""
    """What it means, and why it happens, with code in backticks."""
    example: str = ""
    """Code, a command or JSON that leads to it."""
    sample: Mapping[str, str] = field(default_factory=dict, compare=False)
    """What fills the message and the cure where the code's page shows them."""
    case: str = ""
    """When this severity and this message apply, where the code has variants: a clause."""
    variants: tuple[Code, ...] = ()
    """The other cases of the code; the registry sets them."""

    def __call__(
        self,
        subject: str,
        reach: Reach = (),
        *,
        expected: str | None = None,
        found: str | None = None,
        **facts: object,
    ) -> Finding:
        """Return a finding of this kind; *facts* fill the message and the cure."""
        names = {"subject": subject, "expected": expected, "found": found, **facts}
        return Finding(
            self.name,
            self.severity,
            subject,
            self.message.format(**names),
            expected,
            found,
            reach,
            self.cure.format(**names) or None,
            self.decides,
        )

    def variant(
        self,
        case: str,
        *,
        severity: Severity | None = None,
        decides: tuple[Question, ...] | None = None,
        message: str | None = None,
        cure: str | None = None,
        sample: Mapping[str, str] | None = None,
    ) -> Code:
        """Return the code for another *case*; what is not passed stays as it is."""
        return replace(
            self,
            case=case,
            severity=self.severity if severity is None else severity,
            decides=self.decides if decides is None else decides,
            message=self.message if message is None else message,
            cure=self.cure if cure is None else cure,
            sample=self.sample if sample is None else sample,
        )

    def with_severity(self, severity: Severity) -> Code:
        """Return the code for a case that is graver or milder than usual."""
        return replace(self, severity=severity)

    def deciding(self, *questions: Question) -> Code:
        """Return the code for a case that decides other questions than usual."""
        return replace(self, decides=questions)
