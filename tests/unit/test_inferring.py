"""A manifest of a file that was never captured: what each name stands for, and how that is known."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from capsule.description.custom import CustomObjects
from capsule.description.definitions import read_definitions
from capsule.description.describe import describe
from capsule.errors import InputError
from capsule.manifest import Manifest
from tests.bare import architecture, keras_2_lambda, model_of


def manifest_of(
    folder: Path,
    function: Any,
    *,
    closure: Any = None,
    defaults: Any = None,
    keras: str = "2.2.4",
    bind: Any = None,
    script: str | None = None,
    aliases: Any = None,
) -> Manifest:
    """Return what is inferred of a file with one Lambda of *function*."""
    entry = keras_2_lambda(function)
    entry["config"]["function"][1:] = [defaults, closure]
    path = architecture(folder / "m.json", model_of(entry), keras)
    definitions = []
    if script is not None:
        (folder / "script.py").write_text(script)
        definitions = [read_definitions(folder / "script.py")]
    custom = CustomObjects(bind=bind or {}, definitions=tuple(definitions))
    description = describe(path, custom=custom)
    return (description if aliases is None else description.with_aliases(aliases)).manifest


def binding(manifest: Manifest, name: str) -> Any:
    (found,) = [b for node in manifest.nodes.values() for b in node.names if b.name == name]
    return found


def closed(scale: Any) -> Any:
    return lambda x: x * scale


def compiled(source: str) -> Any:
    return eval(source, {"__name__": "__main__"})


def recursive() -> Any:
    scope: dict[str, Any] = {}
    exec("def again(x):\n    return x if x is None else again(x)", scope)
    return scope["again"]


ARRAY = {"class_name": "__numpy__", "config": {"value": [1.0, 2.0], "dtype": "float32"}}
LAYER = {"class_name": "Dense", "config": {"units": 3}}

# (the function, what is given besides, a name, and what it stands for)
NAMES: list[tuple[str, Any, dict[str, Any], str, dict[str, Any]]] = [
    (
        "a custom",
        "lambda x: tf.abs(x)",
        {},
        "tf",
        {"to": "tensorflow", "attributes": ("abs",), "missing": False},
    ),
    (
        "another custom",
        "lambda x: np.linalg.norm(x)",
        {},
        "np",
        {"to": "numpy", "attributes": ("linalg.norm",)},
    ),
    ("nothing", "lambda x: x * rate", {}, "rate", {"missing": True, "to": None, "value": None}),
    (
        "a value",
        "lambda x: x * rate",
        {"bind": {"rate": 2.5}},
        "rate",
        {"value": 2.5, "missing": False},
    ),
    (
        "a value in place of a custom",
        "lambda x: x * tf",
        {"bind": {"tf": 2}},
        "tf",
        {"value": 2, "to": None},
    ),
    (
        "a module",
        "lambda x: tool.floor(x)",
        {"bind": {"tool": math}},
        "tool",
        {"to": "math", "attributes": ("floor",)},
    ),
    (
        "something alive",
        "lambda x: rate(x)",
        {"bind": {"rate": object()}},
        "rate",
        {"missing": True, "value": None},
    ),
    (
        "a script",
        "lambda x: rate(x)",
        {"script": "def rate(x):\n    return x\n"},
        "rate",
        {"to": "script", "attribute": "rate", "missing": False},
    ),
    (
        "the script itself",
        "lambda x: script.f(x)",
        {"script": "def f(x):\n    return x\n"},
        "script",
        {"to": "script", "attribute": None},
    ),
    ("a closure", closed(1), {"closure": [2.5]}, "scale", {"how": "closure", "value": 2.5}),
    (
        "a value in place of a closure",
        closed(1),
        {"closure": [2.5], "bind": {"scale": 3.0}},
        "scale",
        {"how": "closure", "value": 3.0},
    ),
    (
        "an object in a closure",
        closed(1),
        {"closure": [LAYER]},
        "scale",
        {"how": "closure", "missing": True},
    ),
    ("a closure that was lost", closed(1), {}, "scale", {"how": "closure", "missing": True}),
    ("itself", recursive(), {}, "again", {"to": "lam:function", "missing": False}),
    (
        "what is known better than by custom",
        "lambda x: K.abs(x)",
        {"aliases": {"K": "my.backend"}},
        "K",
        {"to": "my.backend"},
    ),
    (
        "a default",
        "lambda x, k=1: x * k",
        {"defaults": [7]},
        "default_0",
        {"how": "default", "value": 7},
    ),
]


@pytest.mark.parametrize("row", NAMES, ids=lambda row: row[0])
def test_each_name_stands_for_what_is_known_of_it(tmp_path: Path, row: Any) -> None:
    _, function, more, name, expected = row
    function = compiled(function) if isinstance(function, str) else function
    found = binding(manifest_of(tmp_path, function, **more), name)
    assert {key: getattr(found, key) for key in expected} == expected


def test_an_array_in_a_closure_is_an_array_again(tmp_path: Path) -> None:
    for stored in (ARRAY, {"type": "ndarray", "value": [1.0, 2.0]}):
        found = binding(manifest_of(tmp_path, closed(1), closure=[stored]), "scale")
        assert (found.value["type"], found.value["shape"]) == ("ndarray", [2])
    odd = {"type": "ndarray", "value": [[1.0], 2.0, "x"]}
    assert binding(manifest_of(tmp_path, closed(1), closure=[odd]), "scale").value == [
        [1.0],
        2.0,
        "x",
    ]


@pytest.mark.parametrize("more", [{"bind": {"rat": 1}}, {"script": "other = 1\n"}], ids=str)
def test_what_nothing_uses_is_told_with_what_is_used(tmp_path: Path, more: Any) -> None:
    with pytest.raises(InputError, match="rate"):
        manifest_of(tmp_path, compiled("lambda x: x * rate"), **more)


def test_nothing_is_recorded_and_it_says_so(tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path, lambda x: x * 2)
    assert manifest.origin == "inferred"
    assert manifest.probe.skipped
    assert not manifest.distributions
    assert manifest.settings is None
    (function,) = manifest.functions
    assert (function.where, function.role, function.node) == (("lam",), "function", "lam:function")
    assert manifest.nodes["lam:function"].source == "lambda x: x * 2"


def test_two_functions_of_one_place_have_a_node_each(tmp_path: Path) -> None:
    entries = [keras_2_lambda(lambda x: x + 1), keras_2_lambda(lambda x: x + 2)]
    manifest = describe(architecture(tmp_path / "m.json", model_of(*entries))).manifest
    sources = [manifest.nodes[str(function.node)].source for function in manifest.functions]
    assert sources == ["lambda x: x + 1", "lambda x: x + 2"]


# (Keras as the file has it, the module that it was, and the backend)
KERAS = [
    ("1.2.2", "keras", "tensorflow"),
    ("2.2.4", "keras", "tensorflow"),
    ("2.2.4-tf", "tensorflow.keras", "tensorflow"),
    ("2.4.0", "tensorflow.keras", "tensorflow"),
    ("2.9.0", "keras", "tensorflow"),
    ("3.5.0", "keras", "tensorflow"),
]


@pytest.mark.parametrize(("saved_by", "module", "backend"), KERAS)
def test_the_keras_that_wrote_it_is_named_and_what_provided_it_is_not_made_up(
    tmp_path: Path, saved_by: str, module: str, backend: str
) -> None:
    facts = manifest_of(tmp_path, lambda x: x, keras=saved_by).keras
    assert facts is not None
    assert facts.module == module
    assert facts.version == saved_by.partition("-")[0]
    assert facts.backend == backend
    assert (facts.distribution, facts.backend_distribution) == (None, None)


def test_each_fact_says_how_it_is_known(tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path, compiled("lambda x: np.abs(x) * rate"), bind={"rate": 2.0})
    known = {fact.subject: (fact.value, fact.how) for fact in manifest.evidence}
    assert known["keras"] == ("2.2.4", "read")
    assert known["backend"] == ("tensorflow", "read")
    assert known["np"] == ("numpy", "assumed")
    assert known["rate"][1] == "assumed"
    assert known["lam"][1] == "inferred"
    assert known["environment"][1] == "assumed"
