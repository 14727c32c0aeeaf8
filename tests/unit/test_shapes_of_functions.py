"""Functions, classes and objects of every shape: captured, written as JSON, made again."""

from __future__ import annotations

import functools
import json
import operator
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from capsule.capture.context import make_context
from capsule.capture.graph import ImportGraph
from capsule.capture.options import SaveOptions
from capsule.capture.origins import Origins
from capsule.environment import live_environment
from capsule.guest.restore import RestoreError, Restorer
from capsule.manifest import BindingKind, NodeKind

RATE = 4


class Base:
    """A base class with state of its own."""

    factor = 2

    def __init__(self, bias: float = RATE) -> None:
        self.bias = bias

    def apply(self, x: float) -> float:
        return x * self.factor + self.bias


class Derived(Base):
    table = tuple(i * RATE for i in range(3))

    def __init__(self) -> None:
        super().__init__(10)

    def apply(self, x: float) -> float:
        return super().apply(x) + helper(x) + len(self.table)

    @property
    def doubled(self) -> float:
        return self.bias * 2

    @classmethod
    def made(cls, x: float) -> float:
        return cls().apply(x)

    @staticmethod
    def plain(x: float) -> float:
        return x + RATE

    def __call__(self, x: float) -> float:
        return self.apply(x) + self.doubled


@dataclass
class Point:
    x: float
    y: float = 2.0

    def length(self, scale: float) -> float:
        return (self.x + self.y) * scale


def helper(x: float) -> float:
    assert x is not None, "pytest rewrites this"
    return x + 100


@functools.cache
def cached(x: float) -> float:
    return x * 3 + RATE


def repeated(times: int) -> Callable[[Any], Any]:
    def decorate(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(x: float) -> Any:
            for _ in range(times):
                x = function(x)
            return x

        return wrapper

    return decorate


@repeated(3)
def tripled(x: float) -> float:
    return x * 3


def unwrapped(function: Any) -> Any:
    return lambda x: function(x) + 1


@unwrapped
def renamed(x: float) -> float:
    return x * 5


def local_class() -> Any:
    shift = 7

    class Root:
        def go(self, x: float) -> float:
            return x + shift

    class Leaf(Root):
        def go(self, x: float) -> float:
            return super().go(x) * 2

        def again(self, x: float) -> float:
            return Leaf().go(x)

    return lambda x: Leaf().again(x)


def closing_over(value: Any, use: Callable[[Any, float], Any]) -> Any:
    return lambda x: use(value, x)


def first(value: Any, x: float) -> Any:
    return value[0](x)


def called(value: Any, x: float) -> Any:
    return value(x)


def attributed(x: float) -> float:
    return x * attributed.factor  # type: ignore[attr-defined]


attributed.factor = 6  # type: ignore[attr-defined]


def making(point: Any, x: float) -> Any:
    return point.length(x)


SHAPES = {
    "a class by name": lambda x: Derived().apply(x),
    "a class method": lambda x: Derived.made(x),
    "a static method": lambda x: Derived.plain(x),
    "a callable instance": Derived(),
    "a bound method": Base(3).apply,
    "a bound class method": Derived.made,
    "a dataclass": closing_over(Point(1.0, 5.0), making),
    "a local class": local_class(),
    "a partial": functools.partial(operator.mul, 3),
    "a partial of a helper": functools.partial(closing_over(RATE, lambda v, x: v * x)),
    "a cached function": cached,
    "a function cached by call": closing_over(functools.lru_cache()(helper), called),
    "wrapped by functools.wraps": tripled,
    "wrapped without": renamed,
    "a list of functions": closing_over([helper, len], first),
    "a tuple of functions": closing_over((helper, tripled), first),
    "a dict of functions": closing_over({"f": helper}, lambda table, x: table["f"](x)),
    "an attribute of a function": attributed,
    "a class in a closure": closing_over(Derived, lambda kind, x: kind().apply(x)),
    "an exec'd expression": eval("lambda x, k=2: (x * RATE - k) ** 2 / [1, x][0] if False else x"),
    "decompiled": eval("lambda x: max(x, 1) * RATE - [x, 2][1] + len((1, 'a', -2.5)) + abs(-x)"),
    "decompiled with slices": eval("lambda x: np.eye(x)[:, 0:2][1:, ::-1].tolist()[0][1:]"),
    "decompiled with keywords": eval("lambda x: int(format(x, 'd'), base=10) * (not x) + -x"),
}


def captured(function: Any) -> tuple[str, dict[str, Any]]:
    graph = ImportGraph(make_context(Origins(live_environment().paths), Path.cwd(), SaveOptions()))
    name = graph.add(function)
    assert name is not None
    return name, json.loads(json.dumps({key: asdict(node) for key, node in graph.nodes.items()}))


@pytest.mark.parametrize("shape", SHAPES)
def test_it_comes_back_and_computes_the_same(shape: str) -> None:
    name, nodes = captured(SHAPES[shape])
    assert all(node["kind"] in get_args(NodeKind) for node in nodes.values())
    assert all(
        edge["how"] in get_args(BindingKind) for node in nodes.values() for edge in node["names"]
    )
    again = Restorer(nodes).restore([name])[name]
    assert again is not SHAPES[shape]
    assert again(5) == SHAPES[shape](5)


def test_what_was_eval_ed_is_decompiled_and_says_so() -> None:
    name, nodes = captured(eval("lambda x: x * 4 + RATE"))
    node = nodes[name]
    assert node["decompiled"]
    assert node["source"] == "lambda x: x * 4 + RATE"
    assert "no source text exists" in node["reason"]
    node["code"] = None  # another Python has no use for it
    assert Restorer(nodes).restore([name])[name](3) == 16


def test_a_class_changed_after_it_was_made_comes_back_as_it_was_left() -> None:
    class Changing:
        rate = 1

        def go(self, x: float) -> float:
            return x * self.rate

    Changing.rate = 9
    name, nodes = captured(lambda x: Changing().go(x))
    assert Restorer(nodes).restore([name])[name](2) == 18


def test_a_class_whose_method_was_replaced_is_not_taken_for_its_source() -> None:
    class Patched:
        def go(self, x: float) -> float:
            return x

    Patched.go = lambda self, x: x * 100  # type: ignore[method-assign]
    name, nodes = captured(lambda x: Patched().go(x))
    with pytest.raises(RestoreError, match="Patched"):
        Restorer(nodes).restore([name])


def test_objects_that_hold_each_other_come_back() -> None:
    first, second = Base(1), Base(2)
    first.other, second.other = second, first  # type: ignore[attr-defined]
    name, nodes = captured(closing_over(first, lambda value, x: value.other.other.bias + x))
    assert Restorer(nodes).restore([name])[name](1) == 2


def test_what_two_functions_share_is_one_thing_again() -> None:
    shared = Base(1)
    one, other = closing_over(shared, called_apply), closing_over(shared, called_apply)
    _, nodes = captured(lambda x: (one(x), other(x)))
    assert sum(node["kind"] == "instance" for node in nodes.values()) == 1


def called_apply(value: Any, x: float) -> Any:
    return value.apply(x)


def test_an_array_on_the_class_and_one_in_a_list_keep_their_numbers() -> None:
    held = [np.array([1.0, 2.0]), helper]
    name, nodes = captured(closing_over(held, lambda value, x: value[0].sum() + value[1](x)))
    assert Restorer(nodes).restore([name])[name](1.0) == 104.0
