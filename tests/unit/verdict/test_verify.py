"""``capsule.verify``: which facts it goes by, and what it refuses."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import capsule
from capsule.artifact import identify
from capsule.environment import Environment
from capsule.errors import ArtifactError, CapsuleError, ManifestError
from capsule.manifest.files import sidecar_path, write_manifest
from capsule.verdict import Verdict
from tests.bare import archive, model_of
from tests.unit.verdict.situations import sidecar


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return a ``.keras`` archive without a sidecar."""
    return archive(tmp_path / "model.keras", model_of())


def write_sidecar(model: Path, path: Path, **parts: Any) -> Path:
    """Write a sidecar of *model* to *path*."""
    form, size, sha256 = identify(model)
    facts = {"name": model.name, "format": form, "size": size, "sha256": sha256}
    write_manifest(sidecar(artifact=facts, **parts), path)
    return path


def verify(model: Path, **options: Any) -> Verdict:
    """Return the verdict for the Python that runs the tests, whatever is installed in it."""
    return capsule.verify(model, python=sys.executable, **options)


def codes(verdict: Verdict) -> set[str]:
    """Return the codes of the findings."""
    return {finding.code for finding in verdict.findings}


def test_a_model_is_judged_by_the_sidecar_beside_it(model: Path) -> None:
    write_sidecar(model, sidecar_path(model), environment_variables={"JAX_ENABLE_X64": "1"})
    verdict = verify(model)
    assert "no-probe" not in codes(verdict)
    assert {"variable"} <= codes(verdict)
    assert verdict.manifest.origin == "recorded"
    assert (verdict.artifact, verdict.facts.name) == (model, "model.keras")
    assert verdict.facts.sha256 == verdict.manifest.artifact.sha256


def test_a_model_without_a_sidecar_is_judged_by_what_it_tells(model: Path) -> None:
    verdict = verify(model)
    assert "no-probe" in codes(verdict)
    assert verdict.manifest.origin == "inferred"
    assert verdict.facts.format == "keras-zip"


def test_a_sidecar_that_was_inferred_says_no_more_than_the_file(model: Path) -> None:
    write_sidecar(model, sidecar_path(model), origin="inferred")
    assert "no-probe" in codes(verify(model))


def test_a_sidecar_may_lie_elsewhere(model: Path, tmp_path: Path) -> None:
    other = write_sidecar(model, tmp_path / "other.json", origin="described")
    assert "no-probe" in codes(verify(model))
    verdict = verify(model, sidecar=other)
    assert "described" in codes(verdict)
    assert "no-probe" not in codes(verdict)


def test_the_sidecar_that_is_named_goes_before_the_one_beside(model: Path, tmp_path: Path) -> None:
    write_sidecar(model, sidecar_path(model))
    other = write_sidecar(model, tmp_path / "other.json", origin="described")
    assert "described" not in codes(verify(model))
    assert "described" in codes(verify(model, sidecar=other))


def test_a_sidecar_that_is_named_has_to_be_there(model: Path, tmp_path: Path) -> None:
    write_sidecar(model, sidecar_path(model))
    with pytest.raises(ManifestError, match=r"none\.json does not exist") as caught:
        verify(model, sidecar=tmp_path / "none.json")
    assert caught.value.code == "manifest-missing"


@pytest.mark.parametrize("has_sidecar", [False, True])
def test_a_model_that_is_not_there_is_the_first_thing_to_say(
    tmp_path: Path, has_sidecar: bool
) -> None:
    path = tmp_path / "model.keras"
    if has_sidecar:
        write_manifest(sidecar(), sidecar_path(path))
    with pytest.raises(ArtifactError, match="does not exist") as caught:
        verify(path)
    assert caught.value.code == "artifact-missing"


def test_a_model_is_judged_against_the_environment_that_is_named(model: Path) -> None:
    write_sidecar(model, sidecar_path(model))
    environment: Environment = verify(model).environment
    assert environment.kind == "interpreter"
    assert environment.python.version.split(".")[:2] == list(map(str, sys.version_info[:2]))
    with pytest.raises(CapsuleError, match="no interpreter"):
        capsule.verify(model, python=model.with_name("python"))
