"""Two layers share a definition only where both were the same, to the last value they reach."""

from __future__ import annotations

from typing import Any

import pytest

from tests.making import plan_of
from tests.plans import ALIKE, ROOT, edge, function, manifest, module, node, root, value

FIRST = {ROOT: root(edge("a"), value(1), source="lambda x: a(x) + N"), "a": node(), "b": node()}
BYTECODE = {"sha256": "c" * 64, "magic": 3495, "base64": "AAAA"}


def second_is_the_first(nodes: Any) -> bool:
    """Tell whether two layers of one bytecode are given one definition."""
    second = function(where=["second"], node="second")
    plan = plan_of(ALIKE, manifest(nodes, function(), second))
    assert plan.functions[0]["node"] == ROOT
    assert plan.functions[1]["node"] in (ROOT, "second")
    return plan.functions[1]["node"] == ROOT


@pytest.mark.parametrize(
    ("facts", "like"),
    [
        ({}, True),
        ({"line": 99, "file": "b.py", "qualname": "g.<locals>.<lambda>"}, True),
        ({"names": [edge("b"), value(1)]}, True),
        ({"names": [edge("a"), value(2)]}, False),
        ({"names": [edge("a"), value(True)]}, False),  # equal to 1, and computes something else
        ({"names": [edge("a"), value(1.0)]}, False),
        ({"names": [edge("a")]}, False),
        ({"names": [edge("a"), value(1), value(1, name="M")]}, False),
        ({"names": [edge("a", "closure"), value(1)]}, False),
        ({"names": [edge("a", name="f"), value(1)]}, False),
        ({"names": [value(None, name="helper"), value(1)]}, False),
        ({"names": [edge("c"), value(1)]}, False),
        ({"names": [edge("d"), value(1)]}, False),
        ({"names": [edge("m1"), value(1)]}, False),
        ({"kind": "function"}, False),
        ({"source": "lambda x: N + a(x)"}, False),
        ({"futures": ["annotations"]}, False),
        ({"decorated": True}, False),
        ({"distribution": "numpy"}, False),
    ],
)
def test_two_definitions_are_one_where_all_that_they_reach_is_alike(facts: Any, like: bool) -> None:
    nodes = {
        **FIRST,
        "second": {**FIRST[ROOT], **facts},
        "c": node("def helper(x): return -x"),
        "d": node(names=[value(1)]),
        "m1": module(),
        "m2": module(),
    }
    assert second_is_the_first(nodes) is like


@pytest.mark.parametrize(
    ("first", "second", "like"),
    [
        (root(source=None, code=BYTECODE), {}, True),
        (root(source=None, code=BYTECODE), {"code": {**BYTECODE, "base64": "BBBB"}}, False),
        (root(source=None, code=BYTECODE), {"code": {**BYTECODE, "magic": 3531}}, False),
        (root(edge("m1")), {"names": [edge("m1")]}, True),
        (root(edge("m1")), {"names": [edge("m2")]}, False),
        (root(edge(ROOT)), {"names": [edge("second")]}, True),
        (root(edge("a"), edge("a")), {"names": [edge("a"), edge("c")]}, False),
        (root(edge("a"), edge("a")), {"names": [edge("c"), edge("a")]}, False),
    ],
)
def test_bytecode_modules_and_circles_are_compared_as_well(
    first: Any, second: Any, like: bool
) -> None:
    nodes = {ROOT: first, "second": {**first, **second}, "m1": module(), "m2": module()}
    nodes.update(a=node(), c=node("def helper(x): return -x"))
    assert second_is_the_first(nodes) is like
