"""The proof that source computes what code computes: what it calls equal, and what it does not."""

from __future__ import annotations

import ast
from dataclasses import replace
from types import CodeType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsule.bytecode import Code, adapt
from capsule.bytecode.equivalence import (
    Unknown,
    difference,
    instruction_difference,
    makes_sense,
)


def code_of(source: str, *free: str) -> Code:
    """Compile *source*, a def or a lambda, with *free* names from a closure; nothing is run."""
    text = source if source.startswith(("def ", "@")) else f"f = {source}"
    if free:
        text = f"def around({', '.join(free)}):\n" + "".join(
            f"    {line}\n" for line in text.split("\n")
        )
    code = compile(text, "test", "exec", dont_inherit=True)
    for _ in range(2 if free else 1):
        code = [c for c in code.co_consts if isinstance(c, CodeType)][-1]
    return adapt(code)


def body(*lines: str) -> str:
    return "def f(x, y):\n" + "".join(f"    {line}\n" for line in lines)


# The same function written in two ways.
EQUAL = [
    ("lambda x: not x is None", "lambda x: x is not None"),
    ("lambda x: -1 + x", "lambda x: -(1) + x"),
    ("lambda x, y: x if y else 2", body("if y:", "    return x", "return 2")),
    ("lambda x, y: x", body("z = x", "return z")),
    ("lambda x: [i * 2 for i in x]", "lambda x: [j * 2 for j in x]"),
    ("lambda x: 1 < x < 9", "lambda x: 1 < x and x < 9"),
    ("lambda x: x in {1, 2}", "lambda x: x in {2, 1}"),
    ("lambda x: f'{x}' 'a'", "lambda x: f'{x}a'"),
    ("lambda x: f(*[1, x], **{'k': 2})", "lambda x: f(1, x, k=2)"),
    ("lambda x, y: 1 if not (x and y) else 2", "lambda x, y: 2 if x and y else 1"),
    (body("(x, y) = (y, x)", "return x - y"), "lambda x, y: y - x"),
    (body("while g(x):", "    x = g(x)"), body("while g(x):", "    x = g(x)", "return None")),
    (
        body("for i in x:", "    if not i:", "        continue", "    g(i)"),
        body("for i in x:", "    if i:", "        g(i)"),
    ),
    (
        body("while True:", "    if g(x):", "        break", "return y"),
        body("while not g(x):", "    pass", "return y"),
    ),
]

# The nearest function that computes something else.
DIFFERENT = [
    # operands, operators, constants
    ("lambda x, y: x + y", "lambda x, y: y + x"),
    ("lambda x: x * 2", "lambda x: x ** 2"),
    ("lambda x: x * 2", "lambda x: x * 2.0"),
    ("lambda x: -x", "lambda x: +x"),
    ("lambda x: 0", "lambda x: False"),
    ("lambda x: 'a'", "lambda x: b'a'"),
    ("lambda x: (x,)", "lambda x: [x]"),
    ("lambda x: {x, 1}", "lambda x: {x, 2}"),
    ("lambda x: {'a': x}", "lambda x: {'b': x}"),
    ("lambda x: {'a': x, **y}", "lambda x: {**y, 'a': x}"),
    ("lambda x: x < 1", "lambda x: x <= 1"),
    ("lambda x: x in y", "lambda x: x not in y"),
    ("lambda x: 1 if x is None else 2", "lambda x: 1 if x is not None else 2"),
    ("lambda x: 1 if x in y else 2", "lambda x: 1 if x not in y else 2"),
    ("lambda x: a < x < b", "lambda x: a < x and b < x"),
    # attributes, items, texts
    ("lambda x: x.a", "lambda x: x.b"),
    ("lambda x: x[0]", "lambda x: x[1]"),
    ("lambda x: x[1:]", "lambda x: x[:1]"),
    ("lambda x: x[::2]", "lambda x: x[:2]"),
    ("lambda x: f'{x!r}'", "lambda x: f'{x!s}'"),
    ("lambda x: f'{x:>3}'", "lambda x: f'{x:<3}'"),
    # calls
    ("lambda x: f(x, k=1)", "lambda x: f(x, k=2)"),
    ("lambda x: f(x, k=1)", "lambda x: f(x, j=1)"),
    ("lambda x: f(x, k=1)", "lambda x: f(x, 1)"),
    ("lambda x: f(*x)", "lambda x: f(x)"),
    ("lambda x: f(**x)", "lambda x: f(*x)"),
    ("lambda x: f(**x)", "lambda x: f(k=x)"),
    (body("z = g(x)", "return z + z"), "lambda x, y: g(x) + g(x)"),
    (body("z = g(x)", "return (z, z)"), body("z = g(x)", "return (z, g(x))")),
    (body("g(x)", "h(x)"), body("h(x)", "g(x)")),
    (body("g(x)", "return x"), "lambda x, y: x"),
    # branches
    ("lambda x, y: x if y else 2", "lambda x, y: 2 if y else x"),
    ("lambda x, y: x and y", "lambda x, y: x or y"),
    ("lambda x, y: f(x and y, 1)", "lambda x, y: f(y if x else 1, 1)"),
    ("lambda x, y: not x", "lambda x, y: x"),
    (body("if x:", "    y = 1", "return y"), body("if not x:", "    y = 1", "return y")),
    # A global name may have changed after a call.
    (
        body("if G:", "    g()", "    if G:", "        h()"),
        body("if G:", "    g()", "    h()"),
    ),
    # loops and comprehensions
    ("lambda x: [i * 2 for i in x]", "lambda x: [i * 3 for i in x]"),
    ("lambda x: [i for i in x if i]", "lambda x: [i for i in x]"),
    ("lambda x: [i for i in x]", "lambda x: {i for i in x}"),
    ("lambda x: [i for i in x for j in i]", "lambda x: [j for i in x for j in i]"),
    ("lambda x: {i: j for i, j in x}", "lambda x: {j: i for i, j in x}"),
    ("lambda x: (i + 1 for i in x)", "lambda x: (i + 2 for i in x)"),
    (body("for i in x:", "    g(i)"), body("for i in x:", "    h(i)")),
    (body("for i in x:", "    g(i)"), body("for i in y:", "    g(i)")),
    (
        body("for i in x:", "    if i:", "        break", "    g(i)"),
        body("for i in x:", "    if i:", "        continue", "    g(i)"),
    ),
    (
        body("for i in x:", "    if i:", "        break", "else:", "    g(x)"),
        body("for i in x:", "    if i:", "        break", "g(x)"),
    ),
    (body("while g(x):", "    h(x)"), body("while g(x):", "    h(y)")),
    (body("while g(x):", "    h(x)"), body("if g(x):", "    h(x)")),
    # stores
    (body("x += 1", "return x"), body("x = x + 1", "return x")),
    (body("x[0] = y"), body("x[1] = y")),
    (body("x.a = y"), body("x.b = y")),
    (body("x[0] = y"), body("x[0] = 1")),
    (body("x[0] += y"), body("x[0] -= y")),
    (body("del x[0]"), body("del x[1]")),
    (body("global G", "G = x", "return G"), body("G = x", "return G")),
    (body("a, *b = x", "return b"), body("*a, b = x", "return b")),
    (body("a, b = x", "return a"), body("b, a = x", "return a")),
    (body("if x:", "    z = 1", "return z"), body("z = 1", "if x:", "    z = 1", "return z")),
    # ends
    (body("return x"), body("raise x")),
    (body("raise A(x)"), body("raise B(x)")),
    (body("assert x"), body("assert x, 'text'")),
    (body("assert x"), body("assert y")),
    (body("yield x"), body("yield y")),
    (body("yield x", "return y"), body("yield x")),
    # functions inside, imports
    ("lambda x: lambda z: z + 1", "lambda x: lambda z: z + 2"),
    ("lambda x: lambda z=1: z", "lambda x: lambda z=2: z"),
    ("lambda x: lambda *, z=1: z", "lambda x: lambda *, z=2: z"),
    ("lambda x: lambda a, b: a", "lambda x: lambda b, a: a"),
    ("lambda x: lambda a: x", "lambda x: lambda a: a"),
    ("lambda x: lambda a: a", "lambda x: lambda *a: a"),
    ("lambda x: lambda a: a", "lambda x: lambda *, a: a"),
    # arguments
    ("lambda x, y: x - y", "lambda y, x: x - y"),
    ("lambda x, y: x", "lambda x, *y: x"),
    ("lambda x, *y: x", "lambda x, **y: x"),
    ("lambda x, y: x", "lambda x, /, y: x"),
    (
        body("@a", "@b", "def g(z):", "    return z", "return g"),
        body("@b", "@a", "def g(z):", "    return z", "return g"),
    ),
    (body("import a.b as c", "return c"), body("import a.d as c", "return c")),
    (body("from a import b", "return b"), body("from a import c as b", "return b")),
    (body("from . import b", "return b"), body("from .. import b", "return b")),
]


@pytest.mark.parametrize(("source", "other"), EQUAL)
def test_the_same_function_written_in_another_way_is_equal(source: str, other: str) -> None:
    assert difference(code_of(source), other) is None
    assert difference(code_of(other), source) is None


@pytest.mark.parametrize(("source", "other"), DIFFERENT)
def test_the_nearest_function_that_computes_something_else_is_different(
    source: str, other: str
) -> None:
    for text, wrong in ((source, other), (other, source)):
        assert difference(code_of(text), text) is None
        assert difference(code_of(text), wrong) is not None


def test_names_of_a_closure_are_no_globals() -> None:
    code = code_of("lambda x: x * scale", "scale")
    assert difference(code, "lambda x: x * scale") is None
    assert difference(code, "lambda x: x * rate") is not None


def test_a_loop_that_never_ends_is_compared_as_far_as_it_goes() -> None:
    endless = body("while True:", "    x = g(x)")
    assert difference(code_of(endless), endless) is None
    assert difference(code_of(endless), endless.replace("g", "h")) is not None


def test_a_loop_that_never_ends_is_no_function_that_returns() -> None:
    calls, idles = body("while x:", "    g()"), body("while x:", "    pass")
    for ends in (body("pass"), body("if x:", "    g()")):
        assert difference(code_of(calls), ends) is not None
        assert difference(code_of(ends), calls) is not None
    with pytest.raises(Unknown):  # it may be about to return
        difference(code_of(idles), body("pass"))


@pytest.mark.parametrize(
    "source",
    [
        body("class A: pass", "return A"),
        body("with x: pass"),
        body("def g(z: int): pass", "return g"),
        "lambda x: " + "(" * 60 + "-x" + ")" * 60 + " + g" * 2000,
    ],
    ids=["class", "with", "annotation", "depth"],
)
def test_of_what_is_not_modelled_nothing_is_claimed(source: str) -> None:
    with pytest.raises(Unknown):
        difference(code_of(source), source)


def test_what_is_no_function_is_different() -> None:
    assert difference(code_of("lambda x: x"), "x + 1") is not None


def test_code_that_takes_more_from_the_stack_than_there_is_makes_no_sense() -> None:
    code = code_of("lambda x, y: f(x) + y")
    assert makes_sense(code)
    unloaded = tuple(i for i in code.instructions if not i.name.startswith("LOAD_FAST"))
    assert not makes_sense(replace(code, instructions=unloaded))
    assert makes_sense(code_of(body("class A: pass")))  # Unknown is not senseless


@pytest.mark.parametrize(
    ("source", "other"),
    [
        ("lambda x: x + 1", "lambda x: x + 2"),
        ("lambda x: x + 1", "lambda x: x - 1"),
        ("lambda x: x.a", "lambda x: x.b"),
        ("lambda x: x", "lambda y: y"),
        ("lambda x: x", "lambda *x: x"),
        ("lambda x, y: x", "lambda x, *, y: x"),
        ("lambda x: f(x)", "lambda x: f(x, x)"),
        ("lambda x: x in {1, 2}", "lambda x: x in {1, 3}"),
        ("lambda x: lambda: 1", "lambda x: lambda: 2"),
        (body("if x:", "    g(x)"), body("if not x:", "    g(x)")),
        (body("for i in x:", "    g(i)"), body("for i in x:", "    h(i)")),
        (body("while x:", "    g(x)"), body("if x:", "    g(x)")),
    ],
)
def test_codes_of_this_python_differ_in_an_instruction(source: str, other: str) -> None:
    assert instruction_difference(code_of(source), code_of(source)) is None
    assert instruction_difference(code_of(source), code_of(other)) is not None


# A function whose every part counts: each leaf is another name or number, each test is the
# result of a call, and so true on some paths and false on others.
expressions = st.recursive(
    st.sampled_from(["NAME", "x", "NAME.a"]),
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "*", "<", "is"]), inner)
        | st.builds("({} - NUMBER)".format, inner)
        | st.builds("({} if g({}) else {})".format, inner, inner, inner)
        | st.builds("(g({}) and g({}))".format, inner, inner)
        | st.builds("f({}, k={})".format, inner, inner)
        | st.builds("[{}, ({}, NUMBER)]".format, inner, inner)
        | st.builds("{}.b[{}:NUMBER]".format, inner, inner)
        | st.builds("[i + {} for i in f({})]".format, inner, inner)
    ),
    max_leaves=6,
)
FUNCTIONS = [
    "lambda x: {}",
    "def f(x):\n    y = {}\n    if g({}):\n        y = f(NAME)\n    return y",
    "def f(x):\n    for i in f({}):\n        x += {}\n        if g(i):\n            break\n    return x",
    "def f(x):\n    while g({}):\n        x.a = {}\n    return lambda z: z * NAME",
]
functions = st.builds(str.format, st.sampled_from(FUNCTIONS), expressions, expressions)
SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.MatMult,
    ast.Lt: ast.GtE,
    ast.Is: ast.Eq,
    ast.And: ast.Or,
    ast.Break: ast.Continue,
}


def distinct(template: str) -> str:
    """Return *template* with another name or number at each leaf."""
    parts = template.replace("NUMBER", "NAME#").split("NAME")
    text = parts[0]
    for number, part in enumerate(parts[1:], 10):
        text += f"{number}{part[1:]}" if part.startswith("#") else f"n{number}{part}"
    return text


def mutate(source: str, choice: int) -> str:
    """Return *source* with one operator, number, name, attribute, keyword or branch changed."""
    tree = ast.parse(source)
    changed = (ast.IfExp, ast.If, ast.Constant, ast.Attribute, ast.keyword, *SWAPPED)
    sites = [node for node in ast.walk(tree) if isinstance(node, changed)]
    sites += [n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id[0] == "n"]
    site = sites[choice % len(sites)] if sites else tree.body[0]
    if isinstance(site, ast.IfExp):
        site.body, site.orelse = site.orelse, site.body
    elif isinstance(site, ast.If):
        site.test = ast.UnaryOp(ast.Not(), site.test)
    elif isinstance(site, ast.Constant):
        site.value += 1
    elif isinstance(site, ast.Attribute):
        site.attr = "other"
    elif isinstance(site, ast.keyword):
        site.arg = "other"
    elif isinstance(site, ast.Name):
        site.id = "other"
    for node in ast.walk(tree):
        for name, value in ast.iter_fields(node):
            if value is site and type(site) in SWAPPED:
                setattr(node, name, SWAPPED[type(site)]())
            elif isinstance(value, list):
                swap = [
                    SWAPPED[type(v)]() if v is site and type(v) in SWAPPED else v for v in value
                ]
                setattr(node, name, swap)
    return ast.unparse(ast.fix_missing_locations(tree))


@given(functions.map(distinct), st.integers(0, 1000))
@settings(max_examples=80, deadline=None, derandomize=True)
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_a_function_with_any_part_changed_is_different(source: str, choice: int) -> None:
    code, changed = code_of(source), mutate(source, choice)
    # Many paths, so that one of them enters each branch.
    assert difference(code, source, seeds=range(150)) is None
    if changed != ast.unparse(ast.parse(source)):
        assert difference(code, changed, seeds=range(150)) is not None, changed
