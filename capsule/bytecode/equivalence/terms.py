"""Hash-consed symbolic terms: equal terms have one number, whichever form they come from."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeVar

Term = int
Keyword = tuple[Any, Term]  # the term of its name, None for the ``x`` of ``**x``
_Result = TypeVar("_Result")


class Unknown(Exception):
    """A form does something that is not modelled: nothing is claimed of the function then."""


class Terms:
    """The table of all terms. A term has a kind and parts, which are terms, texts or tuples."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, Term] = {}
        self._terms: list[tuple[Any, ...]] = []
        self._values: dict[Term, Any] = {}
        self._computed: dict[int, tuple[Any, Any]] = {}
        self.steps = 0  # over all paths

    def intern(self, kind: str, *parts: Any) -> Term:
        """Return the number of the term of that kind and those parts."""
        term = (kind, *parts)
        number = self._numbers.get(term)
        if number is None:
            number = self._numbers[term] = len(self._terms)
            self._terms.append(term)
        return number

    def read(self, term: Term) -> tuple[Any, ...]:
        """Return kind and parts of a term."""
        return self._terms[term]

    def compute_once(self, subject: Any, compute: Callable[[], _Result]) -> _Result:
        """Return what *compute* gives for *subject*, computed once for all paths."""
        entry = self._computed.get(id(subject))
        if entry is None:
            # The subject stays in the table, so that no other object gets its id.
            entry = self._computed[id(subject)] = (subject, compute())
        result: _Result = entry[1]
        return result

    def constant(self, value: Any) -> Term:
        """Return the term of a constant; a tuple is a display of its parts."""
        if type(value) is tuple:
            return self.intern("tuple", *map(self.constant, value))
        if type(value) is frozenset:
            return self.set_of(map(self.constant, value))
        number = self.intern("constant", type(value).__name__, repr(value))
        self._values[number] = value
        return number

    def set_of(self, items: Iterable[Term]) -> Term:
        """Return the term of a set; one of constants has the same term in whatever order."""
        distinct = list(dict.fromkeys(items))
        return self.intern("set", *(sorted(distinct) if self._are_literal(distinct) else distinct))

    def number(self, term: Term) -> complex | None:
        """Return the number that a term is, None if it is none."""
        value = self._values.get(term)
        return value if isinstance(value, (int, float, complex)) else None

    def _are_literal(self, terms: list[Term]) -> bool:
        for kind, *parts in map(self.read, terms):
            if kind != "constant" and not (kind == "tuple" and self._are_literal(parts)):
                return False
        return True

    def spread(self, term: Term) -> list[Term]:
        """Return the items that ``*x`` stands for: those of a display, else x itself, marked."""
        kind, *parts = self.read(term)
        return list(parts) if kind in ("tuple", "list", "set") else [self.intern("spread", term)]

    def pairs(self, term: Term) -> list[Keyword]:
        """Return the pairs that ``**x`` stands for: those of a display, else x itself, unnamed."""
        kind, *parts = self.read(term)
        return [(key, value) for key, value in parts] if kind == "dict" else [(None, term)]

    def slice(self, *bounds: Term) -> Term:
        """Return the slice of up to three bounds; those that are left out are None."""
        none = self.constant(None)
        return self.intern("slice", *bounds, *[none] * (3 - len(bounds)))

    def text(self, parts: Iterable[Term]) -> Term:
        """Return the f-string of its parts, texts and formatted values, without empty texts."""
        flat: list[Term] = []
        for part in parts:
            kind, *inner = self.read(part)
            flat += inner if kind == "text" else [part]
        empty = self.constant("")
        flat = [part for part in flat if part != empty] or [empty]
        return flat[0] if len(flat) == 1 else self.intern("text", *flat)
