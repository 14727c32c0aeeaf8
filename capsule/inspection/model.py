"""What an inspection finds, as data: it crosses from the process that reads."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class FunctionRead:
    """A function of the artifact, as read from its bytecode.

    ``where`` are layer names from the model down; ``kind`` is lambda, def, by-name or class.
    ``pythons`` are the minor versions that may have written it, oldest first; ``names`` all
    that its code names; ``uses`` its global names with the attribute chains taken of each;
    ``missing`` the names that nothing in the file defines. ``source`` is lifted, or None and
    ``stopped`` says where; ``damaged`` what was put right before reading; ``unread`` why
    nothing could be told. ``listing`` are its instructions, if they were asked for.
    """

    where: tuple[str, ...]
    role: str
    name: str
    kind: str
    encoding: str
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
    fears: tuple[tuple[str, str, str], ...] = ()

    @property
    def label(self) -> str:
        """Where it sits, with what it is there for unless that is a layer's function."""
        place = "/".join(self.where) or "model"
        return place if self.role in ("function", "class") else f"{place}.{self.role}"


@dataclass(frozen=True)
class Fear:
    """What a careful reader fears: a code, its grade (high, middle or low), and the reach."""

    code: str
    grade: str
    message: str
    reach: tuple[str, ...] = ()


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
    format: str
    size: int
    sha256: str
    keras: str | None
    backend: str | None
    python: PythonRange
    functions: tuple[FunctionRead, ...]
    fears: tuple[Fear, ...]
    layers: dict[str, int] = field(default_factory=dict)
    inputs: tuple[Any, ...] = ()
    classes: tuple[str, ...] = ()
    weights: bool = True
    unread: tuple[str, ...] = ()
    troubles: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Inspection:
        """Return the inspection that another process made."""
        functions = tuple(
            FunctionRead(
                **{
                    **one,
                    **_tuples(one, FunctionRead),
                    "uses": {k: tuple(v) for k, v in one["uses"].items()},
                    "fears": tuple(tuple(fear) for fear in one["fears"]),
                }
            )
            for one in data["functions"]
        )
        fears = tuple(Fear(**{**one, "reach": tuple(one["reach"])}) for one in data["fears"])
        python = PythonRange(**{**data["python"], "evidence": tuple(data["python"]["evidence"])})
        troubles = tuple((code, told) for code, told in data["troubles"])
        kept = {
            **data,
            **_tuples(data, cls),
            "functions": functions,
            "fears": fears,
            "python": python,
            "troubles": troubles,
        }
        return cls(**kept)


def is_object(value: Any) -> bool:
    """Tell whether a closure holds what Keras wrote as an object: a function, a layer."""
    known = ("__numpy__", "__tensor__")
    return isinstance(value, dict) and "class_name" in value and value["class_name"] not in known


def _tuples(data: dict[str, Any], kind: type) -> dict[str, Any]:
    """Return the values of *data* that JSON made lists and that *kind* has as tuples."""
    fields: dict[str, Any] = kind.__dataclass_fields__  # type: ignore[attr-defined]
    return {
        name: tuple(data[name])
        for name, spec in fields.items()
        if str(spec.type).startswith("tuple") and isinstance(data.get(name), (list, tuple))
    }
