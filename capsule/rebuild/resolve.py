"""What is known before anything is built: the manifest, the plan, a Python, and the pins."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from capsule.artifact import open_artifact
from capsule.consent.plan import make_plan
from capsule.errors import ArtifactChangedError, InputError, RebuildError
from capsule.manifest import Manifest
from capsule.rebuild.backends import Progress, Uv
from capsule.rebuild.bare import Prepared, prepare_bare
from capsule.rebuild.locks import lock_path, read_hashes, write_lock
from capsule.rebuild.pins import pins_of
from capsule.rebuild.pythons import FoundPython, find_python
from capsule.rebuild.sources import Sources
from capsule.verdict.judge import is_bare, manifest_of


def silent(message: str) -> None:
    """Tell nobody how far it is."""


def prepared(
    path: str | os.PathLike[str],
    *,
    safe_mode: bool = True,
    trust: Iterable[str] = (),
    manifest: str | os.PathLike[str] | None = None,
    python: str | os.PathLike[str] | None = None,
    scope: str = "model",
    bind: Mapping[str, Any] | None = None,
    bind_from: Iterable[str | os.PathLike[str]] = (),
    download: str = "auto",
    sources: Sources | None = None,
    locked: bool = True,
    progress: Progress = silent,
) -> Prepared:
    """Return the manifest of *path*, recorded or inferred, a Python for it, and its pins.

    The pins carry the hashes of the lock beside it, if there is one, unless not *locked*.
    """
    if manifest is None and is_bare(path):
        ready = prepare_bare(
            Path(path),
            safe_mode=safe_mode,
            trust=trust,
            python=python,
            bind=bind or {},
            bind_from=bind_from,
            download=download,
            sources=sources or Sources(),
            progress=progress,
        )
    else:
        if bind or bind_from:
            raise InputError(f"{path} has a sidecar, which says what its names stand for")
        ready = _recorded(path, safe_mode, trust, manifest, python, scope, download, sources)
    place = lock_path(Path(path))
    if not locked or not place.exists():
        return ready
    return replace(ready, pins=replace(ready.pins, hashes=read_hashes(place, ready.pins)))


def lock(
    path: str | os.PathLike[str], *, sources: Sources | None = None, **asked: Any
) -> tuple[Path, Prepared]:
    """Write the lock of the artifact at *path* beside it; return where, and what it locks.

    *asked* as in `prepared`. Nothing is installed and nothing of the model is run.
    """
    place = lock_path(Path(path))
    ready = prepared(path, sources=sources, locked=False, **asked)
    write_lock(ready.pins, ready.python, place, Uv(sources))
    return place, ready


def _recorded(
    path: str | os.PathLike[str],
    safe_mode: bool,
    trust: Iterable[str],
    manifest: str | os.PathLike[str] | None,
    python: str | os.PathLike[str] | None,
    scope: str,
    download: str,
    sources: Sources | None,
) -> Prepared:
    """Return what the sidecar says of the model, a Python for it, and its pins."""
    found = manifest_of(path, manifest)
    artifact = open_artifact(path)
    if artifact.sha256 != found.artifact.sha256:
        raise ArtifactChangedError(
            f"{artifact.path} is not the file that its sidecar describes (saved as"
            f" {found.artifact.name}): restore it, or save the model again"
        )
    plan = make_plan(artifact, found, safe_mode=safe_mode, trust=trust)
    interpreter = python_for(found, python, download)
    own = sources is not None and bool(sources.index_url or sources.find_links)
    pins = pins_of(found, scope, elsewhere=plan.consent.builds, own_index=own)
    return Prepared(artifact, found, plan, interpreter, pins)


def python_for(
    manifest: Manifest, named: str | os.PathLike[str] | None, download: str
) -> FoundPython:
    """Return the Python that *manifest* asks for, the same minor version at least.

    Another minor version will do where none is to be had and every function is restored
    from source: bytecode is at home in its own alone.
    """
    try:
        return find_python(manifest.python, named, download=download)
    except RebuildError as error:
        nodes = [manifest.nodes.get(one.node or "") for one in manifest.functions]
        by_source = all(node is None or node.source is not None for node in nodes)
        if error.code != "python-missing" or not by_source:
            raise
        mine = int(manifest.python.minor.partition(".")[2])
        for minor in sorted(range(6, 15), key=lambda other: (abs(other - mine), -other)):
            wanted = replace(manifest.python, version=f"3.{minor}.0")
            with contextlib.suppress(RebuildError):
                return find_python(wanted)
        raise
