"""What findings add up to: the three answers, what decides them, and the exit status."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from capsule.verdict import QUESTIONS
from tests.unit.verdict.files import archive_of, archive_with, by_name, coroutine
from tests.unit.verdict.models import (
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
DOUBT = model_with(doubts=["scale was moved by hand"])
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
