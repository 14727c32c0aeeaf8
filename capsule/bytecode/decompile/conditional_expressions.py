"""Tests and the expressions made of them: not, and, or, a < b < c, conditional expressions."""

from __future__ import annotations

import ast

_OPPOSITES: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


def negate(test: ast.expr) -> ast.expr:
    """Return the opposite of a test, as plainly as it can be said."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return test.operand
    if isinstance(test, ast.BoolOp):
        dual = ast.And() if isinstance(test.op, ast.Or) else ast.Or()
        return ast.BoolOp(dual, [negate(value) for value in test.values])
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and type(test.ops[0]) in _OPPOSITES:
        # As every compiler says it; for these two it is the very same.
        return ast.Compare(test.left, [_OPPOSITES[type(test.ops[0])]()], test.comparators)
    return ast.UnaryOp(ast.Not(), test)


def join(operator: type[ast.And] | type[ast.Or], left: ast.expr, right: ast.expr) -> ast.expr:
    """Return ``left and right``, or ``or``: flat, and ``a < b < c`` where it was that."""
    if (
        operator is ast.And
        and isinstance(left, ast.Compare)
        and isinstance(right, ast.Compare)
        and left.comparators[-1] is right.left
    ):
        return chain(left, right)
    values: list[ast.expr] = []
    for side in (left, right):
        if isinstance(side, ast.BoolOp) and isinstance(side.op, operator):
            values += side.values
        else:
            values.append(side)
    return ast.BoolOp(operator(), values)


def chain(left: ast.Compare, right: ast.Compare) -> ast.Compare:
    """Return ``a < b < c`` of ``a < b`` and ``b < c``, whose ``b`` is one value."""
    comparators = [*left.comparators, *right.comparators]
    return ast.Compare(left.left, [*left.ops, *right.ops], comparators)


def choose(test: ast.expr, body: ast.expr, orelse: ast.expr) -> ast.expr:
    """Return what ``body if test else orelse`` was written as.

    What was tested may be one of the two values itself: then it was ``and`` or ``or``.
    """
    negative = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
    tested = test.operand if isinstance(test, ast.UnaryOp) and negative else test
    if orelse is tested:
        return join(ast.Or if negative else ast.And, tested, body)
    if body is tested:
        return join(ast.And if negative else ast.Or, tested, orelse)
    if isinstance(test, ast.BoolOp) and orelse is test.values[-1]:
        # Several tests, of which the last is the value: `a and b` met `b` again.
        return join(ast.And, test, body)
    if isinstance(body, ast.BoolOp) and _same(body.values[-1], orelse) and len(body.values) > 1:
        # `test and q or orelse`: q stands before orelse, which both ways end in.
        head = body.values[0] if len(body.values) == 2 else ast.BoolOp(body.op, body.values[:-1])
        if isinstance(body.op, ast.Or):
            return join(ast.Or, join(ast.And, test, head), orelse)
        return join(ast.And, join(ast.Or, negate(test), head), orelse)
    if isinstance(body, ast.IfExp):
        if _same(body.orelse, orelse):
            return choose(join(ast.And, test, body.test), body.body, orelse)
        if _same(body.body, orelse):
            return choose(join(ast.Or, negate(test), body.test), orelse, body.orelse)
    return ast.IfExp(test, body, orelse)


def _same(first: ast.expr, second: ast.expr) -> bool:
    """Tell whether two expressions came of the same instructions, met on two ways."""
    return ast.dump(first) == ast.dump(second)


def as_expression(statements: list[ast.stmt]) -> ast.expr | None:
    """Return the one expression that *statements* return, whichever way; None if it's more."""
    if not statements:
        return None
    first, rest = statements[0], statements[1:]
    if isinstance(first, ast.Return):
        return first.value or ast.Constant(None)
    if isinstance(first, ast.If):
        body = as_expression(first.body)
        orelse = as_expression(first.orelse or rest)
        if body is not None and orelse is not None:
            return choose(first.test, body, orelse)
    return None
