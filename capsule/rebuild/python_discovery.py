"""Where Pythons lie on a machine: listed by name, so that nothing is started to find them.

Shims, which are scripts that pick a Python, are passed over: what they pick lies elsewhere.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

PLACES = "this Python, pyenv, asdf, mise, conda, uv, the system and PATH"
_CONDA = ("miniconda3", "anaconda3", "miniforge3", "mambaforge", "micromamba")


def installed_pythons() -> Iterator[tuple[str | None, Path]]:
    """Give the interpreters of this machine as ``(version as its place tells it, path)``."""
    running = "{}.{}.{}".format(*sys.version_info[:3])
    base = getattr(sys, "_base_executable", None) or sys.executable
    yield running, Path(base)
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


def _conda(home: Path) -> Iterator[tuple[str, Path]]:
    """Give the Pythons of conda's environments; their version stands in conda's own records."""
    prefixes = [home / name for name in _CONDA] + [Path("/opt/conda")]
    prefixes += [
        Path(p) for p in (os.environ.get("CONDA_PREFIX"), os.environ.get("CONDA_ROOT")) if p
    ]
    try:
        listed = (home / ".conda" / "environments.txt").read_text(encoding="utf-8")
        prefixes += [Path(line.strip()) for line in listed.splitlines() if line.strip()]
    except (OSError, ValueError):
        pass
    for root in list(prefixes):
        prefixes += _listed(root / "envs")
    for prefix in dict.fromkeys(prefixes):
        python = prefix / ("python.exe" if os.name == "nt" else "bin/python")
        for record in _listed(prefix / "conda-meta"):
            match = re.fullmatch(r"python-(\d+\.\d+\.\d+)-.*\.json", record.name)
            if match and python.exists():
                yield match[1], python


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _versioned(root: Path, pattern: re.Pattern[str]) -> Iterator[tuple[str, Path]]:
    for folder in _listed(root):
        match = pattern.match(folder.name)
        python = folder / ("python.exe" if os.name == "nt" else "bin/python")
        if match and python.exists():
            yield match[1], python


def _in_folder(folder: Path) -> Iterator[tuple[str | None, Path]]:
    for path in _listed(folder):
        match = re.fullmatch(r"python(3(?:\.\d+)?)?(?:\.exe)?", path.name)
        if match and os.access(path, os.X_OK):
            yield (match[1] if match[1] and "." in match[1] else None), path
