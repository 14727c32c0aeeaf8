"""Files made to make capsule do what nobody allowed: nothing is opened, run or installed."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from capsule.artifact import open_artifact
from capsule.consent.plan import make_plan
from capsule.description.describe import describe
from capsule.errors import CapsuleError
from capsule.inspection import inspect
from capsule.keras_compat.releases import release_of
from capsule.keras_compat.translation import Untranslatable, mended, translated
from capsule.rebuild.errors import RebuildError
from capsule.rebuild.installers import Uv
from capsule.rebuild.python_discovery import Interpreter
from capsule.rebuild.sources import Sources
from capsule.verdict import verify
from tests.bare import architecture, archive, keras_2_lambda, model_of


@pytest.mark.parametrize(
    "version",
    [
        "3.5.0\n-e ${PWD}/evil",
        "3.5.0 --index-url=x",
        "3.5.0\n-r /etc/passwd",
        "2.15.0;x",
        "3.5.0 ",
        "3.5.0@file:///x",
        "2.3.1\n-e .",
        "٣.٥",
    ],
)
def test_what_stands_behind_a_version_never_reaches_an_installer(version: str) -> None:
    assert release_of(version) is None


def test_only_names_and_versions_are_resolved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # where it would write them
    python = Interpreter(Path("python"), "3.11.7", True)
    for line in ("six @ file:///somewhere", "six\n-e ."):
        with pytest.raises((RebuildError, ValueError)):
            Uv(Sources()).resolve([line], python, build=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("module", "name"), [("keras.datasets.mnist", "load_data"), ("keras.utils", "plot_model")]
)
@pytest.mark.parametrize("config", [{}, None])
def test_a_function_in_the_shape_of_a_class_needs_consent(
    tmp_path: Path, module: str, name: str, config: Any
) -> None:
    hidden = {"class_name": name, "module": module, "config": config}
    layer = {
        "module": "keras.layers",
        "class_name": "Lambda",
        "registered_name": None,
        "config": {"name": "lam", "function": hidden},
    }
    path = archive(tmp_path / "m.keras", model_of(layer))
    description = describe(path)
    assert [function.name for function in description.inspection.functions] == [name]
    assert make_plan(description).consent.functions


ODD: list[tuple[str, dict[str, Any]]] = [
    ("2.2.4", {"class_name": "Dense", "config": [1]}),
    ("1.2.2", {"class_name": "Dense", "config": {"name": "d", "init": {"a": 1}}}),
    ("1.2.2", {"class_name": "Dense", "config": {"name": "d", "W_regularizer": {"l1": "abc"}}}),
    ("1.2.2", {"class_name": "Dense", "config": {"name": "d", "W_regularizer": {"l1": 10**400}}}),
    ("2.2.4", {"class_name": "CuDNNLSTM"}),
    ("2.2.4", {"class_name": "Dense", "config": {"name": "d", "W_regularizer": {"l1": "abc"}}}),
    ("2.2.4", {"class_name": "Dense", "name": ["d"], "config": {"name": ["d"]}}),
]


@pytest.mark.parametrize(("version", "layer"), ODD)
def test_a_configuration_of_an_odd_shape_is_a_reason_and_no_crash(
    tmp_path: Path, version: str, layer: dict[str, Any]
) -> None:
    path = architecture(tmp_path / "m.json", model_of(layer), version)
    config = open_artifact(path).config
    for change in (lambda: translated(config, version), lambda: mended(config)):
        try:
            change()
        except Untranslatable as error:
            assert error.reason
    try:
        verify(path, python=sys.executable)
    except CapsuleError as error:
        assert "\n" not in error.message


def test_a_closure_that_is_none_is_no_function(tmp_path: Path) -> None:
    layer = keras_2_lambda(lambda x: x)
    layer["config"]["function"][2] = 5
    verify(architecture(tmp_path / "m.json", model_of(layer)), python=sys.executable)


def test_a_name_too_long_for_a_sidecar_is_no_trouble(tmp_path: Path) -> None:
    path = architecture(tmp_path / f"{'a' * 240}.json", model_of())
    assert verify(path, python=sys.executable).manifest.origin == "inferred"


def test_a_thousand_layers_of_odd_names_are_translated_in_no_time(tmp_path: Path) -> None:
    layers, before = [], "x"
    for number in range(3000):
        name = chr(0x3400 + number)
        layers.append(
            {
                "class_name": "Activation",
                "name": name,
                "config": {"name": name, "activation": "relu"},
                "inbound_nodes": [[[before, 0, 0, {}]]],
            }
        )
        before = name
    start = {
        "class_name": "InputLayer",
        "name": "x",
        "inbound_nodes": [],
        "config": {"name": "x", "batch_input_shape": [None, 4]},
    }
    config = {
        "name": "m",
        "layers": [start, *layers],
        "input_layers": [["x", 0, 0]],
        "output_layers": [[before, 0, 0]],
    }
    made = translated({"class_name": "Model", "config": config}, "2.2.4")
    names = [layer["config"]["name"] for layer in made["config"]["layers"]]
    assert len(set(names)) == 3001
    assert all(name.isascii() for name in names)


def test_wrapped_layers_are_said_as_keras_3_reads_them() -> None:
    inner = {"class_name": "LSTM", "config": {"name": "lstm", "units": 3, "time_major": False}}
    wrapped = {"class_name": "Bidirectional", "config": {"name": "both", "layer": inner}}
    made = translated(model_of(wrapped), "2.2.4")["config"]["layers"][1]["config"]["layer"]
    assert (made["module"], made["class_name"]) == ("keras.layers", "LSTM")
    assert "time_major" not in made["config"]


def test_a_function_that_calls_itself_is_bound_to_itself(tmp_path: Path) -> None:
    text = "def rec(x):\n    return x if x is None else rec(x)"
    code = next(one for one in compile(text, "a.py", "exec").co_consts if hasattr(one, "co_code"))
    path = architecture(tmp_path / "m.json", model_of(keras_2_lambda(code)))
    nodes = describe(path).manifest.nodes.values()
    (node,) = [node for node in nodes if node.qualname == "rec"]
    assert [(b.name, b.to is not None) for b in node.names] == [("rec", True)]


def test_objects_in_a_closure_are_asked_for(tmp_path: Path) -> None:
    def made(c: Any) -> Any:
        return lambda x: x * c

    for value, missing in (
        ({"class_name": "function", "config": "relu", "module": "keras"}, ("c",)),
        ({"class_name": "__numpy__", "config": {"value": [1.0, 2.0], "dtype": "float32"}}, ()),
        (2.0, ()),
    ):
        layer = keras_2_lambda(made(1.0))
        layer["config"]["function"][2] = [value]
        found = inspect(architecture(tmp_path / "m.json", model_of(layer)), isolated=False)
        assert found.functions[0].missing == missing, json.dumps(value)
