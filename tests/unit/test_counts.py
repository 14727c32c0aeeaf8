"""A model is hashed once and its sidecar read once, whatever a command does with it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import capsule
from capsule.cli import app
from capsule.consent.consent import Trust
from capsule.description.describe import describe
from capsule.manifest.files import sidecar_path, write_manifest
from capsule.rebuild.errors import RebuildError
from capsule.rebuild.options import ReplayOptions
from capsule.rebuild.resolve import resolve
from capsule.rebuild.sources import Sources
from tests.bare import archive, keras_3_lambda, model_of
from tests.counting import Counts
from tests.making import manifest_with

OFFLINE = ReplayOptions(download="never", sources=Sources(offline=True))


@pytest.fixture(params=[True, False], ids=["captured", "bare"])
def model(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Return a model file, with a sidecar or without."""
    path = archive(tmp_path / "model.keras", model_of(keras_3_lambda(lambda x: x * 2)))
    if request.param:
        from capsule.artifact import identify

        facts = {"name": path.name, **identify(path)._asdict()}
        write_manifest(manifest_with(artifact=facts), sidecar_path(path))
    return path


@pytest.fixture
def counts(model: Path) -> Iterator[Counts]:
    counts = Counts()
    yield counts
    counts.restore()


def run(*words: str) -> None:
    """Run a command in this process."""
    with pytest.raises(SystemExit):
        app(list(words), prog_name="capsule")


@pytest.mark.parametrize("command", ["verify", "inspect"])
def test_a_command_reads_each_file_once(counts: Counts, model: Path, command: str) -> None:
    run(command, str(model), "--python", sys.executable)
    assert (counts.hashed, counts.parsed) == (1, sidecar_path(model).exists())


def test_verify_reads_each_file_once(counts: Counts, model: Path) -> None:
    capsule.verify(model, python=sys.executable)
    assert (counts.hashed, counts.parsed) == (1, sidecar_path(model).exists())


def test_a_replay_reads_each_file_once_before_it_builds(
    counts: Counts, model: Path, cache: Path
) -> None:
    description = describe(model)
    try:
        resolve(description, Trust(), OFFLINE)
    except RebuildError:
        pass  # where no such Python or no network is
    assert (counts.hashed, counts.parsed) == (1, sidecar_path(model).exists())
