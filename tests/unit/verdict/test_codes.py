"""Every finding code of the verdict: where it fires, where it does not, and what it decides.

Each row holds two situations that differ in one thing. What the verdict says of them must
differ in exactly what the row says.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from capsule.verdict import QUESTIONS, Finding, Verdict
from tests.making import registered_codes
from tests.unit.verdict import (
    of_distributions,
    of_file_formats,
    of_file_functions,
    of_functions,
    of_keras,
    of_models,
    of_names,
    of_pythons,
    of_requirements,
    of_settings,
    of_storage,
    of_values,
)
from tests.unit.verdict.situations import Effect, Row

ROWS: tuple[Row, ...] = (
    *of_pythons.ROWS,
    *of_keras.ROWS,
    *of_settings.ROWS,
    *of_distributions.ROWS,
    *of_requirements.ROWS,
    *of_functions.ROWS,
    *of_models.ROWS,
    *of_storage.ROWS,
    *of_values.ROWS,
    *of_names.ROWS,
    *of_file_formats.ROWS,
    *of_file_functions.ROWS,
)


def effect(finding: Finding) -> Effect:
    """Return what *finding* does."""
    return Effect(finding.code, finding.severity, tuple(finding.decides))


def effects(verdict: Verdict) -> set[Effect]:
    """Return what the findings of *verdict* do, each once."""
    return {effect(finding) for finding in verdict.findings}


def answers(verdict: Verdict) -> str:
    """Return the answers to keras, capsule and same, in this order."""
    return " ".join(verdict.answer(question) for question in QUESTIONS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.effect.code}: {row.title}")
def test_a_code_fires_where_it_should_and_not_next_to_it(row: Row, tmp_path: Path) -> None:
    cause = row.cause.verdict(tmp_path / "cause")
    neighbour = row.neighbour.verdict(tmp_path / "neighbour")
    assert effects(cause) - effects(neighbour) == {row.effect, *row.side_effects}
    assert effects(neighbour) - effects(cause) == {*row.neighbour_effects}
    assert (answers(cause), answers(neighbour)) == (row.answers, row.neighbour_answers)
    assert row.subject in [f.subject for f in cause.findings if effect(f) == row.effect]


def test_every_code_has_a_row() -> None:
    assert {row.effect.code for row in ROWS} == registered_codes()
