"""Instructions in a row, followed with expressions in place of values."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from capsule.bytecode.code import Code, Instruction
from capsule.bytecode.decompile import calls, stores
from capsule.bytecode.decompile import collection_literals as displays
from capsule.bytecode.decompile import stack_ops as shuffles
from capsule.bytecode.decompile.values import (
    INERT,
    Appended,
    Assertion,
    Augmented,
    Entry,
    Imported,
    ImportedName,
    Item,
    Iterator,
    Made,
    Null,
    Saved,
    Stopped,
    Targets,
    constant,
    is_none,
)

STACK_LIMIT = 2000
# What Python 2's `/` is called in source for Python 3: whoever restores the function brings it.
CLASSIC_DIVISION = "classic_division"

BINARY: dict[str, type[ast.operator]] = {
    "ADD": ast.Add,
    "AND": ast.BitAnd,
    "FLOOR_DIVIDE": ast.FloorDiv,
    "LSHIFT": ast.LShift,
    "MATRIX_MULTIPLY": ast.MatMult,
    "MULTIPLY": ast.Mult,
    "MODULO": ast.Mod,
    "OR": ast.BitOr,
    "POWER": ast.Pow,
    "RSHIFT": ast.RShift,
    "SUBTRACT": ast.Sub,
    "TRUE_DIVIDE": ast.Div,
    "XOR": ast.BitXor,
    "DIVIDE": ast.Div,
}
# BINARY_OP's numbers, from 3.11 on; with 13 more the same in place.
_NUMBERED = (
    "ADD",
    "AND",
    "FLOOR_DIVIDE",
    "LSHIFT",
    "MATRIX_MULTIPLY",
    "MULTIPLY",
    "MODULO",
    "OR",
    "POWER",
    "RSHIFT",
    "SUBTRACT",
    "TRUE_DIVIDE",
    "XOR",
)
_SUBSCRIPT = 26  # BINARY_OP's number for x[y], from 3.14 on
_UNARY: dict[str, type[ast.unaryop]] = {
    "UNARY_NEGATIVE": ast.USub,
    "UNARY_POSITIVE": ast.UAdd,
    "UNARY_INVERT": ast.Invert,
    "UNARY_NOT": ast.Not,
}
_COMPARE: dict[str, type[ast.cmpop]] = {
    "<": ast.Lt,
    "<=": ast.LtE,
    "==": ast.Eq,
    "!=": ast.NotEq,
    ">": ast.Gt,
    ">=": ast.GtE,
    "in": ast.In,
    "not in": ast.NotIn,
    "is": ast.Is,
    "is not": ast.IsNot,
}
_LOADS = {
    "LOAD_FAST",
    "LOAD_FAST_CHECK",
    "LOAD_FAST_BORROW",
    "LOAD_NAME",
    "LOAD_GLOBAL",
    "LOAD_DEREF",
    "LOAD_CLOSURE",
    "LOAD_CLASSDEREF",
}
_NOTHING = {
    "NOP",
    "RESUME",
    "PRECALL",
    "COPY_FREE_VARS",
    "MAKE_CELL",
    "NOT_TAKEN",
    "TO_BOOL",
    "SETUP_LOOP",
    "POP_BLOCK",
    "GEN_START",
    "CACHE",
    "EXTENDED_ARG",
}
_PAIRS = ("LOAD_FAST_LOAD_FAST", "LOAD_FAST_BORROW_LOAD_FAST_BORROW")


class Known:
    """What is known of one code object while it is followed, whichever way is taken.

    ``tested`` holds what a branch decided on and left on the stack; ``chains`` the targets
    so far of a value that goes to several; ``moments`` when each entry came to be.
    """

    def __init__(self, code: Code) -> None:
        self.version = tuple(int(part) for part in code.python.split("."))
        self.tested: list[ast.expr] = []
        self.chains: dict[int, list[ast.expr]] = {}
        self.moments: dict[int, tuple[int, Entry]] = {}

    def moment(self, entry: Entry) -> int:
        """Return when *entry* was computed, as a place in the order of all."""
        return self.moments.get(id(entry), (0, entry))[0]


class Machine:
    """The stack and the statements so far. What it can't tell, it raises as Stopped."""

    def __init__(self, known: Known, stack: Sequence[Entry], statements: list[ast.stmt]) -> None:
        self.known = known
        self.version = known.version
        self.stack = list(stack)
        self.statements = statements
        self.keywords: tuple[str, ...] = ()

    def run(self, body: Sequence[Instruction]) -> None:
        """Follow *body* from its first instruction to its last."""
        index = 0
        while index < len(body):
            try:
                index += self.step(body, index)
            except Stopped as stopped:
                stopped.instruction = stopped.instruction or body[index]
                raise Stopped(stopped.why, stopped.instruction) from None
            if len(self.stack) > STACK_LIMIT:
                raise Stopped("a stack beyond every limit", body[index - 1])

    def step(self, body: Sequence[Instruction], index: int) -> int:
        """Follow one instruction, or several that mean something together; return how many."""
        instruction = body[index]
        name, value, argument = instruction.name, instruction.value, instruction.argument or 0
        if name in _NOTHING:
            return 1
        if name in _LOADS:
            if name == "LOAD_GLOBAL" and self.version >= (3, 11) and argument & 1:
                self.push_callable(ast.Name(value, ast.Load()))
            else:
                self.push(ast.Name(value, ast.Load()))
        elif name in _PAIRS:
            for one in value:
                self.push(ast.Name(one, ast.Load()))
        elif name in ("LOAD_CONST", "LOAD_SMALL_INT"):
            self.push(value if isinstance(value, Code) else constant(value))
        elif name in ("LOAD_ATTR", "LOAD_METHOD"):
            self._attribute(name, str(value), argument)
        elif name in _UNARY:
            self.push(ast.UnaryOp(_UNARY[name](), self.expression()))
        elif name in ("COMPARE_OP", "IS_OP", "CONTAINS_OP"):
            self._compare(name, value, argument)
        elif name.startswith(("BINARY_", "INPLACE_")) and self._binary(name, argument):
            pass
        elif name in stores.KNOWN:
            return stores.store(self, body, index)
        elif name in shuffles.KNOWN:
            return shuffles.shuffle(self, body, index)
        elif name in calls.KNOWN:
            calls.KNOWN[name](self, instruction)
        elif name in displays.KNOWN:
            displays.KNOWN[name](self, instruction)
        elif name in _RARE:
            _RARE[name](self, instruction)
        else:
            raise Stopped(_MEANING.get(name, "an instruction that no lifting is known for"))
        return 1

    # The stack

    def push(self, entry: Entry) -> None:
        """Put *entry* on the stack."""
        self.known.moments.setdefault(id(entry), (len(self.known.moments), entry))
        self.stack.append(entry)

    def push_callable(self, function: Entry) -> None:
        """Put what is about to be called on the stack, with the empty place beside it."""
        # Python 3.13 turned the two round.
        pair: list[Entry] = [Null(), function]
        self.stack.extend(reversed(pair) if self.version >= (3, 13) else pair)

    def pop(self) -> Entry:
        """Take the topmost entry."""
        if not self.stack:
            raise Stopped("the stack is empty: not code of this Python")
        return self.stack.pop()

    def expression(self) -> ast.expr:
        """Take the topmost entry, which must be an expression (a lambda is one)."""
        entry = self.pop()
        if isinstance(entry, Made) and entry.code.name == "<lambda>":
            return calls.lambda_of(entry)
        if not isinstance(entry, ast.expr):
            raise Stopped(f"a value that is no expression ({type(entry).__name__.lower()})")
        return entry

    def expressions(self, count: int) -> list[ast.expr]:
        """Take the *count* topmost entries, in the order in which they were put there."""
        if count > len(self.stack):
            raise Stopped("the stack is empty: not code of this Python")
        return [self.expression() for _ in range(count)][::-1]

    def peek(self, depth: int) -> Entry:
        """Return the entry *depth* from the top, 1 for the topmost."""
        if not 0 < depth <= len(self.stack):
            raise Stopped("the stack is empty: not code of this Python")
        return self.stack[-depth]

    def emit(self, statement: ast.stmt) -> None:
        """Add a statement; what is still unfinished on the stack would run after it."""
        if not all(isinstance(entry, INERT) for entry in self.stack):
            raise Stopped("a value is held while a statement runs")
        self.statements.append(statement)

    # Families of instructions

    def _attribute(self, name: str, attribute: str, argument: int) -> None:
        top = self.peek(1)
        if isinstance(top, (Imported, ImportedName)):  # import a.b as c, up to 3.6
            self.pop()
            module = top if isinstance(top, Imported) else top.of
            self.push(ImportedName(module, attribute))
            return
        made = ast.Attribute(self.expression(), attribute, ast.Load())
        if name == "LOAD_METHOD" or (self.version >= (3, 12) and argument & 1):
            self.push_callable(made)
        else:
            self.push(made)

    def _binary(self, name: str, argument: int) -> bool:
        kind = name.partition("_")[2]
        place = name.startswith("INPLACE")
        if name == "BINARY_OP":
            if argument == _SUBSCRIPT:
                kind = "SUBSCR"
            elif argument < 2 * len(_NUMBERED):
                kind = _NUMBERED[argument % len(_NUMBERED)]
                place = argument >= len(_NUMBERED)
        if kind == "SUBSCR":
            key = self.expression()
            self.push(ast.Subscript(self.expression(), key, ast.Load()))
            return True
        if kind not in BINARY:
            return False
        left, right = self.expressions(2)
        if kind == "DIVIDE" and not _surely_float(left) and not _surely_float(right):
            if place:
                raise Stopped("a division in place, as only Python 2 does it")
            self.push(ast.Call(ast.Name(CLASSIC_DIVISION, ast.Load()), [left, right], []))
            return True
        self.push(
            Augmented(left, BINARY[kind](), right)
            if place
            else ast.BinOp(left, BINARY[kind](), right)
        )
        return True

    def _compare(self, name: str, value: Any, argument: int) -> None:
        left, right = self.expressions(2)
        if name != "COMPARE_OP":
            pair = ("is", "is not") if name == "IS_OP" else ("in", "not in")
            value = pair[argument & 1]
        if value not in _COMPARE:
            raise Stopped("a comparison that only exception handlers make")
        self.push(ast.Compare(left, [_COMPARE[value]()], [right]))


def _surely_float(node: ast.expr) -> bool:
    """Tell whether *node* is a fraction in Python 2, whatever its names stand for."""
    if isinstance(node, ast.UnaryOp):
        return _surely_float(node.operand)
    if isinstance(node, ast.BinOp):
        return _surely_float(node.left) or _surely_float(node.right)
    return isinstance(node, ast.Constant) and type(node.value) is float


def _between(machine: Machine, instruction: Instruction) -> None:
    of, start, stop = machine.expressions(3)
    machine.push(ast.Subscript(of, _slice(start, stop), ast.Load()))


def _old_slice(machine: Machine, instruction: Instruction) -> None:
    # Python 2: +1 has a start, +2 a stop, +3 both.
    kind = int(instruction.name[-1])
    stop = machine.expression() if kind & 2 else None
    start = machine.expression() if kind & 1 else None
    machine.push(ast.Subscript(machine.expression(), ast.Slice(start, stop, None), ast.Load()))


def _slice(start: ast.expr, stop: ast.expr, step: ast.expr | None = None) -> ast.Slice:
    parts = [None if part is None or is_none(part) else part for part in (start, stop)]
    return ast.Slice(parts[0], parts[1], step)


def _build_slice(machine: Machine, instruction: Instruction) -> None:
    if instruction.argument not in (2, 3):
        raise Stopped("a slice of neither two nor three parts")
    machine.push(_slice(*machine.expressions(instruction.argument)))


def _next(machine: Machine, instruction: Instruction) -> None:
    machine.push(Iterator(machine.expression()))


def _yield(machine: Machine, instruction: Instruction) -> None:
    machine.push(ast.Yield(machine.expression()))


def _append(machine: Machine, instruction: Instruction) -> None:
    key = None
    if instruction.name == "MAP_ADD":
        first, second = machine.expressions(2)
        # Key and value changed places in 3.8.
        key, item = (first, second) if machine.version >= (3, 8) else (second, first)
    else:
        item = machine.expression()
    depth = instruction.argument or 0
    collection = machine.peek(depth)
    if not isinstance(collection, (ast.List, ast.Set, ast.Dict)):
        raise Stopped("an item is added to what is no collection")
    if depth > 1:
        machine.statements.append(Appended(collection, item, key))
    elif isinstance(collection, ast.Dict):
        collection.keys.append(key)
        collection.values.append(item)
    else:
        collection.elts.append(item)


def _unpack(machine: Machine, instruction: Instruction) -> None:
    argument = instruction.argument or 0
    extended = instruction.name == "UNPACK_EX"
    before, behind = (argument & 0xFF, argument >> 8) if extended else (argument, 0)
    count = before + behind + extended
    if count > STACK_LIMIT:
        raise Stopped("an unpacking beyond every limit")
    value = machine.pop()
    targets = Targets(count, before if extended else None)
    if isinstance(value, Item):
        stores.later(value, targets)
    elif isinstance(value, ast.expr):
        stores.unpack(machine, value, targets)
    else:
        raise Stopped("an unpacking of what is no value")
    machine.stack.extend(Item(targets, index) for index in reversed(range(count)))


def _end_for(machine: Machine, instruction: Instruction) -> None:
    # The loop's own item was never put here; from 3.13 on its iterator is popped apart.
    if machine.version >= (3, 13):
        machine.push(Null())


def _clear(machine: Machine, instruction: Instruction) -> None:
    machine.push(Saved(instruction.value))


def _assertion(machine: Machine, instruction: Instruction) -> None:
    if instruction.name == "LOAD_COMMON_CONSTANT" and instruction.argument != 0:
        kinds = {1: "NotImplementedError", 2: "tuple", 3: "all", 4: "any"}
        if instruction.argument not in kinds or instruction.argument > 1:
            raise Stopped("a shortcut for a built-in function")
        machine.push(ast.Name(kinds[1], ast.Load()))
        return
    machine.push(Assertion("AssertionError", ast.Load()))


def _generator(machine: Machine, instruction: Instruction) -> None:
    machine.push(Null())


_RARE: dict[str, Callable[[Machine, Instruction], None]] = {
    "BINARY_SLICE": _between,
    "SLICE+0": _old_slice,
    "SLICE+1": _old_slice,
    "SLICE+2": _old_slice,
    "SLICE+3": _old_slice,
    "BUILD_SLICE": _build_slice,
    "GET_ITER": _next,
    "YIELD_VALUE": _yield,
    "LIST_APPEND": _append,
    "SET_ADD": _append,
    "MAP_ADD": _append,
    "UNPACK_SEQUENCE": _unpack,
    "UNPACK_EX": _unpack,
    "END_FOR": _end_for,
    "LOAD_FAST_AND_CLEAR": _clear,
    "LOAD_ASSERTION_ERROR": _assertion,
    "LOAD_COMMON_CONSTANT": _assertion,
    "RETURN_GENERATOR": _generator,
}

_MEANING = {
    "SETUP_FINALLY": "a try block",
    "SETUP_EXCEPT": "a try block",
    "SETUP_WITH": "a with block",
    "BEFORE_WITH": "a with block",
    "LOAD_SPECIAL": "a with block",
    "LOAD_BUILD_CLASS": "a class",
    "BUILD_CLASS": "a class",
    "GET_AWAITABLE": "an await",
    "YIELD_FROM": "a yield from",
    "PRINT_ITEM": "a print statement",
    "EXEC_STMT": "an exec",
    "LOAD_SUPER_ATTR": "a use of super()",
    "UNARY_CONVERT": "backquotes",
}
