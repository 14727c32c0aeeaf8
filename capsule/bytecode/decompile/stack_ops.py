"""Instructions that only move what is on the stack, and marks that no source has a word for."""

from __future__ import annotations

import ast

from capsule.bytecode.code import Instruction
from capsule.bytecode.decompile.stack_machine import HandlerTable, StackMachine
from capsule.bytecode.decompile.values import (
    DecompileError,
    Function,
    ImportedName,
    Iterator,
    ModuleImport,
    Null,
    SavedLocal,
)

_ROTATIONS = {"ROT_TWO": 2, "ROT_THREE": 3, "ROT_FOUR": 4}

HANDLERS = HandlerTable()


@HANDLERS.register("ROT_TWO", "ROT_THREE", "ROT_FOUR", "ROT_N")
def _rotate(machine: StackMachine, instruction: Instruction) -> None:
    count = _ROTATIONS.get(instruction.name, instruction.argument or 0)
    machine.peek(count)
    machine.stack.insert(len(machine.stack) - count, machine.stack.pop())


@HANDLERS.register("SWAP")
def _swap(machine: StackMachine, instruction: Instruction) -> None:
    depth = instruction.argument or 0
    entry = machine.peek(depth)
    machine.stack[-depth], machine.stack[-1] = machine.stack[-1], entry


@HANDLERS.register("DUP_TOP", "COPY")
def _copy(machine: StackMachine, instruction: Instruction) -> None:
    depth = 1 if instruction.name == "DUP_TOP" else instruction.argument or 0
    machine.push(machine.peek(depth))


@HANDLERS.register("DUP_TOP_TWO", "DUP_TOPX")
def _copy_many(machine: StackMachine, instruction: Instruction) -> None:
    count = 2 if instruction.name == "DUP_TOP_TWO" else instruction.argument or 0
    machine.peek(count)
    machine.stack.extend(machine.stack[-count:])


@HANDLERS.register("PUSH_NULL", "RETURN_GENERATOR")
def _push_null(machine: StackMachine, instruction: Instruction) -> None:
    machine.push(Null())


@HANDLERS.register("END_FOR")
def _end_for(machine: StackMachine, instruction: Instruction) -> None:
    # The loop's own item was never put here; from 3.13 on its iterator is popped apart.
    if machine.version >= (3, 13):
        machine.push(Null())


@HANDLERS.register("GET_ITER")
def _get_iterator(machine: StackMachine, instruction: Instruction) -> None:
    machine.push(Iterator(machine.expression()))


@HANDLERS.register("LOAD_FAST_AND_CLEAR")
def _save_local(machine: StackMachine, instruction: Instruction) -> None:
    machine.push(SavedLocal())


@HANDLERS.register("POP_TOP", "POP_ITER")
def _drop(machine: StackMachine, instruction: Instruction) -> None:
    """Take away the topmost entry: an expression that stands alone is a statement."""
    entry = machine.pop()
    if isinstance(entry, ModuleImport):
        if entry.names_follow:
            if not entry.aliases:
                raise DecompileError("an import that takes nothing")
            machine.emit(ast.ImportFrom(entry.module, entry.aliases, entry.level))
    elif isinstance(entry, ast.expr):
        # Neither the second of two copies, nor what a branch has tested, is a statement.
        if not any(entry is part for part in (*machine.stack, *machine.context.tested)):
            machine.emit(ast.Expr(entry))
    elif not isinstance(entry, (Null, Iterator, ImportedName)):
        what = "a function" if isinstance(entry, Function) else "a value"
        raise DecompileError(f"{what} is made and thrown away")
