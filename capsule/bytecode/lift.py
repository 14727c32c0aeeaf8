"""Code of one expression back to source text: what can be told without a doubt, else nothing.

The stack machine is followed with texts in place of values. Whoever uses the text compiles
it again and compares: a construction unknown here costs a function its source, never its
meaning.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Union

from capsule.bytecode.code import Code, Instruction

_BINARY = {
    "BINARY_ADD": "+", "BINARY_SUBTRACT": "-", "BINARY_MULTIPLY": "*", "BINARY_TRUE_DIVIDE": "/",
    "BINARY_FLOOR_DIVIDE": "//", "BINARY_MODULO": "%", "BINARY_POWER": "**",
    "BINARY_MATRIX_MULTIPLY": "@", "BINARY_AND": "&", "BINARY_OR": "|", "BINARY_XOR": "^",
    "BINARY_LSHIFT": "<<", "BINARY_RSHIFT": ">>",
}  # fmt: skip
_NUMBERED = ("+", "&", "//", "<<", "@", "*", "%", "|", "**", ">>", "-", "/", "^")
_UNARY = {"UNARY_NEGATIVE": "-", "UNARY_POSITIVE": "+", "UNARY_INVERT": "~", "UNARY_NOT": "not "}
_NAMES = {"LOAD_FAST", "LOAD_FAST_CHECK", "LOAD_FAST_BORROW", "LOAD_GLOBAL", "LOAD_NAME",
          "LOAD_DEREF", "LOAD_CLOSURE"}  # fmt: skip
_NOTHING = {"RESUME", "NOP", "PRECALL", "COPY_FREE_VARS", "MAKE_CELL", "NOT_TAKEN"}
_BUILT = {"BUILD_TUPLE": "({},)", "BUILD_LIST": "[{}]", "BUILD_SET": "{{{}}}"}
_VARIADIC, _KEYWORDS = 0x04, 0x08


class _Unknown(Exception):
    """An instruction whose meaning for the text is not known here."""


class _Constant:
    """A constant on the stack: its text, and itself for those who need the names in it."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __str__(self) -> str:
        return constant_text(self.value)


class _Index(str):
    """Text that means something only between square brackets: slices, and tuples of them."""


Item = Union[str, _Constant, Code]


def lifted(code: Code) -> str | None:
    """Return the source of a lambda, or of a def of one expression; None if it isn't known."""
    try:
        text = _expression(code)
        arguments = _arguments(code)
    except (_Unknown, IndexError):
        return None
    if code.name == "<lambda>":
        return f"lambda {arguments}: {text}".replace("lambda :", "lambda:")
    return (
        f"def {code.name}({arguments}):\n    return {text}\n" if code.name.isidentifier() else None
    )


def _arguments(code: Code) -> str:
    names = list(code.variables)
    positional = names[: code.argument_count]
    if code.positional_only_count:
        positional.insert(code.positional_only_count, "/")
    keyword = names[code.argument_count : code.argument_count + code.keyword_only_count]
    rest = names[code.argument_count + code.keyword_only_count :]
    made = positional
    if code.flags & _VARIADIC:
        made.append(f"*{rest.pop(0)}")
    elif keyword:
        made.append("*")
    made += keyword
    if code.flags & _KEYWORDS:
        made.append(f"**{rest.pop(0)}")
    return ", ".join(made)


def constant_text(value: Any) -> str:
    """Return the text of a constant; raises for one that no text makes."""
    if value is None or value is Ellipsis or type(value) in (bool, int, str, bytes):
        text = "..." if value is Ellipsis else repr(value)
        return f"({text})" if text.startswith("-") else text
    if type(value) is float and math.isfinite(value):
        return f"({value!r})" if math.copysign(1, value) < 0 else repr(value)
    if type(value) is tuple:
        return "(" + "".join(f"{constant_text(item)}, " for item in value) + ")"
    raise _Unknown


def _expression(code: Code) -> str:
    stack: list[Item] = []
    keywords: tuple[str, ...] = ()
    nested = iter(code.nested)
    for instruction in code.instructions:
        name, value = instruction.name, instruction.value
        if name == "RETURN_VALUE":
            return str(_text(stack.pop()))
        if name == "RETURN_CONST":
            return constant_text(value)
        if name in _NOTHING:
            continue
        if name == "KW_NAMES":
            keywords = code.constants[instruction.argument or 0]
        elif name == "LOAD_CONST":
            # An adapted instruction holds no code object: they come in their order.
            stack.append(next(nested) if _is_code(code, instruction) else _Constant(value))
        elif name in ("CALL", "CALL_FUNCTION", "CALL_METHOD"):
            _call(stack, instruction.argument or 0, keywords)
            keywords = ()
        elif name in ("CALL_KW", "CALL_FUNCTION_KW"):
            names = stack.pop()
            _call(stack, instruction.argument or 0, getattr(names, "value", ()))
        else:
            _step(stack, instruction)
    raise _Unknown


def _is_code(code: Code, instruction: Instruction) -> bool:
    held = code.constants[instruction.argument or 0]
    return isinstance(held, Code)


def _text(item: Item) -> str:
    if isinstance(item, (Code, _Index)):
        raise _Unknown
    return str(item)


def _popped(stack: list[Item], count: int) -> list[str]:
    items = [_text(stack.pop()) for _ in range(count)]
    return items[::-1]


def _index(item: Item) -> str:
    """Return what stands between square brackets."""
    return item if isinstance(item, _Index) else _text(item)


def _call(stack: list[Item], count: int, keywords: tuple[str, ...]) -> None:
    given = _popped(stack, count)
    first = count - len(keywords)
    given = given[:first] + [f"{k}={text}" for k, text in zip(keywords, given[first:])]
    stack.append(f"{_text(stack.pop())}({', '.join(given)})")


def _step(stack: list[Item], instruction: Instruction) -> None:
    name, value, argument = instruction.name, instruction.value, instruction.argument or 0
    if name in _NAMES:
        stack.append(str(value))
    elif isinstance(value, tuple) and name.startswith("LOAD_FAST"):
        stack.extend(str(one) for one in value)  # two in one, from 3.13 on
    elif name in ("LOAD_ATTR", "LOAD_METHOD"):
        stack.append(f"{_text(stack.pop())}.{value}")
    elif name in _BINARY or name == "BINARY_OP":
        if name == "BINARY_OP" and argument >= len(_NUMBERED):
            raise _Unknown
        left, right = _popped(stack, 2)
        stack.append(f"({left} {_BINARY.get(name) or _NUMBERED[argument]} {right})")
    elif name in _UNARY:
        stack.append(f"({_UNARY[name]}{_text(stack.pop())})")
    elif name in ("COMPARE_OP", "IS_OP", "CONTAINS_OP"):
        left, right = _popped(stack, 2)
        stack.append(f"({left} {_comparison(name, value, argument)} {right})")
    elif name == "BUILD_TUPLE" and any(isinstance(i, _Index) for i in stack[-argument:]):
        items = [_index(stack.pop()) for _ in range(argument)][::-1]
        stack.append(_Index(", ".join(items)))
    elif name in _BUILT:
        items = _popped(stack, argument)
        made = _BUILT[name].format(", ".join(items))
        stack.append("()" if name == "BUILD_TUPLE" and not items else made)
    else:
        _rare(name, argument)(stack)


def _comparison(name: str, value: Any, argument: int) -> str:
    if name == "COMPARE_OP":
        return str(value).replace("bool(", "").rstrip(")")
    return {"IS_OP": ("is", "is not"), "CONTAINS_OP": ("in", "not in")}[name][argument & 1]


def _rare(name: str, argument: int) -> Callable[[list[Item]], None]:
    def subscript(stack: list[Item]) -> None:
        key = _index(stack.pop())
        stack.append(f"{_text(stack.pop())}[{key}]")

    def between(stack: list[Item]) -> None:
        left, start, stop = _popped(stack, 3)
        stack.append(f"{left}[{_open(start)}:{_open(stop)}]")

    def sliced(stack: list[Item]) -> None:
        parts = [_open(text) for text in _popped(stack, argument)]
        stack.append(_Index(":".join(parts)))

    def mapping(stack: list[Item]) -> None:
        items = _popped(stack, 2 * argument)
        pairs = (f"{key}: {item}" for key, item in zip(items[::2], items[1::2]))
        stack.append(f"{{{', '.join(pairs)}}}")

    def keyed(stack: list[Item]) -> None:
        keys = getattr(stack.pop(), "value", ())
        items = _popped(stack, argument)
        pairs = (f"{constant_text(key)}: {item}" for key, item in zip(keys, items))
        stack.append(f"{{{', '.join(pairs)}}}")

    known: dict[str, Callable[[list[Item]], None]] = {
        "BINARY_SUBSCR": subscript, "BINARY_SLICE": between, "BUILD_SLICE": sliced,
        "BUILD_MAP": mapping, "BUILD_CONST_KEY_MAP": keyed,
    }  # fmt: skip
    if name not in known:
        raise _Unknown
    return known[name]


def _open(text: str) -> str:
    return "" if text == "None" else text
