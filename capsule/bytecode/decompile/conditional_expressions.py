"""Two ways that come together again, as one expression: conditional, and, or, a < b < c."""

from __future__ import annotations

import ast

from capsule.bytecode.decompile.values import joined, negated


def choice(test: ast.expr, one: ast.expr, other: ast.expr) -> ast.expr:
    """Return what ``one if test else other`` was written as.

    What was tested may be one of the two values itself: then it was ``and`` or ``or``.
    """
    turned = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
    bare = test.operand if isinstance(test, ast.UnaryOp) and turned else test
    if other is bare:
        return joined(ast.Or if turned else ast.And, bare, one)
    if one is bare:
        return joined(ast.And if turned else ast.Or, bare, other)
    if isinstance(test, ast.BoolOp) and other is test.values[-1]:
        # Several tests, of which the last is the value: `a and b` met `b` again.
        return joined(ast.And, test, one)
    if isinstance(one, ast.BoolOp) and _same(one.values[-1], other) and len(one.values) > 1:
        # `test and q or other`: q stands before other, which both ways end in.
        head = one.values[0] if len(one.values) == 2 else ast.BoolOp(one.op, one.values[:-1])
        if isinstance(one.op, ast.Or):
            return joined(ast.Or, joined(ast.And, test, head), other)
        return joined(ast.And, joined(ast.Or, negated(test), head), other)
    if isinstance(one, ast.IfExp):
        if _same(one.orelse, other):
            return choice(joined(ast.And, test, one.test), one.body, other)
        if _same(one.body, other):
            return choice(joined(ast.Or, negated(test), one.test), other, one.orelse)
    return ast.IfExp(test, one, other)


def _same(one: ast.expr, other: ast.expr) -> bool:
    """Tell whether two expressions came of the same instructions, met on two ways."""
    return _plain(one) == _plain(other)


def _plain(node: ast.expr) -> str:
    return ast.dump(node)


def as_expression(statements: list[ast.stmt]) -> ast.expr | None:
    """Return the one expression that *statements* return, whichever way; None if it's more."""
    if not statements:
        return None
    first, rest = statements[0], statements[1:]
    if isinstance(first, ast.Return):
        return first.value or ast.Constant(None)
    if isinstance(first, ast.If):
        one = as_expression(first.body)
        other = as_expression(first.orelse or rest)
        if one is not None and other is not None:
            return choice(first.test, one, other)
    return None
