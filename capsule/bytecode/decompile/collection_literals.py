"""Tuples, lists, sets and dicts being written out, what comprehensions add, and f-strings."""

from __future__ import annotations

import ast

from capsule.bytecode.code import Instruction
from capsule.bytecode.decompile.stack_machine import (
    UNKNOWN_INSTRUCTION,
    HandlerTable,
    StackMachine,
    count_of,
)
from capsule.bytecode.decompile.values import AppendStatement, DecompileError

_CONVERSIONS = {0: -1, 1: ord("s"), 2: ord("r"), 3: ord("a")}

HANDLERS = HandlerTable()


def _sequence(kind: str, items: list[ast.expr]) -> ast.expr:
    if kind == "SET":
        return ast.Set(items)
    return ast.Tuple(items, ast.Load()) if kind == "TUPLE" else ast.List(items, ast.Load())


@HANDLERS.register("BUILD_TUPLE", "BUILD_LIST", "BUILD_SET")
def _build_sequence(machine: StackMachine, instruction: Instruction) -> None:
    kind = instruction.name.split("_")[1]
    machine.push(_sequence(kind, machine.expressions(count_of(instruction))))


@HANDLERS.register("BUILD_MAP")
def _build_dict(machine: StackMachine, instruction: Instruction) -> None:
    # Up to 3.4 the count is only a hint: the items come one by one.
    count = count_of(instruction) if machine.version >= (3, 5) else 0
    parts = machine.expressions(2 * count)
    machine.push(ast.Dict(list(parts[::2]), parts[1::2]))


@HANDLERS.register("BUILD_CONST_KEY_MAP")
def _build_dict_of_keys(machine: StackMachine, instruction: Instruction) -> None:
    keys = machine.pop()
    values = machine.expressions(count_of(instruction))
    if not isinstance(keys, ast.Tuple) or len(keys.elts) != len(values):
        raise DecompileError("a dict whose keys don't fit its values")
    machine.push(ast.Dict(list(keys.elts), values))


@HANDLERS.register("LIST_EXTEND", "SET_UPDATE")
def _extend(machine: StackMachine, instruction: Instruction) -> None:
    value, collection = machine.expression(), machine.peek(1)
    if instruction.argument != 1 or not isinstance(collection, (ast.List, ast.Set)):
        raise DecompileError("a collection is extended in its own way")
    if isinstance(value, (ast.Tuple, ast.Set)) and not collection.elts:
        collection.elts.extend(value.elts)  # constants, which the compiler gathers so
    else:
        collection.elts.append(ast.Starred(value, ast.Load()))


@HANDLERS.register("DICT_UPDATE", "DICT_MERGE")
def _update(machine: StackMachine, instruction: Instruction) -> None:
    value, table = machine.expression(), machine.peek(1)
    if instruction.argument != 1 or not isinstance(table, ast.Dict):
        raise DecompileError("a dict is extended in its own way")
    _add_items(table, value, spread=instruction.name != "DICT_MERGE")


def _add_items(table: ast.Dict, value: ast.expr, *, spread: bool = False) -> None:
    """Add a dict to another one that is being written: ``**value``, or item by item."""
    if isinstance(value, ast.Dict) and not spread:
        table.keys.extend(value.keys)
        table.values.extend(value.values)
    else:
        table.keys.append(None)
        table.values.append(value)


@HANDLERS.register("LIST_TO_TUPLE")
def _to_tuple(machine: StackMachine, instruction: Instruction) -> None:
    value = machine.expression()
    if not isinstance(value, ast.List):
        raise DecompileError("a list is turned into a tuple in its own way")
    machine.push(ast.Tuple(value.elts, ast.Load()))


@HANDLERS.register(
    "BUILD_LIST_UNPACK", "BUILD_TUPLE_UNPACK", "BUILD_SET_UNPACK", "BUILD_MAP_UNPACK"
)
@HANDLERS.register("BUILD_TUPLE_UNPACK_WITH_CALL", "BUILD_MAP_UNPACK_WITH_CALL")
def _build_unpacked(machine: StackMachine, instruction: Instruction) -> None:
    """Follow BUILD_LIST_UNPACK and its like (3.5 to 3.8): parts side by side, some spread."""
    kind = instruction.name.split("_")[1]
    parts = machine.expressions(count_of(instruction) & 0xFF)
    if kind == "MAP":
        table = ast.Dict([], [])
        for part in parts:
            _add_items(table, part)
        machine.push(table)
        return
    items: list[ast.expr] = []
    for part in parts:
        if isinstance(part, (ast.Tuple, ast.Set, ast.List)):
            items += part.elts
        else:
            items.append(ast.Starred(part, ast.Load()))
    machine.push(_sequence(kind, items))


@HANDLERS.register("CALL_INTRINSIC_1")
def _intrinsic(machine: StackMachine, instruction: Instruction) -> None:
    if instruction.argument == 5:
        machine.push(ast.UnaryOp(ast.UAdd(), machine.expression()))
    elif instruction.argument == 6:
        _to_tuple(machine, instruction)
    else:
        raise DecompileError(UNKNOWN_INSTRUCTION)


@HANDLERS.register("LIST_APPEND", "SET_ADD", "MAP_ADD")
def _append(machine: StackMachine, instruction: Instruction) -> None:
    """Follow what a comprehension does with an item: at depth 1 of a display, else of a loop."""
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
        raise DecompileError("an item is added to what is no collection")
    if depth > 1:
        machine.statements.append(AppendStatement(collection, item, key))
    elif isinstance(collection, ast.Dict):
        collection.keys.append(key)
        collection.values.append(item)
    else:
        collection.elts.append(item)


@HANDLERS.register("STORE_MAP")
def _store_map(machine: StackMachine, instruction: Instruction) -> None:
    """Add an item to a dict being written, as Python 3.4 and before do it."""
    item, key = machine.expressions(2)
    table = machine.peek(1)
    if not isinstance(table, ast.Dict):
        raise DecompileError("an item is added to what is no dict")
    table.keys.append(key)
    table.values.append(item)


@HANDLERS.register("FORMAT_VALUE", "FORMAT_SIMPLE", "FORMAT_WITH_SPEC")
def _format(machine: StackMachine, instruction: Instruction) -> None:
    name, flags = instruction.name, instruction.argument or 0
    spec = None
    if name == "FORMAT_WITH_SPEC" or (name == "FORMAT_VALUE" and flags & 4):
        spec = ast.JoinedStr(_text_parts(machine.expression()))
    value = machine.expression()
    conversion = -1
    if name == "FORMAT_VALUE":
        conversion = _CONVERSIONS[flags & 3]
    elif isinstance(value, ast.FormattedValue):  # CONVERT_VALUE went before
        conversion, value = value.conversion, value.value
    machine.push(ast.JoinedStr([ast.FormattedValue(value, conversion, spec)]))


@HANDLERS.register("CONVERT_VALUE")
def _convert(machine: StackMachine, instruction: Instruction) -> None:
    if instruction.argument not in (1, 2, 3):
        raise DecompileError("an unknown conversion in an f-string")
    conversion = _CONVERSIONS[instruction.argument]
    machine.push(ast.FormattedValue(machine.expression(), conversion, None))


@HANDLERS.register("BUILD_STRING")
def _build_string(machine: StackMachine, instruction: Instruction) -> None:
    parts = map(_text_parts, machine.expressions(count_of(instruction)))
    machine.push(ast.JoinedStr([part for several in parts for part in several]))


def _text_parts(node: ast.expr) -> list[ast.expr]:
    """Return what an f-string is made of where it holds *node*."""
    if isinstance(node, ast.JoinedStr):
        return node.values
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        raise DecompileError("an f-string with a part that is no text")
    return [node]
