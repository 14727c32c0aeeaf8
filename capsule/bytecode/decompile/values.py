"""What stands on the stack while code is followed: expressions, and what is none yet."""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass, field
from typing import Any, Union

from capsule.bytecode.code import Code, Instruction
from capsule.bytecode.unmarshal import Frozen, Slice, Unicode


class Stopped(Exception):
    """What can't be lifted faithfully, and at which instruction."""

    def __init__(self, why: str, instruction: Instruction | None = None) -> None:
        self.why, self.instruction = why, instruction
        place = f" at byte {instruction.offset} ({instruction.name})" if instruction else ""
        super().__init__(f"{why}{place}")


class Null:
    """What a call or a finished loop leaves on the stack, and no source has a word for."""


@dataclass(eq=False)
class Iterator:
    """What a for loop takes its items from."""

    of: ast.expr


@dataclass(eq=False)
class Saved:
    """A local variable put aside while a comprehension uses its name."""

    name: str


@dataclass(eq=False)
class Targets:
    """The targets of one assignment, found one by one: of an unpacking or a for loop."""

    count: int
    starred: int | None = None
    found: dict[int, ast.expr] = field(default_factory=dict)

    def place(self, index: int, target: ast.expr) -> None:
        """Keep what the item at *index* goes to."""
        if index in self.found:
            raise Stopped("an unpacked item goes to two places")
        self.found[index] = target

    def tuple(self) -> ast.expr:
        """Return all targets as one; raises Stopped where some are missing."""
        if len(self.found) != self.count:
            raise Stopped("unpacked items that go nowhere")
        items = [self.found[index] for index in range(self.count)]
        if self.starred is not None:
            items[self.starred] = ast.Starred(items[self.starred], ast.Store())
        return ast.Tuple(items, ast.Store())


@dataclass(eq=False)
class Item:
    """One of several values being assigned: the *index*-th of *targets*."""

    targets: Targets
    index: int


@dataclass(eq=False)
class Made:
    """A function just made: its code, and what it was given along."""

    code: Code
    defaults: list[ast.expr] = field(default_factory=list)
    keyword_defaults: dict[str, ast.expr] = field(default_factory=dict)
    decorators: list[ast.expr] = field(default_factory=list)


@dataclass(eq=False)
class Imported:
    """A module being imported; ``aliases`` what was taken from it so far."""

    module: str
    level: int
    taken: bool
    aliases: list[ast.alias] = field(default_factory=list)


@dataclass(eq=False)
class ImportedName:
    """A name taken from a module being imported."""

    of: Imported
    name: str


@dataclass(eq=False)
class Augmented:
    """The result of an operation in place, before it goes back where it came from."""

    left: ast.expr
    operator: ast.operator
    right: ast.expr


Entry = Union[ast.expr, Null, Iterator, Saved, Item, Made, Imported, ImportedName, Augmented, Code]

# These may wait on the stack while a statement runs: they hold no unfinished computation.
INERT = (Null, Iterator, Saved, Item, Imported, ImportedName, ast.Constant)


class Assertion(ast.Name):
    """The AssertionError of an assert statement, which has an instruction of its own."""


class Appended(ast.stmt):
    """Not Python: what a comprehension does with an item. ``key`` is None but for a dict."""

    def __init__(self, collection: ast.expr | None, item: ast.expr, key: ast.expr | None) -> None:
        super().__init__()
        self.collection, self.item, self.key = collection, item, key


def constant(value: Any) -> ast.expr:
    """Return the expression of a constant; raises Stopped for one that no source makes."""
    if isinstance(value, Frozen) or type(value) is frozenset:
        if not value:
            raise Stopped("an empty set among the constants")
        return ast.Set([constant(item) for item in value])
    if isinstance(value, Slice):
        parts = (None if p is None else constant(p) for p in (value.start, value.stop, value.step))
        return ast.Slice(*parts)
    if type(value) is slice:
        return constant(Slice(value.start, value.stop, value.step))
    if type(value) is tuple:
        items = [constant(item) for item in value]
        return ast.Tuple(items, ast.Load())
    if isinstance(value, Unicode):
        return ast.Constant(str(value), kind="u")
    if type(value) in (int, float):
        if isinstance(value, float) and math.isnan(value):
            raise Stopped("a constant that is not a number")
        if value < 0 or (value == 0 and math.copysign(1, value) < 0):
            return ast.UnaryOp(ast.USub(), ast.Constant(-value))
        return ast.Constant(value)
    if type(value) is complex:
        if value.real or math.copysign(1, value.real) < 0 or value.imag < 0:
            raise Stopped("a complex constant")
        return ast.Constant(value)
    if value is None or value is Ellipsis or type(value) in (bool, str, bytes):
        return ast.Constant(value)
    raise Stopped(f"a constant of type {type(value).__name__}")


def is_none(node: object) -> bool:
    """Tell whether *node* is the constant None."""
    return isinstance(node, ast.Constant) and node.value is None


def negated(test: ast.expr) -> ast.expr:
    """Return the opposite of a test, as plainly as it can be said."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return test.operand
    if isinstance(test, ast.BoolOp):
        other = ast.And() if isinstance(test.op, ast.Or) else ast.Or()
        return ast.BoolOp(other, [negated(v) for v in test.values])
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and type(test.ops[0]) in _OPPOSITE:
        # As every compiler says it; for these two it is the very same.
        return ast.Compare(test.left, [_OPPOSITE[type(test.ops[0])]()], test.comparators)
    return ast.UnaryOp(ast.Not(), test)


_OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


def joined(operator: type[ast.And] | type[ast.Or], left: ast.expr, right: ast.expr) -> ast.expr:
    """Return ``left and right``, or ``or``: flat, and ``a < b < c`` where it was that."""
    if (
        operator is ast.And
        and isinstance(left, ast.Compare)
        and isinstance(right, ast.Compare)
        and left.comparators[-1] is right.left
    ):
        return chained(left, right)
    values: list[ast.expr] = []
    for side in (left, right):
        if isinstance(side, ast.BoolOp) and isinstance(side.op, operator):
            values += side.values
        else:
            values.append(side)
    return ast.BoolOp(operator(), values)


def chained(left: ast.Compare, right: ast.Compare) -> ast.Compare:
    """Return ``a < b < c`` of ``a < b`` and ``b < c``, whose ``b`` is one value."""
    ops, others = [*left.ops, *right.ops], [*left.comparators, *right.comparators]
    return ast.Compare(left.left, ops, others)
