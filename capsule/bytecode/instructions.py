"""Bytes to instructions, each with what it names: strict, since a wrong Python must show.

What is undefined, names nothing, or jumps between instructions can't have been written by
the Python whose table is used; that tells a Python from its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from capsule.bytecode.lines import read_lines
from capsule.bytecode.opcodes import Table
from capsule.bytecode.unmarshal import RawCode

_COMPARISONS = ("<", "<=", "==", "!=", ">", ">=")
_COMPARISONS_UNTIL_3_8 = (
    *(*_COMPARISONS, "in", "not in", "is", "is not"),
    *("exception match", "BAD"),
)
# What an argument counts into, by how the instruction's name ends.
_NAMED = ("_NAME", "_GLOBAL", "_GLOBALS", "_ATTR", "LOAD_METHOD", "IMPORT_FROM", "_ANNOTATION")
_CELL = ("DEREF", "LOAD_CLOSURE", "MAKE_CELL")
_CONSTANT = ("LOAD_CONST", "RETURN_CONST", "KW_NAMES")
# How many bits of an argument are flags: instruction, first Python of which it holds, bits.
_FLAG_BITS = (
    ("COMPARE_OP", (3, 13), 5),
    ("COMPARE_OP", (3, 12), 4),
    ("LOAD_SUPER_ATTR", (3, 12), 2),
    ("LOAD_ATTR", (3, 12), 1),
    ("LOAD_GLOBAL", (3, 11), 1),
)
# Jumps, by how their names begin. All that say BACKWARD go back.
_ABSOLUTE_UNTIL_3_10 = ("POP_JUMP_IF_", "JUMP_IF_", "JUMP_ABSOLUTE", "CONTINUE_LOOP")
_FORWARD = (
    *("JUMP_FORWARD", "POP_JUMP_FORWARD_", "FOR_ITER", "SEND", "CALL_FINALLY", "SETUP_LOOP"),
    *("SETUP_EXCEPT", "SETUP_FINALLY", "SETUP_WITH", "SETUP_ASYNC_WITH"),
)
_MAX_ARGUMENT = 1 << 31


class Undecodable(ValueError):
    """Instructions that a Python can't have written; says at which byte."""


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


class GuardedRange(NamedTuple):
    """The offsets of instructions that an exception handler covers, and of the handler."""

    start: int
    end: int
    handler: int


def decode_instructions(raw: RawCode, table: Table) -> tuple[Instruction, ...]:
    """Return the instructions of *raw* read by *table*; raises Undecodable if it can't be."""
    resolver, line_at = _Resolver(raw, table), read_lines(raw, table.version)
    instructions = tuple(
        Instruction(start, name, argument, resolver.value(name, argument, after), line_at(start))
        for start, name, argument, after in _split(raw.code, table)
    )
    if not instructions:
        raise Undecodable("ends within an instruction")
    starts = {instruction.offset for instruction in instructions}
    for instruction in instructions:
        if jumps(instruction.name) and instruction.value not in starts:
            raise Undecodable(f"{instruction.name} at byte {instruction.offset} jumps nowhere")
    return instructions


def jumps(name: str) -> bool:
    """Tell whether an instruction of that name has a target, which is then its value."""
    return "BACKWARD" in name or name.startswith((*_FORWARD, *_ABSOLUTE_UNTIL_3_10))


def _split(code: bytes, table: Table) -> Iterator[tuple[int, str, int | None, int]]:
    """Give each instruction: where it and its EXTENDED_ARG begin, name, argument, and its end."""
    at = start = extended = 0
    while at < len(code):
        number = code[at]
        name = table.names.get(number)
        if name is None or name == "CACHE":
            raise Undecodable(f"{number} at byte {at} is no instruction of Python {table.python}")
        argument, after = _argument(code, at, table)
        if argument is not None:
            argument |= extended
        if name == "EXTENDED_ARG":
            extended = (argument or 0) << (8 if table.wide else 16)
            if extended > _MAX_ARGUMENT:
                raise Undecodable(f"an argument beyond every limit at byte {at}")
            at = after
            continue
        end = after + 2 * table.caches.get(name, 0)
        if any(code[after:end]) or end > len(code):
            raise Undecodable(f"{name} at byte {at} is followed by no empty cache")
        yield start, name, argument, end
        at = start = end
        extended = 0
    if extended:
        raise Undecodable("ends within an instruction")


def _argument(code: bytes, at: int, table: Table) -> tuple[int | None, int]:
    """Return the argument of the instruction at *at*, and where the next one begins."""
    if not table.wide and not table.has_argument(code[at]):
        return None, at + 1
    end = at + (2 if table.wide else 3)
    if end > len(code):
        raise Undecodable(f"ends within the instruction at byte {at}")
    return int.from_bytes(code[at + 1 : end], "little"), end


class _Resolver:
    """Tells what the argument of an instruction stands for, in one code object of one Python."""

    def __init__(self, raw: RawCode, table: Table) -> None:
        self.raw, self.version = raw, table.version
        self.locals = tuple(name for name, _ in raw.kinds) if raw.kinds else raw.variables
        self.cells = self.locals if raw.kinds else raw.cells + raw.free

    def value(self, name: str, argument: int | None, after: int) -> Any:
        """Return what *argument* names, or the offset that it jumps to; None if nothing."""
        if argument is None or name == "LOAD_SMALL_INT":
            return argument
        if name.count("_FAST") == 2:
            pair = (argument >> 4, argument & 15)
            return tuple(_item(self.locals, index, name) for index in pair)
        values = self.values(name)
        if values is None:
            return self.target(name, argument, after)
        return _item(values, argument >> self.flag_bits(name), name)

    def values(self, name: str) -> tuple[Any, ...] | None:
        """Return what the argument of an instruction counts into, None if it doesn't."""
        if name.endswith(_NAMED):
            return self.raw.names
        if name in _CONSTANT:
            return self.raw.constants
        if "_FAST" in name:
            return self.locals
        if name.endswith(_CELL):
            return self.cells
        if name == "COMPARE_OP":
            return _COMPARISONS if self.version >= (3, 9) else _COMPARISONS_UNTIL_3_8
        return None

    def flag_bits(self, name: str) -> int:
        """Return how many of the lowest bits of an argument say something else."""
        rows = (bits for row, since, bits in _FLAG_BITS if row == name and self.version >= since)
        return next(rows, 0)

    def target(self, name: str, argument: int, after: int) -> int | None:
        """Return where a jump leads, None if it is none."""
        # Counted in instructions, no longer in bytes, from 3.10 on.
        distance = argument * (2 if self.version >= (3, 10) else 1)
        if not jumps(name):
            return None
        if "BACKWARD" in name:
            return after - distance
        absolute = name.startswith(_ABSOLUTE_UNTIL_3_10) and self.version < (3, 11)
        return distance if absolute else after + distance


def _item(values: tuple[Any, ...], index: int, name: str) -> Any:
    if index >= len(values):
        raise Undecodable(f"{name} {index} names nothing: there are {len(values)}")
    return values[index]


def read_guarded(table: bytes) -> tuple[GuardedRange, ...]:
    """Return the ranges of an exception table (3.11+): six bits a byte, the first one marked."""
    numbers = []
    value = 0
    for byte in table:
        value = byte & 63 if byte & 128 else value << 6 | byte & 63
        if value > _MAX_ARGUMENT:
            raise Undecodable("an exception table beyond every limit")
        if not byte & 0x40:
            numbers.append(value)
            value = 0
    return tuple(
        GuardedRange(2 * start, 2 * (start + length), 2 * handler)
        for start, length, handler, _ in zip(*[iter(numbers)] * 4)
    )
