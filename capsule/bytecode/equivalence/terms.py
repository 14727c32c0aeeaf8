"""Terms in place of values, and the world in which two forms of one function are followed."""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Iterable
from typing import Any

STEP_LIMIT = 3000
ITEM_LIMIT = 3

Term = int


class Unknown(Exception):
    """Something that is not followed: nothing is claimed of the function then."""


class Ended(Exception):
    """A function returned or raised: ``outcome`` says which, and with what."""

    def __init__(self, outcome: tuple[Any, ...]) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class Terms:
    """Every term there is, each once: equal terms have one number, whichever form made them."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, Term] = {}
        self._terms: list[tuple[Any, ...]] = []
        self._values: dict[Term, Any] = {}
        self._once: dict[int, tuple[Any, Any]] = {}
        self.steps = 0

    def of(self, kind: str, *parts: Any) -> Term:
        """Return the number of the term of that kind and those parts."""
        term = (kind, *parts)
        number = self._numbers.get(term)
        if number is None:
            number = self._numbers[term] = len(self._terms)
            self._terms.append(term)
        return number

    def read(self, number: Term) -> tuple[Any, ...]:
        """Return kind and parts of a term."""
        return self._terms[number]

    def once(self, of: Any, make: Callable[[], Any]) -> Any:
        """Return what *make* gives for *of*, made once however many chances are followed."""
        kept = self._once.get(id(of))
        if kept is None:
            kept = self._once[id(of)] = (of, make())
        return kept[1]

    def constant(self, value: Any) -> Term:
        """Return the term of a constant; a tuple is a display of its parts."""
        if type(value) is tuple:
            return self.of("tuple", *map(self.constant, value))
        if type(value) is frozenset:
            return self.of("set", *ordered(self, map(self.constant, value)))
        number = self.of("constant", type(value).__name__, repr(value))
        self._values[number] = value
        return number

    def number(self, term: Term) -> Any:
        """Return the number that a term is, None if it is none."""
        value = self._values.get(term)
        return value if isinstance(value, (int, float, complex)) else None

    def settled(self, term: Term) -> bool:
        """Tell whether a term is a constant, or a tuple of such."""
        kind, *parts = self.read(term)
        return kind == "constant" or (kind == "tuple" and all(map(self.settled, parts)))

    def is_constant(self, number: Term, value: Any) -> bool:
        """Tell whether a term is the constant *value*."""
        return number == self.constant(value)


class World:
    """One run of chance over *terms*: which tests hold, how many items there are.

    ``log`` keeps what was computed, in its order; ``inner`` makes the world of a function
    inside, whose log is its own.
    """

    def __init__(self, terms: Terms, seed: int, chances: dict[Any, int] | None = None) -> None:
        self.terms, self.seed = terms, seed
        self.chances = chances if chances is not None else {}
        self.log: list[Term] = []
        self.steps = 0
        self.calls = 0

    def inner(self) -> World:
        """Return a world of the same chances with a log of its own."""
        made = World(self.terms, self.seed, self.chances)
        made.steps = self.steps
        return made

    def step(self) -> None:
        """Count a step; raises Ended where a loop would go on for ever."""
        self.steps += 1
        self.terms.steps += 1
        if self.steps > STEP_LIMIT:
            raise Ended(("limit",))

    def do(self, kind: str, *parts: Any) -> Term:
        """Return the term of an operation, and keep that it was done now."""
        self.step()
        made = self.terms.of(kind, *parts)
        self.log.append(made)
        self.calls += kind == "call"
        return made

    def holds(self, term: Term) -> bool:
        """Tell whether *term* is true: as it is for a constant, by chance for what isn't."""
        kind, *parts = self.terms.read(term)
        if kind == "constant":
            return parts[1] not in ("None", "False", "0", "0.0", "''", "b''")
        if kind in ("tuple", "list", "set", "dict"):
            return bool(parts)
        # What a global name stands for may be another thing after each call.
        return bool(self._chance(("holds", term, self.calls if kind == "global" else 0), 2))

    def is_none(self, term: Term) -> bool:
        """Tell whether *term* is None, by the same chance as ``term is None`` is true."""
        return self.holds(self.do("compare", "is", term, self.terms.constant(None)))

    def count(self, term: Term) -> int:
        """Return how many items *term* has to go through."""
        return self._chance(("count", term), ITEM_LIMIT)

    def _chance(self, asked: Hashable, choices: int) -> int:
        # By the seed and by what is asked, so that it is the same in whatever order.
        if asked not in self.chances:
            self.chances[asked] = random.Random(f"{self.seed} {asked}").randrange(choices)
        return self.chances[asked]


def spread(terms: Terms, number: Term) -> list[Term]:
    """Return the arguments that ``*x`` stands for: those written out, else x itself, marked."""
    kind, *parts = terms.read(number)
    if kind in ("tuple", "list", "set"):
        return list(parts)
    return [terms.of("spread", number)]


def ordered(terms: Terms, numbers: Iterable[Term]) -> list[Term]:
    """Return the items of a set as it is compared: the constants in an order of their own."""
    listed = list(dict.fromkeys(numbers))
    if all(terms.settled(number) for number in listed):
        return sorted(listed)
    return listed


def pairs(terms: Terms, number: Term) -> list[tuple[Term | None, Term]]:
    """Return the keywords that ``**x`` stands for: those written out, else x itself, unnamed."""
    kind, *parts = terms.read(number)
    if kind == "dict":
        return [(key, value) for key, value in parts]
    return [(None, number)]
