"""A resolution is built, or refused for want of consent; what was built is found again by its model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from capsule.artifact import identify
from capsule.consent.consent import ConsentError, Trust
from capsule.consent.plan import make_plan
from capsule.description.describe import describe
from capsule.errors import RestoreFailedError
from capsule.manifest.files import sidecar_path, write_manifest
from capsule.rebuild.building import build, find_environment
from capsule.rebuild.errors import NeedsBuildError, RebuildError, WorkerError
from capsule.rebuild.options import ReplayOptions
from capsule.rebuild.resolve import Resolution, resolve
from tests.bare import archive, model_of
from tests.making import VERSIONS, described, manifest_with
from tests.unit.test_bare_environment import lambda_model, resolution
from tests.unit.test_bare_environment import wheels as release_wheels  # a fixture
from tests.unit.test_builds import offline, pins
from tests.unit.test_rebuild import HERE
from tests.wheels import wheel

__all__ = ["release_wheels"]


@pytest.fixture
def wheels(tmp_path: Path, cache: Path) -> Path:
    folder = tmp_path / "wheels"
    for name, version in VERSIONS.items():
        wheel(folder, name, version)
    wheel(folder, "alpha", "1.0")
    for name in ("beta", "gamma"):
        wheel(folder, name, "1.0", tag="py3-none-win32")
    return folder


def resolved(wheels: Path, *lines: str, **options: Any) -> Resolution:
    """Return the resolution of a model that nobody allowed to run."""
    description = described(manifest_with())
    options = {"sources": offline(wheels), **options}
    plan = make_plan(description, Trust())
    return Resolution(description, plan, HERE, pins(*lines), ReplayOptions(**options))


def test_without_consent_the_environment_is_built_and_nothing_is_started(wheels: Path) -> None:
    ready = resolved(wheels, "alpha==1.0")
    environment = build(ready)
    assert environment.pins == ready.pins
    assert environment.folder.name == ready.recipe.key
    with pytest.raises(ConsentError, match="would run"):
        environment.start(ready)
    with pytest.raises(ConsentError, match="would run"):
        environment.run(ready, ["python", "-c", "1"])


def test_all_that_has_no_wheel_is_named_where_nobody_allowed_a_build(
    wheels: Path, cache: Path
) -> None:
    with pytest.raises(NeedsBuildError, match=r"code of: beta, gamma \(.*--unsafe") as caught:
        build(resolved(wheels, "alpha==1.0", "beta==1.0", "gamma==1.0"))
    assert caught.value.distributions == ("beta", "gamma")
    assert caught.value.code == "needs-build"
    assert not [path for path in (cache / "environments").iterdir() if path.is_dir()]


def test_what_is_gone_is_no_matter_of_consent(wheels: Path) -> None:
    with pytest.raises(RebuildError, match=r"the index has no alpha 2\.0") as caught:
        build(resolved(wheels, "alpha==2.0"))
    assert (caught.value.code, caught.value.distribution) == ("distribution-gone", "alpha")


def test_pip_tools_is_refused_before_it_makes_anything(wheels: Path, cache: Path) -> None:
    with pytest.raises(RebuildError, match="--unsafe, or use --backend uv"):
        build(resolved(wheels, "alpha==1.0", backend="pip-tools"))
    assert not (cache / "environments").exists()


def test_a_command_runs_in_it_with_its_programs_first(wheels: Path) -> None:
    ready = resolved(wheels, "alpha==1.0")
    ready = replace(ready, plan=make_plan(ready.description, Trust(safe_mode=False)))
    environment = build(ready)
    code = "import alpha, os, sys; sys.exit(5 if os.environ['VIRTUAL_ENV'] == sys.prefix else 6)"
    assert environment.run(ready, ["python", "-c", code]) == 5
    with pytest.raises(RebuildError, match="no command 'no-such-program'"):
        environment.run(ready, ["no-such-program"])


def test_a_recorded_model_finds_the_environment_that_was_built_for_it(
    tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_FIND_LINKS", str(wheels))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    path = archive(tmp_path / "m.keras", model_of())
    form, size, sha256 = identify(path)
    manifest = manifest_with(
        artifact={"name": path.name, "format": form, "size": size, "sha256": sha256},
        python={"version": HERE.version},
        functions=[],
        nodes={},
    )
    write_manifest(manifest, sidecar_path(path))
    with pytest.raises(RebuildError, match="has no environment yet: capsule replay"):
        find_environment(path)
    ready = resolve(describe(path), Trust(), ReplayOptions(download="never"))
    environment = build(ready)
    assert find_environment(path).folder == environment.folder


def test_an_inferred_model_finds_the_environment_that_was_built_for_it(
    tmp_path: Path, release_wheels: Any
) -> None:
    path = lambda_model(tmp_path)
    ready = resolution(path, release_wheels)
    environment = build(ready)
    assert find_environment(path).folder == environment.folder
    assert list(environment.folder.glob("m.keras-*.capsule.json"))
    (tmp_path / "other").mkdir()
    with pytest.raises(RebuildError, match="has no environment yet"):
        find_environment(lambda_model(tmp_path / "other", lambda x: x + 3))


def test_names_that_nothing_defines_are_named_where_loading_fails(
    tmp_path: Path, release_wheels: Any
) -> None:
    """There is no real Keras in this environment: loading fails there in any case."""
    path = lambda_model(tmp_path, lambda x: x * rate)  # type: ignore[name-defined] # noqa: F821
    ready = resolution(path, release_wheels)
    with pytest.raises(RestoreFailedError, match=r"does not define rate: give.*--bind NAME=JSON"):
        build(ready).start(ready)


def test_an_environment_whose_python_is_gone_says_what_to_do(wheels: Path) -> None:
    ready = resolved(wheels, "alpha==1.0")
    ready = replace(ready, plan=make_plan(ready.description, Trust(safe_mode=False)))
    environment = build(ready)
    environment.interpreter.unlink()
    with pytest.raises(WorkerError, match=r"can't be started.*delete its environment"):
        environment.start(ready)
