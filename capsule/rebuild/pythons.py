"""Finding the Python that a manifest asks for, among those installed here.

The known places are listed by name, which starts nothing; only the one chosen is asked.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

from capsule.environment.interpreters import collect
from capsule.errors import EnvironmentUnknownError, RebuildError
from capsule.manifest import PythonFacts
from capsule.rebuild.python_discovery import PLACES, installed_pythons

DOWNLOADS = ("never", "auto")
_LOWEST_TO_DOWNLOAD = Version("3.8")  # uv has none before


@dataclass(frozen=True)
class FoundPython:
    """An interpreter that answers, with its full version; ``exact`` to the patch."""

    path: Path
    version: str
    exact: bool


def find_python(
    wanted: PythonFacts, named: str | os.PathLike[str] | None = None, *, download: str = "never"
) -> FoundPython:
    """Return an interpreter of the wanted minor version, the exact patch where there is one.

    *named* is looked at alone. With *download* ``auto`` uv brings one where none is found.
    Raises RebuildError with what was looked for, where, and how to get it.
    """
    if download not in DOWNLOADS:
        raise RebuildError(f"download is one of {' and '.join(DOWNLOADS)}, not {download!r}")
    found = _found(wanted, named)
    if found is None and download == "auto" and _downloaded(wanted.minor):
        found = _found(wanted, None)
    if found is not None:
        return found
    get = f"uv python install {wanted.minor}"
    if Version(wanted.minor) < _LOWEST_TO_DOWNLOAD:
        get = f"pyenv install {wanted.minor}, or conda create -n old python={wanted.minor}"
    raise RebuildError(
        f"no {wanted.implementation} {wanted.minor} was found (looked at {PLACES}); get one with:"
        f" {get}",
        code="python-missing",
    )


def _downloaded(minor: str) -> bool:
    """Let uv install a Python of that minor version among its own; tell whether it did."""
    from uv import find_uv_bin

    if Version(minor) < _LOWEST_TO_DOWNLOAD:
        return False
    command = [find_uv_bin(), "python", "install", "--quiet", "--no-config", minor]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
    return done.returncode == 0


def _found(wanted: PythonFacts, named: str | os.PathLike[str] | None) -> FoundPython | None:
    if named is not None:
        found = _ask(Path(named), wanted)
        if found is None:
            raise RebuildError(
                f"{named} is not {wanted.implementation} {wanted.minor}, which the model needs"
            )
        return found
    near = [
        (known, path)
        for known, path in installed_pythons()
        if known is None or _minor(known) == wanted.minor
    ]
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
