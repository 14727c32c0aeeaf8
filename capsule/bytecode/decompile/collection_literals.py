"""Tuples, lists, sets and dicts being written out, and f-strings."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING

from capsule.bytecode.code import Instruction
from capsule.bytecode.decompile.values import Stopped

if TYPE_CHECKING:
    from capsule.bytecode.decompile.stack_machine import Machine

COUNT_LIMIT = 2000


def count_of(instruction: Instruction) -> int:
    """Return how many parts an instruction takes; raises Stopped beyond COUNT_LIMIT."""
    count = instruction.argument or 0
    if count > COUNT_LIMIT:
        raise Stopped(f"more than {COUNT_LIMIT} parts")
    return count


def _display(kind: type[ast.Tuple] | type[ast.List]) -> Callable[[Machine, Instruction], None]:
    def build(machine: Machine, instruction: Instruction) -> None:
        machine.push(kind(machine.expressions(count_of(instruction)), ast.Load()))

    return build


def _set(machine: Machine, instruction: Instruction) -> None:
    machine.push(ast.Set(machine.expressions(count_of(instruction))))


def _dict(machine: Machine, instruction: Instruction) -> None:
    # Up to 3.4 the count is only a hint: the items come one by one.
    count = count_of(instruction) if machine.version >= (3, 5) else 0
    parts = machine.expressions(2 * count)
    machine.push(ast.Dict(list(parts[::2]), parts[1::2]))


def _keyed_dict(machine: Machine, instruction: Instruction) -> None:
    keys = machine.pop()
    values = machine.expressions(count_of(instruction))
    if not isinstance(keys, ast.Tuple) or len(keys.elts) != len(values):
        raise Stopped("a dict whose keys don't fit its values")
    machine.push(ast.Dict(list(keys.elts), values))


def _extend(machine: Machine, instruction: Instruction) -> None:
    value, collection = machine.expression(), machine.peek(1)
    if instruction.argument != 1 or not isinstance(collection, (ast.List, ast.Set)):
        raise Stopped("a collection is extended in its own way")
    if isinstance(value, (ast.Tuple, ast.Set)) and not collection.elts:
        collection.elts.extend(value.elts)  # constants, which the compiler gathers so
    else:
        collection.elts.append(ast.Starred(value, ast.Load()))


def _update(machine: Machine, instruction: Instruction) -> None:
    value, table = machine.expression(), machine.peek(1)
    if instruction.argument != 1 or not isinstance(table, ast.Dict):
        raise Stopped("a dict is extended in its own way")
    if instruction.name == "DICT_MERGE" and isinstance(value, ast.Dict):
        table.keys.extend(value.keys)
        table.values.extend(value.values)
    else:
        table.keys.append(None)
        table.values.append(value)


def _to_tuple(machine: Machine, instruction: Instruction) -> None:
    value = machine.expression()
    if not isinstance(value, ast.List):
        raise Stopped("a list is turned into a tuple in its own way")
    machine.push(ast.Tuple(value.elts, ast.Load()))


def _unpacked(machine: Machine, instruction: Instruction) -> None:
    """Follow BUILD_LIST_UNPACK and its like (3.5 to 3.8): parts side by side, some spread."""
    kind = instruction.name.split("_")[1]
    parts = machine.expressions(count_of(instruction) & 0xFF)
    if kind == "MAP":
        table = ast.Dict([], [])
        for part in parts:
            if isinstance(part, ast.Dict):
                table.keys += part.keys
                table.values += part.values
            else:
                table.keys.append(None)
                table.values.append(part)
        machine.push(table)
        return
    items: list[ast.expr] = []
    for part in parts:
        if isinstance(part, (ast.Tuple, ast.Set, ast.List)):
            items += part.elts
        else:
            items.append(ast.Starred(part, ast.Load()))
    made: dict[str, Callable[[], ast.expr]] = {
        "TUPLE": lambda: ast.Tuple(items, ast.Load()),
        "LIST": lambda: ast.List(items, ast.Load()),
        "SET": lambda: ast.Set(items),
    }
    machine.push(made[kind]())


def _intrinsic(machine: Machine, instruction: Instruction) -> None:
    if instruction.argument == 5:
        machine.push(ast.UnaryOp(ast.UAdd(), machine.expression()))
    elif instruction.argument == 6:
        _to_tuple(machine, instruction)
    else:
        raise Stopped("an instruction that no lifting is known for")


# f-strings

_CONVERSIONS = {0: -1, 1: ord("s"), 2: ord("r"), 3: ord("a")}


def _format(machine: Machine, instruction: Instruction) -> None:
    argument = instruction.argument or 0
    name = instruction.name
    spec = None
    if name == "FORMAT_WITH_SPEC" or (name == "FORMAT_VALUE" and argument & 4):
        given = machine.expression()
        spec = given if isinstance(given, ast.JoinedStr) else ast.JoinedStr([given])
    value = machine.expression()
    conversion = -1
    if name == "FORMAT_VALUE":
        conversion = _CONVERSIONS[argument & 3]
    elif isinstance(value, ast.FormattedValue):  # CONVERT_VALUE went before
        conversion = value.conversion
        value = value.value
    machine.push(ast.JoinedStr([ast.FormattedValue(value, conversion, spec)]))


def _convert(machine: Machine, instruction: Instruction) -> None:
    if instruction.argument not in (1, 2, 3):
        raise Stopped("an unknown conversion in an f-string")
    conversion = _CONVERSIONS[instruction.argument]
    machine.push(ast.FormattedValue(machine.expression(), conversion, None))


def _string(machine: Machine, instruction: Instruction) -> None:
    parts: list[ast.expr] = []
    for part in machine.expressions(count_of(instruction)):
        parts += part.values if isinstance(part, ast.JoinedStr) else [part]
    machine.push(ast.JoinedStr(parts))


KNOWN: dict[str, Callable[[Machine, Instruction], None]] = {
    "BUILD_TUPLE": _display(ast.Tuple),
    "BUILD_LIST": _display(ast.List),
    "BUILD_SET": _set,
    "BUILD_MAP": _dict,
    "BUILD_CONST_KEY_MAP": _keyed_dict,
    "LIST_EXTEND": _extend,
    "SET_UPDATE": _extend,
    "DICT_UPDATE": _update,
    "DICT_MERGE": _update,
    "LIST_TO_TUPLE": _to_tuple,
    "BUILD_LIST_UNPACK": _unpacked,
    "BUILD_TUPLE_UNPACK": _unpacked,
    "BUILD_SET_UNPACK": _unpacked,
    "BUILD_MAP_UNPACK": _unpacked,
    "BUILD_TUPLE_UNPACK_WITH_CALL": _unpacked,
    "BUILD_MAP_UNPACK_WITH_CALL": _unpacked,
    "CALL_INTRINSIC_1": _intrinsic,
    "FORMAT_VALUE": _format,
    "FORMAT_SIMPLE": _format,
    "FORMAT_WITH_SPEC": _format,
    "CONVERT_VALUE": _convert,
    "BUILD_STRING": _string,
}
