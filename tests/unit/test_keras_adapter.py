"""A plan is loaded by the Keras that it names: with its functions, its guards and no others."""

from __future__ import annotations

import importlib.util
import json
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from capsule.guest.digest import digest
from capsule.guest.keras_adapter import (
    LOSS_ALIASES,
    arranged,
    call,
    describe,
    find_keras,
    flatten,
    load_model,
    to_numpy,
)
from capsule.guest.restore import RestoreError
from tests.fake_keras import FakeKeras
from tests.plans import CODE, HELPER, KEY, OTHER_CODE, ROOT, edge, node, root, value


@pytest.fixture
def keras(monkeypatch: pytest.MonkeyPatch) -> FakeKeras:
    return FakeKeras(monkeypatch)


def listed(name: str = "<lambda>", key: str | None = KEY, to: str | None = ROOT) -> dict[str, Any]:
    """Return a function as a plan lists it."""
    return {"where": ["lambda"], "role": "function", "name": name, "key": key, "node": to}


def plan_of(*functions: Any, nodes: Any = None, **facts: Any) -> dict[str, Any]:
    """Return a plan as the guest reads it: one Lambda that doubles and adds ``N``."""
    plain = {
        ROOT: root(source="lambda x: helper(x) + N", names=[edge(HELPER), value(1)]),
        HELPER: node("def helper(x): return x * 2"),
    }
    filled = {
        name: {"futures": [], "code": None, **data} for name, data in (nodes or plain).items()
    }
    return {
        "keras": "tf_keras",
        "format": "keras-zip",
        "functions": list(functions or [listed()]),
        "nodes": filled,
        "safe_mode": True,
        **facts,
    }


def model_file(folder: Path, *codes: str) -> str:
    layers = [
        {
            "class_name": "Lambda",
            "config": {"name": "lambda", "function": [code, None, None], "function_type": "lambda"},
        }
        for code in codes or (CODE,)
    ]
    (folder / "m.keras").write_text(json.dumps(layers))
    return str(folder / "m.keras")


def test_a_model_is_loaded_with_the_functions_of_the_plan(keras: FakeKeras, tmp_path: Path) -> None:
    (made,) = load_model(plan_of(), model_file(tmp_path))
    assert made.function(3) == 7
    assert keras.unmarshalled == []
    assert keras.loads == [{"custom_objects": None, "compile": True, "safe_mode": True}]
    assert keras.scopes == [{}]
    assert keras.core.func_load(CODE) == "unmarshalled"  # and all is as it was


def test_a_function_that_the_plan_does_not_define_is_refused(
    keras: FakeKeras, tmp_path: Path
) -> None:
    for plan in (plan_of(listed(to=None)), plan_of(listed(key="sha256:other"))):
        with pytest.raises(RestoreError, match="does not list"):
            load_model(plan, model_file(tmp_path))
    with pytest.raises(RestoreError, match="does not list"):
        load_model(plan_of(), model_file(tmp_path, CODE, OTHER_CODE))
    assert keras.unmarshalled == []
    assert keras.core.func_load(CODE) == "unmarshalled"


@pytest.mark.parametrize("safe_mode", [True, False])
def test_the_plan_decides_on_keras_safe_mode(
    keras: FakeKeras, tmp_path: Path, safe_mode: bool
) -> None:
    options = {"safe_mode": not safe_mode, "compile": False}
    load_model(plan_of(safe_mode=safe_mode), model_file(tmp_path), None, options)
    assert keras.loads == [{"custom_objects": None, "compile": False, "safe_mode": safe_mode}]
    assert options["safe_mode"] is not safe_mode  # the caller's own


def test_a_keras_without_a_safe_mode_is_not_asked_for_one(keras: FakeKeras, tmp_path: Path) -> None:
    names: list[Any] = []

    def older(path: str, custom_objects: Any = None, compile: bool = True) -> Any:  # noqa: A002
        names.append(custom_objects)

    keras.module.models.load_model = older
    load_model(plan_of(), model_file(tmp_path))
    load_model(plan_of(), model_file(tmp_path))
    assert names == [None, None]


def test_functions_by_name_are_given_by_name_but_for_those_of_the_caller(
    keras: FakeKeras, tmp_path: Path
) -> None:
    plan = plan_of(
        listed("f", None), listed("mine>g", None, HELPER), listed("h", None, None), listed()
    )
    path = model_file(tmp_path)
    load_model(plan, path)
    (names,) = [each["custom_objects"] for each in keras.loads]
    assert set(names) == {"f", "mine>g"}
    assert (names["f"](3), names["mine>g"](3)) == (7, 6)
    own = {"g": len, "other": max}
    load_model(plan, path, own)
    names = keras.loads[-1]["custom_objects"]
    assert set(names) == {"f", "g", "other"}
    assert (names["g"], names["other"]) == (len, max)
    assert keras.scopes[-1] == names
    assert own == {"g": len, "other": max}


def test_a_registered_class_does_not_stand_for_a_class_of_keras(
    keras: FakeKeras, tmp_path: Path
) -> None:
    own = node("class Own: pass", kind="class", qualname="Own")
    names = ["mine>Own", "mine>Dense"]
    classes = [{**listed(name, None, "Own"), "role": "class"} for name in names]
    plan = plan_of(listed(), *classes, nodes={ROOT: root(source="lambda x: x"), "Own": own})
    load_model(plan, model_file(tmp_path))
    (names_given,) = [each["custom_objects"] for each in keras.loads]
    assert set(names_given) == {"mine>Own", "mine>Dense", "Own"}
    assert isinstance(names_given["Own"], type)
    load_model(plan, model_file(tmp_path), {"Own": len})
    assert keras.loads[-1]["custom_objects"]["Own"] is len


def test_a_function_of_bytecode_is_the_plans_whatever_the_caller_gives(
    keras: FakeKeras, tmp_path: Path
) -> None:
    (made,) = load_model(plan_of(), model_file(tmp_path), {"<lambda>": len})
    assert made.function(3) == 7


def test_two_functions_that_are_stored_alike_are_not_mixed_up(
    keras: FakeKeras, tmp_path: Path
) -> None:
    plan = plan_of(listed(), {**listed(to=HELPER), "where": ["second"]})
    (made,) = load_model(plan, model_file(tmp_path))
    assert made.function(3) == 7
    plan["functions"] = [{**listed(), "where": ["a"]}, {**listed(to=HELPER), "where": ["b"]}]
    with pytest.raises(RestoreError, match="does not list"):
        load_model(plan, model_file(tmp_path))
    assert keras.unmarshalled == []


def test_names_that_nobody_defined_are_the_callers(keras: FakeKeras, tmp_path: Path) -> None:
    missing = {"name": "N", "how": "global", "missing": True}
    nodes = {ROOT: root(source="lambda x: x + N", names=[missing])}
    (made,) = load_model(plan_of(nodes=nodes), model_file(tmp_path), None, None, {"N": 5})
    assert made.function(3) == 8
    (made,) = load_model(plan_of(nodes=nodes), model_file(tmp_path))
    with pytest.raises(NameError):
        made.function(3)


@pytest.mark.parametrize(
    ("definition", "reason"),
    [
        (node("class C(1 / 0): pass", kind="class"), "ZeroDivisionError"),
        (node("class C: raise SystemExit(3)", kind="class"), "SystemExit: 3"),
        (node("def f(x: return", kind="function"), "not one definition"),
        (node(None), "neither source nor code"),
    ],
)
def test_a_definition_that_fails_is_one_kind_of_error(
    keras: FakeKeras, tmp_path: Path, definition: Any, reason: str
) -> None:
    with pytest.raises(RestoreError, match=reason):
        load_model(plan_of(nodes={ROOT: definition}), model_file(tmp_path))
    assert keras.loads == []


def test_a_model_is_built_of_the_configuration_that_the_plan_brings(
    keras: FakeKeras, tmp_path: Path
) -> None:
    path = model_file(tmp_path, OTHER_CODE)
    layers = json.loads(Path(model_file(tmp_path, CODE)).read_text())
    for weights in (True, False):
        build = {"config": layers, "weights": weights, "translated": False}
        made = load_model(plan_of(listed(), listed("f", None), build=build), path)
        assert made.layers[0].function(3) == 7
        assert set(made.custom_objects) == {"f"}
        assert made.weights_of == (path if weights else None)
    assert keras.loads == []


class Hdf5:
    """As much of h5py as a file's own attributes."""

    def __init__(self, **attributes: Any) -> None:
        self.attrs = attributes

    def File(self, path: str, mode: str) -> Hdf5:
        assert mode == "r"
        return self

    def __enter__(self) -> Hdf5:
        return self

    def __exit__(self, *error: Any) -> None:
        pass


JUDGED = {"model_config": digest("model"), "training_config": digest("training")}


@pytest.mark.parametrize(
    ("judged", "attributes", "refused"),
    [
        (JUDGED, {"model_config": "model", "training_config": b"training"}, False),
        (JUDGED, {"model_config": "evil", "training_config": "training"}, True),
        (JUDGED, {"model_config": "model", "training_config": "evil"}, True),
        (JUDGED, {"training_config": "training"}, True),
        ({"model_config": digest("model")}, {"model_config": b"model"}, False),
        (
            {"model_config": digest("model")},
            {"model_config": "model", "training_config": "x"},
            True,
        ),
        ({}, {"model_config": "whatever"}, False),
    ],
)
def test_keras_reads_the_model_that_was_judged(
    keras: FakeKeras,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    judged: Any,
    attributes: Any,
    refused: bool,
) -> None:
    monkeypatch.setitem(sys.modules, "h5py", Hdf5(**attributes))
    if refused:
        with pytest.raises(RestoreError, match="no Keras writes that"):
            load_model(plan_of(judged=judged), model_file(tmp_path))
        assert keras.loads == []
    else:
        load_model(plan_of(judged=judged), model_file(tmp_path))
        assert len(keras.loads) == 1


def test_losses_are_found_by_the_short_names_that_keras_3_writes(
    keras: FakeKeras, tmp_path: Path
) -> None:
    load_model(plan_of(), model_file(tmp_path))
    assert keras.loads[-1]["custom_objects"] is None
    keras.module.ops = types.SimpleNamespace()
    keras.module.losses = types.SimpleNamespace(mean_squared_error=sum, kl_divergence=max)
    load_model(plan_of(listed(), listed("mse", None)), model_file(tmp_path))
    names = keras.loads[-1]["custom_objects"]
    assert {name: each for name, each in names.items() if name != "mse"} == {
        "MSE": sum,
        "kld": max,
        "KLD": max,
    }
    assert names["mse"](3) == 7  # the user's own counts for more
    assert {name.lower() for name in LOSS_ALIASES} <= {"mse", "mae", "mape", "msle", "kld", "bce"}


def test_the_keras_that_is_named_is_the_one_that_loads(
    keras: FakeKeras, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_keras("tf_keras") is keras.module
    tensorflow: Any = types.ModuleType("tensorflow")
    tensorflow.keras = object()
    monkeypatch.setitem(sys.modules, "tensorflow", tensorflow)
    assert find_keras("tensorflow.keras") is tensorflow.keras
    if importlib.util.find_spec("keras") is None:
        with pytest.raises(ImportError):
            find_keras("keras")


class Tensor:
    """As much of a tensor as is described of it."""

    def __init__(self, name: str, shape: Any, dtype: Any = "float32") -> None:
        self.name, self.shape, self.dtype = name, shape, dtype


class Dimensions:
    """A shape of TensorFlow's own kind."""

    def as_list(self) -> Any:
        return [None, np.int64(3)]


def test_a_model_is_described_by_its_tensors_in_their_order() -> None:
    model: Any = types.SimpleNamespace(name="m")
    model.inputs = [Tensor("x:0", (None, 2)), Tensor("y", Dimensions(), np.dtype("int32"))]
    model.outputs = [Tensor("z/out:0", [4])]
    model.input_names = ["first"]
    model._outputs_struct = {"b": 1, "a": 2}
    assert describe(model) == {
        "class": "SimpleNamespace",
        "name": "m",
        "inputs": [
            {"name": "first", "shape": [None, 2], "dtype": "float32"},
            {"name": "y", "shape": [None, 3], "dtype": "int32"},
        ],
        "outputs": [{"name": "a", "shape": [4], "dtype": "float32"}],
        "keys": ["a", "b"],
    }
    assert describe(types.SimpleNamespace(name="n"))["inputs"] == []
    assert describe(types.SimpleNamespace(name="n", inputs=None, outputs=None))["keys"] is None


def test_inputs_are_given_as_the_model_takes_them_and_outputs_in_its_order() -> None:
    plain: Any = types.SimpleNamespace()
    assert arranged(plain, [1]) == 1
    assert arranged(plain, [1, 2]) == [1, 2]
    named: Any = types.SimpleNamespace(_inputs_struct={"b": 0, "a": 0})
    assert arranged(named, [1, 2]) == {"a": 1, "b": 2}
    assert arranged(named, [1, 2, 3]) == [1, 2, 3]
    assert flatten({"b": 1, "a": [2, (3, 4)]}) == [2, 3, 4, 1]
    assert flatten(5) == [5]


def test_a_model_is_called_as_for_inference() -> None:
    class Model:
        def __call__(self, inputs: Any, training: bool = True) -> Any:
            assert training is False
            return {"b": inputs * 2, "a": [inputs]}

    outputs = call(Model(), [np.array([1.0, 2.0])])
    assert [output.tolist() for output in outputs] == [[1.0, 2.0], [2.0, 4.0]]


def test_a_tensor_of_another_backend_becomes_an_array() -> None:
    class Elsewhere:
        def detach(self) -> Any:
            return self

        def cpu(self) -> Any:
            return [1, 2]

    assert to_numpy(Elsewhere()).tolist() == [1, 2]
