"""What a save records of a model: its functions by where they sit, and what may go wrong."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests import toy_keras
from tests.toy_keras import Lambda, Layer, Model

RATE = 3.0
Save = Callable[..., Any]


def functions(saved: Any) -> dict[tuple[str, str], tuple[str, str | None]]:
    """Return name and source of what was recorded, by place and role."""
    manifest = saved.manifest
    sources = {
        each.node: manifest.nodes[each.node].source for each in manifest.functions if each.node
    }
    return {
        ("/".join(each.where), each.role): (each.name, sources.get(each.node))
        for each in manifest.functions
    }


def scaled(x: Any) -> Any:
    return x * RATE


def loss(true: Any, predicted: Any) -> Any:
    return true - predicted


def activation(x: Any) -> Any:
    return x + 1


class Mine(Layer):
    """A layer of the user's own, with a function in its configuration."""

    def __init__(self, name: str = "mine", function: Any = None, factor: float = 1.0) -> None:
        super().__init__(name, function=function, factor=factor)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "function": self.function, "factor": self.factor}

    def entry(self) -> dict[str, Any]:
        return {
            "module": "train",
            "class_name": "Mine",
            "registered_name": "Mine",
            "config": {"name": self.name, "function": toy_keras.stored(self.function)},
        }


SCALED = ("scaled", "def scaled(x: Any) -> Any:\n    return x * RATE")

# (the layers, what else the model has, and what must be recorded: by place and role)
PLACES: list[tuple[str, Any, dict[str, Any], dict[tuple[str, str], tuple[str, str | None]]]] = [
    (
        "a lambda",
        [Lambda(lambda x: x * 2)],
        {},
        {("lam", "function"): ("<lambda>", "lambda x: x * 2")},
    ),
    ("a function by name", [Lambda(scaled)], {}, {("lam", "function"): SCALED}),
    (
        "two lambdas, each its own",
        [Lambda(lambda x: x + 1, "a"), Lambda(lambda x: x + 2, "b")],
        {},
        {
            ("a", "function"): ("<lambda>", "lambda x: x + 1"),
            ("b", "function"): ("<lambda>", "lambda x: x + 2"),
        },
    ),
    (
        "inside a nested model",
        [Model(Lambda(lambda x: x + 1), name="inner"), Lambda(lambda x: x + 2)],
        {},
        {
            ("inner/lam", "function"): ("<lambda>", "lambda x: x + 1"),
            ("lam", "function"): ("<lambda>", "lambda x: x + 2"),
        },
    ),
    (
        "inside a wrapper",
        [Layer("wrapper", layers=[Lambda(lambda x: x - 1)])],
        {},
        {("wrapper/lam", "function"): ("<lambda>", "lambda x: x - 1")},
    ),
    (
        "an activation that Keras writes as a bare name",
        [Layer("dense", activation=activation)],
        {},
        {
            ("dense", "activation"): (
                "activation",
                "def activation(x: Any) -> Any:\n    return x + 1",
            )
        },
    ),
    (
        "a loss",
        [Layer("dense")],
        {"loss": loss},
        {
            ("", "loss"): (
                "loss",
                "def loss(true: Any, predicted: Any) -> Any:\n    return true - predicted",
            )
        },
    ),
    (
        "losses by output",
        [Layer("dense")],
        {"loss": {"a": loss, "b": "mse"}},
        {
            ("", "a"): (
                "loss",
                "def loss(true: Any, predicted: Any) -> Any:\n    return true - predicted",
            )
        },
    ),
    ("losses of Keras' own by name", [Layer("dense", activation="relu")], {"loss": "mse"}, {}),
    ("a class of the user's, once", [Mine("a"), Mine("b")], {}, {("a", "class"): ("Mine", None)}),
    (
        "a function in the configuration of a class of the user's",
        [Mine("a", scaled)],
        {},
        {("a", "class"): ("Mine", None), ("a", "function"): SCALED},
    ),
]


@pytest.mark.parametrize("row", PLACES, ids=lambda row: row[0])
def test_each_function_is_recorded_where_it_sits(save: Save, row: Any) -> None:
    _, layers, attributes, expected = row
    recorded = functions(save(*layers, **attributes))
    assert set(recorded) == set(expected)
    for place, (name, source) in expected.items():
        assert recorded[place][0] == name
        if source is not None:
            assert recorded[place][1] == source


@pytest.mark.parametrize(
    ("losses", "roles"),
    [([loss, scaled], ["loss", "loss"]), ({"a": loss, "b": scaled}, ["a", "b"])],
)
def test_losses_of_one_model_are_each_its_own_and_recorded_once(
    save: Save, losses: Any, roles: list[str]
) -> None:
    saved = save(Layer("dense"), loss=losses)
    recorded = [
        (each.role, each.name, each.node and saved.manifest.nodes[each.node].qualname)
        for each in saved.manifest.functions
    ]
    assert recorded == [(roles[0], "loss", "loss"), (roles[1], "scaled", "scaled")]
    assert not [finding for finding in saved.findings if finding.code == "function-unknown"]


def test_two_losses_of_one_name_are_not_told_apart_and_it_is_told(save: Save) -> None:
    def other(true: Any, predicted: Any) -> Any:
        return true + predicted

    other.__name__ = "loss"
    saved = save(Layer("dense"), loss={"a": loss, "b": other})
    unknown = [each.role for each in saved.manifest.functions if each.node is None]
    assert unknown == ["a", "b"]
    assert [finding for finding in saved.findings if finding.code == "function-unknown"]


def test_functions_of_a_list_are_recorded_in_its_order(save: Save) -> None:
    manifest = save(Mine("a", [scaled, activation])).manifest
    stored = [each for each in manifest.functions if each.role == "function"]
    names = [(each.name, manifest.nodes[each.node].qualname) for each in stored[:2]]
    assert names == [("scaled", "scaled"), ("activation", "activation")]


def test_arguments_that_json_would_change_are_recorded_and_others_left_to_keras(save: Save) -> None:
    kept = save(Lambda(scaled, arguments={"a": 1, "b": [2.0, "x"], "c": None}))
    assert ("lam", "arguments") not in functions(kept)
    assert not kept.manifest.model.arguments
    changed = save(Lambda(scaled, arguments={"a": (1, 2)}))
    assert ("lam", "arguments") in functions(changed)
    assert changed.manifest.model.arguments == ("lam",)
    (node,) = [f.node for f in changed.manifest.functions if f.role == "arguments"]
    assert [(b.name, b.value) for b in changed.manifest.nodes[node].names] == [
        ("a", {"type": "tuple", "items": [1, 2]})
    ]


HIDING = ["eval", "exec", "globals", "locals", "vars", "__import__"]


@pytest.mark.parametrize("name", HIDING)
def test_what_reaches_names_that_nobody_sees_is_told(save: Save, name: str) -> None:
    saved = save(Lambda(eval(f"lambda x: (x, {name}('a'))", {"__name__": "__main__"})))
    assert any(f.subject == name and f.severity == "fatal" for f in saved.findings)
    (binding,) = [b for node in saved.manifest.nodes.values() for b in node.names]
    assert (binding.name, binding.value["type"]) == (name, "opaque")


@pytest.mark.parametrize("name", ["len", "print", "open", "getattr", "sum"])
def test_other_builtins_are_nothing_to_tell(save: Save, name: str) -> None:
    saved = save(Lambda(eval(f"lambda x: {name}(x)", {"__name__": "__main__"})))
    assert not [f for f in saved.findings if f.severity != "note"]
    assert not [b for node in saved.manifest.nodes.values() for b in node.names]


def test_a_name_of_the_users_is_theirs_even_where_a_builtin_has_it(save: Save) -> None:
    scope: dict[str, Any] = {"__name__": "__main__", "vars": 7}
    saved = save(Lambda(eval("lambda x: x * vars", scope)))
    (binding,) = [b for node in saved.manifest.nodes.values() for b in node.names]
    assert (binding.name, binding.value) == ("vars", 7)


class Forgets(Mine):
    """Its configuration leaves out what its class takes."""

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}


class Tuples(Mine):
    """Its configuration holds what JSON changes."""

    def __init__(self, name: str = "mine", shape: Any = None) -> None:
        super().__init__(name)
        self.shape = shape

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "shape": self.shape}


class Quiet(Mine):
    """It can't be saved with its arguments, and says so as Keras does."""

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError


class Dense(Mine):
    """It bears the name of a class of Keras."""


class ResourceVariable:
    """Named as TensorFlow names what Keras 3 does not save."""


# (the layer, a word of what is warned of, None if nothing is)
WARNINGS = [
    ("nothing", Mine(), None),
    ("an argument left out", Forgets(factor=2.0), "get_config of Forgets leaves out factor"),
    ("arguments as they are by default", Forgets(), None),
    ("a default of another type", Forgets(factor=1), "leaves out factor"),
    ("a tuple", Tuples(shape=(1, 2)), "shape of Tuples is nothing that JSON"),
    ("a tuple in a list", Tuples(shape=[1, (2,)]), "shape of Tuples is nothing that JSON"),
    ("a set in a dict", Tuples(shape={"a": {1}}), "shape of Tuples is nothing that JSON"),
    ("keys that are no text", Tuples(shape={1: "a"}), "shape of Tuples is nothing that JSON"),
    ("bytes", Tuples(shape=b"a"), "shape of Tuples is nothing that JSON"),
    ("lists, dicts and texts", Tuples(shape=[1, {"a": ["b", None, 2.5]}]), None),
    ("a layer of Keras' own", Layer("dense", units=(1, 2)), None),
]


@pytest.mark.parametrize(
    ("layer", "words"), [row[1:] for row in WARNINGS], ids=[r[0] for r in WARNINGS]
)
def test_what_a_configuration_loses_is_warned_of(save: Save, layer: Any, words: Any) -> None:
    warnings = warnings_of(save(layer))
    assert len(warnings) == (words is not None)
    assert words is None or words in warnings[0]


def warnings_of(saved: Any) -> tuple[str, ...]:
    facts: tuple[str, ...] = saved.manifest.model.warnings
    return facts


def test_a_variable_that_keras_3_does_not_save_is_warned_of(save: Save) -> None:
    layer = Mine()
    layer.kernel = ResourceVariable()
    (warning,) = warnings_of(save(layer))
    assert warning == "Mine.kernel is a tf.Variable, which Keras 3 does not save"
    del sys.modules["keras"].ops
    assert warnings_of(save(layer)) == ()


def test_a_partial_that_was_compiled_is_warned_of(save: Save) -> None:
    saved = save(Layer("dense"), loss=functools.partial(loss, predicted=1))
    assert warnings_of(saved) == ("the loss is a partial, which Keras does not bring back",)


def test_a_class_that_can_not_be_saved_with_its_arguments_is_a_problem_not_a_warning(
    save: Save,
) -> None:
    saved = save(Quiet(factor=2.0), strict=False)
    assert warnings_of(saved) == ()
    assert any("NotImplementedError" in problem for problem in saved.manifest.problems)


def test_a_name_of_keras_own_class_is_warned_of_where_the_file_holds_the_name_alone(
    save: Save,
) -> None:
    assert warnings_of(save(Dense())) == ()
    (warning,) = warnings_of(save(Dense(), name="m.h5"))
    assert warning == "Dense is the name of a class of Keras, too: .h5 tells them not apart"
    assert warnings_of(save(Mine(), name="m.h5")) == ()
