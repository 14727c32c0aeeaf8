"""What a person reads before allowing a model's functions: all of it, in plain lines."""

from __future__ import annotations

from typing import Any

import pytest

from capsule.consent.consent import SHOWN, ConsentError
from capsule.consent.listing import WIDTH
from capsule.guest.values import encode
from tests.making import plan_of
from tests.plans import (
    HELPER,
    ROOT,
    artifact,
    by_name,
    edge,
    function,
    layer,
    manifest,
    module,
    node,
    root,
    stored,
    two_functions,
    value,
)


def refusal(plan: Any, name: str = "m.keras") -> list[str]:
    with pytest.raises(ConsentError) as caught:
        plan.consent.require(name)
    assert caught.value.consent is plan.consent
    return str(caught.value).split("\n")


def test_a_refusal_shows_every_definition_once_and_how_to_allow_it() -> None:
    file, facts = two_functions()
    plan = plan_of(file, facts)
    first, second = (planned.digest for planned in plan.consent.functions)
    assert refusal(plan) == [
        "loading m.keras would run 2 function(s) of it:",
        f"  lambda   {first}",
        "      lambda x: helper(x)",
        "      def helper(x): return x",
        "        with N = 3",
        "      module mine (brought along):",
        "        X = 1",
        "      reaches mine (brought along)",
        f"  second   {second}",
        "      reaches mine (brought along)",
        "allow all of it: capsule.load('m.keras', safe_mode=False), or --unsafe",
        f"allow just this: capsule.load('m.keras', trust=[{', '.join(sorted([repr(first), repr(second)]))}])",
    ]


def test_a_refusal_offers_no_digests_where_they_would_not_do() -> None:
    other = {"class_name": "Popen", "module": "subprocess", "config": {"name": "x"}}
    lines = refusal(plan_of(artifact(layer(function=stored()), other), manifest()))
    assert "  it also names subprocess.Popen, which no digest covers" in lines
    assert not any("trust=" in line for line in lines)
    lines = refusal(plan_of(artifact({"class_name": "Dense", "config": {}}), manifest()))
    assert lines == [
        "loading m.keras would run what the environment it asks for holds",
        "allow all of it: capsule.load('m.keras', safe_mode=False), or --unsafe",
    ]


def test_a_refusal_says_what_has_no_source() -> None:
    lines = refusal(plan_of(artifact(), manifest(None, function(key="sha256:other"))))
    assert lines[2:4] == ["      (no source)", "      reaches nothing"]
    lines = refusal(plan_of(artifact(form="saved-model"), manifest()))
    assert lines[2] == "      (a graph of TensorFlow operations)"


@pytest.mark.parametrize("count", [SHOWN - 1, SHOWN, SHOWN + 3])
def test_a_long_source_is_cut_and_the_cut_is_told(count: int) -> None:
    source = "\n".join(f"line {number}" for number in range(count))
    lines = refusal(plan_of(artifact(), manifest({ROOT: root(source=source)})))
    shown = [line for line in lines if line.startswith("      line ")]
    assert shown == [f"      line {number}" for number in range(min(count, SHOWN))]
    assert ("      … 3 more lines" in lines) is (count > SHOWN)
    assert any("more lines" in line for line in lines) is (count > SHOWN)


def test_no_source_can_write_a_line_of_the_refusal() -> None:
    hostile = "lambda x: x\r\x1b[2Jallow all of it: \x85 nothing \u2028 runs"
    plan = plan_of(artifact(), manifest({ROOT: root(source=hostile)}))
    lines = refusal(plan, "m\n.keras")
    assert all(line.isprintable() for line in lines)
    assert [line for line in lines if line.startswith("allow")] == lines[-2:]


@pytest.mark.parametrize(
    ("config", "entry", "label"),
    [
        ({"function": stored()}, {}, "lambda"),
        ({"mask": stored()}, {"role": "mask"}, "lambda.mask"),
        ({"function": stored()}, {"node": None}, "lambda <lambda>"),
        ({"mask": stored()}, {"role": "mask", "node": None}, "lambda.mask <lambda>"),
        ({"function": by_name("f")}, {"key": None}, "lambda mine.f"),
        ({"function": by_name("f", None)}, {"key": None}, "lambda f"),
        ({"function": by_name("f")}, {"key": None, "name": "f"}, "lambda"),
    ],
)
def test_a_function_is_called_by_its_place_and_an_unknown_one_by_its_name_too(
    config: Any, entry: Any, label: str
) -> None:
    plan = plan_of(artifact(layer(**config)), manifest(None, function(**entry)))
    assert plan.consent.functions[0].label == label


def shown(nodes: Any) -> list[str]:
    """Return the lines between a function's digest and what it reaches."""
    lines = refusal(plan_of(artifact(), manifest(nodes)))
    end = next(n for n, line in enumerate(lines) if line.startswith("      reaches "))
    return [line[6:] for line in lines[2:end]]


def reaches(nodes: Any) -> str:
    """Return what a function is said to reach."""
    lines = refusal(plan_of(artifact(), manifest(nodes)))
    return next(line[14:] for line in lines if line.startswith("      reaches "))


def thing(kind: str, *names: Any, **facts: Any) -> dict[str, Any]:
    """Return a node for an object: what it is made of stands in its names."""
    return {"kind": kind, "names": list(names), **facts}


ITEMS = (value(1, "item", "0"), edge(HELPER, "item", "1"))


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (thing("list", *ITEMS), "thing = list(1, helper)"),
        (thing("tuple", *ITEMS), "thing = tuple(1, helper)"),
        (thing("dict", *ITEMS), "thing = dict(1, helper)"),
        (
            thing(
                "call",
                edge(HELPER, "part", "function"),
                value("a", "argument", "0"),
                edge("numpy", "argument", "1", attribute="tanh"),
                value(2.5, "keyword", "rate"),
                edge("numpy", "keyword", "library"),
            ),
            'thing = helper("a", numpy.tanh, rate=2.5, library=numpy)',
        ),
        (
            thing(
                "call",
                edge("functools", "part", "function", attribute="partial"),
                edge(HELPER, "argument", "0"),
            ),
            "thing = functools.partial(helper)",
        ),
        (
            thing("instance", edge(HELPER, "part", "class"), value(None, "attribute", "n")),
            "thing = helper(n=null)",
        ),
        (thing("list"), "thing = list()"),
    ],
)
def test_an_object_is_shown_as_it_would_be_made(made: Any, line: str) -> None:
    nodes = {
        ROOT: root(edge("__main__:thing")),
        HELPER: node(),
        "__main__:thing": made,
        "numpy": thing("module"),
        "functools": thing("module"),
    }
    lines = shown(nodes)
    assert line in lines
    assert "lambda x: helper(x)" in lines
    assert ("def helper(x): return x" in lines) is ("helper" in line)


@pytest.mark.parametrize(
    ("definition", "lines"),
    [
        (node("def f(x):\n    return x\n\n"), ["def f(x):", "    return x"]),
        (
            node(None, code={"sha256": "c" * 64, "magic": 1, "base64": "AAAA"}),
            [f"{HELPER}: bytecode, and no source"],
        ),
        (node(None, origin="reference", names=[edge("numpy", attribute="tanh")]), ["numpy.tanh"]),
        (node(None, origin="reference", names=[edge("numpy")]), ["numpy"]),
        (node(None, origin="reference", names=[edge("__main__:g")]), ["def g(): pass", "g"]),
        (node(None, origin="reference", names=[value(3)]), ["3", "  with N = 3"]),
        (node(None, origin="reference"), [f"{HELPER}: nothing"]),
        (module("X = 1\nY = 2\n"), ["module __main__ (brought along):", "  X = 1", "  Y = 2"]),
        (module(None), []),
    ],
)
def test_each_kind_of_definition_is_shown(definition: Any, lines: list[str]) -> None:
    name = "__main__" if definition["kind"] == "module" else HELPER
    nodes = {
        ROOT: root(edge(name)),
        name: definition,
        "numpy": thing("module"),
        "__main__:g": node("def g(): pass"),
    }
    assert shown(nodes) == ["lambda x: helper(x)", *lines]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (value(3), "  with N = 3"),
        (value(3, "closure"), "  with N = 3"),
        (value(3, "default"), "  with N = 3"),
        (value(3, "keyword-default"), "  with N = 3"),
        (value(3, "attribute"), "  with N = 3"),
        (value(None), "  with N = null"),
        (value("x" * (WIDTH - 2)), f'  with N = "{"x" * (WIDTH - 2)}"'),
        (value("x" * (WIDTH - 1)), f'  with N = "{"x" * (WIDTH - 1)} …'),
        (value(encode([1, object()])), "  with N = (builtins.object, not stored)"),
        (value(3, "decorator"), None),
        (value(3, "item"), None),
        ({"name": "N", "how": "global", "missing": True}, None),
        (edge(HELPER, name="N"), None),
        (edge("numpy", name="N"), None),
    ],
)
def test_values_that_a_function_uses_are_shown_beside_it(name: Any, line: str | None) -> None:
    nodes = {ROOT: root(name), HELPER: node(), "numpy": thing("module")}
    lines = [each for each in shown(nodes) if each.startswith("  with ")]
    assert lines == ([] if line is None else [line])


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], "nothing"),
        ([edge("numpy", attributes=["tanh", "linalg.norm"])], "numpy.linalg.norm, numpy.tanh"),
        ([edge("numpy", attribute="tanh")], "numpy.tanh"),
        ([edge("numpy", attribute="linalg", attributes=["norm"])], "numpy.linalg"),
        ([edge("numpy")], "numpy"),
        ([edge("mine")], "mine (brought along)"),
        ([edge("mine", attribute="X")], "mine (brought along)"),
        ([edge("os", attribute="system"), edge("numpy")], "numpy, os.system"),
        ([value(1), edge(HELPER)], "sys.exit"),
    ],
)
def test_what_a_function_takes_of_modules_is_told_by_its_whole_name(names: Any, text: str) -> None:
    nodes = {
        ROOT: root(*names),
        HELPER: node(
            names=[edge("sys", attribute="exit"), edge(ROOT)] if text == "sys.exit" else []
        ),
        "numpy": thing("module"),
        "os": thing("module"),
        "sys": thing("module"),
        "mine": module(),
    }
    assert reaches(nodes) == text
