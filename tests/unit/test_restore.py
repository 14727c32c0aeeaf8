"""A plan's functions become live ones with just the names that the plan gives them."""

from __future__ import annotations

import collections
import linecache
import marshal
import sys
from typing import Any

import pytest

from capsule.guest.restore import RestoreError, Restorer
from capsule.guest.values import encode
from tests.plans import as_read, edge, module, node, value
from tests.restoring import LIBRARY, MAGIC, bytecode, function, restored

MISSING = {"name": "N", "how": "global", "missing": True}


@pytest.mark.parametrize(
    ("source", "name", "result"),
    [
        ("lambda: N", value(3), 3),
        ("lambda: N", value(encode((1, {2}))), (1, {2})),
        ("lambda: N", value(None), None),
        ("lambda: N", value(3, "closure"), 3),
        ("lambda n=9: n", value(3, "default", "n"), 3),
        ("lambda *, n=9: n", value(3, "keyword-default", "n"), 3),
        ("lambda: N(2.0)", edge("math", attribute="sqrt", name="N"), 2.0**0.5),
        ("lambda: N.sqrt(2.0)", edge("math", name="N", attributes=["sqrt"]), 2.0**0.5),
        (
            "lambda: N.Mapping",
            edge("collections", attribute="abc", name="N"),
            collections.abc.Mapping,
        ),
        ("lambda: N()", edge("g", name="N"), "g"),
        ("lambda: N()", edge("g", "closure", "N"), "g"),
        ("lambda n=9: n()", edge("g", "default", "n"), "g"),
    ],
)
def test_a_name_is_what_the_plan_says(source: str, name: Any, result: Any) -> None:
    nodes = {**LIBRARY, "f": function(source, name), "g": function("lambda: 'g'", namespace="g")}
    assert restored(nodes)() == result


def test_a_function_has_no_other_names_than_the_plan_gives_it() -> None:
    for source in ("lambda: N", "lambda: value", "lambda: Restorer"):
        with pytest.raises(NameError):
            restored({"f": function(source)})()
    assert set(restored({"f": function("lambda: 1")}).__globals__) == {
        "__name__",
        "__builtins__",
        "__package__",
    }


def test_defaults_are_bound_in_their_order_and_absent_where_there_were_none() -> None:
    names = [value(1, "default", "b"), value(2, "default", "c"), value(3, "keyword-default", "d")]
    made = restored({"f": function("def f(a, b=0, c=0, *, d=0): return (a, b, c, d)", *names)})
    assert made(9) == (9, 1, 2, 3)
    assert (made.__defaults__, made.__kwdefaults__) == ((1, 2), {"d": 3})
    made = restored({"f": function("def f(a, b=7): return b")})
    assert (made.__defaults__, made.__kwdefaults__) == (None, None)


def test_attributes_are_set_and_submodules_imported() -> None:
    names = [value(5, "attribute", "rate"), edge("collections.abc", "attribute", "collections.abc")]
    nodes = {"f": function("def f(): return f.rate", *names, edge("f", name="f"))}
    nodes["collections.abc"] = module(None)
    made = restored(nodes)
    assert (made(), vars(made)) == (5, {"rate": 5})


def test_a_function_is_titled_as_it_was() -> None:
    made = restored({"f": function("lambda: 1", module="mine.inner", qualname="C.<locals>.g")})
    assert (made.__module__, made.__qualname__, made.__name__) == (
        "mine.inner",
        "C.<locals>.g",
        "g",
    )
    assert made.__globals__["__name__"] == "mine.inner"
    assert made.__globals__["__package__"] == "mine"
    assert restored({"f": function("lambda: 1", module="")}).__globals__["__name__"] == "__main__"


def test_the_source_is_where_tracebacks_look_for_it() -> None:
    source = "def f():\n    return 1 / 0"
    made = restored({"f": function(source)})
    assert linecache.getlines(made.__code__.co_filename) == ["def f():\n", "    return 1 / 0"]
    linecache.checkcache()
    assert linecache.getline(made.__code__.co_filename, 2) == "    return 1 / 0"


def test_functions_of_one_namespace_share_their_globals_and_others_do_not() -> None:
    nodes = {
        "f": function("lambda: (g, N)", edge("g", name="g"), value(1)),
        "g": function("lambda: N", value(1)),
        "h": function("lambda: N", value(2), namespace="__main__#2"),
    }
    made = Restorer(as_read(nodes)).restore(["f", "g", "h"])
    assert made["f"].__globals__ is made["g"].__globals__
    assert made["f"].__globals__ is not made["h"].__globals__
    assert (made["f"]()[0] is made["g"], made["g"](), made["h"]()) == (True, 1, 2)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (value(1), value(2)),
        (value(1), MISSING),
        (value(None), MISSING),
        (value(1), edge("g", name="N")),
        (edge("g", name="N"), edge("h", name="N")),
        (edge("math", name="N"), edge("math", name="N", attribute="sqrt")),
    ],
)
def test_two_meanings_of_one_global_are_refused(first: Any, second: Any) -> None:
    nodes = {**LIBRARY, "a": function("lambda: N", first), "b": function("lambda: N", second)}
    nodes.update(g=function("lambda: 1", namespace="g"), h=function("lambda: 2", namespace="g"))
    with pytest.raises(RestoreError, match="two functions mean different things by N"):
        Restorer(as_read(nodes)).restore(["a", "b"])
    apart = {**nodes, "b": {**nodes["b"], "namespace": "elsewhere"}}
    assert len(Restorer(as_read(apart)).restore(["a", "b"])) == 2


@pytest.mark.parametrize(
    "source",
    [
        "lambda: N",
        "lambda: (lambda: N)",
        "lambda: [N for x in ()]",
        "def b():\n class C:\n  x = N",
        "class b:\n def f(self): return N",
    ],
)
def test_a_name_that_only_another_function_brought_is_refused(source: str) -> None:
    kind = "class" if source.startswith("class") else "function"
    nodes = {"a": function("lambda: N", value(1)), "b": function(source, kind=kind, qualname="b")}
    with pytest.raises(RestoreError, match="b would find the N of another function"):
        Restorer(as_read(nodes)).restore(["a", "b"])
    assert Restorer(as_read(nodes)).restore(["b"])
    own = {**nodes, "b": {**nodes["b"], "names": [value(1)]}}
    assert Restorer(as_read(own)).restore(["a", "b"])


def test_a_module_that_only_another_function_brought_is_refused() -> None:
    nodes = {
        "a": function("lambda: mine.X", edge("mine", name="mine")),
        "b": function("def b():\n import mine\n return mine.X", namespace="b"),
        "mine": module("X = 7"),
    }
    with pytest.raises(RestoreError, match="b would find the module mine of another"):
        Restorer(as_read(nodes)).restore(["a", "b"])
    own = {**nodes, "b": {**nodes["b"], "names": [edge("mine", "import", "mine")]}}
    made = Restorer(as_read(own)).restore(["a", "b"])
    assert (made["a"](), made["b"]()) == (7, 7)
    assert "mine" not in sys.modules


def test_names_that_nobody_defined_are_bound_by_the_caller_and_no_others() -> None:
    closure = {"name": "c", "how": "closure", "missing": True}
    nodes = {"f": function("lambda: (N, c)", MISSING, closure)}
    assert restored(nodes, caller_values={"N": 5, "c": 6, "other": 7})() == (5, 6)
    with pytest.raises(NameError):
        restored(nodes)()
    assert restored({"f": function("lambda: N", value(1))}, caller_values={"N": 5})() == 1


def test_circles_are_bound() -> None:
    nodes = {
        "even": function("def even(n): return n == 0 or odd(n - 1)", edge("odd", name="odd")),
        "odd": function("def odd(n): return n != 0 and even(n - 1)", edge("even", name="even")),
    }
    assert restored(nodes, "even")(10)
    inner = function("def f(n): return 1 if n < 2 else n * f(n - 1)", edge("f", "closure", "f"))
    assert restored({"f": inner})(4) == 24


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        (
            {"f": function("lambda: N", value({"type": "opaque", "of": "x", "reason": "y"}))},
            "f needs N",
        ),
        ({"f": function("lambda: N", value({"type": "no such"}))}, "f needs N: no such type"),
        ({"f": function("lambda: N", value({"type": "dict"}))}, "f needs N"),
        (
            {
                "f": function("lambda: N", edge("no_such_module", name="N")),
                "no_such_module": module(None),
            },
            "f needs N: No module named",
        ),
        (
            {"f": function("lambda: N", edge("math", name="N", attribute="no_such"))},
            "f needs N: module",
        ),
        ({"f": function("lambda: N", edge("nowhere", name="N"))}, "no definition of nowhere"),
        ({"g": function("lambda: 1")}, "no definition of f"),
        ({"f": node(None)}, "f has neither source nor code"),
        (
            {"f": node(None, code={"sha256": "a", "magic": MAGIC, "base64": None})},
            "neither source nor",
        ),
        ({"f": node(None, kind="class", reason="no file")}, "f has no source: no file"),
        ({"f": node(None, kind="class", reason=None)}, "f has no source: unknown"),
    ],
)
def test_what_can_not_be_made_says_which_and_why(nodes: Any, reason: str) -> None:
    with pytest.raises(RestoreError, match=reason):
        restored({**LIBRARY, **nodes})


def test_bytecode_of_this_python_runs_with_the_names_of_the_plan() -> None:
    def outer(c: Any) -> Any:
        return lambda x, k=1: (x, c, k, N)  # type: ignore[name-defined]  # noqa: F821

    names = [value(2, "closure", "c"), value(3, "default", "k"), value(4)]
    made = restored({"f": node(None, code=bytecode(outer(0)), names=names, qualname="g")})
    assert made(1) == (1, 2, 3, 4)
    assert made.__name__ == "g"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"magic": MAGIC + 1}, f"is not this Python's \\({MAGIC}\\)"),
        ({"magic": 0}, "is not this Python's"),
        ({"sha256": "a" * 64}, "not what its digest says"),
        ({"base64": "AAAA"}, "not what its digest says"),
    ],
)
def test_bytecode_of_others_is_never_unmarshalled(
    change: Any, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marshal, "loads", lambda raw: pytest.fail("it was unmarshalled"))
    with pytest.raises(RestoreError, match=reason):
        restored({"f": node(None, code=bytecode(lambda: 1, **change))})


def test_a_source_counts_for_more_than_the_bytecode() -> None:
    assert (
        restored({"f": function("lambda: 'source'", code=bytecode(lambda: "code"))})() == "source"
    )
