"""Calls in the forms of all Pythons, functions being made, and imports."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from capsule.bytecode.code import Code, Instruction
from capsule.bytecode.decompile.collection_literals import count_of
from capsule.bytecode.decompile.values import (
    Entry,
    Imported,
    ImportedName,
    Iterator,
    Made,
    Null,
    Stopped,
)

if TYPE_CHECKING:
    from capsule.bytecode.decompile.stack_machine import Machine

LEVEL_LIMIT = 20  # dots before what is imported
_COMPREHENSIONS = {"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"}


def lambda_of(made: Made) -> ast.expr:
    """Return the lambda expression of a function just made."""
    from capsule.bytecode.decompile.functions import arguments_of, expression_of

    if made.decorators:
        raise Stopped("a lambda that is decorated")
    body = expression_of(made.code)
    return ast.Lambda(arguments_of(made.code, made.defaults, made.keyword_defaults), body)


def definition_of(made: Made, name: str) -> ast.stmt:
    """Return the def statement of a function just made and stored as *name*."""
    from capsule.bytecode.decompile.functions import statement_of

    if made.code.name != name:
        raise Stopped("a function is stored under another name than its own")
    return statement_of(made)


def _make_call(
    machine: Machine, function: Entry, arguments: list[ast.expr], keywords: list[ast.keyword]
) -> None:
    if isinstance(function, Made):
        if function.code.name in _COMPREHENSIONS:
            raise Stopped("a comprehension that is called in its own way")
        function = lambda_of(function) if function.code.name == "<lambda>" else function
    if not isinstance(function, ast.expr):
        raise Stopped("a call of what is no expression")
    machine.push(ast.Call(function, arguments, keywords))


def _arguments(machine: Machine, count: int) -> list[Entry]:
    """Take *count* arguments; a function among them may be decorated by the call."""
    if count > len(machine.stack):
        raise Stopped("the stack is empty: not code of this Python")
    return [machine.pop() for _ in range(count)][::-1]


def _call(machine: Machine, function: Entry, given: list[Entry], names: tuple[str, ...]) -> None:
    if isinstance(function, Made) and function.code.name in _COMPREHENSIONS:
        if len(given) != 1 or not isinstance(given[0], Iterator):
            raise Stopped("a comprehension that is called in its own way")
        from capsule.bytecode.decompile.comprehensions import comprehension_of

        machine.push(comprehension_of(function, given[0].of))
        return
    if len(given) == 1 and isinstance(given[0], Made) and given[0].code.name != "<lambda>":
        if not isinstance(function, ast.expr):
            raise Stopped("a decorator that is no expression")
        given[0].decorators.insert(0, function)
        machine.push(given[0])
        return
    for entry in given:
        machine.push(entry)
    values = machine.expressions(len(given))
    first = len(values) - len(names)
    if first < 0:
        raise Stopped("more keywords than arguments")
    keywords = [ast.keyword(name, value) for name, value in zip(names, values[first:])]
    _make_call(machine, function, values[:first], keywords)


def _names(machine: Machine) -> tuple[str, ...]:
    entry = machine.pop()
    if not isinstance(entry, ast.Tuple):
        raise Stopped("keywords that are no names")
    names = [part.value for part in entry.elts if isinstance(part, ast.Constant)]
    if len(names) != len(entry.elts) or not all(isinstance(name, str) for name in names):
        raise Stopped("keywords that are no names")
    return tuple(cast("list[str]", names))


def _call_function(machine: Machine, instruction: Instruction) -> None:
    count = count_of(instruction) if machine.version >= (3, 6) else 0
    if machine.version >= (3, 6):
        given = _arguments(machine, count)
        _call(machine, machine.pop(), given, ())
        return
    _old_call(machine, instruction)


def _old_call(machine: Machine, instruction: Instruction) -> None:
    """Follow a call up to 3.5: keywords stand between the values, each before its own."""
    argument = instruction.argument or 0
    starred = "_VAR" in instruction.name
    mapped = instruction.name.endswith("_KW")
    double = machine.expression() if mapped else None
    single = machine.expression() if starred else None
    keywords: list[ast.keyword] = []
    for _ in range(argument >> 8):
        name, value = machine.expressions(2)
        if not isinstance(name, ast.Constant) or not isinstance(name.value, str):
            raise Stopped("keywords that are no names")
        keywords.insert(0, ast.keyword(name.value, value))
    given = _arguments(machine, argument & 0xFF)
    function = machine.pop()
    if not (keywords or single or double):
        _call(machine, function, given, ())
        return
    for entry in given:
        machine.push(entry)
    values = machine.expressions(len(given))
    if single is not None:
        values.append(ast.Starred(single, ast.Load()))
    if double is not None:
        keywords.append(ast.keyword(None, double))
    _make_call(machine, function, values, keywords)


def _call_method(machine: Machine, instruction: Instruction) -> None:
    given = _arguments(machine, count_of(instruction))
    _call_pair(machine, given, ())


def _call_pair(machine: Machine, given: list[Entry], names: tuple[str, ...]) -> None:
    """Call what stands in two places below: one of them empty, or the second an argument."""
    upper, lower = machine.pop(), machine.pop()
    if isinstance(lower, Null):
        _call(machine, upper, given, names)
    elif isinstance(upper, Null):
        _call(machine, lower, given, names)
    else:
        _call(machine, lower, [upper, *given], names)


def _call_new(machine: Machine, instruction: Instruction) -> None:
    names, machine.keywords = machine.keywords, ()
    _call_pair(machine, _arguments(machine, count_of(instruction)), names)


def _call_keywords(machine: Machine, instruction: Instruction) -> None:
    if machine.version < (3, 6):
        _old_call(machine, instruction)
        return
    names = _names(machine)
    given = _arguments(machine, count_of(instruction))
    if machine.version >= (3, 13):
        _call_pair(machine, given, names)
    else:
        _call(machine, machine.pop(), given, names)


def _keyword_names(machine: Machine, instruction: Instruction) -> None:
    names = instruction.value
    if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
        raise Stopped("keywords that are no names")
    machine.keywords = names


def _call_spread(machine: Machine, instruction: Instruction) -> None:
    keywords: list[ast.keyword] = []
    mapped = (instruction.argument or 0) & 1 or machine.version >= (3, 14)
    if mapped:
        table = machine.pop()
        if isinstance(table, ast.Dict):
            for key, value in zip(table.keys, table.values):
                if key is None:
                    keywords.append(ast.keyword(None, value))
                elif isinstance(key, ast.Constant) and isinstance(key.value, str):
                    keywords.append(ast.keyword(key.value, value))
                else:
                    raise Stopped("keywords that are no names")
        elif isinstance(table, ast.expr):
            keywords.append(ast.keyword(None, table))
        elif not isinstance(table, Null):
            raise Stopped("a call of what is no expression")
    spread = machine.expression()
    values: list[ast.expr] = [ast.Starred(spread, ast.Load())]
    if isinstance(spread, ast.Tuple):
        values = spread.elts
    function = machine.pop()
    if machine.version >= (3, 13) and isinstance(function, Null):
        function = machine.pop()
    elif machine.version >= (3, 11) and machine.stack and isinstance(machine.stack[-1], Null):
        machine.pop()
    _make_call(machine, function, values, keywords)


# Functions and imports


def _make_function(machine: Machine, instruction: Instruction) -> None:
    argument = instruction.argument or 0
    if (3, 4) <= machine.version < (3, 11):
        machine.pop()  # its qualified name
    code = machine.pop()
    if not isinstance(code, Code):
        raise Stopped("a function is made of what is no code")
    made = Made(code)
    if machine.version >= (3, 13):
        pass  # told by SET_FUNCTION_ATTRIBUTE
    elif machine.version >= (3, 6):
        for flag in (8, 4, 2, 1):
            if argument & flag:
                _give(made, flag, machine.pop())
    else:
        if instruction.name == "MAKE_CLOSURE":
            machine.pop()
        if argument >> 8:
            raise Stopped("keyword-only defaults or annotations of Python 3.5 or before")
        made.defaults = machine.expressions(argument & 0xFF)
    machine.push(made)


def _set_attribute(machine: Machine, instruction: Instruction) -> None:
    made, value = machine.pop(), machine.pop()
    if not isinstance(made, Made):
        raise Stopped("an attribute of what is no function")
    _give(made, instruction.argument or 0, value)
    machine.push(made)


def _give(made: Made, flag: int, value: Entry) -> None:
    if flag == 8:
        return  # its closure: the names say it
    if flag == 1 and isinstance(value, ast.Tuple):
        made.defaults = value.elts
    elif flag == 2 and isinstance(value, ast.Dict):
        for key, given in zip(value.keys, value.values):
            name: Any = key.value if isinstance(key, ast.Constant) else None
            made.keyword_defaults[str(name)] = given
    else:
        raise Stopped("annotations of a function")


def _import_name(machine: Machine, instruction: Instruction) -> None:
    level, names = machine.expressions(2)
    number = level.value if isinstance(level, ast.Constant) else None
    # Python 2 says -1 for an import that may be relative or not.
    if isinstance(level, ast.UnaryOp):
        number = 0
    if not isinstance(number, int) or not 0 <= number <= LEVEL_LIMIT:
        raise Stopped("an import of no known level")
    taken = isinstance(names, ast.Tuple)
    machine.push(Imported(instruction.value, number, taken))


def _import_from(machine: Machine, instruction: Instruction) -> None:
    top = machine.peek(1)
    if isinstance(top, ImportedName):
        machine.push(ImportedName(top.of, instruction.value))
    elif isinstance(top, Imported):
        machine.push(ImportedName(top, instruction.value))
    else:
        raise Stopped("a name is taken from no import")


KNOWN: dict[str, Callable[[Machine, Instruction], None]] = {
    "CALL_FUNCTION": _call_function,
    "CALL_FUNCTION_KW": _call_keywords,
    "CALL_FUNCTION_VAR": _old_call,
    "CALL_FUNCTION_VAR_KW": _old_call,
    "CALL_METHOD": _call_method,
    "CALL": _call_new,
    "CALL_KW": _call_keywords,
    "KW_NAMES": _keyword_names,
    "CALL_FUNCTION_EX": _call_spread,
    "MAKE_FUNCTION": _make_function,
    "MAKE_CLOSURE": _make_function,
    "SET_FUNCTION_ATTRIBUTE": _set_attribute,
    "IMPORT_NAME": _import_name,
    "IMPORT_FROM": _import_from,
}
