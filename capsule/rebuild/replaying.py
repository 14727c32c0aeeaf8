"""``replay``: the matching environment, and the model alive in it."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from capsule.consent.consent import Trust
from capsule.description.custom import CustomObjects
from capsule.description.definitions import read_definitions
from capsule.description.describe import Description, describe
from capsule.rebuild.building import build
from capsule.rebuild.bundling import is_bundle, unpack_bundle
from capsule.rebuild.errors import NeedsBuildError
from capsule.rebuild.options import Backend, Download, Progress, ReplayOptions, Scope, silent
from capsule.rebuild.remote import RemoteModel
from capsule.rebuild.resolve import resolve
from capsule.rebuild.sources import Sources


def replay(  # noqa: PLR0913 - a public verb
    path: str | os.PathLike[str],
    *,
    safe_mode: bool = True,
    trust: Iterable[str] = (),
    sidecar: str | os.PathLike[str] | None = None,
    python: str | os.PathLike[str] | None = None,
    scope: Scope = "model",
    backend: Backend = "uv",
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
    InputError
        An option is none of its choices, or a file that was named can't be used.
    RestoreFailedError
        A function can't be rebuilt, or Keras can't load the model.
    """
    if is_bundle(path):
        path, sources = unpack_bundle(Path(path))
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
    description = describe(path, sidecar=sidecar, custom=custom)
    return replay_described(description, Trust.of(safe_mode, trust), options, progress)


def replay_described(
    description: Description,
    trust: Trust,
    options: ReplayOptions,
    progress: Progress = silent,
) -> RemoteModel:
    """Return a model that was described already, alive in its environment.

    Pickled, it is replayed anew by whoever unpickles it: from the same file, with the same
    trust and options. Raises as `replay` does.

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
    """
    path, sidecar = os.path.abspath(description.path), _absolute(description.sidecar)
    reopen = functools.partial(_replay_again, path, sidecar, description.custom, trust, options)
    resolution = resolve(description, trust, options, progress)
    try:
        environment = build(resolution, progress)
    except NeedsBuildError:
        resolution.plan.consent.require(path)  # which lists what else would run
        raise
    return environment.start(resolution, reopen)


def _replay_again(
    path: str, sidecar: str | None, custom: CustomObjects, trust: Trust, options: ReplayOptions
) -> RemoteModel:
    """Replay a model in the process that unpickles it."""
    return replay_described(describe(path, sidecar=sidecar, custom=custom), trust, options)


def _absolute(path: str | os.PathLike[str] | None) -> str | None:
    return None if path is None else os.path.abspath(path)
