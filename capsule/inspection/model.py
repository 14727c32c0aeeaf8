"""What an inspection finds, as data: it crosses from the process that reads."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from capsule.manifest import Encoding, Format

RiskSeverity = Literal["high", "medium", "low"]
FunctionKind = Literal["lambda", "def", "by-name", "class"]


class Hint(NamedTuple):
    """A risk of a function's code, before it is known where the function stands."""

    code: str
    severity: RiskSeverity
    message: str


@dataclass(frozen=True)
class FunctionRead:
    """A function of the artifact, as read from its bytecode.

    ``where`` are layer names from the model down; ``pythons`` the minor versions that may have
    written it, oldest first, and ``evidence`` why; ``uses`` its global names with the attribute
    chains taken of each; ``missing`` the names that nothing in the file defines. ``source`` is
    decompiled, or None, and ``stopped`` says where that ended; ``damaged`` is what was put right
    before reading, ``unread`` why nothing could be said. ``passed`` are the arguments that the
    layer passes; ``listing`` its instructions, if they were asked for.
    """

    where: tuple[str, ...]
    role: str
    name: str
    kind: FunctionKind
    encoding: Encoding
    key: str | None
    code_sha256: str | None
    module: str | None = None
    pythons: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    uses: dict[str, tuple[str, ...]] = field(default_factory=dict)
    freevars: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    constants: tuple[str, ...] = ()
    source: str | None = None
    stopped: str | None = None
    docstring: str | None = None
    line: int | None = None
    arguments: int = 0
    defaults: Any = None
    closure: Any = None
    passed: tuple[str, ...] = ()
    damaged: str | None = None
    unread: str | None = None
    listing: tuple[str, ...] = ()
    risks: tuple[Hint, ...] = ()

    @property
    def closed_over(self) -> dict[str, Any]:
        """The values that Keras wrote of its closure, by name."""
        values = self.closure if isinstance(self.closure, (list, tuple)) else ()
        return dict(zip(self.freevars, values))

    @property
    def label(self) -> str:
        """Where it sits, with what it is there for unless that is a layer's function."""
        place = "/".join(self.where) or "model"
        return place if self.role in ("function", "class") else f"{place}.{self.role}"


@dataclass(frozen=True)
class Risk:
    """Something that looks dangerous: a code, how severe it is, and the way that leads to it."""

    code: str
    severity: RiskSeverity
    message: str
    reach: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {**asdict(self), "reach": list(self.reach)}


@dataclass(frozen=True)
class PythonRange:
    """The Pythons that may have written the file: lowest and highest minor version, and why."""

    lowest: str | None
    highest: str | None
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inspection:
    """Everything that a model file tells without its model being run.

    ``layers`` counts layer classes; ``inputs`` are input shapes as written, None open;
    ``classes`` are those that are not Keras' own; ``unread`` says what could not be read, so
    that nothing is claimed about it.
    """

    path: str
    format: Format
    size: int
    sha256: str
    keras: str | None
    backend: str | None
    python: PythonRange
    functions: tuple[FunctionRead, ...]
    risks: tuple[Risk, ...]
    layers: dict[str, int] = field(default_factory=dict)
    inputs: tuple[Any, ...] = ()
    classes: tuple[str, ...] = ()
    weights: bool = True
    unread: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Inspection:
        """Return the inspection that another process made."""
        python = PythonRange(**_with_tuples(data["python"], ("evidence",)))
        return cls(
            **{
                **_with_tuples(data, ("inputs", "classes", "unread")),
                "python": python,
                "functions": tuple(_function_from_json(f) for f in data["functions"]),
                "risks": tuple(Risk(**_with_tuples(r, ("reach",))) for r in data["risks"]),
            }
        )


_TUPLES_OF_FUNCTION = (
    "where",
    "pythons",
    "evidence",
    "names",
    "freevars",
    "imports",
    "missing",
    "constants",
    "passed",
    "listing",
)


def _function_from_json(data: dict[str, Any]) -> FunctionRead:
    return FunctionRead(
        **{
            **_with_tuples(data, _TUPLES_OF_FUNCTION),
            "uses": {name: tuple(chains) for name, chains in data["uses"].items()},
            "risks": tuple(Hint(*risk) for risk in data["risks"]),
        }
    )


def _with_tuples(data: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return *data* with tuples under *names*, which JSON made lists."""
    return {**data, **{name: tuple(data[name]) for name in names}}


def is_object(value: Any) -> bool:
    """Tell whether a closure holds what Keras wrote as an object: a function, a layer."""
    arrays = ("__numpy__", "__tensor__")
    return isinstance(value, dict) and value.get("class_name", "__numpy__") not in arrays
