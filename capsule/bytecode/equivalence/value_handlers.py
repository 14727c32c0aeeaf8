"""Instructions that put one value on the stack, calls apart: what that value is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from capsule.bytecode.code import Code
from capsule.bytecode.equivalence.frames import (
    EMPTY,
    Display,
    Entry,
    Frame,
    Function,
    SavedVariable,
    ValueHandler,
)
from capsule.bytecode.equivalence.steps import Step
from capsule.bytecode.equivalence.terms import Term, Unknown
from capsule.bytecode.unmarshal import Frozen, Slice, Unicode

# In the order of the arguments of BINARY_OP; as many again stand for the forms in place.
_OPERATORS = {
    "ADD": "+",
    "AND": "&",
    "FLOOR_DIVIDE": "//",
    "LSHIFT": "<<",
    "MATRIX_MULTIPLY": "@",
    "MULTIPLY": "*",
    "MODULO": "%",
    "OR": "|",
    "POWER": "**",
    "RSHIFT": ">>",
    "SUBTRACT": "-",
    "TRUE_DIVIDE": "/",
    "XOR": "^",
}
_NUMBERED_OPERATORS = tuple(_OPERATORS.values())
_NUMBER_OF_SUBSCRIPT = 26
_UNARY_POSITIVE, _LIST_TO_TUPLE = 5, 6  # arguments of CALL_INTRINSIC_1


def _load_constant(frame: Frame, step: Step) -> Entry:
    if isinstance(step.value, Code):
        return Function(step.value)
    return frame.terms.constant(_native(step.value))


def _native(value: Any) -> Any:
    """Return a constant as this Python has it, whichever Python wrote it."""
    if isinstance(value, (Frozen, frozenset)):
        return frozenset(_native(item) for item in value)
    if isinstance(value, Unicode):
        return str(value)
    if type(value) is tuple:
        return tuple(_native(item) for item in value)
    if isinstance(value, (Slice, slice)):
        raise Unknown("a slice among the constants")
    return value


def _load_local(frame: Frame, step: Step) -> Entry:
    if step.value in frame.code.cells or step.value in frame.code.free:
        return _load_cell(frame, step)  # to be closed over, from 3.13 on
    return frame.load(step.value)


def _load_cell(frame: Frame, step: Step) -> Term:
    return frame.terms.intern("cell", step.value)


def _load_assertion_error(frame: Frame, step: Step) -> Term:
    if step.name == "LOAD_COMMON_CONSTANT" and step.argument:
        raise Unknown("a shortcut for a built-in function")
    return frame.terms.intern("global", "AssertionError")


def _unary(operator: str) -> Callable[[Frame, Step], Term]:
    return lambda frame, step: frame.path.unary(operator, frame.pop())


def _binary(operator: str) -> Callable[[Frame, Step], Term]:
    return lambda frame, step: frame.path.perform("binary", operator, *frame.pop_terms(2))


def _numbered_binary(frame: Frame, step: Step) -> Term:
    if step.argument == _NUMBER_OF_SUBSCRIPT:
        return _load_item(frame, step)
    in_place, number = divmod(step.argument, len(_NUMBERED_OPERATORS))
    return _binary(_NUMBERED_OPERATORS[number] + ("=" if in_place else ""))(frame, step)


def _compare(frame: Frame, step: Step) -> Term:
    left, right = frame.pop_terms(2)
    operators = {"IS_OP": ("is", "is not"), "CONTAINS_OP": ("in", "not in")}.get(step.name)
    operator = step.value if operators is None else operators[step.argument & 1]
    return frame.path.compare(operator, left, right)


def _load_item(frame: Frame, step: Step) -> Term:
    return frame.path.perform("item", *frame.pop_terms(2))


def _build(kind: str) -> Callable[[Frame, Step], Display]:
    return lambda frame, step: Display(kind, [*frame.pop_terms(step.argument)])


def _build_map(frame: Frame, step: Step) -> Display:
    # Before 3.5 the argument is a guess at the size: the items come by STORE_MAP.
    parts = frame.pop_terms(2 * step.argument if frame.version >= (3, 5) else 0)
    return Display("dict", [*zip(parts[::2], parts[1::2])])


def _build_map_of_constant_keys(frame: Frame, step: Step) -> Display:
    keys = frame.terms.spread(frame.pop())
    return Display("dict", [*zip(keys, frame.pop_terms(step.argument))])


def _build_of_several(frame: Frame, step: Step) -> Display:
    """Build one collection of the parts of several, as Python 3.5 to 3.8 do."""
    kind = step.name.split("_")[1].lower()
    parts_of: Callable[[Term], list[Any]] = frame.terms.spread
    if kind == "map":
        kind, parts_of = "dict", frame.terms.pairs
    collections = frame.pop_terms(step.argument & 0xFF)
    return Display(kind, [part for collection in collections for part in parts_of(collection)])


def _turn_into_tuple(frame: Frame, step: Step) -> Term:
    return frame.terms.intern("tuple", *frame.terms.read(frame.pop())[1:])


def _call_intrinsic(frame: Frame, step: Step) -> Term:
    if step.argument == _UNARY_POSITIVE:
        return frame.path.unary("+", frame.pop())
    if step.argument == _LIST_TO_TUPLE:
        return _turn_into_tuple(frame, step)
    raise Unknown("an intrinsic function that is not modelled")


def _iterate(frame: Frame, step: Step) -> Iterator[Term]:
    top = frame.pop_entry()
    if isinstance(top, Iterator):
        return top
    return frame.path.items(frame.path.perform("iterate", frame.term(top)))


def _yield(frame: Frame, step: Step) -> Term:
    frame.yields.append(frame.pop())
    return frame.terms.intern("sent", len(frame.yields))


def _format(frame: Frame, step: Step) -> Term:
    flags = step.argument if step.name == "FORMAT_VALUE" else 0
    none = frame.terms.constant(None)
    spec = frame.pop() if step.name == "FORMAT_WITH_SPEC" or flags & 4 else none
    value, conversion = frame.pop(), flags & 3
    kind, *parts = frame.terms.read(value)
    if kind == "converted" and step.name != "FORMAT_VALUE":
        value, conversion = parts
    return frame.path.perform("format", value, conversion, spec)


def _import(frame: Frame, step: Step) -> Term:
    level, names = frame.pop_terms(2)
    parts = map(frame.terms.read, frame.terms.spread(names))
    imported = tuple(part[-1] for part in parts if part[0] == "constant")
    number = frame.terms.read(level)[-1]
    number = "0" if number == "-1" else number  # Python 2 searches the package first
    return frame.path.perform("import", step.value, number, imported)


def _import_from(frame: Frame, step: Step) -> Term:
    frame.require(1)
    return frame.terms.intern("from", frame.term(frame.stack[-1]), step.value)


def _copy(frame: Frame, step: Step) -> Entry:
    frame.require(step.argument or 1)
    return frame.stack[-step.argument]


HANDLERS: dict[str, ValueHandler] = {
    "LOAD_CONST": _load_constant,
    "LOAD_FAST": _load_local,
    "LOAD_FAST_AND_CLEAR": lambda frame, step: SavedVariable(frame.names.pop(step.value, None)),
    **dict.fromkeys(("LOAD_DEREF", "LOAD_CLASSDEREF"), lambda frame, step: frame.load(step.value)),
    "LOAD_CLOSURE": _load_cell,
    "LOAD_ASSERTION_ERROR": _load_assertion_error,
    "LOAD_COMMON_CONSTANT": _load_assertion_error,
    "UNARY_NEGATIVE": _unary("-"),
    "UNARY_POSITIVE": _unary("+"),
    "UNARY_INVERT": _unary("~"),
    "UNARY_NOT": lambda frame, step: frame.terms.constant(not frame.path.holds(frame.pop())),
    **{f"BINARY_{name}": _binary(operator) for name, operator in _OPERATORS.items()},
    **{f"INPLACE_{name}": _binary(operator + "=") for name, operator in _OPERATORS.items()},
    "BINARY_DIVIDE": _binary("/"),  # the classic division of Python 2
    "INPLACE_DIVIDE": _binary("/="),
    "BINARY_OP": _numbered_binary,
    **dict.fromkeys(("COMPARE_OP", "IS_OP", "CONTAINS_OP"), _compare),
    "BINARY_SUBSCR": _load_item,
    **dict.fromkeys(
        ("BINARY_SLICE", "SLICE+0", "SLICE+1", "SLICE+2", "SLICE+3"),
        lambda frame, step: frame.path.perform(*frame.pop_slice(step)),
    ),
    "BUILD_SLICE": lambda frame, step: frame.terms.slice(*frame.pop_terms(step.argument)),
    "BUILD_LIST": _build("list"),
    "BUILD_TUPLE": _build("tuple"),
    "BUILD_SET": _build("set"),
    "BUILD_MAP": _build_map,
    "BUILD_CONST_KEY_MAP": _build_map_of_constant_keys,
    **{f"BUILD_{kind}_UNPACK": _build_of_several for kind in ("LIST", "TUPLE", "SET", "MAP")},
    **{f"BUILD_{kind}_UNPACK_WITH_CALL": _build_of_several for kind in ("TUPLE", "MAP")},
    "LIST_TO_TUPLE": _turn_into_tuple,
    "CALL_INTRINSIC_1": _call_intrinsic,
    "GET_ITER": _iterate,
    "YIELD_VALUE": _yield,
    **dict.fromkeys(("FORMAT_VALUE", "FORMAT_SIMPLE", "FORMAT_WITH_SPEC"), _format),
    "CONVERT_VALUE": lambda frame, step: frame.terms.intern(
        "converted", frame.pop(), step.argument
    ),
    "BUILD_STRING": lambda frame, step: frame.terms.text(frame.pop_terms(step.argument)),
    "IMPORT_NAME": _import,
    "IMPORT_FROM": _import_from,
    "COPY": _copy,
    **dict.fromkeys(("PUSH_NULL", "RETURN_GENERATOR"), lambda frame, step: EMPTY),
}
