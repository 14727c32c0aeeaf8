"""Two installers behind one small interface: uv, and pip-tools."""

from __future__ import annotations

import datetime
import os
import re
import shlex
import subprocess
import sys
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from packaging.requirements import Requirement
from packaging.version import Version

from capsule.errors import RebuildError
from capsule.rebuild.pins import Pins, as_text
from capsule.rebuild.pythons import FoundPython
from capsule.rebuild.sources import Sources

Progress = Callable[[str], None]

_UNBUILT = re.compile(r"([A-Za-z0-9._-]+)==\S+ (?:has no usable wheels|has no wheels)")
_OFFLINE = re.compile(
    r"dns error|Connection refused|Could not connect|Network is unreachable|offline|"
    r"Temporary failure in name resolution|Max retries exceeded|NewConnectionError|tcp connect",
    re.IGNORECASE,
)
_HASH = re.compile(r"[Hh]ash mismatch|DO NOT MATCH THE HASHES")
_NO_WHEEL = re.compile(
    r"Because (\S+?)(?:==\S+)? has no (?:usable )?wheels|Wheels are required for `(\S+?)`"
)
_GONE = re.compile(r"no version of (\S+)|Could not find a version that satisfies .*?(\S+==\S+)")


class Backend(Protocol):
    """What a rebuild needs of an installer."""

    name: str
    sources: Sources

    def create(self, folder: Path, python: FoundPython) -> None:
        """Make an empty virtual environment in *folder*."""

    def install(self, folder: Path, pins: Pins, lock: Path, *, build: bool) -> tuple[str, ...]:
        """Install just *pins*; return those built from source, which *build* allows."""

    def unbuilt(self, folder: Path, pins: Pins) -> tuple[str, ...]:
        """Return the distributions of *pins* that have no wheel here and need building."""


def python_in(folder: Path) -> Path:
    """Return the interpreter of the virtual environment in *folder*."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


class Uv:
    """uv: resolves nothing where pins are exact, and builds nothing unless allowed."""

    name = "uv"

    def __init__(self, sources: Sources | None = None) -> None:
        self.sources = sources or Sources()

    def create(self, folder: Path, python: FoundPython) -> None:
        command = [*_uv(), "venv", "--quiet", "--no-project", "--python", str(python.path)]
        _run([*command, str(folder)], folder)

    def install(self, folder: Path, pins: Pins, lock: Path, *, build: bool) -> tuple[str, ...]:
        lock.write_text(pins.as_text(), encoding="utf-8")
        # Bytecode is compiled now, once, whatever the machine's habit.
        command = [*self._install(folder), "--compile-bytecode", "--requirements", str(lock)]
        if pins.hashes:
            command.append("--require-hashes")
        try:
            _run([*command, "--only-binary", ":all:"], folder)
            return ()
        except RebuildError as error:
            if not build or error.code == "network":
                raise
        # Wheels do not do: what is built then is told by name.
        found = self.unbuilt(folder, pins)
        _run(command, folder)
        return found

    def unbuilt(self, folder: Path, pins: Pins) -> tuple[str, ...]:
        left = dict(zip(pins.versions, pins.requirements))
        found: list[str] = []
        while left:
            command = [*self._install(folder), "--dry-run", "--only-binary", ":all:"]
            done = _start([*command, *left.values()], folder)
            match = _UNBUILT.search(done.stderr)
            if done.returncode == 0 or match is None or match[1] not in left:
                break
            found.append(match[1])
            del left[match[1]]
        return tuple(found)

    def resolve(
        self,
        requirements: Sequence[str],
        python: FoundPython,
        date: datetime.date,
        folder: Path,
        *,
        build: bool,
    ) -> list[str]:
        """Return exact pins for *requirements* as the index was on *date*, for *python*.

        Without *build* only wheels are looked at. Raises RebuildError where nothing fits.
        """
        for one in requirements:  # a name and versions: no address, no option, no other line
            if Requirement(one).url is not None or not one.isprintable():
                raise RebuildError(f"{one!r} is no requirement to resolve")
        wanted = folder / f"{uuid.uuid4().hex}.in"
        wanted.write_text(as_text(requirements), encoding="utf-8")
        command = [*_uv(), "pip", "compile", "--quiet", "--no-header", "--no-annotate",
                   "--no-emit-index-url", "--no-emit-find-links", "--exclude-newer",
                   date.isoformat(), "--python", str(python.path), *self.sources.options(),
                   str(wanted)]  # fmt: skip
        try:
            done = _start([*command, "--only-binary", ":all:"], wanted)
            if done.returncode != 0 and build:
                done = _start(command, wanted)
            _require_done(done, command)
        finally:
            wanted.unlink()
        lines = (line.strip() for line in done.stdout.splitlines())
        return [line for line in lines if line and not line.startswith(("#", "-"))]

    def lock(self, wanted: Path, python: FoundPython, path: Path) -> None:
        """Write a PEP 751 lock of the exact pins in *wanted* to *path*."""
        command = [*_uv(), "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--no-deps",
                   "--format", "pylock.toml", "--python", str(python.path),
                   *self.sources.options(), "--output-file", str(path), str(wanted)]  # fmt: skip
        _run(command, path)

    def _install(self, folder: Path) -> list[str]:
        return [
            *_uv(),
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--python",
            str(python_in(folder)),
            *self.sources.options(),
            *(["--offline"] if self.sources.offline else []),
        ]


class PipTools:
    """pip-tools: ``pip-compile`` locks, ``pip-sync`` installs; for Python 3.7 and later.

    It builds source distributions as pip sees fit, so it runs only with consent.
    """

    name = "pip-tools"

    def __init__(self, sources: Sources | None = None) -> None:
        self.sources = sources or Sources()

    def create(self, folder: Path, python: FoundPython) -> None:
        if Version(python.version) < Version("3.7"):
            raise RebuildError(
                f"pip-tools can't install into Python {python.version}; use --backend uv"
            )
        _run([str(python.path), "-I", "-m", "venv", str(folder)], folder)
        inner = str(python_in(folder))
        # pip-sync needs a pip of 22.2 or later in there.
        upgrade = [inner, "-I", "-m", "pip", "install", "--quiet", "--upgrade", "pip>=22.2"]
        if not self.sources.offline:
            _run([*upgrade, *self.sources.options()], folder)

    def install(self, folder: Path, pins: Pins, lock: Path, *, build: bool) -> tuple[str, ...]:
        if not build:
            raise RebuildError("pip-tools may build source distributions: it needs --unsafe")
        wanted = lock.with_suffix(".in")
        wanted.write_text(as_text(pins.requirements), encoding="utf-8")
        lock.write_text(pins.as_text(), encoding="utf-8")
        # pip-compile resolves for the Python it runs under: elsewhere the pins are the lock.
        if not pins.hashes and Version(_python_version(folder)).release[:2] == sys.version_info[:2]:
            _run(
                [*_module("compile"), "--quiet", "--no-header", "--no-annotate", "--strip-extras",
                 "--no-emit-index-url", "--no-emit-find-links", "--no-emit-options",
                 "--allow-unsafe", *self._of_compile(), "--output-file", str(lock), str(wanted)],
                folder,
            )  # fmt: skip
        _run(
            [*_module("sync"), "--quiet", "--python-executable", str(python_in(folder)),
             "--pip-args", shlex.join(["--no-deps", *self.sources.options()]), str(lock)],
            folder,
        )  # fmt: skip
        return ()

    def unbuilt(self, folder: Path, pins: Pins) -> tuple[str, ...]:
        return ()

    def _of_compile(self) -> list[str]:
        """Return the options as pip-compile takes them, which knows no constraints but in files."""
        return replace(self.sources, constraint=None).options()


def _python_version(folder: Path) -> str:
    """Return the version of the Python that a virtual environment was made from."""
    for line in (folder / "pyvenv.cfg").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition("=")
        if key.strip() in ("version", "version_info"):
            return ".".join(value.strip().split(".")[:3])
    raise RebuildError(f"{folder} is no virtual environment")


BACKENDS: dict[str, type[Uv] | type[PipTools]] = {"uv": Uv, "pip-tools": PipTools}


def backend_named(name: str, sources: Sources | None = None) -> Backend:
    """Return the backend of that name, which takes distributions from *sources*.

    Raises RebuildError for another name.
    """
    if name not in BACKENDS:
        raise RebuildError(f"there is no backend {name!r}; choose {' or '.join(BACKENDS)}")
    return BACKENDS[name](sources)


def _uv() -> list[str]:
    from uv import find_uv_bin

    return [find_uv_bin()]


def _module(tool: str) -> list[str]:
    return [sys.executable, "-I", "-m", "piptools", tool]


def _start(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    # The user's index settings reach the installers; whatever would bend them does not.
    bends = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX", "UV_PROJECT_ENVIRONMENT")
    environment = {k: v for k, v in os.environ.items() if k not in bends}
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=environment,
        # Not the current folder: a uv.toml or a pip/ lying there would bend them as well.
        cwd=folder.parent,
    )


def _run(command: list[str], folder: Path) -> None:
    """Run an installer for *folder*; a failure becomes one sentence with its last words."""
    _require_done(_start(command, folder), command)


def _require_done(done: subprocess.CompletedProcess[str], command: list[str]) -> None:
    if done.returncode == 0:
        return
    said = (done.stderr or done.stdout).strip()
    tool = "pip-tools" if "piptools" in command else Path(command[0]).name
    if _OFFLINE.search(said):
        raise RebuildError(
            f"{tool} could not reach the package index: is there a network? ({_last(said)})",
            code="network",
        )
    if _HASH.search(said):
        raise RebuildError(
            f"{tool} got a file of another hash than the lock has: it was changed on its way or"
            f" at its source; nothing was installed ({_last(said)})",
            code="hash-mismatch",
        )
    if "yanked" in said and "requires-python" not in said:
        raise RebuildError(
            f"{tool}: a release was yanked, taken back by those who made it: {_last(said)}",
            code="distribution-yanked",
        )
    lacking = _NO_WHEEL.search(said)
    if lacking:
        raise RebuildError(
            f"{tool} finds no wheel of {lacking[1] or lacking[2]} for this Python and platform:"
            f" {_last(said)}",
            code="no-wheel",
        )
    gone = _GONE.search(said)
    if gone:
        raise RebuildError(
            f"{tool} finds no {gone[1] or gone[2]} for this Python and platform: {_last(said)}",
            code="distribution-gone",
        )
    raise RebuildError(f"{tool} failed: {_last(said)}")


def _last(said: str) -> str:
    lines = [line.strip(" ×╰─▶│├") for line in said.splitlines()]
    return " ".join(line for line in lines if line)[-300:] or "it said nothing"
