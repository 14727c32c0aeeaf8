"""Source text becomes the code that it was, with nothing of where it stood."""

from __future__ import annotations
import __future__

import sys
import types
from typing import Any

import pytest

from capsule.guest.compiling import (
    DefinitionSource,
    RestoreError,
    UnboundFunction,
    compile_definition,
    make_unbound,
    same_code,
)


def unbound(
    source: str,
    namespace: Any = None,
    freevars: Any = (),
    closure_values: Any = None,
    **options: Any,
) -> UnboundFunction:
    scope = {"__name__": "m"} if namespace is None else namespace
    definition = DefinitionSource(source, "<f>", freevars, **options)
    return make_unbound(definition, scope, closure_values or {})


def defined(source: str, namespace: Any = None, **options: Any) -> Any:
    return unbound(source, namespace, **options).function


class Plain:
    """A class of nobody's."""


def code_in(source: str) -> types.CodeType:
    """Return the code of the one function in *source*, as its module has it."""
    module = compile(source, "<m>", "exec", 0, True)
    return next(each for each in module.co_consts if isinstance(each, types.CodeType))


@pytest.mark.parametrize(
    ("source", "arguments", "result"),
    [
        ("lambda x: x + 1", (2,), 3),
        ("(lambda x:\n    x + 1)", (2,), 3),
        ("def f(x):\n    return x + 1", (2,), 3),
        ("    def f(x):\n        return x + 1", (2,), 3),
        ("\n\ndef f(x): return x + 1\n", (2,), 3),
        ("lambda *a, **k: (a, k)", (1, 2), ((1, 2), {})),
        ("class C:\n    def __new__(cls, x): return x", (5,), 5),
    ],
)
def test_a_definition_is_made(source: str, arguments: Any, result: Any) -> None:
    assert defined(source)(*arguments) == result


@pytest.mark.parametrize(
    "source",
    [
        "",
        "x",
        "x = 1",
        "def f(): pass\ndef g(): pass",
        "def f(): pass\nimport os",
        "lambda x: x, 1",
        "import os",
        "(lambda x: x)(3)",
        "def f(:",
        "async def f(): pass",
        "lambda x: \0",
    ],
)
def test_what_is_not_one_definition_is_refused(source: str) -> None:
    with pytest.raises(RestoreError, match="the source of <f> is not one definition"):
        defined(source)


@pytest.mark.parametrize("source", ["def f(): nonlocal y", "lambda: (yield 1) if (await x) else 2"])
def test_what_does_not_compile_here_is_refused(source: str) -> None:
    with pytest.raises(RestoreError, match="the source of <f> does not compile here"):
        defined(source)


def test_nothing_runs_while_a_definition_is_compiled() -> None:
    ran: list[str] = []
    scope = {"__name__": "m", "ran": ran}
    source = "@ran.append('decorator')\ndef f(x=ran.append('default')) -> ran.append('r'): pass"
    assert compile_definition(DefinitionSource(source, "<f>"))[1] == "f"
    defined(source, scope)
    defined("lambda x=ran.append('default'): x", scope)
    defined("class C:\n def f(self, x: ran.append('a')) -> ran.append('r'): pass", scope)
    assert ran == []


def test_lines_are_those_of_the_text() -> None:
    for source, line in (
        ("lambda x: x", 1),
        ("\n\nlambda x: x", 3),
        ("def f(x):\n return x", 1),
        ("  def f(x):\n    return x", 1),
        ("\n\ndef f(x): return x", 3),
    ):
        made = defined(source)
        assert (made.__code__.co_firstlineno, made.__code__.co_filename) == (line, "<f>")


def test_defaults_decorators_and_annotations_are_left_for_others_to_set() -> None:
    source = (
        "@wrong\ndef f(a, b: int = 1, *c: int, d: int = 2, e: int, **g: int) -> int: return b, d"
    )
    made = defined(source)
    assert made.__defaults__ == (None,)
    assert made.__kwdefaults__ == {"d": None}
    assert made.__annotations__ == {}
    made = defined("lambda a, b=1, *, c=2, d: (b, c)")
    assert (made.__defaults__, made.__kwdefaults__) == ((None,), {"c": None})
    made = defined("def f(a: int, b: int = 1, /): pass")
    assert (made.__defaults__, made.__annotations__) == ((None,), {})


def test_a_whole_definition_keeps_decorators_and_defaults_but_registers_nothing() -> None:
    scope = {"__name__": "m", "twice": lambda f: lambda x: 2 * f(x)}
    source = """
@register_keras_serializable
@keras.saving.register_keras_serializable("mine")
@register_keras_serializable(package="mine")
@twice
def f(x, k: unknown = 3) -> unknown:
    return x + k
"""
    assert defined(source, scope, keep_decorators=True)(1) == 8


def test_of_a_class_all_is_kept_but_what_registers_and_the_annotations_of_methods() -> None:
    source = """
@register_keras_serializable()
@first
@second
class C(wrong.Base, Other, metaclass=type):
    x: int = 3
    @staticmethod
    def f(a: unknown, b=2) -> unknown: return b
    async def g(self, a: unknown): pass
    class Inner(Plain):
        def h(self, a: unknown) -> unknown: return 4
        class Deep:
            def i(self) -> unknown: return 5
"""
    scope: dict[str, Any] = {"__name__": "m", "__base0__": int, "Other": object, "Plain": object}
    scope.update(first=lambda kind: kind, second=lambda kind: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        defined(source, dict(scope), bases=[0], registrations=[1])
    made = defined(source, dict(scope), bases=[0], registrations=[2])
    assert made.__bases__ == (int, object)
    assert (made.f(1), made.x, made.__annotations__) == (2, 3, {"x": int})
    assert made.Inner.Deep().i() == 5
    with pytest.raises(NameError):
        defined(source, dict(scope), registrations=[2])
    made = defined(
        "class C(Plain, wrong): pass", {**scope, "__base1__": dict, "Plain": Plain}, bases=[1, 2, 7]
    )
    assert made.__bases__ == (Plain, dict)


def test_several_decorators_are_dropped_by_their_numbers() -> None:
    called: list[str] = []

    def telling(name: str) -> Any:
        return lambda kind: called.append(name) or kind

    scope = {"__name__": "m", **{name: telling(name) for name in "abcd"}}
    defined("@a\n@b\n@c\n@d\nclass C: pass", scope, registrations=[0, 2, 9])
    assert called == ["d", "b"]


def test_closures_are_filled_by_name() -> None:
    made = unbound("lambda x: (x, a, b)", None, ["a", "b"])
    assert made.function.__code__.co_freevars == ("a", "b")
    made.bind("a", 1)
    made.bind("b", 2)
    made.bind("unknown", 3)
    assert made.function(0) == (0, 1, 2)
    made.bind("a", 5)
    assert made.function(0) == (0, 5, 2)
    given = unbound("lambda: a", None, ["a"], closure_values={"a": 7, "b": 8})
    assert given.function() == 7
    assert unbound("lambda: a", {"__name__": "m", "a": 1}).function() == 1


@pytest.mark.parametrize("name", ["a; import os", "a b", "", "1"])
def test_a_closure_has_names_and_nothing_else(name: str) -> None:
    with pytest.raises(RestoreError, match="the closure of <f> has names that are not identifiers"):
        unbound("lambda: 1", None, [name])


def test_a_definition_finds_itself_where_it_stood() -> None:
    source = "def f(n): return 1 if n < 2 else n * f(n - 1)"
    scope: dict[str, Any] = {"__name__": "m"}
    made = defined(source, scope)
    assert "f" not in scope
    assert made.__code__.co_freevars == ()
    scope["f"] = made
    assert made(4) == 24
    inner = unbound(source, {"__name__": "m", "f": None}, ["f"])
    inner.bind("f", inner.function)
    assert inner.function(4) == 24
    assert inner.function.__code__.co_freevars == ("f",)


def test_what_stood_under_its_name_stands_there_still() -> None:
    for before in (None, 3):
        scope = {"__name__": "m", "f": before}
        defined("def f(): pass", scope)
        assert scope == {"__name__": "m", "f": before}
    scope = {"__name__": "m"}
    defined("lambda: 1", scope)
    defined("class C: pass", scope)
    assert scope == {"__name__": "m"}


def test_features_of_the_future_are_those_of_the_module() -> None:
    source = "def f():\n def g(x: unknown): pass\n return g.__annotations__"
    with pytest.raises(NameError):
        defined(source)()
    assert defined(source, futures=["annotations"])() == {"x": "unknown"}
    assert defined(source, futures=["annotations", "of a later Python", "division"])()
    assert defined("lambda: 1", futures=["annotations"]).__code__.co_flags & 0x1000000


def test_what_its_module_imported_is_known_while_it_is_compiled() -> None:
    module = compile("import np\nf = lambda x: np.tanh(x)", "<m>", "exec", 0, True)
    code = next(each for each in module.co_consts if isinstance(each, types.CodeType))
    plain = defined("lambda x: np.tanh(x)").__code__
    made = defined("lambda x: np.tanh(x)", module_imports=["np", "os"]).__code__
    assert same_code(made, code)
    if sys.version_info < (3, 14):
        assert same_code(plain, code) is (sys.version_info < (3, 11))


SAME = "def f(a, b=1, *c, d=2, **e):\n x = a + b\n return lambda: (x, 'text', 3)"


@pytest.mark.parametrize(
    "source",
    [
        "\n\n" + SAME,
        SAME.replace("\n x", "\n\n  # a comment\n\n x"),
        SAME.replace("b=1", "b=7").replace("d=2", "d=8"),
        "def f(a: int, b: int=1, *c, d=2, **e) -> int:" + SAME.partition(":")[2],
    ],
)
def test_code_that_stands_elsewhere_is_the_same(source: str) -> None:
    assert same_code(code_in(source), code_in(SAME))
    nested = compile("def outer():\n def f(x): return lambda: x\n return f", "<m>", "exec", 0, True)
    outer = next(each for each in nested.co_consts if isinstance(each, types.CodeType))
    inner = next(each for each in outer.co_consts if isinstance(each, types.CodeType))
    assert same_code(inner, code_in("def f(x): return lambda: x"))


@pytest.mark.parametrize(
    "source",
    [
        SAME.replace("a + b", "a - b"),
        SAME.replace("a + b", "b + a"),
        SAME.replace("def f", "def g"),
        SAME.replace("a, b=1, *c", "a, *c, b=1"),
        SAME.replace("a, b=1, *c", "a, /, b=1, *c"),
        SAME.replace("*c, d", "*, d"),
        SAME.replace(", **e", ""),
        SAME.replace("'text'", "'test'"),
        SAME.replace("'text'", "b'text'"),
        SAME.replace("'text'", "5"),
        SAME.replace(", 3)", ", 3.0)"),
        SAME.replace(", 3)", ", True)"),
        SAME.replace(", 3)", ", -3)"),
        SAME.replace(", 3)", ", len)"),
        SAME.replace("lambda: (x", "lambda: (a"),
        SAME.replace("x = a", "y = a").replace("(x,", "(y,"),
        SAME.replace("lambda:", "lambda q:"),
        SAME.replace("return lambda", "yield lambda"),
        SAME.replace(" x = a + b", " try: x = a + b\n except KeyError: x = 1"),
    ],
)
def test_code_that_runs_otherwise_is_not_the_same(source: str) -> None:
    assert not same_code(code_in(source), code_in(SAME))
    assert not same_code(code_in(SAME), code_in(source))
    assert not same_code(None, code_in(SAME))


def test_names_of_other_things_are_not_the_same() -> None:
    assert not same_code(code_in("def f(): return len(x)"), code_in("def f(): return sum(x)"))
    assert not same_code(code_in("def f(): return x.a"), code_in("def f(): return x.b"))
    place, same_name = "def f(): return 'a.<locals>.b'", "def f(): return 'c.<locals>.b'"
    assert same_code(code_in(place), code_in(same_name))  # where it stood, and no more
    for other in (
        "def f(): return 'a.<locals>.c'",
        "def f(): return 'a.b'",
        "def f(): return 'b.b'",
    ):
        assert not same_code(code_in(place), code_in(other))


def test_features_of_the_future_are_part_of_the_code() -> None:
    flag = __future__.annotations.compiler_flag
    module = compile("def f(x): return x", "<m>", "exec", flag, True)
    code = next(each for each in module.co_consts if isinstance(each, types.CodeType))
    assert not same_code(code, code_in("def f(x): return x"))
