"""Finding the Python that a manifest asks for, among those installed here.

The known places are listed by name, which starts nothing; only the one chosen is asked.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

from capsule.environment.interpreters import collect
from capsule.errors import EnvironmentUnknownError, RebuildError
from capsule.manifest import PythonFacts


@dataclass(frozen=True)
class FoundPython:
    """An interpreter that answers, with its full version; ``exact`` to the patch."""

    path: Path
    version: str
    exact: bool


def find_python(wanted: PythonFacts, named: str | os.PathLike[str] | None = None) -> FoundPython:
    """Return an interpreter of the wanted minor version, the exact patch where there is one.

    *named* is looked at alone. Raises RebuildError with what was looked for, where, and
    how to get it.
    """
    if named is not None:
        found = _ask(Path(named), wanted)
        if found is None:
            raise RebuildError(
                f"{named} is not {wanted.implementation} {wanted.minor}, which the model needs"
            )
        return found
    near = [
        (known, path) for known, path in installed_pythons()
        if known is None or _minor(known) == wanted.minor
    ]  # fmt: skip
    # Exact patches first, then the newest of those whose folder tells; the rest last.
    near.sort(key=lambda item: Version(item[0] or "0"), reverse=True)
    near.sort(key=lambda item: item[0] != wanted.version)
    best: FoundPython | None = None
    for known, path in near:
        if best is not None and known != wanted.version:
            break
        best = _ask(path, wanted) or best
        if best is not None and best.exact:
            break
    if best is None:
        raise RebuildError(
            f"no {wanted.implementation} {wanted.minor} was found (looked at this Python, pyenv,"
            f" uv and PATH); get one with: uv python install {wanted.minor}",
            code="python-missing",
        )
    return best


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _ask(path: Path, wanted: PythonFacts) -> FoundPython | None:
    """Start *path* once; return it if it is the Python it should be."""
    try:
        facts = collect(path, isolated=False)
    except EnvironmentUnknownError:
        return None
    told = facts["python"]
    if told["implementation"] != wanted.implementation or _minor(told["version"]) != wanted.minor:
        return None
    # A virtual environment's Python leads to the one it was made from.
    base = Path(facts["base_executable"])
    return FoundPython(
        base if base.exists() else path, told["version"], told["version"] == wanted.version
    )


def installed_pythons() -> Iterator[tuple[str | None, Path]]:
    """Give the interpreters of this machine as ``(version as its place tells it, path)``.

    From: the running Python, pyenv, uv, and PATH with shims passed over.
    """
    running = "{}.{}.{}".format(*sys.version_info[:3])
    base = getattr(sys, "_base_executable", None) or sys.executable
    yield running, Path(base)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv", "versions")
    yield from _versioned(pyenv, re.compile(r"(\d+\.\d+\.\d+)\Z"))
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or Path(data, "uv", "python"))
    yield from _versioned(uv, re.compile(r"cpython-(\d+\.\d+\.\d+)-"))
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        # A shim is a script that picks a Python: the real ones were listed above.
        if folder and "shims" not in Path(folder).parts:
            yield from _in_folder(Path(folder))


def _versioned(root: Path, pattern: re.Pattern[str]) -> Iterator[tuple[str, Path]]:
    try:
        folders = sorted(root.iterdir())
    except OSError:
        return
    for folder in folders:
        match = pattern.match(folder.name)
        python = folder / ("python.exe" if os.name == "nt" else "bin/python")
        if match and python.exists():
            yield match[1], python


def _in_folder(folder: Path) -> Iterator[tuple[str | None, Path]]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for name in names:
        match = re.fullmatch(r"python(3(?:\.\d+)?)?(?:\.exe)?", name)
        if match and os.access(folder / name, os.X_OK):
            told = match[1] if match[1] and "." in match[1] else None
            yield told, folder / name
