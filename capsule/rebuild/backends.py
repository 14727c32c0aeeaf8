"""Two installers behind one small interface: uv, and pip-tools."""

from __future__ import annotations

import os
import re
import shlex
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from packaging.requirements import Requirement
from packaging.version import Version

from capsule.errors import RebuildError
from capsule.rebuild.installing import require_done, run, start, yanked
from capsule.rebuild.pins import Pins, as_text
from capsule.rebuild.pythons import FoundPython
from capsule.rebuild.sources import Sources


@dataclass(frozen=True)
class Installed:
    """What an installer did besides what was asked: built from source, or took though yanked.

    ``yanked`` gives the reason of those who took a release back, by name.
    """

    from_source: tuple[str, ...] = ()
    yanked: Mapping[str, str] = field(default_factory=dict)


_UNBUILT = re.compile(r"([A-Za-z0-9._-]+)==\S+ (?:has no usable wheels|has no wheels)")


class Backend(Protocol):
    """What a rebuild needs of an installer."""

    name: str
    sources: Sources

    def create(self, folder: Path, python: FoundPython) -> None:
        """Make an empty virtual environment in *folder*."""

    def install(self, folder: Path, pins: Pins, lock: Path, *, build: bool) -> Installed:
        """Install just *pins*, from wheels alone unless *build* allows more.

        Nothing is compiled: a model imports a small part, and Python compiles that as it goes.
        """

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
        run([*command, str(folder)], folder)

    def install(self, folder: Path, pins: Pins, lock: Path, *, build: bool) -> Installed:
        lock.write_text(pins.as_text(), encoding="utf-8")
        command = [*self._install(folder), "--requirements"]
        steps = [[*command, str(lock)]]
        if pins.hashes:
            # A repository has no hash, and where one is required each needs one.
            hashed, free = lock.with_suffix(".hashed.txt"), lock.with_suffix(".free.txt")
            hashed.write_text(pins.with_hash().as_text(), encoding="utf-8")
            free.write_text(pins.with_hash(False).as_text(), encoding="utf-8")
            steps = [[*command, str(hashed), "--require-hashes"]]
            steps += [[*command, str(free)]] if free.stat().st_size else []
        try:
            wheels = ("--only-binary", ":all:")
            return Installed((), yanked("".join(run([*step, *wheels], folder) for step in steps)))
        except RebuildError as error:
            if not build or error.code == "network":
                raise
        # Wheels do not do: what is built then is told by name.
        found = self.unbuilt(folder, pins)
        return Installed(found, yanked("".join(run(step, folder) for step in steps)))

    def unbuilt(self, folder: Path, pins: Pins) -> tuple[str, ...]:
        left = dict(zip(pins.versions, pins.requirements))
        found: list[str] = []
        while left:
            command = [*self._install(folder), "--dry-run", "--only-binary", ":all:"]
            done = start([*command, *left.values()], folder)
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
        folder: Path,
        *,
        build: bool,
        options: Sequence[str] = (),
    ) -> list[str]:
        """Return exact pins for *requirements*, for *python*; *options* are uv's own.

        Without *build* only wheels are looked at. Raises RebuildError where nothing fits.
        """
        for one in requirements:  # a name and versions: no address, no option, no other line
            if Requirement(one).url is not None or not one.isprintable():
                raise RebuildError(f"{one!r} is no requirement to resolve")
        wanted = folder / f"{uuid.uuid4().hex}.in"
        wanted.write_text(as_text(requirements), encoding="utf-8")
        command = [
            *_uv(),
            "pip",
            "compile",
            "--quiet",
            "--no-header",
            "--no-annotate",
            "--no-emit-index-url",
            "--no-emit-find-links",
            "--python",
            str(python.path),
            *options,
            *self.sources.options(),
            str(wanted),
        ]
        try:
            done = start([*command, "--only-binary", ":all:"], wanted)
            if done.returncode != 0 and build:
                done = start(command, wanted)
            require_done(done, command)
        finally:
            wanted.unlink()
        lines = (line.strip() for line in done.stdout.splitlines())
        return [line for line in lines if line and not line.startswith(("#", "-"))]

    def require_available(self, folder: Path, requirement: str) -> None:
        """Raise RebuildError, with the reason, where *requirement* can't be had for *folder*."""
        command = [*self._install(folder), "--dry-run", requirement]
        require_done(start(command, folder), command)

    def lock(self, wanted: Path, python: FoundPython, path: Path) -> None:
        """Write a PEP 751 lock of the exact pins in *wanted* to *path*."""
        command = [
            *_uv(),
            "pip",
            "compile",
            "--quiet",
            "--no-header",
            "--no-annotate",
            "--no-deps",
            "--format",
            "pylock.toml",
            "--python",
            str(python.path),
            *self.sources.options(),
            "--output-file",
            str(path),
            str(wanted),
        ]
        run(command, path)

    def _install(self, folder: Path) -> list[str]:
        return [
            *_uv(),
            "pip",
            "install",
            "--no-progress",
            "--no-compile-bytecode",
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
        run([str(python.path), "-I", "-m", "venv", str(folder)], folder)
        inner = str(python_in(folder))
        # pip-sync needs a pip of 22.2 or later in there.
        upgrade = [inner, "-I", "-m", "pip", "install", "--quiet", "--upgrade", "pip>=22.2"]
        if not self.sources.offline:
            run([*upgrade, *self.sources.options()], folder)

    def install(self, folder: Path, pins: Pins, lock: Path, *, build: bool) -> Installed:
        if not build:
            raise RebuildError("pip-tools may build source distributions: it needs --unsafe")
        try:
            return Installed((), yanked(self._sync(folder, pins, lock)))
        except RebuildError as error:
            name = error.distribution
            if error.code == "distribution-gone" and name in pins.versions:
                # pip says the same of what is gone and of what has no wheel here; uv knows.
                Uv(self.sources).require_available(folder, f"{name}=={pins.versions[name]}")
            raise

    def _sync(self, folder: Path, pins: Pins, lock: Path) -> str:
        """Compile *pins* into *lock* and install that; return what pip said of it."""
        if pins.hashes and pins.with_hash(False).requirements:
            names = ", ".join(pins.with_hash(False).versions)
            raise RebuildError(
                f"pip-tools can't take {names}, of a repository, beside a lock: use --backend uv"
            )
        wanted = lock.with_suffix(".in")
        wanted.write_text(as_text(pins.requirements), encoding="utf-8")
        lock.write_text(pins.as_text(), encoding="utf-8")
        # pip-compile resolves for the Python it runs under: elsewhere the pins are the lock.
        if not pins.hashes and Version(_python_version(folder)).release[:2] == sys.version_info[:2]:
            run(
                [
                    *_module("compile"),
                    "--quiet",
                    "--no-header",
                    "--no-annotate",
                    "--strip-extras",
                    "--no-emit-index-url",
                    "--no-emit-find-links",
                    "--no-emit-options",
                    "--allow-unsafe",
                    *self._of_compile(),
                    "--output-file",
                    str(lock),
                    str(wanted),
                ],
                folder,
            )
        options = shlex.join(["--no-deps", "--no-compile", *self.sources.options()])
        command = [
            *_module("sync"),
            "--python-executable",
            str(python_in(folder)),
            "--pip-args",
            options,
            str(lock),
        ]
        said = run(command, folder)
        # What the environment was born with is no part of the model's.
        born = [name for name in ("setuptools", "pip") if name not in pins.versions]
        if born:
            run([str(python_in(folder)), "-I", "-m", "pip", "uninstall", "--yes", *born], folder)
        return said

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
