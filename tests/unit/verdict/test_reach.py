"""How a finding is reached from the model: what tells a person why it matters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.verdict.files import archive_of, archive_with, archive_with_code, by_name, scale
from tests.unit.verdict.models import (
    NUMPY,
    OTHER_PYTHON,
    SERVED,
    STORED_BY_NAME,
    TANH,
    model_using,
    model_with,
    model_with_function,
    model_with_name,
    sidecar_requiring,
)
from tests.unit.verdict.situations import (
    Saved,
    Situation,
    binding,
    environment,
    environment_here,
    function,
    module,
    node,
    sidecar,
)

NO_NUMPY = environment(numpy=None)
MISSING = "distribution-missing"


def helper(*names: dict[str, Any]) -> dict[str, Any]:
    """Return the node of a function that uses *names*."""
    return node(*names, kind="function")


def over(*names: dict[str, Any], **nodes: Any) -> Saved:
    """Return a model whose lambda uses *names*, where numpy is not installed."""
    return Saved(sidecar(*names, nodes={**NUMPY, **nodes}), NO_NUMPY)


def holding(*entries: dict[str, Any]) -> Saved:
    """Return a model whose file holds *entries*, all of which use numpy, which is missing."""
    return Saved(sidecar(TANH, nodes=NUMPY, functions=list(entries)), NO_NUMPY)


GRAPH = [
    ("a module", over(TANH), MISSING, ["lambda", "numpy"]),
    (
        "a name that is imported",
        over(binding("f", to="numpy", attribute="tanh")),
        MISSING,
        ["lambda", "numpy.tanh"],
    ),
    (
        "a function of a function",
        over(
            binding("f", to="m:f"), **{"m:f": helper(binding("g", to="m:g")), "m:g": helper(TANH)}
        ),
        MISSING,
        ["lambda", "f", "g", "numpy"],
    ),
    (
        "the shortest way, though it is found last",
        over(binding("f", to="m:f"), TANH, **{"m:f": helper(TANH)}),
        MISSING,
        ["lambda", "numpy"],
    ),
    (
        "a function that calls itself",
        over(binding("f", to="m:f"), **{"m:f": helper(binding("f", to="m:f"), TANH)}),
        MISSING,
        ["lambda", "f", "numpy"],
    ),
    (
        "a function inside a function, and the second of its name",
        over(
            binding("f", to="m:f.<locals>.inner#2"),
            **{"m:f.<locals>.inner#2": helper(TANH)},
        ),
        MISSING,
        ["lambda", "inner", "numpy"],
    ),
    (
        "the first function of the file that uses it",
        holding(function(where=["second"]), function(where=["first"])),
        MISSING,
        ["second", "numpy"],
    ),
    (
        "a layer in a model in a model",
        holding(function(where=["left", "lambda"])),
        MISSING,
        ["left/lambda", "numpy"],
    ),
    (
        "what a layer has besides its function",
        holding(function(role="output_shape")),
        MISSING,
        ["lambda.output_shape", "numpy"],
    ),
    (
        "what belongs to no layer",
        holding(function(where=[], role="loss")),
        MISSING,
        ["loss", "numpy"],
    ),
    (
        "a function that belongs to nothing",
        holding(function(where=[], name="scale")),
        MISSING,
        ["scale", "numpy"],
    ),
    (
        "the class of a layer",
        holding(function(where=["scale"], role="class", name="Scale", **STORED_BY_NAME)),
        MISSING,
        ["scale", "numpy"],
    ),
    ("what Keras requires", Saved(sidecar(), NO_NUMPY), MISSING, ["keras", "numpy"]),
    (
        "what a requirement requires",
        Saved(sidecar_requiring("small", small=["rich"]), environment(small="1.0")),
        MISSING,
        ["keras", "small", "rich"],
    ),
    ("what nothing reaches", Saved(sidecar(), environment(jupyter=None)), "unreached", None),
]

RULES = [
    (
        "a function that is gone",
        Saved(
            sidecar(binding("np", to="numpy", attributes=["float_"]), nodes=NUMPY),
            environment(numpy="2.5.0"),
        ),
        "api-removed",
        ["lambda", "numpy", "numpy.float_"],
    ),
    (
        "a distribution of another version",
        Saved(sidecar(TANH, nodes=NUMPY), environment(numpy="2.5.0")),
        "distribution-version",
        ["lambda", "numpy"],
    ),
    (
        "a distribution of Keras of another version",
        Saved(sidecar(), environment(numpy="2.5.0")),
        "distribution-version",
        ["keras", "numpy"],
    ),
    ("bytecode", Saved(sidecar(), OTHER_PYTHON), "bytecode", ["lambda"]),
    (
        "code alone",
        Saved(
            sidecar(binding("f", to="m:f"), nodes={"m:f": node(source=None)}),
            OTHER_PYTHON,
        ),
        "code-only",
        ["lambda", "f"],
    ),
    ("no Keras", Saved(sidecar(), environment(keras=None)), "keras-missing", ["keras"]),
    (
        "another generation of Keras",
        Saved(sidecar(), environment(keras=None, tf_keras="2.17.0")),
        "keras-generation",
        ["tf-keras"],
    ),
    (
        "no TensorFlow",
        Saved(sidecar(), environment(tensorflow_cpu=None)),
        "backend-missing",
        ["keras", "tensorflow"],
    ),
    (
        "another backend than that of Keras",
        Saved(sidecar(), environment(tensorflow_cpu=None, jax="0.4.30")),
        "backend-other",
        ["keras", "tensorflow"],
    ),
    (
        "another backend than that of a function",
        Saved(
            sidecar(
                binding("f", to="m:f"),
                nodes={
                    "m:f": helper(binding("tf", to="tensorflow")),
                    "tensorflow": module(distribution="tensorflow-cpu"),
                },
            ),
            environment(tensorflow_cpu=None, jax="0.4.30"),
        ),
        "backend-other",
        ["lambda", "f", "tf"],
    ),
    (
        "a graph",
        Saved(sidecar(artifact=SERVED), environment(tensorflow_cpu=None)),
        "backend-missing",
        ["tensorflow"],
    ),
    ("a SavedModel", Saved(sidecar(artifact=SERVED), environment()), "served", ["keras"]),
    (
        "a SavedModel in another TensorFlow",
        Saved(sidecar(artifact=SERVED), environment(tensorflow_cpu="2.20.0")),
        "backend-version",
        ["tensorflow"],
    ),
    (
        "a setting",
        Saved(sidecar(), environment(settings={"floatx": "float64"})),
        "settings",
        ["keras", "floatx"],
    ),
    (
        "a variable",
        Saved(sidecar(environment_variables={"JAX_ENABLE_X64": "1"}), environment()),
        "variable",
        ["keras", "JAX_ENABLE_X64"],
    ),
    (
        "a name in a function of a function",
        model_using(binding("f", to="m:f"), **{"m:f": helper(binding("scale", missing=True))}),
        "name-missing",
        ["lambda", "f", "scale"],
    ),
    (
        "a layer that calls numpy, which is why it was not built",
        Saved(sidecar(TANH, nodes=NUMPY, model={"unbuilt": ["dense"]}), environment()),
        "unbuilt",
        ["lambda", "numpy.tanh"],
    ),
    (
        "a layer that was not built, and numpy gives only a number",
        Saved(
            sidecar(
                binding("np", to="numpy", attributes=["pi"]),
                nodes=NUMPY,
                model={"unbuilt": ["dense"]},
            ),
            environment(),
        ),
        "unbuilt",
        ["dense"],
    ),
    (
        "a module",
        model_using(binding("mine", to="mine"), mine=module("local")),
        "module-opaque",
        ["lambda", "mine"],
    ),
    ("a class", model_with(custom=["m:Scale"]), "custom-class", ["Scale"]),
    ("a loss", model_with(losses=["mse"]), "loss-alias", ["loss", "mse"]),
    ("a metric", model_with(metrics=["logcosh"]), "name-unknown", ["metrics", "logcosh"]),
    ("a table", model_with(adapted=["lookup"]), "adapted", ["lookup"]),
    ("arguments", model_with(arguments=["lambda"]), "arguments-lost", ["lambda", "arguments"]),
    (
        "a closure",
        model_with_function(binding("scale", "closure", value=[[1]])),
        "closure-lost",
        ["lambda", "scale"],
    ),
    ("a name that is lost", model_using(binding("scale", value=2)), "name-lost", ["lambda"]),
    ("a name alone", model_with_name(role="activation"), "by-name-only", ["lambda.activation"]),
    ("a mask", model_with_function(role="mask"), "mask-lost", ["lambda.mask"]),
    ("a name in a bare file", archive_with(lambda x: x * scale), "name-missing", ["lam", "scale"]),
    ("a function in a bare file", archive_of(by_name("distance")), "by-name-only", ["lam"]),
    ("code in a bare file", archive_with_code(b"no code", environment_here()), "unread", ["lam"]),
    (
        "a bare file without a Keras",
        archive_of(at=environment_here(keras=None)),
        "keras-missing",
        ["keras"],
    ),
    ("a bare file itself", archive_of(), "no-probe", []),
]


@pytest.mark.parametrize(
    ("situation", "code", "reach"),
    [pytest.param(*row, id=f"{row[1]}: {title}") for title, *row in [*GRAPH, *RULES]],
)
def test_the_way_from_the_model_to_a_finding(
    situation: Situation, code: str, reach: list[str] | None, tmp_path: Path
) -> None:
    verdict = situation.verdict(tmp_path / "model")
    expected = () if reach is None else ("model", *reach)
    assert [f.reach for f in verdict.findings if f.code == code] == [expected]
