"""One path through a function: a random assignment of truths and lengths, and a trace."""

from __future__ import annotations

import random
from collections.abc import Hashable, Iterator, Sequence
from copy import copy
from typing import Any, Literal, NamedTuple

from capsule.bytecode.equivalence.terms import Keyword, Term, Terms

STEP_LIMIT = 3000
ITEM_LIMIT = 3


class Signature(NamedTuple):
    """What a function takes: its arguments in the order of code, and how many of each kind."""

    names: tuple[str, ...]
    positional: int  # those that are positional alone among them
    positional_only: int
    keyword_only: int
    variadic: tuple[bool, bool]  # *args and **kwargs

    def arguments(self, terms: Terms) -> dict[str, Term]:
        """Return a term for each argument, by its name."""
        return {name: terms.intern("argument", name) for name in self.names}


class Outcome(NamedTuple):
    """How a path ends.

    ``values`` are the terms that are returned or raised, the name that is unbound, or what a
    generator has yielded and its own outcome. ``limit`` is a loop that goes on for ever.
    """

    kind: Literal["return", "raise", "unbound", "generator", "limit"]
    values: tuple[Any, ...] = ()


class Execution(NamedTuple):
    """An outcome, and the terms of all operations before it in the order of their execution."""

    outcome: Outcome
    trace: tuple[Term, ...]


class Ended(Exception):
    """A function ends here, with ``outcome``."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class Path:
    """The path that *seed* decides: which tests hold, and how many items a loop has.

    A function inside has a path of its own, whose trace is its own; its assignment is the same.
    """

    def __init__(self, terms: Terms, seed: int) -> None:
        self.terms, self.seed = terms, seed
        self.trace: list[Term] = []
        self._assignment: dict[Hashable, int] = {}
        self._steps = 0
        self._calls = 0

    def nested(self) -> Path:
        """Return the path of a function inside."""
        path = copy(self)
        path.trace, path._calls = [], 0
        return path

    def count_step(self) -> None:
        """Count a step. Raises Ended where a loop would go on for ever."""
        self._steps += 1
        self.terms.steps += 1
        if self._steps > STEP_LIMIT:
            raise Ended(Outcome("limit"))

    def perform(self, kind: str, *parts: Any) -> Term:
        """Return the term of an operation, and add it to the trace."""
        self.count_step()
        term = self.terms.intern(kind, *parts)
        self.trace.append(term)
        self._calls += kind == "call"
        return term

    def holds(self, term: Term) -> bool:
        """Tell whether *term* is true: a constant by its value, all else by the assignment."""
        kind, *parts = self.terms.read(term)
        if kind == "constant":
            return parts[1] not in ("None", "False", "0", "0.0", "''", "b''")
        if kind in ("tuple", "list", "set", "dict"):
            return bool(parts)
        # What a global name stands for may be another thing after each call.
        return bool(self._choose(("holds", term, self._calls if kind == "global" else 0), 2))

    def items(self, iterable: Term) -> Iterator[Term]:
        """Yield the items of an iterable, as many as the assignment says."""
        for place in range(self._choose(("count", iterable), ITEM_LIMIT)):
            yield self.perform("next", iterable, place + 1)

    def attribute(self, owner: Term, name: str) -> Term:
        """Return ``owner.name``; of a module it is what an import from there would give."""
        if self.terms.read(owner)[0] in ("import", "from"):
            return self.terms.intern("from", owner, name)
        return self.perform("attribute", owner, name)

    def unary(self, operator: str, operand: Term) -> Term:
        """Return ``-x``, ``+x`` or ``~x``; a negative number as the constant compilers make."""
        number = self.terms.number(operand)
        if operator == "-" and number is not None:
            return self.terms.constant(-number)
        return self.perform("unary", operator, operand)

    def compare(self, operator: str, left: Term, right: Term) -> Term:
        """Return ``left operator right``.

        Compilers turn ``not a is b`` and ``a is not b`` into each other, and the same with
        ``in``: the negative form is the truth of its opposite.
        """
        if operator in ("is not", "not in"):
            opposite = self.perform("compare", "is" if operator == "is not" else "in", left, right)
            return self.terms.constant(not self.holds(opposite))
        return self.perform("compare", operator, left, right)

    def call(
        self, function: Term, positional: Sequence[Term], keywords: Sequence[Keyword] = ()
    ) -> Term:
        """Return the result of a call. No two calls have one result: a function may count."""
        place = len(self.trace)
        return self.perform("call", function, tuple(positional), tuple(keywords), place)

    def unpack(
        self, iterable: Term, count: int, starred: int | None = None, after: int = 0
    ) -> list[Term]:
        """Return the *count* items of an unpacking, *after* of them behind the *starred* one."""
        kind, *parts = self.terms.read(iterable)
        as_many = kind in ("tuple", "list") and len(parts) == count and starred is None
        if as_many and not any(self.terms.read(part)[0] == "spread" for part in parts):
            return parts
        self.perform("unpack", iterable, count, starred, after)
        return [
            self.terms.intern("part", iterable, index, count, starred) for index in range(count)
        ]

    def _choose(self, question: Hashable, choices: int) -> int:
        # By seed and question alone: both forms get one answer, in whatever order they ask.
        if question not in self._assignment:
            generator = random.Random(f"{self.seed} {question}")
            self._assignment[question] = generator.randrange(choices)
        return self._assignment[question]
