"""What the verdict knows of bytecode, of numpy, and of the names that Keras' loader has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from capsule.bytecode.pythons import MAGIC_NUMBERS
from tests.making import save_warnings_of
from tests.unit.verdict.models import (
    IN_KERAS_2,
    KERAS_2,
    NUMPY,
    model_of_keras_2,
    model_of_tensorflow,
    model_using,
    model_with,
    model_with_name,
)
from tests.unit.verdict.situations import (
    Saved,
    Situation,
    binding,
    environment,
    module,
    node,
    sidecar,
)


def codes(situation: Situation, folder: Path) -> set[str]:
    """Return the codes of what the verdict finds."""
    return {finding.code for finding in situation.verdict(folder).findings}


@pytest.mark.parametrize(
    ("writer", "reader", "severity"),
    [
        ("3.6", "3.7", "warning"),
        ("3.7", "3.8", "fatal"),
        ("3.8", "3.9", "warning"),
        ("3.8", "3.10", "warning"),
        ("3.10", "3.9", "warning"),
        ("3.10", "3.11", "fatal"),
        ("3.11", "3.12", "warning"),
        ("3.12", "3.13", "warning"),
        ("3.13", "3.11", "warning"),
        ("3.13", "3.7", "fatal"),
        ("3.13", "3.14", "warning"),
    ],
)
def test_pythons_of_one_layout_run_each_others_bytecode_wrongly(
    writer: str, reader: str, severity: str, tmp_path: Path
) -> None:
    python = {"version": f"{writer}.1", "magic": MAGIC_NUMBERS[writer], "abi": ""}
    situation = Saved(
        sidecar(python=python), environment(python=f"{reader}.1", magic=MAGIC_NUMBERS[reader])
    )
    verdict = situation.verdict(tmp_path)
    assert [f.severity for f in verdict.findings if f.code == "bytecode"] == [severity]


@pytest.mark.parametrize(
    ("attribute", "version", "is_removed"),
    [
        ("int", "1.23.5", False),
        ("int", "1.24.0", True),
        ("bool", "1.26.4", True),
        ("bool", "2.0.0", False),
        ("long", "1.24.0", True),
        ("long", "2.0.0", False),
        ("float_", "1.26.4", False),
        ("float_", "2.0.0", True),
        ("product", "2.5.0", True),
        ("mat", "2.0.0", True),
        ("Inf", "2.0.0", True),
        ("inf", "2.0.0", False),
        ("cast.get", "2.0.0", True),
        ("linalg.cast", "2.0.0", False),
    ],
)
def test_what_numpy_removed_and_when(
    attribute: str, version: str, is_removed: bool, tmp_path: Path
) -> None:
    names = binding("np", "import", to="numpy", attributes=[attribute])
    situation = Saved(sidecar(names, nodes=NUMPY), environment(numpy=version))
    assert ("api-removed" in codes(situation, tmp_path)) is is_removed


LOST_IN_1_24 = "int float complex object str unicode"
LOST_IN_2_0 = (
    "float_ complex_ unicode_ string_ Inf Infinity NaN infty NINF PINF NZERO PZERO alltrue"
    " sometrue cumproduct product round_ asfarray find_common_type cast source lookfor who msort"
    " mat issubclass_ issctype maximum_sctype obj2sctype sctype2char sctypes singlecomplex"
    " longfloat longcomplex clongfloat cfloat"
)


@pytest.mark.parametrize(
    ("names", "before", "since"),
    [(LOST_IN_1_24, "1.23.5", "1.24.0"), (LOST_IN_2_0, "1.26.4", "2.0.0")],
)
def test_every_name_of_numpy_that_its_release_notes_take_out(
    names: str, before: str, since: str, tmp_path: Path
) -> None:
    for name in names.split():
        manifest = sidecar(binding("f", "import", to="numpy", attribute=name), nodes=NUMPY)
        for version, expected in ((before, set()), (since, {"api-removed"})):
            situation = Saved(manifest, environment(numpy=version))
            assert codes(situation, tmp_path) & {"api-removed"} == expected, name


LOSSES = (
    "mean_squared_error mean_absolute_error mean_absolute_percentage_error"
    " mean_squared_logarithmic_error binary_crossentropy categorical_crossentropy"
    " sparse_categorical_crossentropy binary_focal_crossentropy categorical_hinge"
    " categorical_focal_crossentropy hinge squared_hinge huber log_cosh poisson kl_divergence"
    " cosine_similarity dice tversky ctc circle"
)
METRICS = (
    "accuracy acc mse mae mape msle binary_accuracy categorical_accuracy"
    " sparse_categorical_accuracy top_k_categorical_accuracy"
)
ACTIVATIONS = (
    "relu relu6 elu selu gelu celu glu leaky_relu sigmoid hard_sigmoid log_sigmoid softmax"
    " log_softmax softplus softsign swish silu hard_silu hard_swish tanh hard_tanh linear"
    " exponential mish sparsemax squareplus threshold"
)
INITIALIZERS = "zeros ones constant"


def test_keras_finds_its_own_losses_and_metrics_again(tmp_path: Path) -> None:
    model = model_with(losses=LOSSES.split(), metrics=[*METRICS.split(), *LOSSES.split()])
    assert "name-unknown" not in codes(model, tmp_path)


@pytest.mark.parametrize("name", f"{LOSSES} {ACTIVATIONS} {INITIALIZERS}".split())
def test_a_function_of_ones_own_can_not_have_a_name_of_keras(name: str, tmp_path: Path) -> None:
    assert "name-taken" in codes(model_with_name(name=name), tmp_path)


def of_keras_3_0(*names: dict[str, Any], **nodes: Any) -> Saved:
    """Return a model that the first Keras 3 saved, in its own environment."""
    manifest = sidecar(*names, nodes=nodes, keras={"version": "3.0.0"})
    return Saved(manifest, environment(keras="3.0.0"))


def of_keras_3(*names: dict[str, Any], **nodes: Any) -> Saved:
    """Return a model that Keras 3 saved, in its own environment."""
    return model_using(*names, **nodes)


def of_tensorflow_2_4(*names: dict[str, Any], **nodes: Any) -> Saved:
    """Return a model that the Keras of TensorFlow 2.4 saved, in its own environment."""
    return model_of_tensorflow("2.4.1", *names, **nodes)


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (of_keras_3_0, {"binascii", "codecs", "marshal", "os", "python_types"}),
        (of_keras_3, {"binascii", "codecs", "marshal", "os", "python_types"}),
        (model_of_keras_2, {"np", "sys", "textwrap", "warnings", "python_types", "tf"}),
        (of_tensorflow_2_4, {"np", "sys", "textwrap", "warnings", "python_types", "K"}),
    ],
)
def test_the_names_that_the_loader_of_each_keras_has(
    model: Any, names: set[str], tmp_path: Path
) -> None:
    modules = {
        "np": "numpy",
        "tf": "tensorflow",
        "K": "keras.backend",
        "python_types": "types",
        **{name: name for name in ("binascii", "codecs", "marshal", "os", "sys", "textwrap")},
        "types": "types",
        "warnings": "warnings",
        "math": "math",
    }
    bound = set()
    for place, (name, meaning) in enumerate(modules.items()):
        situation = model(binding(name, to=meaning), **{meaning: module("stdlib")})
        folder = tmp_path / str(place)
        if "name-lost" not in codes(situation, folder):
            bound.add(name)
    assert bound == names


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (model_with(), []),
        (model_with(unbuilt=["dense"]), ["unbuilt"]),
        (model_with(warnings=["scale was moved by hand"]), ["save-warning"]),
        (model_with(losses=["mse"]), ["loss-alias"]),
        # That Keras loses names is why capsule is there: nobody needs to hear it at each save.
        (model_using(binding("np", to="numpy"), **NUMPY), []),
        (model_using(binding("scale", missing=True)), ["name-missing"]),
        (model_using(binding("f", to="m:f"), **{"m:f": node(source=None)}), ["source-missing"]),
        (Saved(sidecar(keras=KERAS_2), environment(**IN_KERAS_2)), []),
    ],
)
def test_what_a_person_hears_at_save(model: Saved, expected: list[str]) -> None:
    assert [finding.code for finding in save_warnings_of(model.manifest)] == expected
