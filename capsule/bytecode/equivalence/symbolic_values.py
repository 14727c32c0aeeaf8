"""What stands on the stack beside terms, and the operations that both forms have."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from capsule.bytecode.code import Code
from capsule.bytecode.equivalence.terms import (
    Ended,
    Term,
    Terms,
    Unknown,
    World,
    ordered,
)
from capsule.bytecode.unmarshal import Frozen, Slice, Unicode

if TYPE_CHECKING:
    from capsule.bytecode.equivalence.of_code import Frame


class Nothing:
    """The empty place beside a callable, and what else stands on the stack for no value."""


NOTHING = Nothing()


@dataclass(eq=False)
class Display:
    """A list, tuple, set or dict being written out; a dict's parts are pairs."""

    kind: str
    parts: list[Any] = field(default_factory=list)

    def term(self, terms: Terms) -> Term:
        """Return it as it is now."""
        if self.kind == "set":
            return terms.of("set", *ordered(terms, self.parts))
        return terms.of(self.kind, *self.parts)


@dataclass(eq=False)
class Loop:
    """What a loop takes its items from, and how many it has taken."""

    of: Term
    taken: int = 0

    def following(self, world: World) -> Term | None:
        """Return the next item, None where there is none."""
        if self.taken >= world.count(self.of):
            return None
        self.taken += 1
        return world.do("next", self.of, self.taken)


@dataclass(eq=False)
class Saved:
    """A variable's value put aside by a comprehension; None: it had none."""

    value: Any


@dataclass(eq=False)
class Function:
    """A function just made: as a term it is all that it does over names of its own."""

    code: Code
    defaults: tuple[Term, ...] = ()
    keyword_defaults: tuple[tuple[Any, Term], ...] = ()

    def term(self, frame: Frame) -> Term:
        """Return the term of the function."""
        from capsule.bytecode.equivalence.of_code import Frame, arguments_of

        terms = frame.terms
        world = frame.world.inner()
        outcome = Frame(self.code, world, arguments_of(self.code, terms)).run()
        named = arguments_of(self.code, terms)
        return terms.of(
            "function",
            tuple(named),
            self.defaults,
            self.keyword_defaults,
            outcome,
            tuple(world.log),
        )

    def comprehended(self, frame: Frame, loop: Loop) -> Term:
        """Return what the comprehension makes whose code this is."""
        from capsule.bytecode.equivalence.of_code import Frame

        inner = Frame(self.code, frame.world, {}, frame)
        inner.names[".0"] = loop
        outcome = inner.run()
        if self.code.name == "<genexpr>":
            # What it yields is computed when somebody asks: the order is the items' own.
            return frame.terms.of("generator", tuple(inner.yields))
        if outcome[0] != "return":
            raise Ended(outcome)
        return int(outcome[1])


def plain(value: Any) -> Any:
    """Return a constant as Python has it, whichever Python wrote it."""
    if isinstance(value, (Frozen, frozenset)):
        return frozenset(plain(item) for item in value)
    if isinstance(value, Unicode):
        return str(value)
    if type(value) is tuple:
        return tuple(plain(item) for item in value)
    if isinstance(value, (Slice, slice)):
        raise Unknown("a slice among the constants")
    return value


def unary(world: World, operator: str, of: Term) -> Term:
    """Return ``-x``, ``+x`` or ``~x``."""
    number = world.terms.number(of)
    if operator == "-" and number is not None:  # as compilers do ahead
        return world.terms.constant(-number)
    return world.do("unary", operator, of)


def compare(world: World, how: str, left: Term, right: Term) -> Term:
    """Return ``left how right``; for the opposites of ``is`` and ``in`` as a truth."""
    if how in ("is not", "not in"):
        positive = world.do("compare", "is" if how == "is not" else "in", left, right)
        return world.terms.constant(not world.holds(positive))
    return world.do("compare", how, left, right)


def slice_of(terms: Terms, *parts: Term) -> Term:
    """Return a slice; what is not given is None."""
    nothing = terms.constant(None)
    return terms.of("slice", *parts, *[nothing] * (3 - len(parts)))


def call(
    world: World, function: Term, positional: list[Term], named: list[tuple[Any, Term]]
) -> Term:
    """Return what a call gives; each is another one, since a function may count."""
    terms = world.terms
    keywords = tuple((terms.constant(k) if isinstance(k, str) else k, v) for k, v in named)
    return world.do("call", function, tuple(positional), keywords, len(world.log))


def unpacked(world: World, of: Term, count: int, starred: int | None, behind: int) -> list[Term]:
    """Return the items that *of* is unpacked into."""
    kind, *parts = world.terms.read(of)
    plain_parts = kind in ("tuple", "list") and len(parts) == count and starred is None
    if plain_parts and not any(world.terms.read(part)[0] == "spread" for part in parts):
        return list(parts)
    world.do("unpack", of, count, starred, behind)
    return [world.terms.of("part", of, index, count, starred) for index in range(count)]


def text_of(terms: Terms, parts: list[Term]) -> Term:
    """Return an f-string of its parts: texts and formatted values."""
    flat: list[Term] = []
    for part in parts:
        kind, *inner = terms.read(part)
        flat += inner if kind == "text" else [part]
    flat = [part for part in flat if not terms.is_constant(part, "")] or [terms.constant("")]
    return flat[0] if len(flat) == 1 else terms.of("text", *flat)
