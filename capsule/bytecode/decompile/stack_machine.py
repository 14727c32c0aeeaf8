"""The state of the symbolic stack machine: expressions in place of values, statements so far."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Callable, Sequence

from capsule.bytecode.code import Code, Instruction
from capsule.bytecode.decompile.functions import make_definition, make_lambda
from capsule.bytecode.decompile.values import INERT, DecompileError, Entry, Function, Null

STACK_LIMIT = COUNT_LIMIT = 2000
UNKNOWN_INSTRUCTION = "an instruction that the decompiler does not know"
EMPTY_STACK = "the stack is empty: not code of this Python"

Body = list[ast.stmt]


class Context:
    """What all machines share that follow one code object, whichever way they take.

    ``statements_of`` decompiles nested code. ``tested`` holds what a branch decided on and left
    on the stack; ``chains`` the targets so far of a value that goes to several.
    """

    def __init__(self, code: Code, statements_of: Callable[[Code], Body]) -> None:
        self.code = code
        self.version = code.version
        self.statements_of = statements_of
        self.tested: list[ast.expr] = []
        self.chains: dict[int, list[ast.expr]] = {}
        # The entry beside its moment keeps its id from being used again.
        self._moments: dict[int, tuple[int, Entry]] = {}

    def register(self, entry: Entry) -> None:
        """Note that *entry* was computed now, unless it was before."""
        self._moments.setdefault(id(entry), (len(self._moments), entry))

    def moment_of(self, entry: Entry) -> int:
        """Return when *entry* was computed, as a place in the order of all."""
        return self._moments.get(id(entry), (0, entry))[0]


class StackMachine:
    """The stack, the statements so far, and the instructions that are still to be followed."""

    def __init__(self, context: Context, stack: Sequence[Entry], statements: Body) -> None:
        self.context = context
        self.version = context.version
        self.stack = list(stack)
        self.statements = statements
        self.pending: deque[Instruction] = deque()
        self.keywords: tuple[str, ...] = ()

    def push(self, entry: Entry) -> None:
        """Put *entry* on the stack."""
        self.context.register(entry)
        self.stack.append(entry)

    def push_callable(self, function: Entry) -> None:
        """Put what is about to be called on the stack, with the empty place beside it."""
        # Python 3.13 turned the two round.
        pair: list[Entry] = [Null(), function]
        self.stack.extend(reversed(pair) if self.version >= (3, 13) else pair)

    def peek(self, depth: int) -> Entry:
        """Return the entry *depth* from the top, 1 for the topmost."""
        if not 0 < depth <= len(self.stack):
            raise DecompileError(EMPTY_STACK)
        return self.stack[-depth]

    def pop(self) -> Entry:
        """Take the topmost entry."""
        if not self.stack:
            raise DecompileError(EMPTY_STACK)
        return self.stack.pop()

    def pop_many(self, count: int) -> list[Entry]:
        """Take the *count* topmost entries, in the order in which they were put there."""
        if count > len(self.stack):
            raise DecompileError(EMPTY_STACK)
        return [self.stack.pop() for _ in range(count)][::-1]

    def expression(self) -> ast.expr:
        """Take the topmost entry, which must be an expression (a lambda is one)."""
        return self.as_expression(self.pop())

    def expressions(self, count: int) -> list[ast.expr]:
        """Take the *count* topmost entries, which must be expressions, the topmost last."""
        return self.as_expressions(self.pop_many(count))

    def as_expressions(self, entries: Sequence[Entry]) -> list[ast.expr]:
        """Return *entries* as expressions; raises DecompileError if one of them is none."""
        return [self.as_expression(entry) for entry in reversed(entries)][::-1]

    def as_expression(self, entry: Entry) -> ast.expr:
        """Return *entry* as an expression; raises DecompileError if it is none."""
        if isinstance(entry, Function) and entry.code.is_lambda:
            return make_lambda(entry, self.context.statements_of(entry.code))
        if not isinstance(entry, ast.expr):
            raise DecompileError(f"a value that is no expression ({type(entry).__name__})")
        return entry

    def definition(self, function: Function, name: str) -> ast.stmt:
        """Return the def statement of a function that is stored as *name*."""
        if function.code.name != name:
            raise DecompileError("a function is stored under another name than its own")
        return make_definition(function, self.context.statements_of(function.code))

    def emit(self, statement: ast.stmt) -> None:
        """Add a statement; what is still unfinished on the stack would run after it."""
        if not all(isinstance(entry, INERT) for entry in self.stack):
            raise DecompileError("a value is held while a statement runs")
        self.statements.append(statement)

    def assign(self, target: ast.expr, value: ast.expr) -> None:
        """Assign *value* to *target*; while a copy of it waits, more targets follow."""
        chains = self.context.chains
        if self.stack and self.stack[-1] is value:
            chains.setdefault(id(value), []).append(target)
        else:
            targets = [*chains.pop(id(value), []), target]
            self.emit(ast.Assign(targets, value, lineno=0))


Handler = Callable[[StackMachine, Instruction], None]


class HandlerTable(dict[str, Handler]):
    """Handlers, by the names of the instructions that they follow."""

    def register(self, *names: str) -> Callable[[Handler], Handler]:
        """Return a decorator that enters a function under *names*."""

        def enter(handler: Handler) -> Handler:
            self.update(dict.fromkeys(names, handler))
            return handler

        return enter


def count_of(instruction: Instruction) -> int:
    """Return how many parts an instruction takes; raises DecompileError beyond COUNT_LIMIT."""
    count = instruction.argument or 0
    if count > COUNT_LIMIT:
        raise DecompileError(f"more than {COUNT_LIMIT} parts")
    return count
