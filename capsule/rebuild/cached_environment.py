"""An environment that was rebuilt and is ready: models and commands are started in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from capsule.errors import RestoreFailedError
from capsule.rebuild.errors import RebuildError
from capsule.rebuild.installers import Installation, python_in
from capsule.rebuild.pins import Pins
from capsule.rebuild.recipe import Recipe
from capsule.rebuild.remote import RemoteModel
from capsule.rebuild.resolve import Resolution
from capsule.rebuild.session import little_room, worker_environment


@dataclass(frozen=True)
class CachedEnvironment:
    """A rebuilt environment in the cache."""

    folder: Path
    recipe: Recipe
    """What it was built by: the pins in it may be others than a model asked for (`relaxed`)."""
    installation: Installation
    """What its installer did besides what it was asked for."""
    cached: bool
    """Whether it was there before."""

    @property
    def interpreter(self) -> Path:
        """The environment's own Python."""
        return python_in(self.folder)

    @property
    def pins(self) -> Pins:
        """What is installed in it."""
        return self.recipe.pins

    def start(
        self, resolution: Resolution, reopen: Callable[[], RemoteModel] | None = None
    ) -> RemoteModel:
        """Load a model in the environment.

        Parameters
        ----------
        resolution
            The model that the environment was built for, and what was allowed of it.
        reopen
            How to have the model again: what a pickled one is unpickled by.

        Returns
        -------
        RemoteModel
            The model; each of its answers is limited by the ``timeout`` of the options.

        Raises
        ------
        ConsentError
            Nobody allowed its functions to run; it lists them.
        RestoreFailedError
            It can't be loaded, or its sidecar alone tells that it can't come back: of weights
            that were never saved.
        """
        resolution.plan.consent.require(str(resolution.path))
        for finding in () if resolution.description.inferred else resolution.findings:
            if finding.severity == "fatal" and "capsule" in finding.decides:
                raise RestoreFailedError(f"{resolution.path}: {finding.sentence}")
        try:
            timeout = resolution.options.timeout
            return RemoteModel(self.interpreter, resolution, timeout=timeout, reopen=reopen)
        except RestoreFailedError as error:
            if not resolution.missing:
                raise
            raise RestoreFailedError(
                f"{error.message}; the file does not define {', '.join(resolution.missing)}: give"
                " what does with --bind-from FILE.py, or a value with --bind NAME=JSON"
            ) from None

    def run(self, resolution: Resolution, command: Sequence[str] = ()) -> int:
        """Run a command in the environment; return its exit status.

        Parameters
        ----------
        resolution
            The model that the environment was built for: its environment variables hold.
        command
            The program, which is looked for in the environment first, and its arguments; the
            user's shell if there is none.

        Raises
        ------
        ConsentError
            Nobody allowed code of the environment to run.
        RebuildError
            There is no such program.
        """
        resolution.plan.consent.require(str(resolution.path))
        words = list(command) or [os.environ.get("SHELL") or "/bin/sh"]
        with tempfile.TemporaryDirectory(prefix="capsule-keras-") as home:
            variables = worker_environment(resolution.manifest, Path(home))
            programs = str(self.interpreter.parent)
            variables["PATH"] = os.pathsep.join([programs, variables.get("PATH", os.defpath)])
            variables["VIRTUAL_ENV"] = str(self.folder)
            variables["TERM"] = os.environ.get("TERM", "dumb")
            if little_room(self.folder):
                variables["PYTHONDONTWRITEBYTECODE"] = "1"
            program = shutil.which(words[0], path=variables["PATH"])
            if program is None:
                raise RebuildError(
                    f"there is no command {words[0]!r} in the environment {self.folder}, nor on"
                    " PATH"
                )
            return subprocess.call([program, *words[1:]], env=variables)
