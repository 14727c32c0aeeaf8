"""Real environments for the tests: made once, kept in `.environments`, skipped with a reason."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from capsule.errors import CapsuleError
from capsule.manifest import PythonFacts
from capsule.rebuild.python_discovery import find_python

PROJECT = Path(__file__).parent.parent
SAMPLES = PROJECT / "sample_models"
# TensorFlow 2.15 is resolved as of a date shortly after its release: later versions of
# what it does not pin break it.
KERAS2 = ("tensorflow-cpu==2.15.1", "--exclude-newer", "2024-03-20")
KERAS3 = ("--requirement", str(SAMPLES / "requirements.txt"))
# Fixtures through which a test gets an environment with TensorFlow.
ENVIRONMENTS = {"keras", "keras2", "keras3", "keras3_elsewhere"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that ask for TensorFlow; skip them, with the reason, where there is none."""
    missing = importlib.util.find_spec("tensorflow") is None
    skip = pytest.mark.skip(reason="it needs TensorFlow: the environment of `make test` has it")
    for item in items:
        if ENVIRONMENTS & set(getattr(item, "fixturenames", ())):
            item.add_marker("tensorflow")
        if missing and item.get_closest_marker("tensorflow") is not None:
            item.add_marker(skip)


@dataclass(frozen=True)
class Installed:
    """An environment with capsule and a Keras in it."""

    folder: Path
    keras: int
    minor: str

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    def run(
        self, *words: str, cwd: Path | None = None, check: bool = True, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run this environment's Python in a fresh process."""
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **variables}
        done = subprocess.run(
            [self.python, *words],
            capture_output=True,
            text=True,
            cwd=cwd,
            env=environment,
            timeout=600,
        )
        assert not check or done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done

    def capsule(
        self, *words: str, cwd: Path | None = None, check: bool = False, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the command in a fresh process."""
        return self.run("-m", "capsule", *words, cwd=cwd, check=check, **variables)


def _make(minor: str, requirements: tuple[str, ...], name: str) -> Path:
    """Return an environment with *requirements* and capsule, made if it is not there."""
    folder = PROJECT / ".environments" / name
    with FileLock(folder.parent / f"{name}.lock"):  # the tests run in several processes
        return _made(folder, minor, requirements)


def _made(folder: Path, minor: str, requirements: tuple[str, ...]) -> Path:
    ready = folder / "ready"
    if ready.exists() and ready.stat().st_mtime > (PROJECT / "pyproject.toml").stat().st_mtime:
        return folder
    try:
        found = find_python(PythonFacts("cpython", f"{minor}.0", 0, ""))
    except CapsuleError:
        pytest.skip(f"no Python {minor} on this machine")
    from uv import find_uv_bin

    uv = find_uv_bin()
    subprocess.run(
        [uv, "venv", "--quiet", "--clear", "--python", str(found.path), str(folder)], check=True
    )
    # Compiled at once: many short processes start in it, and some machines keep no bytecode.
    install = [
        uv,
        "pip",
        "install",
        "--quiet",
        "--compile-bytecode",
        "--python",
        str(folder / "bin" / "python"),
    ]
    subprocess.run([*install, *requirements], check=True)
    # Apart from the first: capsule's own requirements must not move the framework's.
    subprocess.run([*install, "--editable", str(PROJECT)], check=True)
    ready.touch()
    return folder


@pytest.fixture(scope="session")
def keras3() -> Installed:
    """Keras 3 on TensorFlow 2.21: the environment that the tests run in."""
    pytest.importorskip("tensorflow", reason="the tests run in the environment of `make test`")
    return Installed(Path(sys.prefix), 3, "{}.{}".format(*sys.version_info[:2]))


@pytest.fixture(scope="session")
def keras3_elsewhere() -> Installed:
    """The same Keras 3 under another minor version of Python."""
    mine = "{}.{}".format(*sys.version_info[:2])
    minor = "3.12" if mine != "3.12" else "3.11"
    return Installed(_make(minor, KERAS3, f"keras3-{minor}"), 3, minor)


@pytest.fixture(scope="session")
def keras2() -> Installed:
    """Keras 2 on TensorFlow 2.15."""
    return Installed(_make("3.11", KERAS2, "keras2-3.11"), 2, "3.11")


@pytest.fixture(scope="session", params=["keras3", "keras2"])
def keras(request: pytest.FixtureRequest) -> Installed:
    """Each Keras in turn."""
    found: Installed = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Installed], Path]:
    """Give the folder where an environment saved the sample models, under the hook."""
    made: dict[str, Path] = {}

    def saved_by(installed: Installed) -> Path:
        key = str(installed.folder)
        if key not in made:
            folder = tmp_path_factory.mktemp(f"samples{installed.keras}")
            for script in ("doubling", "numpy_helper", "tensor_helper", "made_by_eval"):
                done = installed.capsule("save", str(SAMPLES / f"{script}.py"), ".", cwd=folder)
                (folder / f"{script}.log").write_text(done.stdout + done.stderr)
            made[key] = folder
        return made[key]

    return saved_by


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A cache of rebuilt environments that the tests of one session share."""
    folder = tmp_path_factory.mktemp("cache")
    folder.chmod(0o700)
    return str(folder)
