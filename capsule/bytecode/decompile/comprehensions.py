"""Loops that fill a collection, as the comprehensions they were written as."""

from __future__ import annotations

import ast

from capsule.bytecode.code import Code
from capsule.bytecode.decompile.conditional_expressions import negate
from capsule.bytecode.decompile.values import AppendStatement, DecompileError, is_none

_NESTED_LIMIT = 50


def filled_collection(loop: ast.For) -> tuple[ast.expr, ast.expr] | None:
    """Return the collection that *loop* fills, and the comprehension; None if it doesn't."""
    generators, end = _parts(loop)
    if not isinstance(end, AppendStatement):
        return None
    collection, item = end.collection, end.item
    if isinstance(collection, ast.Dict) and end.key is not None and not collection.values:
        return collection, ast.DictComp(end.key, item, generators)
    if isinstance(collection, ast.List) and not collection.elts:
        return collection, ast.ListComp(item, generators)
    if isinstance(collection, ast.Set) and not collection.elts:
        return collection, ast.SetComp(item, generators)
    return None


def _generator_expression(loop: ast.For) -> ast.expr | None:
    """Return the generator expression that *loop* is; None if it is none."""
    generators, end = _parts(loop)
    value = end.value if isinstance(end, ast.Expr) else None
    if not isinstance(value, ast.Yield) or value.value is None:
        return None
    return ast.GeneratorExp(value.value, generators)


def _parts(loop: ast.For) -> tuple[list[ast.comprehension], ast.stmt | None]:
    """Return the for and if clauses of *loop*, and what it does inside; None if it does more."""
    generators: list[ast.comprehension] = []
    statement: ast.stmt = loop
    for _ in range(_NESTED_LIMIT):
        if isinstance(statement, ast.For) and not statement.orelse:
            generators.append(ast.comprehension(statement.target, statement.iter, [], 0))
        elif isinstance(statement, ast.If) and not statement.orelse and generators:
            generators[-1].ifs.append(statement.test)
        else:
            return generators, statement
        body = statement.body
        while len(body) > 1 and (test := _test_of_skip(body[0])) is not None and generators:
            generators[-1].ifs.append(negate(test))
            body = body[1:]
        if len(body) != 1:
            break
        statement = body[0]
    return generators, None


def _test_of_skip(statement: ast.stmt) -> ast.expr | None:
    """Return the test of ``if test: continue``, None if it is something else."""
    if isinstance(statement, ast.If) and not statement.orelse and len(statement.body) == 1:
        return statement.test if isinstance(statement.body[0], ast.Continue) else None
    return None


def appends(statement: ast.stmt) -> bool:
    """Tell whether a statement is nothing but a part of a comprehension."""
    while isinstance(statement, (ast.For, ast.If)):
        if any(_test_of_skip(before) is None for before in statement.body[:-1]):
            return False
        statement = statement.body[-1]
    return isinstance(statement, AppendStatement)


def comprehension_of(code: Code, statements: list[ast.stmt], iterable: ast.expr) -> ast.expr:
    """Return the comprehension whose own code is *code*, with *iterable* as its first one."""
    comprehension: ast.expr | None = None
    first, rest = (statements[0], statements[1:]) if statements else (None, [])
    if code.name == "<genexpr>":
        ends = not rest or (isinstance(rest[0], ast.Return) and is_none(rest[0].value))
        if isinstance(first, ast.For) and ends:
            comprehension = _generator_expression(first)
    elif isinstance(first, ast.Return) and not rest:
        comprehension = first.value
    if not isinstance(comprehension, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
        raise DecompileError("a comprehension of a form that is not known")
    generator = comprehension.generators[0]
    if not isinstance(generator.iter, ast.Name) or generator.iter.id != ".0":
        raise DecompileError("a comprehension over something else than it was given")
    generator.iter = iterable
    return comprehension
