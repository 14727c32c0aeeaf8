"""What would run, how it is listed for a person, and who allowed it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from capsule.errors import CapsuleError, escaped

SHOWN = 24  # lines of source that a refusal shows of each definition


@dataclass(frozen=True)
class Trust:
    """What a person allows: everything (``safe_mode=False``), or functions by their digests."""

    safe_mode: bool = True
    digests: frozenset[str] = frozenset()

    @classmethod
    def of(cls, safe_mode: bool, digests: Iterable[str] = ()) -> Trust:
        """Return the trust that a public verb was called with."""
        return cls(safe_mode, frozenset(digests))


NO_TRUST = Trust()


@dataclass(frozen=True)
class PlannedFunction:
    """One function that loading would restore: where, its digest, source and reach."""

    where: tuple[str, ...]
    role: str
    name: str
    digest: str
    node: str | None
    source: str | None
    reaches: tuple[str, ...]
    shown: tuple[tuple[str, tuple[str, ...]], ...] = ()
    module: str | None = None

    @property
    def label(self) -> str:
        """Where it sits and what it is there for; of one stored by name, that name as well."""
        role = "" if self.role in ("function", "class", "graph") else f".{self.role}"
        place = "/".join(self.where)
        if self.node is None or not place:
            return f"{place}{role} {self.module + '.' if self.module else ''}{self.name}".strip()
        return f"{place}{role}"

    def listing(self, *, before: Collection[str] = ()) -> Iterator[str]:
        """Give the lines that a person must read to decide: digest, all sources, reach.

        *before* are the definitions that another listing showed already.
        """
        yield f"  {self.label}   {self.digest}"
        if not self.shown:
            what = "a graph of TensorFlow operations" if self.role == "graph" else "no source"
            yield f"      ({what})"
        for name, lines in self.shown:
            if name not in before:
                yield from (f"      {line}" for line in lines[:SHOWN])
            if name not in before and len(lines) > SHOWN:
                yield f"      … {len(lines) - SHOWN} more lines"
        yield f"      reaches {', '.join(self.reaches) or 'nothing'}"


@dataclass(frozen=True)
class Consent:
    """Everything that loading would run, and whether that was allowed."""

    functions: tuple[PlannedFunction, ...]
    allowed: bool
    builds: bool = False
    """Whether other code may run as well: of source distributions, and of what comes from
    elsewhere than the index. Trust in functions does not extend to that."""
    foreign: tuple[str, ...] = ()
    """Classes that the file names and that no digest covers."""

    def listing(self) -> Iterator[str]:
        """Give the lines of every function, each definition once."""
        before: set[str] = set()
        for function in self.functions:
            yield from function.listing(before=before)
            before |= {name for name, _ in function.shown}

    def require(self, artifact: str) -> None:
        """Raise ConsentError, listing each function, unless consent was given."""
        if self.allowed:
            return
        first = f"loading {artifact} would run {len(self.functions)} function(s) of it:"
        if not self.functions:
            first = f"loading {artifact} would run what the environment it asks for holds"
        lines = [first, *self.listing()]
        if self.foreign:
            lines.append(f"  it also names {', '.join(self.foreign)}, which no digest covers")
        digests = ", ".join(sorted({repr(function.digest) for function in self.functions}))
        lines.append(f"allow all of it: capsule.load({artifact!r}, safe_mode=False), or --unsafe")
        if digests and not self.foreign:
            lines.append(f"allow just this: capsule.load({artifact!r}, trust=[{digests}])")
        raise ConsentError("\n".join(map(escaped, lines)), self)

    def require_for_functions(self, artifact: str) -> None:
        """Raise ConsentError if the file holds code at all, unless consent was given."""
        if self.functions or self.foreign:
            self.require(artifact)


class ConsentError(CapsuleError):
    """Loading would run code that nobody allowed; ``consent`` lists it."""

    code = "consent-needed"

    def __init__(self, message: str, consent: Consent) -> None:
        super().__init__(message)
        self.consent = consent
