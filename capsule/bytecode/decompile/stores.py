"""Assignments of every form: plain, chained, unpacked, swapped, in place, imports, defs."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Union

from capsule.bytecode.code import Instruction
from capsule.bytecode.decompile.operators import subscript_slice
from capsule.bytecode.decompile.stack_machine import COUNT_LIMIT, HandlerTable, StackMachine
from capsule.bytecode.decompile.values import (
    INERT,
    DecompileError,
    Entry,
    Function,
    ImportedName,
    InPlaceResult,
    Item,
    ModuleImport,
    Null,
    PendingTargets,
    SavedLocal,
    Targets,
)

Place = Union[ast.Attribute, ast.Subscript]

_NAMES = ("STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF")
_PAIRS = ("STORE_FAST_STORE_FAST", "STORE_FAST_LOAD_FAST")
_ELSEWHERE = "an operation in place whose result goes elsewhere"

HANDLERS = HandlerTable()


@HANDLERS.register(*_NAMES)
def _store_name(machine: StackMachine, instruction: Instruction) -> None:
    if not _store_group(machine, instruction):
        _to_name(machine, instruction.value, chained=_chain_follows(machine))


@HANDLERS.register("STORE_FAST_LOAD_FAST")
def _store_and_load(machine: StackMachine, instruction: Instruction) -> None:
    stored, loaded = instruction.value
    _to_name(machine, stored, chained=False)
    machine.push(ast.Name(loaded, ast.Load()))


@HANDLERS.register("STORE_FAST_STORE_FAST")
def _store_pair(machine: StackMachine, instruction: Instruction) -> None:
    if not _store_group(machine, instruction):
        first, second = instruction.value
        _to_name(machine, first, chained=True)
        _to_name(machine, second, chained=_chain_follows(machine))


def _chain_follows(machine: StackMachine) -> bool:
    """Tell whether what is being stored goes to more targets: ``a = b = x`` and no ``:=``."""
    if machine.version < (3, 8):
        return True
    copied = False
    for instruction in machine.pending:
        name = instruction.name
        if name == "DUP_TOP" or (name == "COPY" and instruction.argument == 1):
            copied = True
        elif name in (*_NAMES, *_PAIRS, "UNPACK_SEQUENCE"):
            if not copied or name == "STORE_FAST_STORE_FAST":
                return True
            copied = False
        else:
            return name.startswith(("STORE_", "DELETE_")) and not copied
    return False


def _to_name(machine: StackMachine, name: str, *, chained: bool) -> None:
    entry = machine.pop()
    target = ast.Name(name, ast.Store())
    if isinstance(entry, Item):
        entry.targets.place(entry.index, target)
    elif isinstance(entry, (SavedLocal, Null)):
        return  # a comprehension gives a name back
    elif isinstance(entry, InPlaceResult):
        if not isinstance(entry.left, ast.Name) or entry.left.id != name:
            raise DecompileError(_ELSEWHERE)
        machine.emit(ast.AugAssign(target, entry.operator, entry.right))
    elif isinstance(entry, ModuleImport):
        machine.emit(_import(entry, name))
    elif isinstance(entry, ImportedName):
        _imported_name(machine, entry, name)
    elif isinstance(entry, Function) and not entry.code.is_lambda:
        machine.emit(machine.definition(entry, name))
    else:
        value = machine.as_expression(entry)
        if machine.stack and machine.stack[-1] is value and not chained:
            machine.stack[-1] = ast.NamedExpr(target, value)
        else:
            machine.assign(target, value)


def _import(entry: ModuleImport, name: str) -> ast.stmt:
    if entry.names_follow or entry.level:
        raise DecompileError("an import whose names are not taken")
    top = entry.module.split(".")[0]
    if "." in entry.module and name != top:
        raise DecompileError("an import of a submodule under a name of its package")
    return ast.Import([ast.alias(entry.module, None if name == top else name)])


def _imported_name(machine: StackMachine, entry: ImportedName, name: str) -> None:
    if entry.source.names_follow:
        entry.source.aliases.append(ast.alias(entry.name, None if name == entry.name else name))
    else:
        machine.emit(ast.Import([ast.alias(entry.source.module, name)]))


def _store_group(machine: StackMachine, instruction: Instruction) -> bool:
    """Assign several waiting values at once, as ``a, b = b, a`` does; False if it is not that."""
    waiting = _waiting(machine.stack)
    if len(waiting) < 2 or waiting[0] is waiting[1]:
        return False  # two of one value are a chain: one value, several targets
    names, used = _stored_names((instruction, *machine.pending), len(waiting))
    values = [entry for entry in waiting if isinstance(entry, ast.expr)]
    if not len(names) == len(values) == len(waiting):
        return False
    for _ in range(used - 1):
        machine.pending.popleft()
    del machine.stack[len(machine.stack) - len(waiting) :]
    # As they were computed, which the stack need not show: it was turned round.
    pairs = sorted(zip(values, names), key=lambda pair: machine.context.moment_of(pair[0]))
    targets = ast.Tuple([ast.Name(name, ast.Store()) for _, name in pairs], ast.Store())
    value = ast.Tuple([value for value, _ in pairs], ast.Load())
    machine.emit(ast.Assign([targets], value, lineno=0))
    return True


def _waiting(stack: list[Entry]) -> list[Entry]:
    """Return the values on top of the stack that no statement has used yet, the topmost first."""
    waiting: list[Entry] = []
    for entry in reversed(stack):
        if isinstance(entry, INERT) and not isinstance(entry, ast.Constant):
            break
        waiting.append(entry)
    return waiting


def _stored_names(instructions: Iterable[Instruction], count: int) -> tuple[list[str], int]:
    """Return the names that the first instructions store, *count* of them, and in how many."""
    names: list[str] = []
    used = 0
    for instruction in instructions:
        if len(names) >= count:
            break
        if instruction.name in _NAMES:
            names.append(instruction.value)
        elif instruction.name == "STORE_FAST_STORE_FAST":
            names += instruction.value
        else:
            break
        used += 1
    return names, used


@HANDLERS.register("DELETE_FAST", "DELETE_NAME", "DELETE_GLOBAL", "DELETE_DEREF")
def _delete_name(machine: StackMachine, instruction: Instruction) -> None:
    machine.emit(ast.Delete([ast.Name(instruction.value, ast.Del())]))


@HANDLERS.register("DELETE_ATTR", "DELETE_SUBSCR")
def _delete_place(machine: StackMachine, instruction: Instruction) -> None:
    machine.emit(ast.Delete([_place(machine, instruction, ast.Del())]))


@HANDLERS.register("STORE_ATTR", "STORE_SUBSCR", "STORE_SLICE")
@HANDLERS.register(*(f"STORE_SLICE+{kind}" for kind in range(4)))
def _store_place(machine: StackMachine, instruction: Instruction) -> None:
    place = _place(machine, instruction, ast.Store())
    entry = machine.pop()
    if isinstance(entry, Item):
        entry.targets.place(entry.index, place)
    elif isinstance(entry, InPlaceResult):
        if not _same_place(entry.left, place):
            raise DecompileError(_ELSEWHERE)
        machine.emit(ast.AugAssign(place, entry.operator, entry.right))
    elif isinstance(entry, (ast.expr, Function)):
        machine.assign(place, machine.as_expression(entry))
    else:
        raise DecompileError("what is no value is stored in a place")


def _place(machine: StackMachine, instruction: Instruction, ctx: ast.expr_context) -> Place:
    """Return the attribute or item that an instruction stores to or deletes."""
    name = instruction.name
    if name.endswith("_ATTR"):
        return ast.Attribute(machine.expression(), instruction.value, ctx)
    if name.endswith("_SUBSCR"):
        collection, key = machine.expressions(2)
        return ast.Subscript(collection, key, ctx)
    return subscript_slice(machine, instruction, ctx)


def _same_place(left: ast.expr, place: Place) -> bool:
    """Tell whether what was read and what is written are one place, computed once."""
    if isinstance(left, ast.Attribute) and isinstance(place, ast.Attribute):
        return left.value is place.value and left.attr == place.attr
    if isinstance(left, ast.Subscript) and isinstance(place, ast.Subscript):
        same_slice = left.slice is place.slice or (
            isinstance(left.slice, ast.Slice)
            and isinstance(place.slice, ast.Slice)
            and left.slice.lower is place.slice.lower
            and left.slice.upper is place.slice.upper
        )
        return left.value is place.value and same_slice
    return False


@HANDLERS.register("UNPACK_SEQUENCE", "UNPACK_EX")
def _unpack(machine: StackMachine, instruction: Instruction) -> None:
    """Assign a value to targets, which the instructions that follow name one by one."""
    argument = instruction.argument or 0
    extended = instruction.name == "UNPACK_EX"
    before, behind = (argument & 0xFF, argument >> 8) if extended else (argument, 0)
    count = before + behind + extended
    if count > COUNT_LIMIT:
        raise DecompileError("an unpacking beyond every limit")
    entry = machine.pop()
    targets = Targets(count, before if extended else None)
    if isinstance(entry, Item):
        entry.targets.place(entry.index, PendingTargets(targets))
    elif isinstance(entry, ast.expr):
        machine.assign(PendingTargets(targets), entry)
    else:
        raise DecompileError("an unpacking of what is no value")
    machine.stack.extend(Item(targets, index) for index in reversed(range(count)))
