"""Pins, Pythons and the cache, without building anything large."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from capsule.errors import InputError
from capsule.manifest import PythonFacts
from capsule.rebuild.cache import build_exact
from capsule.rebuild.cache_folder import READY, cache_folder
from capsule.rebuild.cached_environment import CachedEnvironment
from capsule.rebuild.errors import RebuildError
from capsule.rebuild.installers import PipTools, Uv
from capsule.rebuild.options import Progress, ReplayOptions, Scope, silent
from capsule.rebuild.pins import Pins, pins_of
from capsule.rebuild.python_discovery import Interpreter, find_python
from capsule.rebuild.recipe import Recipe
from tests.making import manifest_json, manifest_with

HERE = Interpreter(
    Path(getattr(sys, "_base_executable", sys.executable)),
    "{}.{}.{}".format(*sys.version_info[:3]),
    True,
)
SIX = Pins(("six==1.17.0",), {"six": "1.17.0"})


def distribution(name: str, *requires: str, url: Any = None, version: str = "1.0") -> Any:
    return {
        "name": name,
        "version": version,
        "requires": list(requires),
        "direct_url": url,
        "installer": None,
    }


def pinned(*distributions: Any, scope: Scope = "model", elsewhere: bool = False) -> Pins:
    base = manifest_json()["distributions"]
    manifest = manifest_with(distributions=[*base, *distributions])
    return pins_of(manifest, scope, elsewhere=elsewhere)


def test_the_models_reach_is_pinned_and_the_rest_left_out() -> None:
    assert sorted(pinned().versions) == ["keras", "numpy", "tensorflow-cpu"]
    assert "jupyter" in pinned(scope="all").versions


def test_requirements_are_followed_by_their_markers() -> None:
    found = pinned(
        distribution("h5py", 'on-windows; sys_platform == "win32"', "everywhere>=1"),
        distribution("on-windows"),
        distribution("everywhere"),
    ).versions
    assert "everywhere" in found
    assert "on-windows" not in found


def test_scope_all_leaves_out_capsule_and_what_only_it_required() -> None:
    found = pinned(
        distribution("keras-capsule", "typer", "numpy"), distribution("typer"), scope="all"
    ).versions
    assert not {"keras-capsule", "typer"} & set(found)
    assert "numpy" in found


def test_repositories_are_pinned_at_their_commit_and_folders_told() -> None:
    git = {"url": "https://host/x", "vcs_info": {"vcs": "git", "commit_id": "abc123"}}
    pins = pinned(distribution("h5py", url=git), elsewhere=True)
    assert "h5py @ git+https://host/x@abc123" in pins.requirements
    assert pinned(distribution("h5py", url={"url": "file:"})).moved == ("h5py",)


@pytest.mark.parametrize(
    "text", ["--no-index", "a @ ", "x; import os", "pytz>dev", "numpy (>=1.*)"]
)
def test_a_requirement_in_no_known_form_never_stops_anybody(text: str) -> None:
    assert "h5py" in pinned(distribution("h5py", text)).versions


def test_without_consent_nothing_comes_from_an_address() -> None:
    pins = pinned(distribution("h5py", url={"url": "https://host/h5py.tar.gz"}))
    assert "h5py==1.0" in pins.requirements
    assert pins.moved == ("h5py",)


def test_a_commit_that_is_an_option_is_refused() -> None:
    git = {"url": "https://host/x", "vcs_info": {"vcs": "git", "commit_id": "a --index-url=b"}}
    with pytest.raises(RebuildError):
        pinned(distribution("h5py", url=git), elsewhere=True)


def test_this_python_is_found_exactly() -> None:
    found = find_python(PythonFacts("cpython", HERE.version, 0, ""))
    assert found.exact
    assert found.version == HERE.version


def test_a_python_that_is_nowhere_is_one_sentence_with_a_command() -> None:
    with pytest.raises(RebuildError, match=r"uv python install 3\.99"):
        find_python(PythonFacts("cpython", "3.99.0", 0, ""))


def test_an_interpreter_of_another_version_is_refused_by_name() -> None:
    with pytest.raises(RebuildError, match=r"is not cpython 3\.99"):
        find_python(PythonFacts("cpython", "3.99.0", 0, ""), HERE.path)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("CAPSULE_CACHE", str(folder))
    return folder


def built(pins: Pins = SIX, progress: Progress = silent) -> CachedEnvironment:
    return build_exact(Recipe(HERE, pins, Uv()), progress)


@pytest.mark.installers
def test_an_environment_is_built_once_and_found_again(own_cache: Path) -> None:
    first, second = built(), built()
    assert (first.cached, second.cached) == (False, True)
    assert first.folder == second.folder
    done = subprocess.run([str(first.interpreter), "-I", "-c", "import six"])
    assert done.returncode == 0
    assert list(first.folder.glob("lib/*/site-packages/__pycache__/six.*"))  # compiled just now
    assert built().cached


@pytest.mark.installers
def test_an_environment_without_its_mark_is_built_anew(own_cache: Path) -> None:
    (built().folder / READY).unlink()
    assert not built().cached


@pytest.mark.installers
def test_an_environment_that_somebody_changed_is_built_anew(own_cache: Path) -> None:
    folder = built().folder
    (next(folder.glob("lib/python*/site-packages")) / "six-1.17.0.dist-info").rename(
        next(folder.glob("lib/python*/site-packages")) / "six-1.0.0.dist-info"
    )
    assert not built().cached


@pytest.mark.installers
def test_a_build_that_fails_leaves_nothing(own_cache: Path) -> None:
    with pytest.raises(RebuildError) as caught:
        built(Pins(("no-such-thing-at-all==1.0",), {"no-such-thing-at-all": "1.0"}))
    assert "\n" not in str(caught.value)
    left = [p.name for p in (own_cache / "environments").iterdir() if p.is_dir()]
    assert left == []


def test_without_a_network_the_error_says_so(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_CACHE_DIR", str(own_cache.parent / "uv"))
    with pytest.raises(RebuildError, match="is there a network") as caught:
        built()
    assert caught.value.code == "network"


@pytest.mark.installers
def test_a_build_killed_in_its_midst_is_never_believed(own_cache: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from tests.unit.test_rebuild import built\n"
        "import time\n"
        "def progress(message):\n"
        "    print(message, flush=True)\n"
        "    if 'installing' in message: time.sleep(60)\n"
        "built(progress=progress)\n"
    )
    root = str(Path(__file__).parent.parent.parent)
    process = subprocess.Popen([sys.executable, "-c", code, root], stdout=subprocess.PIPE)
    assert process.stdout is not None
    while b"installing" not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    started = time.monotonic()
    assert not built().cached
    assert time.monotonic() - started < 30
    assert built().cached


def test_a_cache_that_others_can_write_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.name == "nt":
        pytest.skip("modes are those of POSIX")
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    monkeypatch.setenv("CAPSULE_CACHE", str(folder))
    with pytest.raises(RebuildError, match="chmod 700"):
        cache_folder()


@pytest.mark.installers
def test_the_mark_tells_what_is_in_it(own_cache: Path) -> None:
    marker = json.loads((built().folder / READY).read_text())
    assert marker["pins"] == ["six==1.17.0"]


@pytest.mark.installers
def test_pip_tools_builds_the_same(own_cache: Path) -> None:
    environment = build_exact(Recipe(HERE, SIX, PipTools(), allow_build=True), silent)
    assert json.loads((environment.folder / READY).read_text())["backend"] == "pip-tools"
    assert not environment.cached
    done = subprocess.run([str(environment.interpreter), "-I", "-c", "import six"])
    assert done.returncode == 0


def test_pip_tools_refuses_without_consent_and_old_pythons() -> None:
    with pytest.raises(RebuildError, match="--unsafe"):
        PipTools().install(Path(), SIX, Path("lock"), build=False)
    with pytest.raises(RebuildError, match="--backend uv"):
        PipTools().create(Path(), Interpreter(Path("python"), "3.6.15", True))
    with pytest.raises(InputError, match="uv or pip-tools"):
        ReplayOptions(backend="conda")  # type: ignore[arg-type]
