"""``replay``: the matching environment, and the model alive in it."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from capsule.artifact import Artifact, identify
from capsule.consent.plan import Consent, Plan
from capsule.errors import RebuildError, RestoreFailedError
from capsule.manifest import Manifest
from capsule.manifest.files import write_manifest
from capsule.rebuild.backends import BACKENDS, Backend, Progress, backend_named
from capsule.rebuild.bundling import is_bundle, unpacked
from capsule.rebuild.cache import Built, environment_key
from capsule.rebuild.cache_listing import Kept, kept_environments
from capsule.rebuild.pins import Pins
from capsule.rebuild.pythons import FoundPython
from capsule.rebuild.relaxing import build_near, relaxed_pins
from capsule.rebuild.remote import RemoteModel
from capsule.rebuild.resolve import prepared, silent
from capsule.rebuild.session import little_room, worker_environment
from capsule.rebuild.sources import Sources
from capsule.verdict import Finding
from capsule.verdict.judge import is_bare
from capsule.verdict.reach import Reaches
from capsule.verdict.rules.functions import of_manifest

SCOPES = ("model", "all")


@dataclass(frozen=True)
class Replayed:
    """A rebuilt environment for one artifact, with the plan for loading it there.

    ``seconds`` is what finding and building took; ``needs_building`` are the
    distributions without wheels that consent would allow to be built; ``lacks`` names what a
    bare file uses and nobody gave.
    """

    artifact: Artifact
    manifest: Manifest
    plan: Plan
    python: FoundPython
    built: Built | None
    needs_building: tuple[str, ...]
    seconds: float
    lacks: tuple[str, ...] = ()

    @property
    def consent(self) -> Consent:
        """What loading would run, and whether that was allowed."""
        return self.plan.consent

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the manifest alone tells of how the model will do."""
        return tuple(of_manifest(self.manifest, Reaches(self.manifest)))

    def load(
        self, timeout: float | None = None, asked: Mapping[str, Any] | None = None
    ) -> RemoteModel:
        """Load the model in its environment; *timeout* limits each of its answers, in seconds.

        *asked* is what a pickled model is replayed by.
        Raises ConsentError where nobody allowed it, RestoreFailedError for what the
        manifest alone tells can't come back (weights that were never saved, …).
        """
        self.consent.require(str(self.artifact.path))
        for finding in self.findings if self.manifest.origin != "inferred" else ():
            if finding.severity == "fatal" and "capsule" in finding.decides:
                raise RestoreFailedError(f"{self.artifact.path}: {finding.sentence}")
        if self.built is None:
            raise RebuildError("the environment was not built")
        try:
            return RemoteModel(
                self.built.interpreter,
                self.manifest,
                self.plan,
                self.artifact.path,
                timeout=timeout,
                asked=asked,
            )
        except RestoreFailedError as error:
            if not self.lacks:
                raise
            raise RestoreFailedError(
                f"{error.message}; the file lacks {', '.join(self.lacks)}: give what defines it"
                " with --bind-from FILE.py, or a value with --bind NAME=JSON"
            ) from None

    def run(self, command: Sequence[str] | None) -> int:
        """Run *command* (None: the user's shell) in the environment; return its exit status.

        The environment's programs come first on PATH. Raises ConsentError without
        consent, RebuildError if the command is not there.
        """
        self.consent.require(str(self.artifact.path))
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
    path: str | os.PathLike[str],
    *,
    safe_mode: bool = True,
    trust: Iterable[str] = (),
    manifest: str | os.PathLike[str] | None = None,
    python: str | os.PathLike[str] | None = None,
    scope: str = "model",
    backend: str = "uv",
    bind: Mapping[str, Any] | None = None,
    bind_from: Iterable[str | os.PathLike[str]] = (),
    download: str = "auto",
    sources: Sources | None = None,
    relax: bool = False,
    progress: Progress = silent,
) -> Replayed:
    """Build the environment of the artifact at *path*; load nothing yet.

    Without consent only wheels are installed and no interpreter runs in it. A file without
    a sidecar gets an environment as of a day shortly after the Keras that wrote it; *bind*
    gives plain values for names that nothing in it defines, *bind_from* are Python files that
    define them. With *relax* a distribution
    that no function reaches, and that can't be had, moves to the nearest version.
    Raises ArtifactChangedError for a file that is not its sidecar's, RebuildError where
    the environment can't be had.
    """
    if scope not in SCOPES:
        raise RebuildError(f"there is no scope {scope!r}; choose {' or '.join(SCOPES)}")
    started = time.monotonic()
    installer = backend_named(backend, sources)
    ready = prepared(
        path,
        safe_mode=safe_mode,
        trust=trust,
        manifest=manifest,
        python=python,
        scope=scope,
        bind=bind,
        bind_from=bind_from,
        download=download,
        sources=installer.sources,
        progress=progress,
    )
    allowed = ready.plan.consent.builds
    if backend == "pip-tools" and not allowed:
        raise RebuildError("pip-tools may build source distributions: it needs --unsafe; or use uv")
    needs: tuple[str, ...] = ()
    built: Built | None = None
    interpreter, pins = ready.python, ready.pins
    try:
        built = build_near(
            ready.manifest,
            interpreter,
            pins,
            installer,
            relax=relax,
            allow_build=allowed,
            progress=progress,
        )
    except RebuildError as error:
        if allowed or error.code == "network":
            raise
        needs = _needs_building(interpreter, pins, installer, progress)
        if not needs:
            raise
    if built is not None and ready.manifest.origin == "inferred":
        _keep(ready.manifest, built.folder)
    return Replayed(
        ready.artifact,
        ready.manifest,
        ready.plan,
        interpreter,
        built,
        needs,
        time.monotonic() - started,
        ready.lacks,
    )


def _keep(manifest: Manifest, folder: Path) -> None:
    """Store an inferred manifest in the environment that was built by it."""
    name = f"{manifest.artifact.name}-{manifest.artifact.sha256[:12]}.capsule.json"
    write_manifest(manifest, folder / name)


def environment_of(path: Path) -> Kept:
    """Return the environment in the cache that the artifact at *path* is replayed in.

    Raises RebuildError where it was not built yet.
    """
    kept = [one for one in kept_environments() if one.ready]
    if is_bare(path):  # what was inferred of it lies in the environment
        digest = identify(path)[2][:12]
        found = [one for one in kept if any(one.folder.glob(f"*-{digest}.capsule.json"))]
    else:
        ready = prepared(path, download="never")
        keys = set()
        for backend, allowed in itertools.product(map(backend_named, BACKENDS), (True, False)):
            near = relaxed_pins(ready.python, ready.pins, backend, build=allowed)
            keys |= {
                environment_key(ready.python, pins, backend=backend.name, build=allowed)
                for pins in (ready.pins, near)
            }
        found = [one for one in kept if one.key in keys]
    if found:
        return found[0]
    raise RebuildError(f"{path} has no environment yet: capsule replay {path} builds it")


def _needs_building(
    python: FoundPython, pins: Pins, installer: Backend, progress: Progress
) -> tuple[str, ...]:
    """Return which pins have no wheel here, asked of an empty environment thrown away after."""
    progress("looking for what has no wheel here")
    with tempfile.TemporaryDirectory(prefix="capsule-") as folder:
        empty = Path(folder, "environment")
        installer.create(empty, python)
        return installer.unbuilt(empty, pins)


def replay(
    path: str | os.PathLike[str],
    *,
    safe_mode: bool = True,
    trust: Iterable[str] = (),
    manifest: str | os.PathLike[str] | None = None,
    python: str | os.PathLike[str] | None = None,
    scope: str = "model",
    backend: str = "uv",
    bind: Mapping[str, Any] | None = None,
    bind_from: Iterable[str | os.PathLike[str]] = (),
    download: str = "auto",
    sources: Sources | None = None,
    relax: bool = False,
    timeout: float | None = None,
    progress: Progress = silent,
) -> RemoteModel:
    """Return the model at *path*, alive in the environment it was saved in.

    Asks for what Keras asks: ``safe_mode=False``, or *trust* in the digests of its
    functions; else raises ConsentError, which lists them. A model that gives no answer
    within *timeout* seconds is ended, and WorkerError raised.
    """
    if is_bundle(path):
        path, sources = unpacked(Path(path))
    asked: dict[str, Any] = {
        "safe_mode": safe_mode,
        "trust": tuple(trust),
        "manifest": _absolute(manifest),
        "python": _absolute(python),
        "scope": scope,
        "backend": backend,
        "bind": dict(bind or {}),
        "bind_from": tuple(os.path.abspath(file) for file in bind_from),
        "download": download,
        "sources": sources,
        "relax": relax,
    }
    rebuilt = rebuild(path, **asked, progress=progress)
    return rebuilt.load(timeout, {**asked, "timeout": timeout})


def _absolute(path: str | os.PathLike[str] | None) -> str | None:
    return None if path is None else os.path.abspath(path)
