"""What stands on the stack while code is decompiled: expressions, and what is none yet."""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Union

from capsule.bytecode.code import Code, Instruction
from capsule.bytecode.unmarshal import Frozen, Slice, Unicode

# What Python 2's `/` is called in source for Python 3: whoever restores the function brings it.
CLASSIC_DIVISION = "classic_division"


class DecompileError(Exception):
    """Code that can't be decompiled faithfully, and at which instruction."""

    def __init__(self, reason: str, instruction: Instruction | None = None) -> None:
        self.reason, self.instruction = reason, instruction
        place = f" at byte {instruction.offset} ({instruction.name})" if instruction else ""
        super().__init__(f"{reason}{place}")


class Mark:
    """What stands on the stack and is no expression."""


class Null(Mark):
    """What a call or a finished loop leaves on the stack, and no source has a word for."""


@dataclass(eq=False)
class Iterator(Mark):
    """What a for loop takes its items from."""

    iterable: ast.expr


class SavedLocal(Mark):
    """A local variable put aside while a comprehension uses its name."""


@dataclass(eq=False)
class Targets:
    """The targets of one unpacking or for loop; the instructions after it name them in turn."""

    count: int
    starred: int | None = None
    by_index: dict[int, ast.expr] = field(default_factory=dict)

    def place(self, index: int, target: ast.expr) -> None:
        """Set what the item at *index* goes to."""
        if index in self.by_index:
            raise DecompileError("an unpacked item goes to two places")
        self.by_index[index] = target

    def as_tuple(self) -> ast.expr:
        """Return all targets as one; raises DecompileError where some are missing."""
        if len(self.by_index) != self.count:
            raise DecompileError("unpacked items that go nowhere")
        items = [self.by_index[index] for index in range(self.count)]
        if self.starred is not None:
            items[self.starred] = ast.Starred(items[self.starred], ast.Store())
        return ast.Tuple(items, ast.Store())


@dataclass(eq=False)
class Item(Mark):
    """A value being assigned with others: it goes to the *index*-th of *targets*."""

    targets: Targets
    index: int


@dataclass(eq=False)
class Function(Mark):
    """A function object: its code, and the expressions that it was made with."""

    code: Code
    defaults: list[ast.expr] = field(default_factory=list)
    keyword_defaults: dict[str, ast.expr] = field(default_factory=dict)
    decorators: list[ast.expr] = field(default_factory=list)


@dataclass(eq=False)
class ModuleImport(Mark):
    """A module being imported; ``aliases`` are the names that ``from … import`` takes so far."""

    module: str
    level: int
    names_follow: bool
    aliases: list[ast.alias] = field(default_factory=list)


@dataclass(eq=False)
class ImportedName(Mark):
    """A name read from a module being imported."""

    source: ModuleImport
    name: str


@dataclass(eq=False)
class InPlaceResult(Mark):
    """The result of an operation in place, before it goes back where it came from."""

    left: ast.expr
    operator: ast.operator
    right: ast.expr


Entry = Union[ast.expr, Mark, Code]

# These may wait on the stack while a statement runs: they hold no unfinished computation.
INERT = (Null, Iterator, SavedLocal, Item, ModuleImport, ImportedName, ast.Constant)


class AssertionErrorName(ast.Name):
    """The AssertionError of an assert statement, which has an instruction of its own."""


class AppendStatement(ast.stmt):
    """Not Python: what a comprehension does with an item. ``key`` is None but for a dict."""

    def __init__(self, collection: ast.expr, item: ast.expr, key: ast.expr | None) -> None:
        super().__init__()
        self.collection, self.item, self.key = collection, item, key


class PendingTargets(ast.expr):
    """Targets that are complete only once the instructions behind have been followed."""

    def __init__(self, targets: Targets) -> None:
        super().__init__()
        self.targets = targets


class TargetResolver(ast.NodeTransformer):
    """Puts Python's own nodes in place of those that only decompiling needs."""

    def visit(self, node: ast.AST) -> ast.AST:
        """Return *node* with its targets, its parts first."""
        if isinstance(node, PendingTargets):
            return self.visit(node.targets.as_tuple())
        if isinstance(node, AssertionErrorName):  # in a raise that is no assert statement
            return ast.Name(node.id, ast.Load())
        return super().generic_visit(node)


def constant(value: Any) -> ast.expr:
    """Return the expression of a constant; raises DecompileError if no source makes it."""
    if value is None or value is Ellipsis or type(value) in (bool, str, bytes):
        return ast.Constant(value)
    if type(value) in (int, float, complex):
        return _number(value)
    if isinstance(value, Unicode):
        return ast.Constant(str(value), kind="u")
    if type(value) is tuple:
        return ast.Tuple([constant(item) for item in value], ast.Load())
    if isinstance(value, (Slice, slice)):
        bounds = (value.start, value.stop, value.step)
        return ast.Slice(*(None if bound is None else constant(bound) for bound in bounds))
    if isinstance(value, Frozen) or type(value) is frozenset:
        if not value:
            raise DecompileError("an empty set among the constants")
        return ast.Set([constant(item) for item in value])
    raise DecompileError(f"a constant of type {type(value).__name__}")


def _number(value: complex) -> ast.expr:
    if isinstance(value, complex):
        if value.real or math.copysign(1, value.real) < 0 or value.imag < 0:
            raise DecompileError("a complex constant")
    elif value != value:
        raise DecompileError("a constant that is not a number")
    elif value < 0 or (value == 0 and math.copysign(1, value) < 0):
        return ast.UnaryOp(ast.USub(), ast.Constant(-value))
    return ast.Constant(value)


def is_none(node: object) -> bool:
    """Tell whether *node* is the constant None."""
    return isinstance(node, ast.Constant) and node.value is None


def identical(first: Sequence[Entry], second: Sequence[Entry]) -> bool:
    """Tell whether two stacks hold the very same entries."""
    return len(first) == len(second) and all(a is b for a, b in zip(first, second))
