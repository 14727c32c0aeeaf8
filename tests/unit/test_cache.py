"""The cache gives back an environment that is whole and as it was built, or builds it anew."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import pytest

from capsule.rebuild.cache import REQUIREMENTS, build_exact, differences, is_ready, state_of
from capsule.rebuild.cache_folder import READY, cache_folder, discard
from capsule.rebuild.cached_environment import CachedEnvironment
from capsule.rebuild.errors import RebuildError
from capsule.rebuild.installers import Installation
from capsule.rebuild.pins import Pins
from capsule.rebuild.python_discovery import Interpreter
from capsule.rebuild.recipe import Recipe
from capsule.rebuild.sources import Sources
from tests.unit.test_cache_key import INDEX, PINS, PYTHON, no_index, pins

__all__ = ["no_index"]  # a fixture that every test here uses


class Folders:
    """An installer that makes the folders of distributions and nothing in them."""

    def __init__(self, name: str = "folders", sources: Sources | None = None) -> None:
        self.name = name
        self.sources = sources or Sources()
        self.builds: list[bool] = []
        self.versions: dict[str, str] | None = None
        self.error: BaseException | None = None

    def create(self, folder: Path, python: Interpreter) -> None:
        site_of(folder).mkdir(parents=True)

    def install(self, folder: Path, pins: Pins, lock: Path, *, build: bool) -> Installation:
        assert lock == folder / REQUIREMENTS
        self.builds.append(build)
        if self.error is not None:
            raise self.error
        for name, version in (self.versions or pins.versions).items():
            info = site_of(folder) / f"{name}-{version}.dist-info"
            info.mkdir()
            (info / "RECORD").write_text(f"{name}.py,,\n")
            (site_of(folder) / f"{name}.py").write_text("X = 1\n")
        (site_of(folder) / "start.pth").write_text("six\n")
        return Installation(("six",), {"numpy": "it was broken"})

    def list_unbuilt(self, folder: Path, pins: Pins) -> tuple[str, ...]:
        return ()


def site_of(folder: Path) -> Path:
    return folder / "lib" / "python3.11" / "site-packages"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("CAPSULE_CACHE", str(folder))
    return folder / "environments"


def built(
    installer: Folders | None = None,
    progress: Any = print,
    python: Interpreter = PYTHON,
    pins: Pins = PINS,
    allow_build: bool = False,
) -> CachedEnvironment:
    return build_exact(Recipe(python, pins, installer or Folders(), allow_build), progress)


def test_what_was_built_once_is_used_again_with_all_that_was_said_of_it(cache: Path) -> None:
    installer = Folders()
    messages: list[str] = []
    first = built(installer, messages.append)
    second = built(installer, messages.append)
    assert (first.cached, second.cached) == (False, True)
    assert first.folder == second.folder == cache / Recipe(PYTHON, PINS, installer).key
    assert (
        first.installation
        == second.installation
        == Installation(("six",), {"numpy": "it was broken"})
    )
    assert second.recipe == first.recipe == Recipe(PYTHON, PINS, installer)
    assert installer.builds == [False]
    assert messages == [
        "making an environment with Python 3.11.7 (folders)",
        "installing 2 distributions",
    ]
    marker = json.loads((first.folder / READY).read_text())
    assert marker["pins"] == ["numpy==2.4.6", "six==1.17.0"]
    assert (marker["python"], marker["backend"]) == ("3.11.7", "folders")


@pytest.mark.parametrize(
    ("facts", "options"),
    [
        ({}, {"allow_build": True}),
        ({"name": "other"}, {}),
        ({"sources": Sources(index_url=INDEX)}, {}),
        ({}, {"python": dataclasses.replace(PYTHON, version="3.11.8")}),
        ({}, {"pins": pins(hashes={})}),
    ],
    ids=["consent", "installer", "index", "Python", "hashes"],
)
def test_what_was_built_otherwise_is_not_taken(facts: Any, options: Any, cache: Path) -> None:
    installer = Folders(**facts)
    first, second = built(), built(installer, **options)
    assert not second.cached
    assert second.folder != first.folder
    assert installer.builds == [options.get("allow_build", False)]
    assert built().cached


def test_pins_in_another_order_are_the_same_environment(cache: Path) -> None:
    built()
    assert built(pins=pins(requirements=PINS.requirements[::-1])).cached


def edited(name: str, content: str) -> Any:
    def edit(site: Path) -> None:
        (site / name).parent.mkdir(exist_ok=True)
        (site / name).write_text(content)

    return edit


@pytest.mark.parametrize(
    ("edit", "ready"),
    [
        (lambda site: None, True),
        (edited("__pycache__/six.pyc", "compiled"), True),
        (edited("six/inner.py", "deep inside"), False),  # a folder more
        (edited("evil.pth", "import os"), False),
        (edited("start.pth", "import os; os.abort()\n"), False),
        (edited("evil.py", "import os"), False),
        (edited("evil.so", ""), False),
        (edited("six.py", "X = 10000\n"), False),
        (lambda site: (site / "six.py").unlink(), False),
        (lambda site: os.utime(site / "six.py", (1, 1)), False),
        (edited("six-1.17.0.dist-info/RECORD", "other"), False),
        (edited("six-1.17.0.dist-info/INSTALLER", "uv"), True),
        (lambda site: (site / "six-1.17.0.dist-info" / "RECORD").unlink(), False),
        (lambda site: (site / READY).write_text("{}"), False),
        (edited(f"../../../{READY}", "{}"), False),
        (edited(f"../../../{READY}", "{"), False),
        (lambda site: (site / f"../../../{READY}").unlink(), False),
        (edited(f"../../../{REQUIREMENTS}", "said by the installer"), True),
    ],
)
def test_an_environment_that_somebody_changed_is_not_believed(
    edit: Any, ready: bool, cache: Path
) -> None:
    folder = built().folder
    edit(site_of(folder))
    assert is_ready(folder, PINS) is ready
    assert built().cached is ready
    assert built().cached


def test_that_it_was_changed_is_told(cache: Path) -> None:
    folder = built().folder
    messages: list[str] = []
    edited("evil.pth", "import os")(site_of(folder))
    built(progress=messages.append)
    assert messages[0] == "the environment was changed since it was built: building it anew"
    assert not (site_of(folder) / "evil.pth").exists()


@pytest.mark.parametrize(
    ("versions", "messages"),
    [
        ({"six": "1.17.0", "numpy": "2.4.6"}, []),
        ({"six": "1.17", "numpy": "2.4.6"}, []),
        ({"six": "1.17.0", "numpy": "2.4.6", "more": "1"}, []),
        ({"six": "1.17.0"}, ["numpy is missing, not 2.4.6"]),
        ({"six": "1.16.0", "numpy": "2.4.6"}, ["six 1.16.0, not 1.17.0"]),
        ({"six": "1.17.0.post1", "numpy": "2.4.6"}, ["six 1.17.0.post1, not 1.17.0"]),
        ({}, ["six is missing, not 1.17.0", "numpy is missing, not 2.4.6"]),
    ],
)
def test_what_is_installed_is_held_against_the_pins(
    versions: Any, messages: list[str], cache: Path, tmp_path: Path
) -> None:
    installer = Folders()
    installer.create(tmp_path / "e", PYTHON)
    for name, version in versions.items():
        (site_of(tmp_path / "e") / f"{name}-{version}.dist-info").mkdir()
    assert differences(tmp_path / "e", PINS) == messages
    installer.versions = versions or {"other": "1"}
    if messages:
        with pytest.raises(RebuildError, match="folders installed something else: ") as caught:
            built(installer)
        assert "; ".join(messages) in str(caught.value)
        assert not [path for path in cache.iterdir() if path.is_dir()]
    else:
        assert not built(installer).cached
        assert built().cached


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RebuildError("no"), ValueError("no")])
def test_a_build_that_ends_early_leaves_nothing(error: BaseException, cache: Path) -> None:
    installer = Folders()
    installer.error = error
    with pytest.raises(type(error)):
        built(installer)
    assert not [path for path in cache.iterdir() if path.is_dir()]
    assert not built().cached


def test_the_state_of_a_folder_is_over_windows_places_as_well(tmp_path: Path) -> None:
    site = tmp_path / "Lib" / "site-packages"
    site.mkdir(parents=True)
    before = state_of(tmp_path)
    (site / "six.py").write_text("")
    assert state_of(tmp_path) != before
    assert state_of(tmp_path / "nowhere") == state_of(tmp_path / "nowhere else")


def test_a_folder_is_discarded_whole_or_was_not_there(tmp_path: Path) -> None:
    (tmp_path / "e" / "lib").mkdir(parents=True)
    discard(tmp_path / "e")
    discard(tmp_path / "e")
    assert list(tmp_path.iterdir()) == []


def test_the_cache_is_where_it_is_said_to_be_and_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAPSULE_CACHE", str(tmp_path / "deep" / "cache"))
    assert cache_folder() == tmp_path / "deep" / "cache"
    if os.name == "nt":
        pytest.skip("modes are those of POSIX")
    assert cache_folder().stat().st_mode & 0o777 == 0o700
    for mode, taken in ((0o755, True), (0o770, False), (0o702, False)):
        cache_folder_of_mode(tmp_path / "deep" / "cache", mode, taken)


def cache_folder_of_mode(folder: Path, mode: int, taken: bool) -> None:
    folder.chmod(mode)
    if taken:
        assert cache_folder() == folder
    else:
        with pytest.raises(RebuildError, match="can be written by others"):
            cache_folder()
    folder.chmod(0o700)


def test_a_cache_that_can_not_be_made_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CAPSULE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(RebuildError, match="can't be made"):
        cache_folder()
