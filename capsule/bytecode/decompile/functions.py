"""Functions as source: their arguments, lambdas and def statements."""

from __future__ import annotations

import ast

from capsule.bytecode.code import Code
from capsule.bytecode.decompile.conditional_expressions import as_expression
from capsule.bytecode.decompile.values import DecompileError, Function, is_none

_VARIADIC, _KEYWORDS = 0x04, 0x08


def make_lambda(function: Function, body: list[ast.stmt]) -> ast.Lambda:
    """Return the lambda expression of *function*, whose statements are *body*."""
    if function.decorators:
        raise DecompileError("a lambda that is decorated")
    value = as_expression(body)
    if value is None:
        raise DecompileError("a lambda of more than one expression")
    return ast.Lambda(_arguments(function), value)


def make_definition(function: Function, body: list[ast.stmt]) -> ast.FunctionDef:
    """Return the def statement of *function*, whose statements are *body*."""
    code = function.code
    docstring = [] if code.docstring is None else [ast.Expr(ast.Constant(code.docstring))]
    if body and isinstance(body[-1], ast.Return) and is_none(body[-1].value):
        body = body[:-1]  # every compiler adds it
        if not body and not docstring:
            body = [ast.Pass()]
    definition = ast.FunctionDef(
        name=code.name,
        args=_arguments(function),
        body=[*docstring, *_declarations(code), *body],
        decorator_list=function.decorators,
        returns=None,
        type_comment=None,
        lineno=0,
    )
    definition.__dict__["type_params"] = []  # asked for from 3.12 on
    return definition


def argument_count(code: Code) -> int:
    """Return how many of the variables of *code* are arguments of any kind."""
    variadic = bool(code.flags & _VARIADIC) + bool(code.flags & _KEYWORDS)
    return code.argument_count + code.keyword_only_count + variadic


def _arguments(function: Function) -> ast.arguments:
    """Return the arguments of *function* with the defaults it was made with."""
    code = function.code
    names = [ast.arg(name) for name in code.variables]
    positional, rest = names[: code.argument_count], names[code.argument_count :]
    keyword_only, rest = rest[: code.keyword_only_count], rest[code.keyword_only_count :]
    if len(function.defaults) > len(positional):
        raise DecompileError("more defaults than arguments")
    return ast.arguments(
        posonlyargs=positional[: code.positional_only_count],
        args=positional[code.positional_only_count :],
        vararg=rest.pop(0) if code.flags & _VARIADIC and rest else None,
        kwonlyargs=keyword_only,
        kw_defaults=[function.keyword_defaults.get(argument.arg) for argument in keyword_only],
        kwarg=rest.pop(0) if code.flags & _KEYWORDS and rest else None,
        defaults=function.defaults,
    )


def _declarations(code: Code) -> list[ast.stmt]:
    """Return the global and nonlocal statements that the stores of *code* need."""
    global_names: list[str] = []
    nonlocal_names: list[str] = []
    for instruction in code.instructions:
        if instruction.name in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            global_names.append(instruction.value)
        elif instruction.name == "STORE_DEREF" and instruction.value in code.free:
            nonlocal_names.append(instruction.value)
    statements: list[ast.stmt] = []
    if global_names:
        statements.append(ast.Global(list(dict.fromkeys(global_names))))
    if nonlocal_names:
        statements.append(ast.Nonlocal(list(dict.fromkeys(nonlocal_names))))
    return statements
