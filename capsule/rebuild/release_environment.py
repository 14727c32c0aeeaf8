"""The environment of a file that was never captured: the Keras that wrote it, as of its day."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from capsule.bytecode.pythons import MAGIC_NUMBERS, VERSIONS
from capsule.description.describe import Description
from capsule.errors import InputError
from capsule.guest import values
from capsule.inspection import Inspection
from capsule.keras_compat.releases import Release, release_of
from capsule.manifest import PythonFacts
from capsule.rebuild.cache_folder import cache_folder, replace_text
from capsule.rebuild.errors import RebuildError
from capsule.rebuild.installers import Uv
from capsule.rebuild.options import Download, Progress
from capsule.rebuild.pins import Pins
from capsule.rebuild.python_discovery import Interpreter, find_python


def find_release(description: Description) -> Release:
    """Return the release of Keras to build for a file.

    Raises RebuildError where it holds no model or does not tell which Keras wrote it, InputError
    where a value that was bound can't reach another process.
    """
    path, form = description.path, description.artifact.format
    if form in ("weights-h5", "saved-model"):
        what = "weights and no model" if form == "weights-h5" else "a graph"
        raise RebuildError(f"{path} holds {what}: there is nothing to replay without a sidecar")
    for name, value in description.custom.bind.items():
        if values.find_opaque(values.encode(value)):
            raise InputError(f"bind={{{name!r}: …}}: only plain values reach another process")
    keras = description.inspection.keras
    release = release_of(keras)
    if release is None:
        raise RebuildError(
            f"{path} does not tell which Keras wrote it ({keras}): no environment can be chosen"
            " for it"
        )
    return release


def choose_python(
    inspection: Inspection,
    release: Release,
    interpreter: str | None = None,
    download: Download = "never",
) -> Interpreter:
    """Return the best Python found: one that wrote the file, else one its Keras runs on.

    Another Python than the writer's will do only where every function is decompiled.
    *interpreter* and *download* are as in `find_python`. Raises RebuildError without such a one.
    """
    candidates = _candidates(inspection, release)
    cause: RebuildError | None = None
    for way in dict.fromkeys(("never", download)):  # what is here comes before what is not
        for version in candidates:
            facts = PythonFacts("cpython", f"{version}.0", MAGIC_NUMBERS[version], "")
            try:
                return find_python(facts, interpreter, download=way)
            except RebuildError as error:
                cause = cause or error
    lowest, highest = release.pythons
    if interpreter is not None:
        raise RebuildError(
            f"{interpreter} is not Python {lowest} to {highest}, on which Keras {release.version}"
            " runs"
        ) from cause
    raise RebuildError(
        f"Keras {release.version} runs on Python {lowest} to {highest}, and none was found here:"
        f" get one with uv python install {candidates[0]}, or name it with --python",
        code="python-missing",
    ) from cause


def _candidates(inspection: Inspection, release: Release) -> list[str]:
    """Return the minor versions of Python that would do, the best first."""
    runs = _between(VERSIONS, *release.pythons)
    wrote: Sequence[str] = VERSIONS
    if inspection.python.lowest is not None and inspection.python.highest is not None:
        wrote = _between(VERSIONS, inspection.python.lowest, inspection.python.highest)
    undecompiled = [f for f in inspection.functions if f.key is not None and f.source is None]
    candidates = sorted(runs, key=lambda version: (version not in wrote, -runs.index(version)))
    if undecompiled:
        candidates = [version for version in candidates if version in wrote]
    if not candidates:
        function = undecompiled[0]
        raise RebuildError(
            f"{inspection.path}: {function.label} runs only on Python {inspection.python.lowest},"
            f" on which Keras {release.version} does not run ({function.stopped})"
        )
    return candidates


def _between(versions: Sequence[str], lowest: str, highest: str) -> Sequence[str]:
    return versions[versions.index(lowest) : versions.index(highest) + 1]


def pin_release(
    release: Release, python: Interpreter, uv: Uv, *, build: bool, progress: Progress
) -> Pins:
    """Return the pins of a release of Keras, as of its date; resolved once, then cached.

    Raises RebuildError where its distributions can't be had, or one has no wheel here and *build*
    does not allow to build it.
    """
    request = {
        "requirements": list(release.requirements),
        "date": release.date.isoformat(),
        "python": python.version,
        "build": build,
        "sources": uv.sources.identity,
    }
    digest = hashlib.sha256(json.dumps(request, sort_keys=True).encode("ascii")).hexdigest()
    file = cache_folder("resolved") / f"{digest[:20]}.txt"
    if file.exists():
        return _pins_in(file.read_text(encoding="utf-8").splitlines())
    progress(f"resolving {', '.join(release.requirements)} as of {release.date}")
    options = ("--exclude-newer", release.date.isoformat())
    try:
        lines = uv.resolve(release.requirements, python, build=build, options=options)
    except RebuildError as error:
        if build or error.code == "network":
            raise
        raise RebuildError(
            f"Keras {release.version} needs a distribution that has no wheel here, and building"
            f" one runs its code: allow it with --unsafe ({error.message[-120:]})",
            code="needs-build",
        ) from None
    replace_text(file, "\n".join(lines) + "\n")
    return _pins_in(lines)


def _pins_in(lines: Iterable[str]) -> Pins:
    """Return the exact requirements among *lines* as pins."""
    versions: dict[str, str] = {}
    for requirement in map(Requirement, lines):
        exact = [s.version for s in requirement.specifier if s.operator == "=="]
        if len(exact) == 1:
            versions[canonicalize_name(requirement.name)] = exact[0]
    ordered = {name: versions[name] for name in sorted(versions)}
    return Pins(tuple(f"{name}=={version}" for name, version in ordered.items()), ordered)
