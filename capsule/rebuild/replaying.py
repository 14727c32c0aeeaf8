"""``replay``: the matching environment, and the model alive in it."""

from __future__ import annotations

import functools
import itertools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from capsule.artifact import Artifact
from capsule.consent.consent import Consent, Trust
from capsule.consent.plan import Plan
from capsule.description.custom import CustomObjects
from capsule.description.definitions import read_definitions
from capsule.description.describe import Description, describe
from capsule.errors import RebuildError, RestoreFailedError
from capsule.manifest import Manifest
from capsule.manifest.files import write_manifest
from capsule.rebuild.backends import Backend, backend_named
from capsule.rebuild.bundling import is_bundle, unpacked
from capsule.rebuild.cache import Built, environment_key
from capsule.rebuild.cache_listing import Kept, kept_environments
from capsule.rebuild.options import BackendName, Download, Progress, ReplayOptions, Scope, silent
from capsule.rebuild.pins import Pins
from capsule.rebuild.pythons import FoundPython
from capsule.rebuild.relaxing import build_near, relaxed_pins
from capsule.rebuild.remote import RemoteModel
from capsule.rebuild.resolve import Resolution, resolve
from capsule.rebuild.session import little_room, worker_environment
from capsule.rebuild.sources import Sources
from capsule.verdict import Finding
from capsule.verdict.judge import findings_of_manifest


@dataclass(frozen=True)
class Replayed:
    """A rebuilt environment for one artifact, with the plan for loading it there."""

    resolution: Resolution
    built: Built | None
    """The environment; None where it was not built for want of consent."""
    needs_building: tuple[str, ...]
    """Distributions without wheels, which consent would allow to be built."""
    seconds: float
    """What finding and building took."""

    @property
    def path(self) -> Path:
        """The model file."""
        return self.resolution.path

    @property
    def artifact(self) -> Artifact:
        """The model file as read."""
        return self.resolution.description.artifact

    @property
    def manifest(self) -> Manifest:
        """What was recorded of the model, or what its file tells."""
        return self.resolution.manifest

    @property
    def plan(self) -> Plan:
        """What loading would run."""
        return self.resolution.plan

    @property
    def python(self) -> FoundPython:
        """The interpreter that the environment was built on."""
        return self.resolution.python

    @property
    def consent(self) -> Consent:
        """What loading would run, and whether that was allowed."""
        return self.plan.consent

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the manifest alone tells of how the model will do."""
        return findings_of_manifest(self.manifest)

    def load(
        self, timeout: float | None = None, recipe: Callable[[], RemoteModel] | None = None
    ) -> RemoteModel:
        """Load the model in its environment; *timeout* limits each of its answers, in seconds.

        *recipe* is what a pickled model is replayed by.
        Raises ConsentError where nobody allowed it, RestoreFailedError for what the
        manifest alone tells can't come back (weights that were never saved, …).
        """
        self.consent.require(str(self.path))
        recorded = self.manifest.origin != "inferred"
        for finding in self.findings if recorded else ():
            if finding.severity == "fatal" and "capsule" in finding.decides:
                raise RestoreFailedError(f"{self.path}: {finding.sentence}")
        if self.built is None:
            raise RebuildError("the environment was not built")
        try:
            return RemoteModel(
                self.built.interpreter, self.resolution, timeout=timeout, recipe=recipe
            )
        except RestoreFailedError as error:
            missing = self.resolution.missing
            if not missing:
                raise
            raise RestoreFailedError(
                f"{error.message}; the file does not define {', '.join(missing)}: give what does"
                " with --bind-from FILE.py, or a value with --bind NAME=JSON"
            ) from None

    def run(self, command: Sequence[str] | None) -> int:
        """Run *command* (None: the user's shell) in the environment; return its exit status.

        The environment's programs come first on PATH. Raises ConsentError without
        consent, RebuildError if the command is not there.
        """
        self.consent.require(str(self.path))
        if self.built is None:
            raise RebuildError("the environment was not built")
        words = list(command) if command else [os.environ.get("SHELL") or "/bin/sh"]
        with tempfile.TemporaryDirectory(prefix="capsule-keras-") as home:
            inner = worker_environment(self.manifest, Path(home))
            programs = self.built.interpreter.parent
            inner["PATH"] = os.pathsep.join([str(programs), inner.get("PATH", os.defpath)])
            inner["VIRTUAL_ENV"] = str(self.built.folder)
            if little_room(self.built.folder):
                inner["PYTHONDONTWRITEBYTECODE"] = "1"
            inner["TERM"] = os.environ.get("TERM", "dumb")
            program = shutil.which(words[0], path=inner["PATH"])
            if program is None:
                raise RebuildError(f"there is no command {words[0]!r} in the environment")
            return subprocess.call([program, *words[1:]], env=inner)


def rebuild(
    description: Description,
    trust: Trust,
    options: ReplayOptions | None = None,
    progress: Progress = silent,
) -> Replayed:
    """Build the environment of a model; load nothing yet.

    Without consent only wheels are installed and no interpreter runs in it.

    Parameters
    ----------
    description
        The model.
    trust
        What was allowed.
    options
        How its environment is to be rebuilt.
    progress
        Called with each step that takes long.

    Raises
    ------
    ArtifactChangedError
        The file is not the one that its sidecar describes.
    RebuildError
        The environment can't be had.
    """
    options = options or ReplayOptions()
    started = time.monotonic()
    installer = backend_named(options.backend, options.sources)
    resolution = resolve(description, trust, options, progress)
    allowed = resolution.plan.consent.builds
    if options.backend == "pip-tools" and not allowed:
        raise RebuildError("pip-tools may build source distributions: it needs --unsafe; or use uv")
    needs: tuple[str, ...] = ()
    built: Built | None = None
    try:
        built = build_near(
            resolution.manifest,
            resolution.python,
            resolution.pins,
            installer,
            relax=options.relax,
            allow_build=allowed,
            progress=progress,
        )
    except RebuildError as error:
        if allowed or error.code == "network":
            raise
        needs = _needs_building(resolution.python, resolution.pins, installer, progress)
        if not needs:
            raise
    if built is not None and resolution.manifest.origin == "inferred":
        _store(resolution.manifest, built.folder)
    return Replayed(resolution, built, needs, time.monotonic() - started)


def _store(manifest: Manifest, folder: Path) -> None:
    """Store an inferred manifest in the environment that was built by it."""
    name = f"{manifest.artifact.name}-{manifest.artifact.sha256[:12]}.capsule.json"
    write_manifest(manifest, folder / name)


def environment_of(path: Path) -> Kept:
    """Return the environment in the cache that the artifact at *path* is replayed in.

    Raises RebuildError where it was not built yet.
    """
    environments = [environment for environment in kept_environments() if environment.ready]
    description = describe(path)
    if description.inferred:  # what was inferred of it lies in the environment
        pattern = f"*-{description.identity.sha256[:12]}.capsule.json"
        environments = [e for e in environments if any(e.folder.glob(pattern))]
    else:
        keys = set(_keys(description))
        environments = [e for e in environments if e.key in keys]
    if environments:
        return environments[0]
    raise RebuildError(f"{path} has no environment yet: capsule replay {path} builds it")


def _keys(description: Description) -> Iterable[str]:
    """Give the keys of all environments that the model may have been replayed in."""
    resolution = resolve(description, Trust(), ReplayOptions(download="never"))
    python = resolution.python
    for name, allowed in itertools.product(get_args(BackendName), (True, False)):
        backend = backend_named(name)
        near = relaxed_pins(python, resolution.pins, backend, build=allowed)
        for pins in (resolution.pins, near):
            yield environment_key(python, pins, backend=name, build=allowed)


def _needs_building(
    python: FoundPython, pins: Pins, installer: Backend, progress: Progress
) -> tuple[str, ...]:
    """Return which pins have no wheel here, asked of an empty environment thrown away after."""
    progress("looking for what has no wheel here")
    with tempfile.TemporaryDirectory(prefix="capsule-") as folder:
        empty = Path(folder, "environment")
        installer.create(empty, python)
        return installer.unbuilt(empty, pins)


def replay(  # noqa: PLR0913 - a public verb
    path: str | os.PathLike[str],
    *,
    safe_mode: bool = True,
    trust: Iterable[str] = (),
    sidecar: str | os.PathLike[str] | None = None,
    python: str | os.PathLike[str] | None = None,
    scope: Scope = "model",
    backend: BackendName = "uv",
    bind: Mapping[str, Any] | None = None,
    bind_from: Iterable[str | os.PathLike[str]] = (),
    download: Download = "auto",
    sources: Sources | None = None,
    relax: bool = False,
    timeout: float | None = None,
    progress: Progress = silent,
) -> RemoteModel:
    """Return the model at *path*, alive in the environment it was saved in.

    Parameters
    ----------
    path
        The model file, SavedModel folder, or bundle.
    safe_mode
        False allows all of the model's code to run, and source distributions to be built.
    trust
        Digests of the functions that may run.
    sidecar
        The sidecar, if it is not the one beside the file.
    python
        The interpreter to build the environment on, in place of one that is looked for.
    scope
        ``model``: the distributions that the model uses; ``all``: every one that was recorded.
    backend
        The installer: ``uv`` or ``pip-tools``.
    bind
        Plain values for names that nothing in a file without a sidecar defines.
    bind_from
        Python files that define such names.
    download
        ``auto`` lets uv bring a Python that is missing; ``never``.
    sources
        Where distributions come from, if not from where the installer is set up to look.
    relax
        Move a distribution that can't be had, and no function uses, to the nearest version.
    timeout
        Seconds within which the model must answer; it is ended if it does not.
    progress
        Called with each step that takes long.

    Returns
    -------
    RemoteModel
        The model: ``predict`` takes arrays and returns arrays.

    Raises
    ------
    ConsentError
        Nobody allowed its functions to run; it lists them.
    ArtifactChangedError
        The file is not the one that its sidecar describes.
    RebuildError
        The environment can't be had.
    RestoreFailedError
        A function can't be rebuilt, or Keras can't load the model.
    """
    if is_bundle(path):
        path, sources = unpacked(Path(path))
    options = ReplayOptions(
        scope=scope,
        backend=backend,
        python=_absolute(python),
        download=download,
        sources=sources or Sources(),
        relax=relax,
        timeout=timeout,
    )
    definitions = tuple(read_definitions(Path(file)) for file in bind_from)
    custom = CustomObjects(bind=dict(bind or {}), definitions=definitions)
    request = Request(os.path.abspath(path), _absolute(sidecar), custom)
    description = describe(path, sidecar=sidecar, custom=custom)
    return replay_described(description, Trust.of(safe_mode, trust), options, request, progress)


@dataclass(frozen=True)
class Request:
    """Which model was asked for, in words that another process understands."""

    path: str
    sidecar: str | None
    custom: CustomObjects


def replay_described(
    description: Description,
    trust: Trust,
    options: ReplayOptions,
    request: Request | None = None,
    progress: Progress = silent,
) -> RemoteModel:
    """Return a model that was described already, alive in its environment.

    *request* is what a pickled one is replayed by.
    """
    request = request or Request(os.path.abspath(description.path), None, description.custom)
    replayed = rebuild(description, trust, options, progress)
    return replayed.load(options.timeout, functools.partial(_again, request, trust, options))


def _again(request: Request, trust: Trust, options: ReplayOptions) -> RemoteModel:
    """Replay what was asked for, in a process that unpickled the model."""
    description = describe(request.path, sidecar=request.sidecar, custom=request.custom)
    return replay_described(description, trust, options, request)


def _absolute(path: str | os.PathLike[str] | None) -> str | None:
    return None if path is None else os.path.abspath(path)
