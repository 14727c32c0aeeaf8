"""Bytes to instructions, each with what it names: strict, since a wrong Python must show.

What is undefined, names nothing, or jumps between instructions can't have been written by
the Python whose table is used; that is how one Python is told from its neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from capsule.bytecode.lines import lines_of
from capsule.bytecode.opcodes import Table
from capsule.bytecode.unmarshal import Raw

_COMPARISONS = (
    "<",
    "<=",
    "==",
    "!=",
    ">",
    ">=",
    "in",
    "not in",
    "is",
    "is not",
    "exception match",
    "BAD",
)
_LOCAL = {
    "LOAD_FAST",
    "STORE_FAST",
    "DELETE_FAST",
    "LOAD_FAST_CHECK",
    "LOAD_FAST_AND_CLEAR",
    "LOAD_FAST_BORROW",
}
_PAIR = {
    "LOAD_FAST_LOAD_FAST",
    "STORE_FAST_LOAD_FAST",
    "STORE_FAST_STORE_FAST",
    "LOAD_FAST_BORROW_LOAD_FAST_BORROW",
}
_CELL = {
    "LOAD_CLOSURE",
    "LOAD_DEREF",
    "STORE_DEREF",
    "DELETE_DEREF",
    "LOAD_CLASSDEREF",
    "MAKE_CELL",
    "LOAD_FROM_DICT_OR_DEREF",
}
_NAMED = {
    "LOAD_NAME",
    "STORE_NAME",
    "DELETE_NAME",
    "LOAD_GLOBAL",
    "STORE_GLOBAL",
    "DELETE_GLOBAL",
    "LOAD_ATTR",
    "STORE_ATTR",
    "DELETE_ATTR",
    "LOAD_METHOD",
    "IMPORT_NAME",
    "IMPORT_FROM",
    "LOAD_SUPER_ATTR",
    "LOAD_FROM_DICT_OR_GLOBALS",
    "STORE_ANNOTATION",
}
_CONSTANT = {"LOAD_CONST", "RETURN_CONST", "KW_NAMES"}
_ABSOLUTE = {
    "JUMP_ABSOLUTE",
    "POP_JUMP_IF_FALSE",
    "POP_JUMP_IF_TRUE",
    "JUMP_IF_FALSE_OR_POP",
    "JUMP_IF_TRUE_OR_POP",
    "CONTINUE_LOOP",
    "JUMP_IF_NOT_EXC_MATCH",
}
_FORWARD = {
    "JUMP_FORWARD",
    "FOR_ITER",
    "SETUP_LOOP",
    "SETUP_EXCEPT",
    "SETUP_FINALLY",
    "SETUP_WITH",
    "SETUP_ASYNC_WITH",
    "CALL_FINALLY",
    "SEND",
    "POP_JUMP_FORWARD_IF_FALSE",
    "POP_JUMP_FORWARD_IF_TRUE",
    "POP_JUMP_FORWARD_IF_NONE",
    "POP_JUMP_FORWARD_IF_NOT_NONE",
    "POP_JUMP_IF_NONE",
    "POP_JUMP_IF_NOT_NONE",
}
_BACKWARD = {
    "JUMP_BACKWARD",
    "JUMP_BACKWARD_NO_INTERRUPT",
    "POP_JUMP_BACKWARD_IF_FALSE",
    "POP_JUMP_BACKWARD_IF_TRUE",
    "POP_JUMP_BACKWARD_IF_NONE",
    "POP_JUMP_BACKWARD_IF_NOT_NONE",
}
_MAX_ARGUMENT = 1 << 31


class Undecodable(ValueError):
    """Instructions that the Python asked for can't have written; says at which byte."""


@dataclass(frozen=True)
class Instruction:
    """One instruction, its argument resolved.

    ``value`` is the name, constant, comparison or pair of names that it names, or the
    offset that it jumps to; ``line`` is None where the compiler made it without one.
    """

    offset: int
    name: str
    argument: int | None
    value: Any
    line: int | None = None


def decoded(
    raw: Raw, table: Table
) -> tuple[tuple[Instruction, ...], tuple[tuple[int, int, int], ...]]:
    """Return the instructions of *raw* read by *table*, and its guarded ranges."""
    found: list[Instruction] = []
    code, at, extended = raw.code, 0, 0
    resolve = _Resolver(raw, table)
    line = lines_of(raw, table.version)
    starts: set[int] = set()
    first = None  # of an instruction: where its EXTENDED_ARG began
    while at < len(code):
        number = code[at]
        name = table.names.get(number)
        if name is None or name == "CACHE":
            raise Undecodable(f"{number} at byte {at} is no instruction of Python {table.python}")
        if first is None:
            first = at
        starts.add(first)
        argument, after = _argument(code, at, number, table)
        if argument is not None:
            argument |= extended
        if name == "EXTENDED_ARG":
            extended = (argument or 0) << (8 if table.wide else 16)
            if extended > _MAX_ARGUMENT:
                raise Undecodable(f"an argument beyond every limit at byte {at}")
            at = after
            continue
        caches = table.caches.get(name, 0)
        if any(code[after : after + 2 * caches]) or after + 2 * caches > len(code):
            raise Undecodable(f"{name} at byte {at} is followed by no empty cache")
        value = resolve(name, argument, after + 2 * caches)
        found.append(Instruction(first, name, argument, value, line(first)))
        at, extended, first = after + 2 * caches, 0, None
    if extended or not found:
        raise Undecodable("ends within an instruction")
    for instruction in found:
        if jumps(instruction.name) and instruction.value not in starts:
            raise Undecodable(f"{instruction.name} at byte {instruction.offset} jumps nowhere")
    return tuple(found), _guarded(raw.exceptions)


def jumps(name: str) -> bool:
    """Tell whether an instruction of that name has a target, which is then its value."""
    return name in _ABSOLUTE or name in _FORWARD or name in _BACKWARD


def _argument(code: bytes, at: int, number: int, table: Table) -> tuple[int | None, int]:
    """Return the argument of the instruction at *at*, and where the next one begins."""
    if table.wide:
        if at + 2 > len(code):
            raise Undecodable(f"ends within the instruction at byte {at}")
        return code[at + 1], at + 2
    if not table.argued(number):
        return None, at + 1
    if at + 3 > len(code):
        raise Undecodable(f"ends within the instruction at byte {at}")
    return code[at + 1] | code[at + 2] << 8, at + 3


class _Resolver:
    """What the argument of an instruction stands for, in one code object of one Python."""

    def __init__(self, raw: Raw, table: Table) -> None:
        self.raw, self.version = raw, table.version
        self.fast = tuple(n for n, _ in raw.kinds) if raw.kinds else raw.variables
        self.cells = self.fast if raw.kinds else raw.cells + raw.free

    def __call__(self, name: str, argument: int | None, after: int) -> Any:
        if argument is None:
            return None
        version, raw = self.version, self.raw
        if name in _NAMED:
            shift = 2 if name == "LOAD_SUPER_ATTR" else 0
            if (name == "LOAD_GLOBAL" and version >= (3, 11)) or (
                name == "LOAD_ATTR" and version >= (3, 12)
            ):
                shift = 1
            return _of(raw.names, argument >> shift, name)
        if name in _CONSTANT:
            return _of(raw.constants, argument, name)
        if name in _LOCAL:
            return _of(self.fast, argument, name)
        if name in _PAIR:
            return (_of(self.fast, argument >> 4, name), _of(self.fast, argument & 15, name))
        if name in _CELL:
            return _of(self.cells, argument, name)
        if name == "COMPARE_OP":
            shift = 5 if version >= (3, 13) else 4 if version >= (3, 12) else 0
            known = _COMPARISONS[:6] if version >= (3, 9) else _COMPARISONS
            return _of(known, argument >> shift, name)
        if name == "LOAD_SMALL_INT":
            return argument
        return self.target(name, argument, after)

    def target(self, name: str, argument: int, after: int) -> Any:
        # Counted in instructions, no longer in bytes, from 3.10 on.
        unit = 2 if self.version >= (3, 10) else 1
        if name in _BACKWARD:
            return after - unit * argument
        relative = name in _FORWARD or (name in _ABSOLUTE and self.version >= (3, 11))
        if relative:
            return after + unit * argument
        return unit * argument if name in _ABSOLUTE else None


def _of(values: tuple[Any, ...], index: int, name: str) -> Any:
    if index >= len(values):
        raise Undecodable(f"{name} {index} names nothing: there are {len(values)}")
    return values[index]


def _guarded(table: bytes) -> tuple[tuple[int, int, int], ...]:
    """Return the ranges of an exception table (3.11+): six bits a byte, the first one marked."""
    found, numbers = [], []
    value = None
    for byte in table:
        value = byte & 63 if value is None or byte & 128 else value << 6 | byte & 63
        if value > _MAX_ARGUMENT:
            raise Undecodable("an exception table beyond every limit")
        if not byte & 0x40:
            numbers.append(value)
            value = 0
    for start, length, handler, _ in zip(*[iter(numbers)] * 4):
        found.append((2 * start, 2 * (start + length), 2 * handler))
    return tuple(found)
