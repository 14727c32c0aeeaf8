"""While loops in Python's words: their instructions say only where they go on and break."""

from __future__ import annotations

import ast

from capsule.bytecode.decompile.conditional_expressions import negate

Body = list[ast.stmt]


def loop_body(statements: Body) -> Body:
    """Return the body of a loop without the continue that every loop ends with."""
    if statements and isinstance(statements[-1], ast.Continue):
        statements = statements[:-1]
    return statements or [ast.Pass()]


def make_while(statements: Body) -> ast.While:
    """Return the while loop of *statements* that leave it by break."""
    body = loop_body(statements)
    if len(body) >= 2 and isinstance(body[-1], ast.Break) and isinstance(body[-2], ast.If):
        body = _with_break_inside(body[:-1])
    first = body[0]
    if len(body) == 1 and isinstance(first, ast.If) and _is_break(first.orelse):
        return ast.While(first.test, loop_body(first.body), [])
    return ast.While(ast.Constant(True), body, [])


def _with_break_inside(statements: Body) -> Body:
    """Return what stands before a break at a loop's end, with the break where it leads to it.

    What said continue comes to the end of the body by itself then.
    """
    last = statements[-1] if statements else None
    if isinstance(last, ast.Continue):
        return statements[:-1]
    if isinstance(last, (ast.Return, ast.Raise, ast.Break)):
        return statements
    if isinstance(last, ast.If):
        body, orelse = _with_break_inside(last.body), _with_break_inside(last.orelse)
        whole = ast.If(last.test, body, orelse) if body else ast.If(negate(last.test), orelse, [])
        return [*statements[:-1], whole]
    return [*(item for item in statements if not isinstance(item, ast.Pass)), ast.Break()]


def tested_at_both_ends(statement: ast.If) -> ast.While | None:
    """Return the while loop whose test stands before it and again at its end; None if none."""
    loop = statement.body[0]
    if len(statement.body) != 1 or statement.orelse or not isinstance(loop, ast.While):
        return None
    *body, last = loop.body
    if not isinstance(loop.test, ast.Constant) or not isinstance(last, ast.If):
        return None
    if not _is_break(last.body) or last.orelse:
        return None
    if _continues(body):
        return None  # which leads past the test at the end
    if ast.dump(negate(last.test)) != ast.dump(statement.test):
        return None
    return ast.While(statement.test, loop_body(body), [])


def _is_break(statements: Body) -> bool:
    return len(statements) == 1 and isinstance(statements[0], ast.Break)


def _continues(statements: Body) -> bool:
    """Tell whether one of *statements* goes on with the loop that they stand in."""
    return any(
        isinstance(item, ast.Continue)
        or (isinstance(item, ast.If) and (_continues(item.body) or _continues(item.orelse)))
        for item in statements
    )
