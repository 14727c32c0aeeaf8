"""What findings add up to: the three answers, what decides them, and the exit status."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from capsule.verdict import QUESTIONS
from tests.unit.test_inspection import OF_PYTHON_3_5
from tests.unit.verdict.files import (
    UNDAMAGED,
    archive_of,
    archive_with,
    archive_with_code,
    by_name,
    coroutine,
    scale,
)
from tests.unit.verdict.models import (
    KERAS_2,
    NEXT_PYTHON,
    NO_SOURCE,
    NUMPY,
    OPAQUE,
    OTHER_PYTHON,
    SERVED,
    TANH,
    TF_KERAS,
    ZIP,
    model_closing_over,
    model_using,
    model_with,
    model_with_class,
    model_with_function,
    model_with_lambda,
)
from tests.unit.verdict.situations import (
    Saved,
    Situation,
    binding,
    environment,
    environment_here,
    module,
    sidecar,
)

YES, NO, UNKNOWN = 0, 1, 2  # exit status

PURE = Saved(sidecar(), environment())
NAME_MISSING = model_using(binding("scale", missing=True))
OTHER_NUMPY = Saved(sidecar(TANH, nodes=NUMPY), environment(numpy="2.5.0"))
NO_WEIGHTS = model_with(unbuilt=["dense"])
DOUBT = model_with(warnings=["scale was moved by hand"])
NO_MODULE = model_using(binding("mine", to="mine"), mine=module("local"))
COROUTINE = archive_with(coroutine, at=environment_here(python="3.6.15"))
# Two findings decide on keras, a fatal one and a warning.
NO_VALUE = model_using(binding("v", "argument", value=OPAQUE))
DECOMPILED = model_with_lambda(decompiled=True, reason="it was typed in")
PYTHON_3_5 = archive_with_code(OF_PYTHON_3_5.encode("latin-1"), environment())
TWO_REASONS = model_with_function(
    binding("scale"), binding("t", "closure", value=[[1]]), role="mask"
)


@pytest.mark.parametrize(
    ("situation", "question", "codes"),
    [
        (PURE, "keras", []),
        (PURE, "same", []),
        (NAME_MISSING, "keras", ["name-lost"]),
        (NAME_MISSING, "capsule", []),
        (NAME_MISSING, "same", ["name-missing"]),
        (TWO_REASONS, "keras", ["name-lost"]),
        (model_closing_over([[1]]), "keras", ["closure-lost"]),
        (OTHER_NUMPY, "keras", ["distribution-version"]),
        (OTHER_NUMPY, "capsule", []),
        (OTHER_NUMPY, "same", ["distribution-version"]),
        (NO_WEIGHTS, "same", ["unbuilt"]),
        (DOUBT, "capsule", ["save-warning"]),
        # What will not load can't be said to compute the same: why it will not is the reason.
        (NO_MODULE, "capsule", ["module-opaque"]),
        (NO_MODULE, "same", ["module-opaque"]),
        (Saved(sidecar(nodes=NO_SOURCE), OTHER_PYTHON), "same", ["code-only"]),
        (COROUTINE, "keras", ["bytecode"]),
        (COROUTINE, "capsule", ["code-only"]),
        (COROUTINE, "same", ["code-only"]),
    ],
)
def test_the_findings_that_decide_an_answer(
    situation: Situation, question: str, codes: Sequence[str], tmp_path: Path
) -> None:
    verdict = situation.verdict(tmp_path / "model")
    assert [finding.code for finding in verdict.deciding(question)] == codes


@pytest.mark.parametrize(
    ("situation", "required", "status"),
    [
        (PURE, None, YES),
        (PURE, QUESTIONS, YES),
        (model_using(binding("scale", value=2)), None, YES),
        (model_using(binding("scale", value=2)), ["keras"], NO),
        (model_using(binding("scale", value=2)), [], YES),
        (OTHER_NUMPY, None, UNKNOWN),
        (OTHER_NUMPY, ["capsule"], YES),
        (OTHER_NUMPY, ["keras"], UNKNOWN),
        (NO_WEIGHTS, None, NO),
        (NAME_MISSING, QUESTIONS, NO),  # no for keras, unknown for same: the worst counts
        (NAME_MISSING, ["same"], UNKNOWN),
        (archive_of(), None, UNKNOWN),
        (archive_of(by_name("distance")), None, NO),
    ],
)
def test_the_exit_status_is_that_of_the_worst_answer_required(
    situation: Situation, required: Sequence[str] | None, status: int, tmp_path: Path
) -> None:
    verdict = situation.verdict(tmp_path / "model")
    assert (verdict.status() if required is None else verdict.status(required)) == status


@pytest.mark.parametrize(
    ("situation", "code", "text"),
    [
        (archive_of(), "no-probe", "compare its outputs with some that you know"),
        (
            archive_with(coroutine, at=environment_here(python="3.6.15")),
            "code-only",
            "model.keras --unsafe",
        ),
        (archive_of(by_name("Mine>distance")), "by-name-only", "registered as Mine>distance"),
        (archive_of(by_name("Mine>distance")), "by-name-only", 'custom_objects={"distance": …}'),
        (archive_with(lambda x: x * scale), "name-missing", 'bind={"scale": …}'),
        (model_with(custom=["m:Scale"]), "custom-class", 'custom_objects={"Scale": …}'),
        (Saved(sidecar(), environment(keras=None)), "keras-missing", "install keras"),
        (
            Saved(sidecar(), environment(tensorflow_cpu=None)),
            "backend-missing",
            "install tensorflow-cpu",
        ),
        (
            Saved(sidecar(keras={"backend_distribution": None}), environment(tensorflow_cpu=None)),
            "backend-missing",
            "install tensorflow,",
        ),
        (Saved(sidecar(), OTHER_PYTHON), "bytecode", "raises at load"),
        (Saved(sidecar(), NEXT_PYTHON), "bytecode", "wrong instructions, which may crash"),
        (
            Saved(sidecar(keras=KERAS_2), environment(tensorflow_cpu="2.15.1")),
            "keras-generation",
            "in part",
        ),
        (Saved(sidecar(), environment(keras="2.15.0")), "keras-generation", "does not read"),
        (Saved(sidecar(keras=None), environment(keras=None)), "keras-missing", "install keras"),
        (
            Saved(sidecar(keras={"distribution": None}), environment(keras=None)),
            "keras-missing",
            "install keras",
        ),
        (Saved(sidecar(), environment(jupyter=None)), "unreached", "jupyter 1.0 → not installed"),
        (Saved(sidecar(), environment(jupyter="2.0")), "unreached", "jupyter 1.0 → 2.0"),
        (
            Saved(sidecar(artifact=ZIP, keras=TF_KERAS), environment(keras=None)),
            "keras-missing",
            "install tf-keras",
        ),
        (
            Saved(sidecar(nodes=NO_SOURCE), OTHER_PYTHON),
            "code-only",
            "exists only as bytecode of Python 3.11; ",
        ),
        (
            Saved(sidecar(artifact=SERVED), environment(tensorflow_cpu="2.20.0")),
            "backend-version",
            "tensorflow 2.21.0 → 2.20.0",
        ),
        (
            Saved(sidecar(artifact=SERVED, keras={"backend_version": None}), environment()),
            "backend-version",
            "tensorflow of an unknown version → 2.21.0",
        ),
        (
            Saved(sidecar(), environment(variables={"JAX_ENABLE_X64": "1"})),
            "variable",
            "unset → 1 (used by keras → JAX_ENABLE_X64); unset JAX_ENABLE_X64",
        ),
        (
            Saved(sidecar(environment_variables={"JAX_ENABLE_X64": "1"}), environment()),
            "variable",
            "1 → unset (used by keras → JAX_ENABLE_X64); export JAX_ENABLE_X64=1",
        ),
        (
            archive_with_code(UNDAMAGED, environment_here(python="3.6.1")),
            "bytecode",
            "bytecode of Python 3.9:",
        ),
        (PYTHON_3_5, "bytecode", "bytecode of Python 3.4 to 3.5:"),
        (PYTHON_3_5, "python", "Python cpython 3.4 to 3.5 → cpython 3.11.7"),
        (COROUTINE, "code-only", "(it can't be decompiled: a coroutine)"),
        (model_with(custom=["m:Scale"]), "custom-class", "Scale is a class of your own (m)"),
        (NO_VALUE, "value-opaque", "it is not plain data"),
        (DECOMPILED, "source-decompiled", "(it was typed in)"),
        (archive_with(lambda x: x), "source-decompiled", "(the file holds none)"),
        (NAME_MISSING, "name-missing", "was not defined when the model was saved; define scale"),
        (
            Saved(sidecar(TANH, nodes=NUMPY), environment(numpy=None)),
            "distribution-missing",
            "install numpy==2.4.6",
        ),
    ],
)
def test_a_finding_says_what_to_type(
    situation: Situation, code: str, text: str, tmp_path: Path
) -> None:
    verdict = situation.verdict(tmp_path / "model")
    (finding,) = (finding for finding in verdict.findings if finding.code == code)
    assert text in finding.sentence


def test_a_way_of_one_step_is_in_the_sentence_already() -> None:
    (finding,) = DOUBT.verdict(Path()).deciding("capsule")
    assert finding.sentence.startswith("scale was moved by hand; check it: ")


def test_a_finding_without_a_remedy_is_its_message() -> None:
    (finding,) = Saved(sidecar(), environment(python="3.11.9")).verdict(Path()).findings[1:]
    assert finding.sentence == "Python cpython 3.11.7 → cpython 3.11.9"


def test_a_finding_is_json_data() -> None:
    (finding,) = NO_WEIGHTS.verdict(Path()).deciding("same")
    data = finding.to_json()
    assert json.loads(json.dumps(data)) == data
    assert data["code"] == "unbuilt"
    assert data["reach"] == ["model", "dense"]
    assert data["decides"] == ["keras", "capsule", "same"]


@pytest.mark.parametrize(
    ("situation", "code", "expected", "actual"),
    [
        (Saved(sidecar(), OTHER_PYTHON), "bytecode", "Python 3.11", "Python 3.10"),
        (Saved(sidecar(), OTHER_PYTHON), "python", "cpython 3.11.7", "cpython 3.10.13"),
        (
            Saved(sidecar(nodes=NO_SOURCE), OTHER_PYTHON),
            "code-only",
            "Python 3.11",
            "Python 3.10",
        ),
        (
            Saved(sidecar(), environment(machine="arm64")),
            "platform",
            "Linux x86_64",
            "Linux arm64",
        ),
        (
            Saved(sidecar(platform={"libc": ["glibc", "2.31"]}), environment()),
            "libc",
            "glibc 2.31",
            "glibc 2.36",
        ),
        (Saved(sidecar(), environment(keras=None)), "keras-missing", "keras 3.15.1", None),
        (Saved(sidecar(keras=None), environment(keras=None)), "keras-missing", "keras", None),
        (
            Saved(sidecar(), environment(keras="3.1.0")),
            "keras-version",
            "keras 3.15.1",
            "keras 3.1.0",
        ),
        (
            Saved(sidecar(), environment(tensorflow_cpu="2.20.0")),
            "backend-version",
            "tensorflow-cpu 2.21.0",
            "tensorflow-cpu 2.20.0",
        ),
        (
            Saved(sidecar(), environment(tensorflow_cpu=None, jax="0.4.30")),
            "backend-other",
            "tensorflow-cpu 2.21.0",
            "jax",
        ),
        (
            Saved(sidecar(keras={"backend_version": None}), environment(tensorflow_cpu=None)),
            "backend-missing",
            "tensorflow-cpu",
            None,
        ),
        (Saved(sidecar(artifact=SERVED), environment()), "served", None, "keras 3.15.1"),
        (Saved(sidecar(artifact=SERVED), environment(keras=None)), "served", None, None),
        (
            Saved(sidecar(), environment(settings={"floatx": "float64"})),
            "settings",
            "float32",
            "float64",
        ),
        (
            Saved(sidecar(), environment(variables={"JAX_ENABLE_X64": "1"})),
            "variable",
            None,
            "1",
        ),
        (
            Saved(sidecar(TANH, nodes=NUMPY), environment(numpy=None)),
            "distribution-missing",
            "2.4.6",
            None,
        ),
        (OTHER_NUMPY, "distribution-version", "2.4.6", "2.5.0"),
        (Saved(sidecar(), environment(numpy="2.5.0")), "distribution-version", "2.4.6", "2.5.0"),
        (Saved(sidecar(), environment(jupyter=None)), "unreached", "1.0", None),
        (NO_WEIGHTS, "unbuilt", "built", "not built"),
        (NO_VALUE, "value-opaque", "tensorflow.Variable", "opaque"),
        (model_with_class(source=None), "class-opaque", "source", None),
        (DECOMPILED, "source-decompiled", "source", "decompiled"),
        (model_with_lambda(source=None), "source-missing", "source", "bytecode"),
        (model_with(losses=["mse"]), "loss-alias", "mean_squared_error", "mse"),
    ],
)
def test_a_finding_says_what_was_expected_and_what_is_there(
    situation: Situation, code: str, expected: str | None, actual: str | None, tmp_path: Path
) -> None:
    verdict = situation.verdict(tmp_path / "model")
    (finding,) = (finding for finding in verdict.findings if finding.code == code)
    assert (finding.expected, finding.found) == (expected, actual)
