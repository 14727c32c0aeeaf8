"""Instructions in a row: each is followed by the handler that one of the tables has for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from capsule.bytecode.code import Instruction
from capsule.bytecode.decompile import calls, collection_literals, operators, stack_ops, stores
from capsule.bytecode.decompile.stack_machine import (
    STACK_LIMIT,
    UNKNOWN_INSTRUCTION,
    Handler,
    StackMachine,
)
from capsule.bytecode.decompile.values import DecompileError

# These do nothing that source would say.
_SILENT = {
    *("NOP", "RESUME", "PRECALL", "COPY_FREE_VARS", "MAKE_CELL", "NOT_TAKEN", "TO_BOOL"),
    *("SETUP_LOOP", "POP_BLOCK", "GEN_START", "CACHE", "EXTENDED_ARG"),
}
_UNSUPPORTED = {
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
HANDLERS: dict[str, Handler] = {
    name: handler
    for module in (operators, stack_ops, collection_literals, calls, stores)
    for name, handler in module.HANDLERS.items()
}


def run(machine: StackMachine, instructions: Iterable[Instruction]) -> None:
    """Follow *instructions* from the first to the last on *machine*.

    Raises DecompileError, with the instruction, at what can't be told.
    """
    # A handler may take more from here: several stores can be one statement.
    machine.pending = deque(instructions)
    while machine.pending:
        instruction = machine.pending.popleft()
        try:
            _follow(machine, instruction)
        except DecompileError as error:
            raise DecompileError(error.reason, error.instruction or instruction) from None
        if len(machine.stack) > STACK_LIMIT:
            raise DecompileError("a stack beyond every limit", instruction)


def _follow(machine: StackMachine, instruction: Instruction) -> None:
    name = instruction.name
    if name in _SILENT:
        return
    if name not in HANDLERS:
        raise DecompileError(_UNSUPPORTED.get(name, UNKNOWN_INSTRUCTION))
    HANDLERS[name](machine, instruction)
