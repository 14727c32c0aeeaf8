"""Loops that fill a collection, as the comprehensions they were written as."""

from __future__ import annotations

import ast

from capsule.bytecode.decompile.values import Appended, Made, Stopped, negated

_NESTED_LIMIT = 50


def filled(loop: ast.For) -> tuple[ast.expr, ast.expr] | None:
    """Return the collection that *loop* fills, and the comprehension; None if it doesn't."""
    found = _parts(loop)
    if found is None:
        return None
    generators, end = found
    if not isinstance(end, Appended):
        return None
    collection, item = end.collection, end.item
    if isinstance(collection, ast.Dict) and end.key is not None and not collection.values:
        return collection, ast.DictComp(end.key, item, generators)
    if isinstance(collection, ast.List) and not collection.elts:
        return collection, ast.ListComp(item, generators)
    if isinstance(collection, ast.Set) and not collection.elts:
        return collection, ast.SetComp(item, generators)
    return None


def generated(loop: ast.For) -> ast.expr | None:
    """Return the generator expression that *loop* is; None if it is none."""
    found = _parts(loop)
    if found is None or not isinstance(found[1], ast.Expr):
        return None
    value = found[1].value
    if not isinstance(value, ast.Yield) or value.value is None:
        return None
    return ast.GeneratorExp(value.value, found[0])


def _parts(loop: ast.For) -> tuple[list[ast.comprehension], ast.stmt] | None:
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
        while len(body) > 1 and (skipped := _skips(body[0])) is not None and generators:
            generators[-1].ifs.append(negated(skipped))
            body = body[1:]
        if len(body) != 1:
            return None
        statement = body[0]
    return None


def _skips(statement: ast.stmt) -> ast.expr | None:
    """Return the test of ``if test: continue``, None if it is something else."""
    if isinstance(statement, ast.If) and not statement.orelse and len(statement.body) == 1:
        return statement.test if isinstance(statement.body[0], ast.Continue) else None
    return None


def appends(statement: ast.stmt) -> bool:
    """Tell whether a statement is nothing but a part of a comprehension."""
    while isinstance(statement, (ast.For, ast.If)):
        if any(_skips(one) is None for one in statement.body[:-1]):
            return False
        statement = statement.body[-1]
    return isinstance(statement, Appended)


def comprehension_of(made: Made, over: ast.expr) -> ast.expr:
    """Return the comprehension whose own code is *made*, with *over* as its first iterable."""
    from capsule.bytecode.decompile.structure import Structure

    statements = Structure(made.code).statements()
    found: ast.expr | None = None
    if made.code.name == "<genexpr>":
        if statements and isinstance(statements[0], ast.For):
            found = generated(statements[0])
            rest = statements[1:]
            if rest and not (isinstance(rest[0], ast.Return) and _nothing(rest[0].value)):
                found = None
    elif len(statements) == 1 and isinstance(statements[0], ast.Return):
        found = statements[0].value
    if not isinstance(found, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
        raise Stopped("a comprehension of a form that is not known")
    first = found.generators[0]
    if not isinstance(first.iter, ast.Name) or first.iter.id != ".0":
        raise Stopped("a comprehension over something else than it was given")
    first.iter = over
    return found


def _nothing(value: ast.expr | None) -> bool:
    return value is None or (isinstance(value, ast.Constant) and value.value is None)
