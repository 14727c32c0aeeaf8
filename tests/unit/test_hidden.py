"""What a file tries to hide from the list of what loading would run is found all the same."""

from __future__ import annotations

from typing import Any

import pytest

from capsule.artifact.embedded import foreign_classes, stored_functions
from capsule.consent.listing import reaches, shown
from capsule.guest.restore import RestoreError, Restorer
from tests.making import manifest_with

RUNS = {
    "class_name": "Lambda",
    "module": "keras.layers",
    "registered_name": None,
    "config": {
        "name": "l",
        "function": {"class_name": "function", "module": "pydoc", "config": "pipepager"},
    },
}


@pytest.mark.parametrize(
    "around",
    [
        {"layers_type": "lambda", "layers": [RUNS]},
        {"value": ["QQ==", None, None], "layers": [RUNS]},
        {"build_config": {"inner": RUNS}},
        {"layers": [{"class_name": "function", "module": "m", "config": "f", "also": RUNS}]},
        {"function_type": "lambda", "function": ["no code", RUNS]},
    ],
)
def test_a_function_is_listed_wherever_it_hides(around: dict[str, Any]) -> None:
    config = {"class_name": "Sequential", "config": {"name": "s", **around}}
    assert "pipepager" in [found.name for found in stored_functions(config)]


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"module": "keras", "class_name": "layers.TFSMLayer"}, "layers.TFSMLayer"),
        ({"module": "evil", "class_name": "Mine", "registered_name": None}, "evil.Mine"),
        ({"module": "evil", "class_name": "Mine", "registered_name": "Other"}, "evil.Mine"),
        ({"module": "evil", "class_name": "function", "config": 5}, "evil.function"),
    ],
)
def test_a_class_of_someone_else_is_named_even_under_a_known_name(
    entry: dict[str, Any], told: str
) -> None:
    assert foreign_classes({"config": {}, **entry}, {"Mine"}) == (told,)


def test_a_class_that_loading_brings_is_no_foreign_one() -> None:
    entry = {"module": "train", "class_name": "Mine", "registered_name": "lab>Mine", "config": {}}
    assert foreign_classes(entry, {"lab>Mine"}) == ()


def node(source: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "kind": "function",
        "module": "m",
        "qualname": "f",
        "namespace": "m",
        "origin": "main",
        "source": source,
        "futures": [],
        "code": None,
        "names": [],
        **more,
    }


@pytest.mark.parametrize(
    "other",
    [
        [{"name": "scale", "how": "global", "value": 0}],
        [{"name": "len", "how": "global", "value": 0}],
    ],
)
def test_no_function_finds_a_name_that_only_another_brought(other: list[Any]) -> None:
    one = node(
        "lambda x: scale(x) + len('a')", names=[{"name": "scale", "how": "global", "to": "s"}]
    )
    nodes = {
        "one": one,
        "s": node("def scale(x):\n    return x"),
        "two": node("lambda x: x", names=other),
    }
    with pytest.raises(RestoreError, match=r"scale|len"):
        Restorer(nodes).restore(["one", "two"])
    assert Restorer(nodes).restore(["one"])["one"](1) == 2


def test_a_call_and_an_own_module_are_shown_as_what_they_are() -> None:
    found = manifest_with(
        functions=[],
        nodes={
            "m:f": {
                "kind": "lambda",
                "module": "m",
                "qualname": "f",
                "namespace": "m",
                "source": "lambda x: np.tanh(x)",
                "names": [{"name": "np", "how": "global", "to": ":numpy"}],
            },
            ":numpy": {
                "kind": "call",
                "qualname": "numpy",
                "names": [
                    {"name": "function", "how": "part", "to": "os", "attribute": "system"},
                    {"name": "0", "how": "argument", "value": "id"},
                ],
            },
            "os": {"kind": "module", "origin": "stdlib", "names": []},
            "mine": {"kind": "module", "origin": "local", "source": "import os\n", "names": []},
        },
    )
    assert list(shown(found.nodes, ":numpy")) == ['numpy = os.system("id")']
    assert reaches(found.nodes, ["m:f", ":numpy"]) == ("os.system",)
    assert next(shown(found.nodes, "mine")) == "module mine (brought along):"
