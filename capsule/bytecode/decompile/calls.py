"""Calls in the forms of all Pythons, functions being made, and imports."""

from __future__ import annotations

import ast

from capsule.bytecode.code import Code, Instruction
from capsule.bytecode.decompile.comprehensions import comprehension_of
from capsule.bytecode.decompile.stack_machine import HandlerTable, StackMachine, count_of
from capsule.bytecode.decompile.values import (
    DecompileError,
    Entry,
    Function,
    ImportedName,
    Iterator,
    ModuleImport,
    Null,
)

LEVEL_LIMIT = 20  # dots before what is imported

_NO_EXPRESSION = "a call of what is no expression"
_NO_NAMES = "keywords that are no names"
_OWN_CALL = "a comprehension that is called in its own way"

HANDLERS = HandlerTable()


def _push_call(
    machine: StackMachine,
    function: Entry,
    arguments: list[ast.expr],
    keywords: list[ast.keyword],
) -> None:
    if isinstance(function, Function) and function.code.is_comprehension:
        raise DecompileError(_OWN_CALL)
    if isinstance(function, Function) and function.code.is_lambda:
        function = machine.as_expression(function)
    if not isinstance(function, ast.expr):
        raise DecompileError(_NO_EXPRESSION)
    machine.push(ast.Call(function, arguments, keywords))


def _call(
    machine: StackMachine, function: Entry, entries: list[Entry], names: tuple[str, ...] = ()
) -> None:
    """Follow a call: of a comprehension's own code, of a decorator, or any other.

    *names* are the keywords of the last of *entries*.
    """
    first = entries[0] if len(entries) == 1 else None
    if isinstance(function, Function) and function.code.is_comprehension:
        if not isinstance(first, Iterator):
            raise DecompileError(_OWN_CALL)
        statements = machine.context.statements_of(function.code)
        machine.push(comprehension_of(function.code, statements, first.iterable))
        return
    if isinstance(first, Function) and not first.code.is_lambda:
        if not isinstance(function, ast.expr):
            raise DecompileError("a decorator that is no expression")
        first.decorators.insert(0, function)
        machine.push(first)
        return
    values = machine.as_expressions(entries)
    positional = len(values) - len(names)
    if positional < 0:
        raise DecompileError("more keywords than arguments")
    keywords = [ast.keyword(name, value) for name, value in zip(names, values[positional:])]
    _push_call(machine, function, values[:positional], keywords)


def _call_pair(machine: StackMachine, entries: list[Entry], names: tuple[str, ...]) -> None:
    """Call what stands in two places below: one of them empty, or the second an argument."""
    lower, upper = machine.pop_many(2)
    if isinstance(lower, Null):
        _call(machine, upper, entries, names)
    elif isinstance(upper, Null):
        _call(machine, lower, entries, names)
    else:
        _call(machine, lower, [upper, *entries], names)


@HANDLERS.register("CALL_FUNCTION", "CALL_FUNCTION_KW", "CALL_KW")
def _call_function(machine: StackMachine, instruction: Instruction) -> None:
    if machine.version < (3, 6):
        _call_before_3_6(machine, instruction)
        return
    names: tuple[str, ...] = ()
    if instruction.name != "CALL_FUNCTION":
        table = machine.pop()
        if not isinstance(table, ast.Tuple):
            raise DecompileError(_NO_NAMES)
        names = tuple(map(_text, table.elts))
    entries = machine.pop_many(count_of(instruction))
    if machine.version >= (3, 13):
        _call_pair(machine, entries, names)
    else:
        _call(machine, machine.pop(), entries, names)


@HANDLERS.register("CALL_FUNCTION_VAR", "CALL_FUNCTION_VAR_KW")
def _call_before_3_6(machine: StackMachine, instruction: Instruction) -> None:
    """Follow a call up to 3.5: keywords stand between the values, each before its own."""
    argument = instruction.argument or 0
    mapping = machine.expression() if instruction.name.endswith("_KW") else None
    iterable = machine.expression() if "_VAR" in instruction.name else None
    keywords: list[ast.keyword] = []
    for _ in range(argument >> 8):
        name, value = machine.expressions(2)
        keywords.insert(0, ast.keyword(_text(name), value))
    entries = machine.pop_many(argument & 0xFF)
    function = machine.pop()
    if not (keywords or iterable or mapping):
        _call(machine, function, entries)
        return
    values = machine.as_expressions(entries)
    if iterable is not None:
        values.append(ast.Starred(iterable, ast.Load()))
    if mapping is not None:
        keywords.append(ast.keyword(None, mapping))
    _push_call(machine, function, values, keywords)


@HANDLERS.register("CALL", "CALL_METHOD")
def _call_or_method(machine: StackMachine, instruction: Instruction) -> None:
    names, machine.keywords = machine.keywords, ()
    _call_pair(machine, machine.pop_many(count_of(instruction)), names)


@HANDLERS.register("KW_NAMES")
def _set_keyword_names(machine: StackMachine, instruction: Instruction) -> None:
    names = instruction.value
    if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
        raise DecompileError(_NO_NAMES)
    machine.keywords = names


@HANDLERS.register("CALL_FUNCTION_EX")
def _call_spread(machine: StackMachine, instruction: Instruction) -> None:
    mapping_follows = (instruction.argument or 0) & 1 or machine.version >= (3, 14)
    keywords = _spread_keywords(machine.pop()) if mapping_follows else []
    iterable = machine.expression()
    values: list[ast.expr] = [ast.Starred(iterable, ast.Load())]
    if isinstance(iterable, ast.Tuple):
        values = iterable.elts
    function = machine.pop()
    if machine.version >= (3, 13) and isinstance(function, Null):
        function = machine.pop()
    elif machine.version >= (3, 11) and machine.stack and isinstance(machine.stack[-1], Null):
        machine.pop()
    _push_call(machine, function, values, keywords)


def _spread_keywords(mapping: Entry) -> list[ast.keyword]:
    if isinstance(mapping, ast.Dict):
        return [
            ast.keyword(None if key is None else _text(key), value)
            for key, value in zip(mapping.keys, mapping.values)
        ]
    if isinstance(mapping, ast.expr):
        return [ast.keyword(None, mapping)]
    if not isinstance(mapping, Null):
        raise DecompileError(_NO_EXPRESSION)
    return []


def _text(node: ast.expr) -> str:
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        raise DecompileError(_NO_NAMES)
    return node.value


@HANDLERS.register("MAKE_FUNCTION", "MAKE_CLOSURE")
def _make_function(machine: StackMachine, instruction: Instruction) -> None:
    argument = instruction.argument or 0
    if (3, 4) <= machine.version < (3, 11):
        machine.pop()  # its qualified name
    code = machine.pop()
    if not isinstance(code, Code):
        raise DecompileError("a function is made of what is no code")
    function = Function(code)
    if machine.version < (3, 6):
        if instruction.name == "MAKE_CLOSURE":
            machine.pop()
        if argument >> 8:
            raise DecompileError("keyword-only defaults or annotations of Python 3.5 or before")
        function.defaults = machine.expressions(argument & 0xFF)
    elif machine.version < (3, 13):  # SET_FUNCTION_ATTRIBUTE follows in later ones
        for flag in (8, 4, 2, 1):
            if argument & flag:
                _set_attribute(function, flag, machine.pop())
    machine.push(function)


@HANDLERS.register("SET_FUNCTION_ATTRIBUTE")
def _set_function_attribute(machine: StackMachine, instruction: Instruction) -> None:
    value, function = machine.pop_many(2)
    if not isinstance(function, Function):
        raise DecompileError("an attribute of what is no function")
    _set_attribute(function, instruction.argument or 0, value)
    machine.push(function)


def _set_attribute(function: Function, flag: int, value: Entry) -> None:
    if flag == 8:
        return  # its closure: the names say it
    if flag == 1 and isinstance(value, ast.Tuple):
        function.defaults = value.elts
    elif flag == 2 and isinstance(value, ast.Dict):
        for key, default in zip(value.keys, value.values):
            name = key.value if isinstance(key, ast.Constant) else None
            function.keyword_defaults[str(name)] = default
    else:
        raise DecompileError("annotations of a function")


@HANDLERS.register("IMPORT_NAME")
def _import_name(machine: StackMachine, instruction: Instruction) -> None:
    level, names = machine.expressions(2)
    number = level.value if isinstance(level, ast.Constant) else None
    # Python 2 says -1 for an import that may be relative or not.
    if isinstance(level, ast.UnaryOp):
        number = 0
    if not isinstance(number, int) or not 0 <= number <= LEVEL_LIMIT:
        raise DecompileError("an import of no known level")
    machine.push(ModuleImport(instruction.value, number, isinstance(names, ast.Tuple)))


@HANDLERS.register("IMPORT_FROM")
def _import_from(machine: StackMachine, instruction: Instruction) -> None:
    top = machine.peek(1)
    module = top.source if isinstance(top, ImportedName) else top
    if not isinstance(module, ModuleImport):
        raise DecompileError("a name is taken from no import")
    machine.push(ImportedName(module, instruction.value))
