"""Names, constants, attributes, operators, comparisons and slices."""

from __future__ import annotations

import ast

from capsule.bytecode.code import Code, Instruction
from capsule.bytecode.decompile.stack_machine import UNKNOWN_INSTRUCTION, HandlerTable, StackMachine
from capsule.bytecode.decompile.values import (
    CLASSIC_DIVISION,
    AssertionErrorName,
    DecompileError,
    ImportedName,
    InPlaceResult,
    ModuleImport,
    constant,
    is_none,
)

_OPERATORS: dict[str, type[ast.operator]] = {
    "ADD": ast.Add,
    "AND": ast.BitAnd,
    "FLOOR_DIVIDE": ast.FloorDiv,
    "LSHIFT": ast.LShift,
    "MATRIX_MULTIPLY": ast.MatMult,
    "MULTIPLY": ast.Mult,
    "MODULO": ast.Mod,
    "OR": ast.BitOr,
    "POWER": ast.Pow,
    "RSHIFT": ast.RShift,
    "SUBTRACT": ast.Sub,
    "TRUE_DIVIDE": ast.Div,
    "XOR": ast.BitXor,
    "DIVIDE": ast.Div,
}
# BINARY_OP's numbers, from 3.11 on; with 13 more the same in place.
_NUMBERED = tuple(kind for kind in _OPERATORS if kind != "DIVIDE")
_SUBSCRIPT = 26  # BINARY_OP's number for x[y], from 3.14 on
_UNARY: dict[str, type[ast.unaryop]] = {
    "UNARY_NEGATIVE": ast.USub,
    "UNARY_POSITIVE": ast.UAdd,
    "UNARY_INVERT": ast.Invert,
    "UNARY_NOT": ast.Not,
}
_COMPARISONS: dict[str, type[ast.cmpop]] = {
    "<": ast.Lt,
    "<=": ast.LtE,
    "==": ast.Eq,
    "!=": ast.NotEq,
    ">": ast.Gt,
    ">=": ast.GtE,
    "in": ast.In,
    "not in": ast.NotIn,
    "is": ast.Is,
    "is not": ast.IsNot,
}

HANDLERS = HandlerTable()


@HANDLERS.register("LOAD_FAST", "LOAD_FAST_CHECK", "LOAD_FAST_BORROW", "LOAD_NAME")
@HANDLERS.register("LOAD_GLOBAL", "LOAD_DEREF", "LOAD_CLOSURE", "LOAD_CLASSDEREF")
def _load_name(machine: StackMachine, instruction: Instruction) -> None:
    name = ast.Name(instruction.value, ast.Load())
    callable_follows = (instruction.argument or 0) & 1 and machine.version >= (3, 11)
    if instruction.name == "LOAD_GLOBAL" and callable_follows:
        machine.push_callable(name)
    else:
        machine.push(name)


@HANDLERS.register("LOAD_FAST_LOAD_FAST", "LOAD_FAST_BORROW_LOAD_FAST_BORROW")
def _load_names(machine: StackMachine, instruction: Instruction) -> None:
    for name in instruction.value:
        machine.push(ast.Name(name, ast.Load()))


@HANDLERS.register("LOAD_CONST", "LOAD_SMALL_INT")
def _load_constant(machine: StackMachine, instruction: Instruction) -> None:
    value = instruction.value
    machine.push(value if isinstance(value, Code) else constant(value))


@HANDLERS.register("LOAD_ASSERTION_ERROR", "LOAD_COMMON_CONSTANT")
def _load_exception(machine: StackMachine, instruction: Instruction) -> None:
    # LOAD_COMMON_CONSTANT (3.14) numbers two exceptions; 2 to 4 are tuple, all and any.
    number = instruction.argument if instruction.name == "LOAD_COMMON_CONSTANT" else 0
    if number == 0:
        machine.push(AssertionErrorName("AssertionError", ast.Load()))
    elif number == 1:
        machine.push(ast.Name("NotImplementedError", ast.Load()))
    else:
        raise DecompileError("a shortcut for a built-in function")


@HANDLERS.register("LOAD_ATTR", "LOAD_METHOD")
def _load_attribute(machine: StackMachine, instruction: Instruction) -> None:
    top, name = machine.peek(1), str(instruction.value)
    if isinstance(top, (ModuleImport, ImportedName)):  # import a.b as c, up to 3.6
        machine.pop()
        module = top if isinstance(top, ModuleImport) else top.source
        machine.push(ImportedName(module, name))
        return
    attribute = ast.Attribute(machine.expression(), name, ast.Load())
    method_follows = (instruction.argument or 0) & 1 and machine.version >= (3, 12)
    if instruction.name == "LOAD_METHOD" or method_follows:
        machine.push_callable(attribute)
    else:
        machine.push(attribute)


@HANDLERS.register(*_UNARY)
def _unary(machine: StackMachine, instruction: Instruction) -> None:
    machine.push(ast.UnaryOp(_UNARY[instruction.name](), machine.expression()))


@HANDLERS.register("COMPARE_OP", "IS_OP", "CONTAINS_OP")
def _compare(machine: StackMachine, instruction: Instruction) -> None:
    left, right = machine.expressions(2)
    comparison = instruction.value
    if instruction.name != "COMPARE_OP":
        pair = ("is", "is not") if instruction.name == "IS_OP" else ("in", "not in")
        comparison = pair[(instruction.argument or 0) & 1]
    if comparison not in _COMPARISONS:
        raise DecompileError("a comparison that only exception handlers make")
    machine.push(ast.Compare(left, [_COMPARISONS[comparison]()], [right]))


def _operation(instruction: Instruction) -> tuple[str, bool]:
    """Return which operation an instruction is, and whether it is done in place."""
    form, _, kind = instruction.name.partition("_")
    if instruction.name != "BINARY_OP":
        return kind, form == "INPLACE"
    number = instruction.argument or 0
    if number == _SUBSCRIPT:
        return "SUBSCR", False
    if number >= 2 * len(_NUMBERED):
        raise DecompileError(UNKNOWN_INSTRUCTION)
    return _NUMBERED[number % len(_NUMBERED)], number >= len(_NUMBERED)


@HANDLERS.register("BINARY_OP", "BINARY_SUBSCR", *(f"BINARY_{kind}" for kind in _OPERATORS))
@HANDLERS.register(*(f"INPLACE_{kind}" for kind in _OPERATORS))
def _binary(machine: StackMachine, instruction: Instruction) -> None:
    kind, in_place = _operation(instruction)
    left, right = machine.expressions(2)
    if kind == "SUBSCR":
        machine.push(ast.Subscript(left, right, ast.Load()))
    elif kind == "DIVIDE" and not _surely_float(left) and not _surely_float(right):
        if in_place:
            raise DecompileError("a division in place, as only Python 2 does it")
        machine.push(ast.Call(ast.Name(CLASSIC_DIVISION, ast.Load()), [left, right], []))
    elif in_place:
        machine.push(InPlaceResult(left, _OPERATORS[kind](), right))
    else:
        machine.push(ast.BinOp(left, _OPERATORS[kind](), right))


def _surely_float(node: ast.expr) -> bool:
    """Tell whether *node* is a fraction in Python 2, whatever its names stand for."""
    if isinstance(node, ast.UnaryOp):
        return _surely_float(node.operand)
    if isinstance(node, ast.BinOp):
        return _surely_float(node.left) or _surely_float(node.right)
    return isinstance(node, ast.Constant) and type(node.value) is float


def subscript_slice(
    machine: StackMachine, instruction: Instruction, ctx: ast.expr_context
) -> ast.Subscript:
    """Return the ``x[start:stop]`` that an instruction for slices reads or stores to."""
    if not instruction.name.endswith(("+0", "+1", "+2", "+3")):
        value, start, stop = machine.expressions(3)
        return ast.Subscript(value, _slice(start, stop), ctx)
    # Python 2: +1 has a start, +2 a stop, +3 both.
    kind = int(instruction.name[-1])
    upper = machine.expression() if kind & 2 else None
    lower = machine.expression() if kind & 1 else None
    return ast.Subscript(machine.expression(), ast.Slice(lower, upper, None), ctx)


@HANDLERS.register("BINARY_SLICE", *(f"SLICE+{kind}" for kind in range(4)))
def _load_slice(machine: StackMachine, instruction: Instruction) -> None:
    machine.push(subscript_slice(machine, instruction, ast.Load()))


def _slice(start: ast.expr, stop: ast.expr, step: ast.expr | None = None) -> ast.Slice:
    return ast.Slice(None if is_none(start) else start, None if is_none(stop) else stop, step)


@HANDLERS.register("BUILD_SLICE")
def _build_slice(machine: StackMachine, instruction: Instruction) -> None:
    if instruction.argument not in (2, 3):
        raise DecompileError("a slice of neither two nor three parts")
    machine.push(_slice(*machine.expressions(instruction.argument)))


@HANDLERS.register("YIELD_VALUE")
def _yield(machine: StackMachine, instruction: Instruction) -> None:
    machine.push(ast.Yield(machine.expression()))
