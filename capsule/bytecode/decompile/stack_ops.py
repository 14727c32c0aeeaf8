"""Instructions that only move what is on the stack, and what they were written for."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING

from capsule.bytecode.code import Instruction
from capsule.bytecode.decompile.values import (
    Imported,
    ImportedName,
    Iterator,
    Made,
    Null,
    Stopped,
)

if TYPE_CHECKING:
    from capsule.bytecode.decompile.stack_machine import Machine

_ROTATED = {"ROT_TWO": 2, "ROT_THREE": 3, "ROT_FOUR": 4}
KNOWN = {
    *_ROTATED,
    "ROT_N",
    "DUP_TOP",
    "DUP_TOP_TWO",
    "DUP_TOPX",
    "COPY",
    "SWAP",
    "POP_TOP",
    "POP_ITER",
    "PUSH_NULL",
}


def shuffle(machine: Machine, body: Sequence[Instruction], index: int) -> int:
    """Follow the instruction at *index*; return how many were dealt with."""
    instruction = body[index]
    name, argument = instruction.name, instruction.argument or 0
    if name in _ROTATED or name == "ROT_N":
        count = _ROTATED.get(name, argument)
        machine.peek(count)
        machine.stack.insert(len(machine.stack) - count, machine.stack.pop())
    elif name == "SWAP":
        other = machine.peek(argument)
        machine.stack[-argument], machine.stack[-1] = machine.stack[-1], other
    elif name == "DUP_TOP":
        machine.push(machine.peek(1))
    elif name == "COPY":
        machine.push(machine.peek(argument))
    elif name in ("DUP_TOP_TWO", "DUP_TOPX"):
        count = 2 if name == "DUP_TOP_TWO" else argument
        machine.peek(count)
        machine.stack.extend(machine.stack[-count:])
    elif name == "PUSH_NULL":
        machine.push(Null())
    else:
        _drop(machine)
    return 1


def _drop(machine: Machine) -> None:
    """Take away the topmost entry: an expression that stands alone is a statement."""
    entry = machine.pop()
    if isinstance(entry, Imported):
        if entry.taken:
            if not entry.aliases:
                raise Stopped("an import that takes nothing")
            machine.emit(ast.ImportFrom(entry.module, entry.aliases, entry.level))
        return
    if isinstance(entry, (Null, Iterator, ImportedName)):
        return
    if isinstance(entry, ast.expr):
        if any(entry is other for other in machine.stack):
            return  # one of two copies
        if any(entry is part for part in machine.known.tested):
            return  # it was tested, which is what it was for
        machine.emit(ast.Expr(entry))
        return
    what = "a function" if isinstance(entry, Made) else "a value"
    raise Stopped(f"{what} is made and thrown away")
