"""What can't be had is told apart, with the nearest that would do; what nothing reaches may move."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from capsule.manifest import Manifest
from capsule.rebuild.cached_environment import CachedEnvironment
from capsule.rebuild.errors import RebuildError
from capsule.rebuild.installers import INSTALLERS
from capsule.rebuild.options import Backend, Progress, silent
from capsule.rebuild.pins import Pins
from capsule.rebuild.recipe import Recipe
from capsule.rebuild.relaxing import build_near, unmovable
from tests.making import manifest_with
from tests.unit.test_rebuild import HERE, distribution

pytestmark = pytest.mark.installers


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAPSULE_CACHE", str(tmp_path / "cache"))


def near(
    *wanted: str,
    relax: bool = False,
    build: bool = False,
    backend: Backend = "uv",
    needed_by: tuple[Any, ...] = (),
    hashes: Any = None,
    progress: Progress = silent,
) -> CachedEnvironment:
    versions = dict(line.split("==") for line in wanted)
    installed = [distribution(name, version=version) for name, version in versions.items()]
    manifest: Manifest = manifest_with(distributions=[*installed, *needed_by])
    pins = Pins(wanted, versions, hashes=hashes or {})
    recipe = Recipe(HERE, pins, INSTALLERS[backend](), build)
    return build_near(manifest, recipe, relax=relax, progress=progress)


@pytest.mark.parametrize("backend", ["uv", "pip-tools"])
def test_a_version_that_is_gone_is_told_with_the_nearest(backend: Backend) -> None:
    with pytest.raises(RebuildError, match=r"the index has no six.*nearest.* is 1\.16\.0.*--relax"):
        near("six==1.16.99", backend=backend, build=backend != "uv")


@pytest.mark.parametrize("backend", ["uv", "pip-tools"])
def test_a_version_without_a_wheel_here_is_told_apart(backend: Backend) -> None:
    # Wheels of Python 3.7 to 3.10 alone, and no source.
    with pytest.raises(RebuildError, match="no wheel of tensorflow-cpu") as caught:
        near("tensorflow-cpu==2.9.0", backend=backend, build=True)
    assert caught.value.code == "no-wheel"
    assert "the model computes with it: it stays" in caught.value.message


def test_a_distribution_that_nobody_has_is_told() -> None:
    with pytest.raises(RebuildError, match="no other version of it would do either"):
        near("capsule-no-such-distribution==1.0", relax=True)


def test_what_nothing_reaches_moves_when_allowed_and_no_further_than_it_must() -> None:
    built = near("six==1.16.99", "idna==3.6", relax=True)
    assert built.pins.versions == {"six": "1.16.0", "idna": "3.6"}
    assert built.pins.relaxed == {"six": "1.16.99"}
    again = near("six==1.16.99", "idna==3.6", relax=True)
    assert (again.cached, again.pins) == (True, built.pins)


def test_what_others_require_of_it_holds_where_it_moves() -> None:
    asks = distribution("idna", "six<1.16,>=1.10", version="3.6")
    built = near("six==1.16.99", relax=True, needed_by=(asks,))
    assert built.pins.versions["six"] == "1.16.0"  # idna is not in this environment
    manifest_of_both = (asks,)
    with_it = near("six==1.16.99", "idna==3.6", relax=True, needed_by=manifest_of_both)
    assert with_it.pins.versions["six"] == "1.15.0"


def test_keras_its_backend_and_what_functions_reach_never_move() -> None:
    assert {"keras", "tensorflow-cpu"} <= unmovable(manifest_with())
    with pytest.raises(RebuildError, match="the model computes with it: it stays"):
        near("keras==3.4.99", relax=True)


def test_a_version_of_its_makers_own_index_is_told_where_to_come_from() -> None:
    with pytest.raises(RebuildError, match=r"--find-links \(the nearest here is 1\.17\.0\)"):
        near("six==1.17.0+cpu", relax=True)


def test_what_a_lock_fixes_does_not_move() -> None:
    with pytest.raises(RebuildError, match="but the lock fixes it: capsule lock again"):
        near("six==1.16.99", relax=True, hashes={"six": ("a" * 64,)})


@pytest.mark.parametrize("backend", ["uv", "pip-tools"])
def test_a_yanked_release_is_installed_as_it_was_saved_and_told(backend: Backend) -> None:
    messages: list[str] = []
    for _ in range(2):  # told of what is in the cache as well
        built = near("urllib3==1.25", backend=backend, build=True, progress=messages.append)
        assert built.installation.yanked == {"urllib3": "Broken release"}
    (first,) = [message for message in messages if "yanked" in message]
    assert first.endswith("the nearest that was not is 1.25.2")
