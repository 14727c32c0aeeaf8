"""Two installers behind one small interface: uv, and pip-tools."""

from __future__ import annotations

import os
import re
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from packaging.requirements import Requirement
from packaging.version import Version

from capsule.rebuild.errors import RebuildError
from capsule.rebuild.installing import read_yanked, require_success, run, start
from capsule.rebuild.options import Backend
from capsule.rebuild.pins import Pins, as_text
from capsule.rebuild.python_discovery import Interpreter
from capsule.rebuild.sources import Sources

PIP_TOOLS_BUILD = (
    "pip-tools may build source distributions, which runs their code: allow it with --unsafe, or"
    " use --backend uv"
)
_WHEELS = ("--only-binary", ":all:")
_NO_WHEEL = re.compile(r"([A-Za-z0-9._-]+)==\S+ (?:has no usable wheels|has no wheels)")
_COMPILE = ("--quiet", "--no-header", "--no-annotate")
_NO_ADDRESSES = ("--no-emit-index-url", "--no-emit-find-links")


@dataclass(frozen=True)
class Installation:
    """What an installer did besides what it was asked for."""

    from_source: tuple[str, ...] = ()
    """Distributions that it built, since they have no wheel here."""
    yanked: Mapping[str, str] = field(default_factory=dict)
    """Releases that their makers took back, by name: the reason that they gave."""


class Installer(Protocol):
    """What a rebuild needs of an installer."""

    @property
    def name(self) -> str:
        """Its name, as ``--backend`` takes it."""

    @property
    def sources(self) -> Sources:
        """Where it takes distributions from."""

    def create(self, folder: Path, python: Interpreter) -> None:
        """Make an empty virtual environment in *folder*."""

    def install(self, folder: Path, pins: Pins, lock: Path, *, build: bool) -> Installation:
        """Install just *pins*, from wheels alone unless *build* allows more.

        *lock* is where it writes what it installs. Nothing is compiled: a model imports a
        small part, and Python compiles that as it goes.
        """

    def list_unbuilt(self, folder: Path, pins: Pins) -> tuple[str, ...]:
        """Return the distributions of *pins* that have no wheel here and need building."""


def python_in(folder: Path) -> Path:
    """Return the interpreter of the virtual environment in *folder*."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


@dataclass(frozen=True)
class Uv:
    """uv: resolves nothing where pins are exact, and builds nothing unless allowed."""

    sources: Sources = field(default_factory=Sources)
    name = "uv"

    def create(self, folder: Path, python: Interpreter) -> None:
        """Make an empty virtual environment in *folder*."""
        options = ("--quiet", "--no-project", "--python", str(python.path))
        run([_uv(), "venv", *options, str(folder)])

    def install(self, folder: Path, pins: Pins, lock: Path, *, build: bool) -> Installation:
        """Install just *pins*: from wheels, and where those do not do and *build* allows it, more.

        What is built then is among what is returned.
        """
        lock.write_text(pins.as_text(), encoding="utf-8")
        command = [*self._install_command(folder), "--requirements"]
        steps = [[*command, str(lock)]]
        if pins.hashes:
            # A repository has no hash, and where one is required each needs one.
            hashed, free = lock.with_suffix(".hashed.txt"), lock.with_suffix(".free.txt")
            hashed.write_text(pins.with_hash().as_text(), encoding="utf-8")
            free.write_text(pins.with_hash(False).as_text(), encoding="utf-8")
            steps = [[*command, str(hashed), "--require-hashes"]]
            steps += [[*command, str(free)]] if free.stat().st_size else []
        try:
            output = "".join(run([*step, *_WHEELS]) for step in steps)
            return Installation((), read_yanked(output))
        except RebuildError as error:
            if not build or error.code == "network":
                raise
        unbuilt = self.list_unbuilt(folder, pins)
        return Installation(unbuilt, read_yanked("".join(run(step) for step in steps)))

    def list_unbuilt(self, folder: Path, pins: Pins) -> tuple[str, ...]:
        """Return the distributions of *pins* that have no wheel here and need building."""
        lines = dict(zip(pins.versions, pins.requirements))
        unbuilt: list[str] = []
        while lines:  # uv names one at a time
            command = [*self._install_command(folder), "--dry-run", *_WHEELS]
            process = start([*command, *lines.values()])
            match = _NO_WHEEL.search(process.stderr)
            if process.returncode == 0 or match is None or match[1] not in lines:
                break
            unbuilt.append(match[1])
            del lines[match[1]]
        return tuple(unbuilt)

    def resolve(
        self,
        requirements: Sequence[str],
        python: Interpreter,
        *,
        build: bool,
        options: Sequence[str] = (),
    ) -> list[str]:
        """Return exact pins for *requirements*, for *python*; *options* are uv's own.

        Without *build* only wheels are looked at. Raises RebuildError where nothing fits.
        """
        for text in requirements:  # a name and versions: no address, no option, no other line
            if Requirement(text).url is not None or not text.isprintable():
                raise RebuildError(f"{text!r} is no requirement to resolve")
        with tempfile.TemporaryDirectory(prefix="capsule-") as folder:
            path = Path(folder, "requirements.in")
            path.write_text(as_text(requirements), encoding="utf-8")
            arguments = [*_NO_ADDRESSES, *options, str(path)]
            command = self._compile_command(python, arguments)
            process = start([*command, *_WHEELS])
            if process.returncode != 0 and build:
                process = start(command)
        require_success(process)
        lines = (line.strip() for line in process.stdout.splitlines())
        return [line for line in lines if line and not line.startswith(("#", "-"))]

    def require_available(self, folder: Path, requirement: str) -> None:
        """Raise RebuildError, with the reason, where *requirement* can't be had for *folder*."""
        run([*self._install_command(folder), "--dry-run", requirement])

    def lock(self, pins: Pins, python: Interpreter) -> str:
        """Return a PEP 751 lock of *pins*: each of their files with its hash."""
        with tempfile.TemporaryDirectory(prefix="capsule-") as folder:
            source, path = Path(folder, "pins.in"), Path(folder, "pylock.toml")
            source.write_text(as_text(pins.requirements), encoding="utf-8")
            arguments = ["--no-deps", "--format", path.name, "--output-file", str(path)]
            run(self._compile_command(python, [*arguments, str(source)]))
            return path.read_text(encoding="utf-8")

    def _compile_command(self, python: Interpreter, arguments: Sequence[str]) -> list[str]:
        command = [_uv(), "pip", "compile", *_COMPILE, "--python", str(python.path)]
        return [*command, *self.sources.arguments(), *arguments]

    def _install_command(self, folder: Path) -> list[str]:
        options = ["--no-progress", "--no-compile-bytecode", "--no-deps"]
        options += ["--offline"] if self.sources.offline else []
        command = [_uv(), "pip", "install", *options, "--python", str(python_in(folder))]
        return [*command, *self.sources.arguments()]


@dataclass(frozen=True)
class PipTools:
    """pip-tools: ``pip-compile`` locks, ``pip-sync`` installs; for Python 3.7 and later.

    It builds source distributions as pip sees fit, so it runs only with consent.
    """

    sources: Sources = field(default_factory=Sources)
    name = "pip-tools"

    def create(self, folder: Path, python: Interpreter) -> None:
        """Make a virtual environment in *folder*, with a pip that pip-sync can use."""
        if Version(python.version) < Version("3.7"):
            raise RebuildError(
                f"pip-tools can't install into Python {python.version}; use --backend uv"
            )
        run([str(python.path), "-I", "-m", "venv", str(folder)])
        upgrade = ["install", "--quiet", "--upgrade", "pip>=22.2"]
        if not self.sources.offline:
            run([*_pip_command(folder), *upgrade, *self.sources.arguments()])

    def install(self, folder: Path, pins: Pins, lock: Path, *, build: bool) -> Installation:
        """Install just *pins*. Raises RebuildError unless *build* allows what pip may build."""
        if not build:
            raise RebuildError(PIP_TOOLS_BUILD, code="needs-build")
        try:
            self._compile(folder, pins, lock)
            return Installation((), read_yanked(self._sync(folder, pins, lock)))
        except RebuildError as error:
            name = error.distribution
            if error.code == "distribution-gone" and name in pins.versions:
                # pip says the same of what is gone and of what has no wheel here; uv knows.
                Uv(self.sources).require_available(folder, f"{name}=={pins.versions[name]}")
            raise

    def _compile(self, folder: Path, pins: Pins, lock: Path) -> None:
        """Write *pins* to *lock*, with what pip-compile says of them where it can say it."""
        if pins.hashes and pins.with_hash(False).requirements:
            names = ", ".join(pins.with_hash(False).versions)
            raise RebuildError(
                f"pip-tools can't take {names}, of a repository, beside a lock: use --backend uv"
            )
        lock.write_text(pins.as_text(), encoding="utf-8")
        # pip-compile resolves for the Python it runs under: elsewhere the pins are the lock.
        if pins.hashes or Version(_python_version(folder)).release[:2] != sys.version_info[:2]:
            return
        source = lock.with_suffix(".in")
        source.write_text(as_text(pins.requirements), encoding="utf-8")
        options = [*_COMPILE, "--strip-extras", "--no-emit-options", "--allow-unsafe"]
        # It takes constraints in files alone.
        options += [*_NO_ADDRESSES, *replace(self.sources, constraint=None).arguments()]
        run([*_pip_tools("compile"), *options, "--output-file", str(lock), str(source)])

    def _sync(self, folder: Path, pins: Pins, lock: Path) -> str:
        """Install what *lock* says; return what pip reported of it."""
        arguments = shlex.join(["--no-deps", "--no-compile", *self.sources.arguments()])
        options = ["--python-executable", str(python_in(folder)), "--pip-args", arguments]
        output = run([*_pip_tools("sync"), *options, str(lock)])
        # What the environment was born with is no part of the model's.
        extra = [name for name in ("setuptools", "pip") if name not in pins.versions]
        if extra:
            run([*_pip_command(folder), "uninstall", "--yes", *extra])
        return output

    def list_unbuilt(self, folder: Path, pins: Pins) -> tuple[str, ...]:
        """Return nothing: pip-tools does not run before it may build."""
        return ()


INSTALLERS: dict[Backend, type[Uv] | type[PipTools]] = {"uv": Uv, "pip-tools": PipTools}


def _python_version(folder: Path) -> str:
    """Return the version of the Python that a virtual environment was made from."""
    for line in (folder / "pyvenv.cfg").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition("=")
        if key.strip() in ("version", "version_info"):
            return ".".join(value.strip().split(".")[:3])
    raise RebuildError(f"{folder} is no virtual environment: its pyvenv.cfg names no version")


def _uv() -> str:
    from uv import find_uv_bin

    return find_uv_bin()


def _pip_tools(tool: str) -> list[str]:
    return [sys.executable, "-I", "-m", "piptools", tool]


def _pip_command(folder: Path) -> list[str]:
    return [str(python_in(folder)), "-I", "-m", "pip"]
