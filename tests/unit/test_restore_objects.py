"""Objects are made again of their parts, and modules brought along are nobody else's."""

from __future__ import annotations

import collections
import sys
import types
from typing import Any

import pytest

from capsule.guest.restore import RestoreError
from tests.plans import edge, module, node, value
from tests.restoring import LIBRARY, function, restored, thing


@pytest.mark.parametrize(
    ("made", "result"),
    [
        (thing("list", value(1, "item", "0"), edge("l", "item", "1")), [1, []]),
        (thing("tuple", value(1, "item", "0"), value(2, "item", "1")), (1, 2)),
        (thing("set", value(1, "item", "0"), value(2, "item", "1")), {1, 2}),
        (thing("frozenset", value(1, "item", "0")), frozenset({1})),
        (thing("dict", value(1, "item", "a"), value(2, "item", "b")), {"a": 1, "b": 2}),
        (
            thing(
                "call",
                edge("math", "part", "p", attribute="pow"),
                value(2, "argument", "0"),
                value(3, "argument", "1"),
            ),
            8.0,
        ),
        (
            thing(
                "call",
                edge("g", "part", "p"),
                value(1, "argument", "0"),
                value(2, "keyword", "k"),
                value(9, "attribute", "no part of it"),
            ),
            ("g", 1, 2),
        ),
        (thing("list", edge("math", attribute="pi"), origin="reference"), 3.141592653589793),
        (node(None, origin="reference", names=[value(5)]), 5),
    ],
)
def test_an_object_is_made_of_its_parts(made: Any, result: Any) -> None:
    nodes = {
        **LIBRARY,
        "f": made,
        "l": thing("list"),
        "g": function("def g(a, k): return 'g', a, k"),
    }
    again = restored(nodes)
    assert again == result
    assert type(again) is type(result)


def test_an_object_is_made_once() -> None:
    nodes = {
        "f": function("lambda: (a, b)", edge("l", name="a"), edge("l", name="b")),
        "l": thing("list", value(1, "item", "0")),
    }
    first, second = restored(nodes)()
    assert first is second


def test_an_instance_is_made_without_its_constructor() -> None:
    kind = node("class C:\n def __init__(self): 1 / 0", kind="class", qualname="C")
    made = thing("instance", edge("C", "part", "class"), value(3, "attribute", "n"))
    again = restored({"C": kind, "f": made})
    assert (type(again).__name__, vars(again)) == ("C", {"n": 3})


def test_containers_and_instances_may_hold_themselves() -> None:
    kind = node("class C: pass", kind="class", qualname="C")
    nodes = {
        "C": kind,
        "f": thing("instance", edge("C", "part", "class"), edge("d", "attribute", "d")),
        "d": thing("dict", edge("l", "item", "l")),
        "l": thing("list", edge("f", "item", "0"), edge("l", "item", "1")),
    }
    made = restored(nodes)
    assert made.d["l"][0] is made
    assert made.d["l"][1] is made.d["l"]
    nodes["t"] = thing("tuple", edge("t", "item", "0"))
    with pytest.raises(RestoreError, match="t needs itself to be made"):
        restored(nodes, "t")
    circle = {
        "f": thing("tuple", edge("g", "item", "0")),
        "g": thing("tuple", edge("f", "item", "0")),
    }
    with pytest.raises(RestoreError, match="needs itself to be made"):
        restored(circle)


def test_a_class_is_defined_with_what_it_needs_there_and_bound_after() -> None:
    source = "class C(__base0__):\n x = N\n def f(self): return later() + k"
    names = [
        edge("collections", "base", "__base0__", attribute="OrderedDict"),
        value(3, "body"),
        edge("g", name="later"),
        value(4, "closure", "k"),
        value(7, "attribute", "set_after"),
    ]
    nodes = {**LIBRARY, "f": node(source, kind="class", qualname="C", names=names)}
    nodes["g"] = function("def g(): return 1")
    made = restored(nodes)
    assert made.__mro__[1] is collections.OrderedDict
    assert (made.x, made().f(), made.set_after) == (3, 5, 7)
    assert (made.__qualname__, made.f.__qualname__) == ("C", "C.f")


def test_a_decorated_function_is_what_its_decorators_make_of_it() -> None:
    names = [edge("twice", "body", "twice"), value(3)]
    nodes = {
        "f": function("@twice\ndef f(x):\n    return x + N", *names, decorated=True, qualname="f"),
        "twice": function("def twice(f): return lambda x: 2 * f(x)", qualname="twice"),
    }
    assert restored(nodes)(1) == 8


def test_a_decorator_that_only_registers_is_not_called() -> None:
    dropped = {"name": "__decorator0__", "how": "decorator", "missing": True}
    assert restored({"f": node("@wrong\nclass C: x = 1", kind="class", names=[dropped])}).x == 1


def test_modules_that_are_brought_along_are_private() -> None:
    nodes = {
        "f": function(
            "lambda: (mine.X, inner())",
            edge("mine", name="mine"),
            edge("mine.inner", name="inner", attribute="value"),
        ),
        "mine": module("X = 1", package=True),
        "mine.inner": module(
            "from . import X\ndef value(): return X + 1", edge("mine", "import", "mine")
        ),
    }
    assert restored(nodes)() == (1, 2)
    assert "mine" not in sys.modules


@pytest.fixture
def keras() -> Any:
    own: Any = types.ModuleType("tf_keras")
    own.layers = types.SimpleNamespace(Dense="its own")
    return own


@pytest.mark.parametrize(
    ("name", "attribute", "found"),
    [
        ("tf_keras_gone", None, False),
        ("tf_keras", "layers.Dense", True),
        ("tensorflow.keras", "layers.Dense", True),
        ("tensorflow.keras.layers", "Dense", True),
        ("tensorflow", "keras.layers.Dense", True),
        ("tensorflow", "math.abs", False),
        ("tf_keras.layers", "Dense", True),
        ("tf_keras", "layers.Missing", False),
    ],
)
def test_the_keras_that_loads_stands_for_one_that_is_missing(
    keras: Any, name: str, attribute: str | None, found: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for missing in ("tensorflow", "keras", "tf_keras"):
        monkeypatch.setitem(sys.modules, missing, None)  # as if not installed
    nodes = {
        "f": function("lambda: N", edge(name, name="N", attribute=attribute)),
        name: module(None),
    }
    if found:
        assert restored(nodes, keras=keras)() == "its own"
        with pytest.raises(RestoreError, match="f needs N"):
            restored(nodes)
    else:
        with pytest.raises(RestoreError, match="f needs N"):
            restored(nodes, keras=keras)


def test_tensorflows_copy_has_names_that_keras_has_dropped(
    keras: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensorflow: Any = types.ModuleType("tensorflow")
    tensorflow.keras = types.SimpleNamespace(old="TensorFlow's", layers=keras.layers)
    monkeypatch.setitem(sys.modules, "tensorflow", tensorflow)
    monkeypatch.setitem(sys.modules, "keras", None)
    nodes = {
        "f": function("lambda: N", edge("keras", name="N", attribute="old")),
        "keras": module(None),
    }
    assert restored(nodes, keras=keras)() == "TensorFlow's"
