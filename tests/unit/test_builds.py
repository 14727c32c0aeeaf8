"""Environments built from local wheels: kept, believed, built anew; what can't be had may move."""

from __future__ import annotations

import errno
import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from capsule.rebuild.cache import build_exact
from capsule.rebuild.cache_folder import READY
from capsule.rebuild.cached_environment import CachedEnvironment
from capsule.rebuild.errors import RebuildError
from capsule.rebuild.installers import Installation, PipTools, Uv
from capsule.rebuild.options import Progress, silent
from capsule.rebuild.pins import Pins
from capsule.rebuild.python_discovery import Interpreter
from capsule.rebuild.recipe import Recipe
from capsule.rebuild.relaxing import build_near, recall_relaxed, unmovable
from capsule.rebuild.sources import Sources
from tests.making import manifest_with
from tests.unit.test_rebuild import HERE, distribution
from tests.wheels import index, wheel


@pytest.fixture
def wheels(tmp_path: Path, cache: Path) -> Path:
    """A folder with some versions of some distributions."""
    folder = tmp_path / "wheels"
    for version in ("1.0", "1.1", "1.4", "2.0"):
        wheel(folder, "alpha", version)
    wheel(folder, "beta", "3.0")
    wheel(folder, "keras", "3.15.2")
    wheel(folder, "gamma", "1.0", tag="py3-none-win32")
    return folder


def pins(*lines: str) -> Pins:
    return Pins(tuple(sorted(lines)), dict(line.split("==") for line in sorted(lines)))


def offline(wheels: Path) -> Sources:
    return Sources(find_links=(str(wheels),), offline=True)


def built(wheels: Path, *lines: str, progress: Progress = silent) -> CachedEnvironment:
    return build_exact(Recipe(HERE, pins(*lines), Uv(offline(wheels))), progress)


def test_an_environment_is_built_once_and_found_again(wheels: Path) -> None:
    first, again = built(wheels, "alpha==1.1"), built(wheels, "alpha==1.1")
    assert (first.cached, again.cached) == (False, True)
    assert first.folder == again.folder
    code = "import alpha; print(alpha.VERSION)"
    done = subprocess.run(
        [str(first.interpreter), "-I", "-c", code], capture_output=True, text=True
    )
    assert done.stdout == "1.1\n"
    marker = json.loads((first.folder / READY).read_text())
    assert (marker["pins"], marker["backend"]) == (["alpha==1.1"], "uv")


def unmark(site: Path) -> None:
    (site.parent.parent.parent / READY).unlink()


def install_another(site: Path) -> None:
    (site / "alpha-1.1.dist-info").rename(site / "alpha-2.0.dist-info")


def add_what_runs_at_start(site: Path) -> None:
    (site / "evil.pth").write_text("import os\n")


def change_a_module(site: Path) -> None:
    (site / "alpha.py").write_text("VERSION = 'something else'\n")


def change_a_record(site: Path) -> None:
    (site / "alpha-1.1.dist-info" / "RECORD").write_text("")


@pytest.mark.parametrize(
    "change",
    [unmark, install_another, add_what_runs_at_start, change_a_module, change_a_record],
    ids=lambda change: change.__name__,
)
def test_what_is_not_as_it_was_built_is_built_anew(
    wheels: Path, change: Callable[[Path], None]
) -> None:
    folder = built(wheels, "alpha==1.1").folder
    change(next(folder.glob("lib/python*/site-packages")))
    messages: list[str] = []
    assert not built(wheels, "alpha==1.1", progress=messages.append).cached
    assert any("was changed" in message for message in messages) == (change is not unmark)


def test_what_python_compiles_is_no_change(wheels: Path) -> None:
    first = built(wheels, "alpha==1.1")
    subprocess.run([str(first.interpreter), "-c", "import alpha"], check=True)
    assert built(wheels, "alpha==1.1").cached


def test_a_build_that_fails_leaves_nothing_and_is_one_sentence(wheels: Path, cache: Path) -> None:
    with pytest.raises(RebuildError, match="the index has no alpha") as caught:
        built(wheels, "alpha==9.0")
    assert (caught.value.code, caught.value.distribution) == ("distribution-gone", "alpha")
    assert "\n" not in caught.value.message
    assert not [path for path in (cache / "environments").iterdir() if path.is_dir()]


def test_an_installer_that_installs_something_else_is_not_believed(wheels: Path) -> None:
    class Careless(Uv):
        def install(self, folder: Path, pins: Pins, lock: Path, *, build: bool) -> Installation:
            return super().install(folder, other, lock, build=build)

    other = pins("alpha==1.0")
    recipe = Recipe(HERE, pins("alpha==1.1", "beta==3.0"), Careless(offline(wheels)))
    with pytest.raises(
        RebuildError, match=r"something else: alpha 1\.0, not 1\.1; beta is missing"
    ):
        build_exact(recipe, silent)


INSIDE, ELSEWHERE = "cache/environments/x/lib", "/usr/bin/uv"


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (OSError(errno.ENOSPC, "No space left"), "cache", "make room or set CAPSULE_CACHE"),
        (OSError(errno.EDQUOT, "Quota exceeded", INSIDE), "cache", "make room"),
        (OSError(errno.EROFS, "Read-only file system", ELSEWHERE), "cache", "set CAPSULE_CACHE"),
        (OSError(errno.EACCES, "Permission denied", INSIDE), "cache", "set CAPSULE_CACHE"),
        (OSError(errno.EPERM, "Not permitted"), "cache", "set CAPSULE_CACHE"),
        (OSError(errno.EACCES, "Permission denied", ELSEWHERE), "rebuild-failed", "/usr/bin/uv"),
        (OSError(errno.ENOENT, "No such file", ELSEWHERE), "rebuild-failed", "No such file"),
        (OSError(errno.ENOENT, "No such file", INSIDE), "rebuild-failed", "No such file"),
        (OSError(errno.EMFILE, "Too many open files"), "rebuild-failed", "Too many open files"),
        (FileNotFoundError("uv is nowhere"), "rebuild-failed", "uv is nowhere"),
    ],
    ids=str,
)
def test_an_error_of_the_system_says_what_happened_and_blames_the_disk_if_it_was_the_disk(
    tmp_path: Path, cache: Path, error: OSError, code: str, words: str
) -> None:
    if error.filename == INSIDE:
        error.filename = str(tmp_path / INSIDE)

    class Failing(Uv):
        def create(self, folder: Path, python: Interpreter) -> None:
            raise error

    with pytest.raises(RebuildError) as caught:
        build_exact(Recipe(HERE, pins("alpha==1.0"), Failing()), silent)
    assert caught.value.code == code
    assert words in caught.value.message
    assert ("CAPSULE_CACHE" in caught.value.message) == (code == "cache")


PYTHON = Interpreter(Path("/usr/bin/python3.11"), "3.11.7", True)
KEYED = Recipe(PYTHON, pins("alpha==1.0"), Uv())


@pytest.mark.parametrize(
    "other",
    [
        {"python": replace(PYTHON, version="3.11.8")},
        {"python": replace(PYTHON, path=Path("/opt/python3.11"))},
        {"pins": pins("alpha==1.1")},
        {"pins": replace(KEYED.pins, hashes={"alpha": ("a" * 64,)})},
        {"installer": PipTools()},
        {"allow_build": True},  # consent: what was built from source is not for whoever gave none
        {"installer": Uv(Sources(index_url="https://example.org/simple"))},
        {"installer": Uv(Sources(find_links=("/wheels",)))},
        {"installer": Uv(Sources(find_links=("/wheels",), offline=True))},
    ],
    ids=lambda other: next(iter(other)),
)
def test_whatever_decides_what_is_installed_is_in_the_key(other: dict[str, Any]) -> None:
    assert replace(KEYED, **other).key != KEYED.key


@pytest.mark.parametrize(
    ("name", "decides"),
    [
        ("UV_DEFAULT_INDEX", True),
        ("PIP_EXTRA_INDEX_URL", True),
        ("UV_FIND_LINKS", True),
        ("UV_HTTP_RETRIES", False),
        ("MY_INDEX", False),
    ],
)
def test_an_index_of_the_users_settings_is_in_the_key(
    cache: Path, monkeypatch: pytest.MonkeyPatch, name: str, decides: bool
) -> None:
    before = KEYED.key
    monkeypatch.setenv(name, "https://example.org")
    assert (KEYED.key != before) == decides


def test_passwords_are_not_in_the_key() -> None:
    keys = {
        replace(KEYED, installer=Uv(Sources(index_url=f"https://{who}example.org"))).key
        for who in ("", "me:secret@", "you:other@")
    }
    assert len(keys) == 1


def near(
    wheels: Path | Sources,
    *lines: str,
    relax: bool = False,
    needed_by: tuple[Any, ...] = (),
    progress: Progress = silent,
    **more: Any,
) -> CachedEnvironment:
    """Build the environment of a model that reaches numpy, and for the rest has *lines*."""
    sources = offline(wheels) if isinstance(wheels, Path) else wheels
    wanted = replace(pins(*lines), **more)
    installed = [distribution(name, version=version) for name, version in wanted.versions.items()]
    manifest = manifest_with(distributions=[*installed, *needed_by])
    return build_near(manifest, Recipe(HERE, wanted, Uv(sources)), relax=relax, progress=progress)


@pytest.mark.parametrize(
    ("line", "relax", "more", "words"),
    [
        ("alpha==1.2", False, {}, r"nearest that would do is 1\.1, and no function.*--relax"),
        ("alpha==1.3", False, {}, r"nearest that would do is 1\.4,"),
        ("alpha==0.1", False, {}, r"nearest that would do is 1\.0,"),
        ("keras==3.15.1", True, {}, r"is 3\.15\.2, but the model computes with it: it stays"),
        ("alpha==1.2", True, {"hashes": {"alpha": ("a" * 64,)}}, "the lock fixes it"),
        ("alpha==1.1+cpu", True, {}, r"own index.*--find-links \(the nearest here is 1\.1\)"),
        ("nothing==1.0", True, {}, "no other version of it would do either"),
        ("nothing==1.0", True, {"moved": ("nothing",)}, "from a folder or an address: build a"),
        ("gamma==1.0", True, {}, "no wheel of gamma.*no other version"),
    ],
)
def test_what_can_not_be_had_is_told_with_what_would_do(
    wheels: Path, line: str, relax: bool, more: dict[str, Any], words: str
) -> None:
    with pytest.raises(RebuildError, match=words):
        near(wheels, line, relax=relax, **more)


def test_what_nothing_reaches_moves_when_allowed_and_is_remembered(wheels: Path) -> None:
    messages: list[str] = []
    first = near(wheels, "alpha==1.3", "beta==3.0", relax=True, progress=messages.append)
    assert first.pins.versions == {"alpha": "1.4", "beta": "3.0"}
    assert first.pins.relaxed == {"alpha": "1.3"}
    assert "alpha 1.3 can't be had: taking 1.4" in messages
    again = near(wheels, "alpha==1.3", "beta==3.0", relax=True)
    assert (again.cached, again.pins) == (True, first.pins)
    recipe = Recipe(HERE, pins("alpha==1.3", "beta==3.0"), Uv(offline(wheels)))
    assert recall_relaxed(recipe).pins == first.pins
    with pytest.raises(RebuildError, match="--relax"):  # whoever did not allow it gets none of it
        near(wheels, "alpha==1.3", "beta==3.0")


def test_what_was_moved_once_does_not_move_again(wheels: Path) -> None:
    near(wheels, "alpha==1.3", relax=True)
    (wheels / "alpha-1.4-py3-none-any.whl").unlink()
    for marker in (wheels.parent / "cache" / "environments").glob(f"*/{READY}"):
        marker.unlink()
    with pytest.raises(RebuildError, match=r"no alpha 1\.4"):
        near(wheels, "alpha==1.3", relax=True)


@pytest.mark.parametrize(
    ("requires", "nearest"),
    [
        ("alpha<1.4", "1.1"),
        ("alpha>=2", "2.0"),
        ("alpha!=1.4", "1.1"),
        ("Alpha >= 2", "2.0"),
        ('alpha>=2; sys_platform == "win32"', "1.4"),
    ],
)
def test_what_others_require_of_it_holds_where_it_moves(
    wheels: Path, requires: str, nearest: str
) -> None:
    asks = distribution("beta", requires, version="3.0")
    moved = near(wheels, "alpha==1.3", "beta==3.0", relax=True, needed_by=(asks,))
    assert moved.pins.versions["alpha"] == nearest
    alone = near(wheels, "alpha==1.3", relax=True, needed_by=(asks,))
    assert alone.pins.versions["alpha"] == "1.4"  # who asks is not in this environment


def test_keras_its_backend_and_what_functions_reach_never_move() -> None:
    assert unmovable(manifest_with()) == {"keras", "tensorflow-cpu", "numpy"}
    assert unmovable(manifest_with(functions=[])) == {"keras", "tensorflow-cpu"}


def test_a_yanked_release_is_taken_as_it_was_saved_and_told(wheels: Path, tmp_path: Path) -> None:
    files = sorted(wheels.glob("alpha-*"))
    address = index(tmp_path / "simple", *files, yanked={"alpha-1.1-py3-none-any.whl": "Broken"})
    messages: list[str] = []
    for _ in range(2):
        taken = near(Sources(index_url=address), "alpha==1.1", progress=messages.append)
        assert taken.installation.yanked == {"alpha": "Broken"}
    (message,) = [message for message in messages if "yanked" in message]
    assert message.endswith("(Broken); it was taken, and the nearest that was not is 1.0")
