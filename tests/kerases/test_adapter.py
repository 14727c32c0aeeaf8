"""The guest in every Keras: what it looks up is there, and each file comes back the same.

Keras moves its own functions from release to release; this is what finds a release in which
the guest no longer does what it does in the others.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from capsule.rebuild.session import guest_folder
from tests.kerases.environments import Keras, prepare_interpreter, select_kerases
from tests.kerases.files import (
    INPUTS,
    File,
    drop_bytecode,
    drop_sources,
    plan_file,
    write_keras_2_file,
)

SCRIPT = Path(__file__).parent / "in_keras.py"

pytestmark = pytest.mark.installers


@dataclass(frozen=True)
class Trial:
    """What one Keras answered: when it saved, and when the guest loaded what it saved."""

    saved: dict[str, Any]
    lookups: dict[str, Any]
    """What the guest looks up, by name: None, or why it is not there."""
    files: dict[str, Any]
    """What came of each file."""
    refusals: dict[str, Any]
    """What came of each file under a plan that lists none of its bytecode."""


def _list_parameters() -> Iterator[Any]:
    for keras in select_kerases():
        group = pytest.mark.xdist_group(keras.environment)
        yield pytest.param(keras, id=keras.name, marks=group)


@pytest.fixture(scope="module", params=list(_list_parameters()))
def trial(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """Each Keras in turn: it saves in one process, and the guest loads in another."""
    keras: Keras = request.param
    python = prepare_interpreter(keras.environment)
    folder = tmp_path_factory.mktemp("models")
    task = {"keras": keras.module, "folder": str(folder), "inputs": INPUTS}
    saved = _run(python, folder, "save", task)
    own = {
        suffix: plan_file(folder / f"model.{suffix}", keras.module, saved)
        for suffix, reason in saved["formats"].items()
        if reason is None
    }
    files: dict[str, File] = {
        **own,
        **{f"{name} and custom_objects": drop_sources(file) for name, file in own.items()},
    }
    third = keras.module == "keras" and saved["version"].startswith("3.")
    if third:
        files["keras-2"] = write_keras_2_file(folder / "keras-2.h5", saved["version"])
    refusals = {name: drop_bytecode(file) for name, file in own.items()}
    task = {**task, "keras_3": third, "files": files, "refusals": refusals}
    return Trial(saved, **_run(python, folder, "load", task))


def _run(python: Path, folder: Path, action: str, task: dict[str, Any]) -> dict[str, Any]:
    """Run one action in a fresh process of *python*; return what it answers."""
    question, answer = folder / f"{action}.json", folder / f"{action}-answer.json"
    question.write_text(json.dumps(task), encoding="utf-8")
    passed = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    words = [str(python), "-I", str(SCRIPT), action, str(guest_folder()), str(question)]
    done = subprocess.run(
        [*words, str(answer)],
        capture_output=True,
        text=True,
        env={**passed, "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_HOME": str(folder)},
        timeout=600,
    )
    assert done.returncode == 0, f"{action}: {done.stdout[-1000:]}\n{done.stderr[-3000:]}"
    result: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
    return result


def test_all_that_the_guest_looks_up_in_a_keras_is_there(trial: Trial) -> None:
    missing = {name: reason for name, reason in trial.lookups.items() if reason}
    assert not missing, missing


def test_each_format_comes_back_and_computes_the_same(trial: Trial) -> None:
    assert {"h5", "json"} <= set(trial.files), trial.saved["formats"]
    errors = {name: file["error"] for name, file in trial.files.items() if file["error"]}
    assert not errors, "\n".join(f"{name}: {error}" for name, error in errors.items())
    for name, file in trial.files.items():
        assert file["comparison"]["agrees"], f"{name}: {file['comparison']}"
        assert file["prediction"]["agrees"], f"{name}: {file['prediction']}"


def test_keras_is_after_each_load_what_it_was_before(trial: Trial) -> None:
    answers = {**trial.files, **{f"{name} refused": file for name, file in trial.refusals.items()}}
    changes = {name: file["changes"] for name, file in answers.items() if file["changes"]}
    assert not changes, changes


def test_bytecode_that_the_plan_does_not_list_is_never_run(trial: Trial) -> None:
    assert trial.refusals
    for name, file in trial.refusals.items():
        assert "the plan does not list" in (file["error"] or ""), name
