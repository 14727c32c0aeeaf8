"""Every Keras that a Python of this machine can run, each in an environment of its own.

What an old Keras required without a version moved on since: an environment is resolved as of
some weeks after its release, when the index had what it worked with.
"""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from capsule.errors import CapsuleError
from capsule.manifest import PythonFacts
from capsule.rebuild.python_discovery import find_python

FOLDER = Path(__file__).parent.parent.parent / ".environments" / "kerases"
_WEEK = 7 * 24 * 3600  # seconds for which an environment of the newest Keras is the newest


@dataclass(frozen=True)
class Environment:
    """How an environment is made: its Python, as of which day, and what is installed.

    ``day`` is None for what is newest today. ``without_dependencies`` are installed alone: what
    they require under another name is there (``tf-keras`` asks for ``tensorflow``).
    """

    python: str
    day: str | None
    requirements: tuple[str, ...]
    without_dependencies: tuple[str, ...] = ()


@dataclass(frozen=True)
class Keras:
    """One Keras: the name that selects it, the module to import, and its environment's name."""

    name: str
    module: str
    environment: str


ENVIRONMENTS = {
    "keras-2.2": Environment("3.6", "2019-12-01", ("tensorflow==1.15.0", "keras==2.2.4", "h5py<3")),
    "keras-2.3": Environment(
        "3.7", "2021-06-01", ("tensorflow==1.15.5", "keras==2.3.1", "h5py<3", "protobuf<3.21")
    ),
    "tensorflow-2.0": Environment("3.7", "2021-02-01", ("tensorflow==2.0.4", "h5py<3")),
    "tensorflow-2.1": Environment("3.7", "2020-03-01", ("tensorflow-cpu==2.1.0",)),
    "tensorflow-2.2": Environment("3.8", "2020-07-15", ("tensorflow-cpu==2.2.0",)),
    "tensorflow-2.3": Environment("3.8", "2020-09-10", ("tensorflow-cpu==2.3.0",)),
    "tensorflow-2.4": Environment(
        "3.8", "2021-11-20", ("tensorflow-cpu==2.4.4", "keras==2.4.3", "protobuf<3.21")
    ),
    "tensorflow-2.5": Environment("3.9", "2021-06-20", ("tensorflow-cpu==2.5.0",)),
    "keras-2.6": Environment("3.6", "2021-11-15", ("tensorflow-cpu==2.6.2",)),
    "keras-2.7": Environment("3.9", "2021-12-15", ("tensorflow-cpu==2.7.0",)),
    "keras-2.8": Environment("3.9", "2022-11-25", ("tensorflow-cpu==2.8.4",)),
    "keras-2.9": Environment("3.10", "2022-07-01", ("tensorflow-cpu==2.9.1",)),
    "keras-2.10": Environment("3.10", "2022-10-10", ("tensorflow-cpu==2.10.0",)),
    "keras-2.11": Environment("3.10", "2022-12-20", ("tensorflow-cpu==2.11.0",)),
    "keras-2.12": Environment("3.10", "2023-07-20", ("tensorflow-cpu==2.12.1",)),
    "keras-2.13": Environment("3.11", "2023-08-15", ("tensorflow-cpu==2.13.0",)),
    "keras-2.14": Environment("3.11", "2023-10-30", ("tensorflow-cpu==2.14.0",)),
    "keras-2.15": Environment("3.11", "2024-03-20", ("tensorflow-cpu==2.15.1",)),
}


def _pin_keras_3(
    python: str, day: str | None, keras: str, tensorflow: str, *without_dependencies: str
) -> Environment:
    return Environment(
        python, day, (f"tensorflow-cpu{tensorflow}", f"keras{keras}"), without_dependencies
    )


ENVIRONMENTS.update(
    {
        "keras-3.0": _pin_keras_3("3.11", "2024-04-05", "==3.0.5", "==2.16.1"),
        "keras-3.1": _pin_keras_3("3.11", "2024-04-10", "==3.1.1", "==2.16.1"),
        "keras-3.2": _pin_keras_3("3.11", "2024-04-29", "==3.2.1", "==2.16.1"),
        "keras-3.3": _pin_keras_3("3.11", "2024-06-15", "==3.3.3", "==2.16.1", "tf-keras==2.16.0"),
        "keras-3.4": _pin_keras_3("3.12", "2024-08-10", "==3.4.1", "==2.17.0"),
        "keras-3.5": _pin_keras_3("3.12", "2024-09-20", "==3.5.0", "==2.17.0", "tf-keras==2.17.0"),
        "keras-3.6": _pin_keras_3("3.12", "2024-11-20", "==3.6.0", "==2.18.0"),
        "keras-3.7": _pin_keras_3("3.12", "2025-01-05", "==3.7.0", "==2.18.0"),
        "keras-3.8": _pin_keras_3("3.12", "2025-02-10", "==3.8.0", "==2.18.0", "tf-keras==2.18.0"),
        "keras-3.9": _pin_keras_3("3.12", "2025-05-10", "==3.9.2", "==2.19.0"),
        "keras-3.10": _pin_keras_3(
            "3.12", "2025-06-20", "==3.10.0", "==2.19.0", "tf-keras==2.19.0"
        ),
        "keras-3.11": _pin_keras_3("3.13", "2025-10-10", "==3.11.3", "==2.20.0"),
        "keras-3.12": _pin_keras_3("3.13", "2025-11-25", "==3.12.0", "==2.20.0"),
        "keras-3.13": _pin_keras_3(
            "3.13", "2026-08-25", "==3.13.2", "==2.20.0", "tf-keras==2.20.1"
        ),
        "keras-3.14": _pin_keras_3("3.13", "2026-08-25", "==3.14.1", "==2.21.0"),
        "keras-3.15": _pin_keras_3(
            "3.13", "2026-09-15", "==3.15.1", "==2.21.0", "tf-keras==2.21.0"
        ),
        "newest": _pin_keras_3("3.13", None, "", ""),
    }
)

_TENSORFLOW_KERASES = (
    Keras("tf-1.15", "tensorflow.keras", "keras-2.3"),
    *(Keras(f"tf-2.{minor}", "tensorflow.keras", f"tensorflow-2.{minor}") for minor in range(6)),
    # A distribution that only hands on what TensorFlow has.
    Keras("2.4", "keras", "tensorflow-2.4"),
)
_LEGACY_KERASES = tuple(
    Keras(f"tf_keras-{version}", "tf_keras", f"keras-{home}")
    for version, home in (
        ("2.16", "3.3"),
        ("2.17", "3.5"),
        ("2.18", "3.8"),
        ("2.19", "3.10"),
        ("2.20", "3.13"),
        ("2.21", "3.15"),
    )
)
_OWN_KERASES = tuple(
    Keras(name.replace("keras-", ""), "keras", name)
    for name in ENVIRONMENTS
    if name.startswith(("keras-", "newest"))
)
KERASES = {keras.name: keras for keras in _TENSORFLOW_KERASES + _OWN_KERASES + _LEGACY_KERASES}


def select_kerases() -> list[Keras]:
    """Return the Kerases that the variable ``KERASES`` names, all where it names none."""
    names = os.environ.get("KERASES", "").split()
    unknown = sorted(set(names) - set(KERASES))
    if unknown:
        raise pytest.UsageError(
            f"KERASES names {', '.join(unknown)}; there are {', '.join(KERASES)}"
        )
    return [KERASES[name] for name in names] or list(KERASES.values())


def prepare_interpreter(name: str) -> Path:
    """Return the Python of the environment *name*, made where it is not there.

    Skips the test where this machine lacks the Python, or an installer what it shall install.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    folder = FOLDER / name
    with FileLock(FOLDER / f"{name}.lock"):  # the tests run in several processes
        if not _is_ready(folder, ENVIRONMENTS[name]):
            _make(folder, ENVIRONMENTS[name])
    return folder / "bin" / "python"


def _is_ready(folder: Path, environment: Environment) -> bool:
    ready = folder / "ready"
    if not ready.exists() or ready.read_text(encoding="utf-8") != repr(environment):
        return False
    return environment.day is not None or time.time() - ready.stat().st_mtime < _WEEK


def _make(folder: Path, environment: Environment) -> None:
    try:
        python = find_python(PythonFacts("cpython", f"{environment.python}.0", 0, ""))
    except CapsuleError:
        pytest.skip(f"no Python {environment.python} on this machine")
    from uv import find_uv_bin

    uv = find_uv_bin()
    interpreter = str(folder / "bin" / "python")
    install = [uv, "pip", "install", "--quiet", "--python", interpreter]
    if environment.day is not None:
        install += ["--exclude-newer", environment.day]
    _run(uv, "venv", "--quiet", "--clear", "--python", str(python.path), str(folder))
    _run(*install, *environment.requirements)
    if environment.without_dependencies:
        _run(*install, "--no-deps", *environment.without_dependencies)
    # Marked ready last: an environment that was interrupted is made anew.
    (folder / "ready").write_text(repr(environment), encoding="utf-8")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        pytest.skip(f"{' '.join(command[1:3])} failed: {' '.join(done.stderr.split())[-300:]}")
