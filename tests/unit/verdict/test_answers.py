"""What findings add up to: the three answers, what decides them, and the exit status."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from capsule.verdict import QUESTIONS
from tests.unit.verdict.files import archive_of, archive_with, by_name, coroutine, scale
from tests.unit.verdict.models import (
    KERAS_2,
    NEXT_PYTHON,
    NO_SOURCE,
    NUMPY,
    OTHER_PYTHON,
    TANH,
    model_closing_over,
    model_using,
    model_with,
    model_with_function,
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
