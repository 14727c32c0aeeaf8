"""Python discovery: the one that a manifest asks for, among those installed here.

The usual folders are listed by name, which starts nothing; only the one chosen is asked.
Shims, which are scripts that pick a Python, are passed over: what they pick lies elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from packaging.version import Version

from capsule.environment.interpreters import collect
from capsule.errors import EnvironmentUnknownError
from capsule.manifest import PythonFacts
from capsule.rebuild.errors import RebuildError
from capsule.rebuild.options import Download

PLACES = "this Python, pyenv, asdf, mise, conda, uv, the system and PATH"
_LOWEST_TO_DOWNLOAD = Version("3.8")  # uv has none before
_CONDA = ("miniconda3", "anaconda3", "miniforge3", "mambaforge", "micromamba")


@dataclass(frozen=True)
class Interpreter:
    """A Python that answered when it was asked."""

    path: Path
    version: str
    """Its full version: ``3.11.7``."""
    exact: bool
    """Whether that is the version that was looked for, to the patch."""


class InstalledPython(NamedTuple):
    """A Python that lies on this machine, and was not started."""

    version: str | None
    """Its version as its place tells it: ``3.11.7``, ``3.11``; None where it does not."""
    path: Path


def find_python(
    target: PythonFacts,
    interpreter: str | os.PathLike[str] | None = None,
    *,
    download: Download = "never",
) -> Interpreter:
    """Return an interpreter of the minor version of *target*, the exact patch where there is one.

    Parameters
    ----------
    target
        The implementation and version to look for.
    interpreter
        The only one to look at.
    download
        ``auto`` lets uv bring one where none is installed.

    Raises
    ------
    RebuildError
        There is none (code ``python-missing``; it says where it looked and how to get one), or
        *interpreter* is another Python.
    """
    if interpreter is not None:
        return _require(Path(interpreter), target)
    python = _nearest(target)
    if python is None and download == "auto" and _download(target.minor):
        python = _nearest(target)
    if python is not None:
        return python
    command = f"uv python install {target.minor}"
    if Version(target.minor) < _LOWEST_TO_DOWNLOAD:
        command = f"pyenv install {target.minor}, or conda create -n old python={target.minor}"
    raise RebuildError(
        f"no {target.implementation} {target.minor} was found (looked at {PLACES}); get one with:"
        f" {command}",
        code="python-missing",
    )


def _require(path: Path, target: PythonFacts) -> Interpreter:
    """Return the Python at *path*. Raises RebuildError unless it is *target*."""
    python = _ask(path, target)
    if python is None:
        raise RebuildError(
            f"{path} is not {target.implementation} {target.minor}, which the model needs: name"
            " another with --python, or leave the option out"
        )
    return python


def _download(minor: str) -> bool:
    """Let uv install a Python of that minor version among its own; tell whether it did."""
    from uv import find_uv_bin

    if Version(minor) < _LOWEST_TO_DOWNLOAD:
        return False
    command = [find_uv_bin(), "python", "install", "--quiet", "--no-config", minor]
    process = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
    return process.returncode == 0


def _nearest(target: PythonFacts) -> Interpreter | None:
    """Return the installed Python nearest to *target*, None without one of its minor version."""
    pythons = installed_pythons()
    candidates = [p for p in pythons if p.version is None or _minor(p.version) == target.minor]
    # Exact patches first, then the newest of those whose folder tells; the rest last.
    candidates.sort(key=lambda python: Version(python.version or "0"), reverse=True)
    candidates.sort(key=lambda python: python.version != target.version)
    best: Interpreter | None = None
    for version, path in candidates:
        if best is not None and version != target.version:
            break
        best = _ask(path, target) or best
        if best is not None and best.exact:
            break
    return best


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _ask(path: Path, target: PythonFacts) -> Interpreter | None:
    """Start *path* once; return it if it is the Python it should be."""
    try:
        facts = collect(path, isolated=False)
    except EnvironmentUnknownError:
        return None
    python = facts["python"]
    version = python["version"]
    if python["implementation"] != target.implementation or _minor(version) != target.minor:
        return None
    # A virtual environment's Python leads to the one it was made from.
    base = Path(facts["base_executable"])
    return Interpreter(base if base.exists() else path, version, version == target.version)


def installed_pythons() -> Iterator[InstalledPython]:
    """Give the interpreters of this machine, without starting any."""
    running = getattr(sys, "_base_executable", None) or sys.executable
    yield InstalledPython("{}.{}.{}".format(*sys.version_info[:3]), Path(running))
    home = Path.home()
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    plain = re.compile(r"(\d+\.\d+\.\d+)\Z")
    for root in (
        Path(os.environ.get("PYENV_ROOT") or home / ".pyenv", "versions"),
        Path(os.environ.get("ASDF_DATA_DIR") or home / ".asdf", "installs", "python"),
        Path(os.environ.get("MISE_DATA_DIR") or data / "mise", "installs", "python"),
    ):
        yield from _versioned(root, plain)
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or data / "uv" / "python")
    yield from _versioned(uv, re.compile(r"cpython-(\d+\.\d+\.\d+)-"))
    yield from _conda(home)
    folders = os.environ.get("PATH", "").split(os.pathsep)
    folders += ["/usr/local/bin", "/usr/bin", "/opt/homebrew/bin"] if os.name == "posix" else []
    for folder in dict.fromkeys(folders):
        if folder and "shims" not in Path(folder).parts:
            yield from _in_folder(Path(folder))
    frameworks = Path("/Library/Frameworks/Python.framework/Versions")
    yield from _versioned(frameworks, re.compile(r"(\d+\.\d+)\Z"))


def _conda(home: Path) -> Iterator[InstalledPython]:
    """Give the Pythons of conda's environments; their version stands in conda's own records."""
    prefixes = [home / name for name in _CONDA] + [Path("/opt/conda")]
    prefixes += [Path(p) for p in map(os.environ.get, ("CONDA_PREFIX", "CONDA_ROOT")) if p]
    with contextlib.suppress(OSError, ValueError):
        lines = (home / ".conda" / "environments.txt").read_text(encoding="utf-8").splitlines()
        prefixes += [Path(line.strip()) for line in lines if line.strip()]
    environments = [folder for root in prefixes for folder in _entries(root / "envs")]
    for prefix in dict.fromkeys([*prefixes, *environments]):
        python = prefix / ("python.exe" if os.name == "nt" else "bin/python")
        for record in _entries(prefix / "conda-meta"):
            match = re.fullmatch(r"python-(\d+\.\d+\.\d+)-.*\.json", record.name)
            if match and python.exists():
                yield InstalledPython(match[1], python)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _versioned(root: Path, pattern: re.Pattern[str]) -> Iterator[InstalledPython]:
    for folder in _entries(root):
        match = pattern.match(folder.name)
        python = folder / ("python.exe" if os.name == "nt" else "bin/python")
        if match and python.exists():
            yield InstalledPython(match[1], python)


def _in_folder(folder: Path) -> Iterator[InstalledPython]:
    for path in _entries(folder):
        match = re.fullmatch(r"python(3(?:\.\d+)?)?(?:\.exe)?", path.name)
        if match and os.access(path, os.X_OK):
            version = match[1] if match[1] and "." in match[1] else None
            yield InstalledPython(version, path)
