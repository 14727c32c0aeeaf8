"""Assignments of every form: plain, chained, unpacked, swapped, in place, imports, defs."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING

from capsule.bytecode.code import Instruction
from capsule.bytecode.decompile import calls
from capsule.bytecode.decompile.values import (
    INERT,
    Assertion,
    Augmented,
    Entry,
    Imported,
    ImportedName,
    Item,
    Made,
    Null,
    Saved,
    Stopped,
    Targets,
    is_none,
)

if TYPE_CHECKING:
    from capsule.bytecode.decompile.stack_machine import Machine

_NAMED = {"STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF"}
_PAIRS = {"STORE_FAST_STORE_FAST", "STORE_FAST_LOAD_FAST"}
_DELETED = {"DELETE_FAST", "DELETE_NAME", "DELETE_GLOBAL", "DELETE_DEREF"}
KNOWN = {
    *_NAMED,
    *_PAIRS,
    *_DELETED,
    "STORE_ATTR",
    "STORE_SUBSCR",
    "STORE_SLICE",
    "STORE_SLICE+0",
    "STORE_SLICE+1",
    "STORE_SLICE+2",
    "STORE_SLICE+3",
    "STORE_MAP",
    "DELETE_ATTR",
    "DELETE_SUBSCR",
}


def store(machine: Machine, body: Sequence[Instruction], index: int) -> int:
    """Follow the store at *index*, and those after it that belong to it; return how many."""
    instruction = body[index]
    name = instruction.name
    if name in _NAMED or name in _PAIRS:
        group = _group(machine, body, index)
        if group:
            return group
        names = list(instruction.value) if name in _PAIRS else [instruction.value]
        twice = name == "STORE_FAST_STORE_FAST"
        rest = () if name == "STORE_FAST_LOAD_FAST" else body[index + 1 :]
        _to_name(machine, str(names[0]), chained=twice or _goes_on(machine, rest))
        if twice:
            _to_name(machine, str(names[1]), chained=_goes_on(machine, rest))
        elif name == "STORE_FAST_LOAD_FAST":
            machine.push(ast.Name(names[1], ast.Load()))
    elif name in _DELETED:
        machine.emit(ast.Delete([ast.Name(instruction.value, ast.Del())]))
    elif name == "STORE_MAP":  # Python 3.4 and before: into a dict being written
        item, key = machine.expression(), None
        item, key = machine.expression(), item
        table = machine.peek(1)
        if not isinstance(table, ast.Dict):
            raise Stopped("an item is added to what is no dict")
        table.keys.append(key)
        table.values.append(item)
    else:
        _to_place(machine, instruction)
    return 1


def _goes_on(machine: Machine, rest: Sequence[Instruction]) -> bool:
    """Tell whether what was just stored goes to more targets: ``a = b = x`` and no ``:=``."""
    if machine.version < (3, 8):
        return True
    copied = False
    for one in rest:
        if one.name == "DUP_TOP" or (one.name == "COPY" and one.argument == 1):
            copied = True
        elif one.name in _NAMED | _PAIRS | {"UNPACK_SEQUENCE"}:
            if not copied or one.name == "STORE_FAST_STORE_FAST":
                return True
            copied = False
        else:
            return one.name in KNOWN and not copied
    return False


def unpack(machine: Machine, value: ast.expr, targets: Targets) -> None:
    """Assign *value* to *targets*, which the instructions that follow will tell."""
    later_targets: list[ast.expr] = [_Later(targets)]
    # A chain: `x = a, b = value` has the value on the stack still.
    if machine.stack and machine.stack[-1] is value:
        machine.stack.pop()
        machine.known.chains[id(value)] = later_targets
        machine.push(value)
    else:
        later_targets = [*machine.known.chains.pop(id(value), []), *later_targets]
        machine.emit(ast.Assign(later_targets, value, lineno=0))


def later(item: Item, targets: Targets) -> None:
    """Let the *item* of an unpacking be unpacked itself."""
    item.targets.place(item.index, _Later(targets))


class _Later(ast.expr):
    """Targets that are known only once the instructions behind have been followed."""

    def __init__(self, targets: Targets) -> None:
        super().__init__()
        self.targets = targets


class Settled(ast.NodeTransformer):
    """Puts in place of targets that came later what they turned out to be."""

    def visit(self, node: ast.AST) -> ast.AST:
        """Return *node* with its targets, its parts first."""
        if isinstance(node, _Later):
            return self.visit(node.targets.tuple())
        if isinstance(node, Assertion):  # in a raise that could not be told as an assert
            return ast.Name(node.id, ast.Load())
        return super().generic_visit(node)


def for_target(targets: Targets) -> ast.expr:
    """Return the one target of a for loop."""
    if 0 not in targets.found:
        raise Stopped("a loop without a variable")
    return targets.found[0]


def _to_name(machine: Machine, name: str, *, chained: bool) -> None:
    entry = machine.pop()
    target = ast.Name(name, ast.Store())
    if isinstance(entry, Item):
        entry.targets.place(entry.index, target)
    elif isinstance(entry, (Saved, Null)):
        return  # a comprehension gives a name back
    elif isinstance(entry, Augmented):
        if not isinstance(entry.left, ast.Name) or entry.left.id != name:
            raise Stopped("an operation in place whose result goes elsewhere")
        machine.emit(ast.AugAssign(target, entry.operator, entry.right))
    elif isinstance(entry, Imported):
        _import(machine, entry.module, name, entry)
    elif isinstance(entry, ImportedName):
        _imported(machine, entry, name)
    elif isinstance(entry, Made) and entry.code.name != "<lambda>":
        machine.emit(calls.definition_of(entry, name))
    else:
        machine.push(entry)
        value = machine.expression()
        _assign(machine, target, value, chained=chained)


def _assign(machine: Machine, target: ast.Name, value: ast.expr, *, chained: bool) -> None:
    copied = bool(machine.stack) and machine.stack[-1] is value
    if copied and not chained:
        machine.stack[-1] = ast.NamedExpr(target, value)
        return
    if copied:
        machine.known.chains.setdefault(id(value), []).append(target)
        return
    targets = [*machine.known.chains.pop(id(value), []), target]
    machine.emit(ast.Assign(targets, value, lineno=0))


def _group(machine: Machine, body: Sequence[Instruction], index: int) -> int:
    """Assign several waiting values at once, as ``a, b = b, a`` does; 0 if it is not that."""
    waiting: list[Entry] = []
    for entry in reversed(machine.stack):
        if isinstance(entry, INERT) and not isinstance(entry, ast.Constant):
            break
        waiting.append(entry)
    if len(waiting) > 1 and waiting[0] is waiting[1]:
        return 0  # a chain: one value, several targets
    names: list[str] = []
    used = 0
    for instruction in body[index:]:
        if len(names) >= len(waiting):
            break
        if instruction.name in _NAMED:
            names.append(instruction.value)
        elif instruction.name == "STORE_FAST_STORE_FAST":
            names += instruction.value
        else:
            break
        used += 1
    values = [entry for entry in waiting if isinstance(entry, ast.expr)]
    if len(waiting) < 2 or len(names) != len(waiting) or len(values) != len(waiting):
        return 0
    del machine.stack[len(machine.stack) - len(waiting) :]
    # As they were computed, which the stack need not show: it was turned round.
    pairs = sorted(zip(values, names), key=lambda pair: machine.known.moment(pair[0]))
    targets = ast.Tuple([ast.Name(name, ast.Store()) for _, name in pairs], ast.Store())
    machine.emit(ast.Assign([targets], ast.Tuple([v for v, _ in pairs], ast.Load()), lineno=0))
    return used


def _to_place(machine: Machine, instruction: Instruction) -> None:
    name = instruction.name
    if name in ("STORE_ATTR", "DELETE_ATTR"):
        of = machine.expression()
        place: ast.expr = ast.Attribute(of, instruction.value, ast.Store())
    elif name in ("STORE_SUBSCR", "DELETE_SUBSCR"):
        of, key = machine.expressions(2)
        place = ast.Subscript(of, key, ast.Store())
    elif name == "STORE_SLICE":
        of, start, stop = machine.expressions(3)
        bounds = [None if is_none(part) else part for part in (start, stop)]
        place = ast.Subscript(of, ast.Slice(*bounds), ast.Store())
    else:
        kind = int(name[-1])
        high = machine.expression() if kind & 2 else None
        low = machine.expression() if kind & 1 else None
        place = ast.Subscript(machine.expression(), ast.Slice(low, high, None), ast.Store())
    if name.startswith("DELETE"):
        place.ctx = ast.Del()  # type: ignore[attr-defined]
        machine.emit(ast.Delete([place]))
        return
    entry = machine.pop()
    if isinstance(entry, Made):
        machine.push(entry)
        entry = machine.expression()
    if isinstance(entry, Item):
        entry.targets.place(entry.index, place)
    elif isinstance(entry, Augmented):
        if not _same_place(entry.left, place):
            raise Stopped("an operation in place whose result goes elsewhere")
        machine.emit(ast.AugAssign(place, entry.operator, entry.right))  # type: ignore[arg-type]
    elif isinstance(entry, ast.expr):
        if machine.stack and machine.stack[-1] is entry:
            machine.known.chains.setdefault(id(entry), []).append(place)
        else:
            targets = [*machine.known.chains.pop(id(entry), []), place]
            machine.emit(ast.Assign(targets, entry, lineno=0))
    else:
        raise Stopped("what is no value is stored in a place")


def _same_place(left: ast.expr, place: ast.expr) -> bool:
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


def _import(machine: Machine, module: str, name: str, entry: Imported) -> None:
    if entry.taken or entry.level:
        raise Stopped("an import whose names are not taken")
    top = module.split(".")[0]
    alias = ast.alias(module, None if name == top else name)
    if "." in module and name != top:
        raise Stopped("an import of a submodule under a name of its package")
    machine.emit(ast.Import([alias]))


def _imported(machine: Machine, entry: ImportedName, name: str) -> None:
    if entry.of.taken:
        entry.of.aliases.append(ast.alias(entry.name, None if name == entry.name else name))
        return
    machine.emit(ast.Import([ast.alias(entry.of.module, name)]))
