"""What is known before anything is built: the plan, a Python, and the exact distributions."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from capsule.bytecode.formats import MAGIC_NUMBERS, VERSIONS
from capsule.consent.consent import Trust
from capsule.consent.plan import Plan, make_plan
from capsule.description.configuration import configuration_as_written
from capsule.description.describe import Description
from capsule.errors import ArtifactChangedError, InputError, RebuildError
from capsule.guest import values
from capsule.inspection import Inspection
from capsule.keras_compat.releases import Release, release_of
from capsule.keras_compat.untranslatable import Untranslatable
from capsule.manifest import DistributionFacts, Evidence, Manifest, PythonFacts
from capsule.rebuild.backends import Uv
from capsule.rebuild.cache import cache_folder
from capsule.rebuild.locks import lock_path, read_hashes, write_lock
from capsule.rebuild.options import Progress, ReplayOptions, silent
from capsule.rebuild.pins import Pins, pins_of
from capsule.rebuild.pythons import FoundPython, find_python


@dataclass(frozen=True)
class Resolution:
    """What is known of a model before its environment is built."""

    description: Description
    plan: Plan
    python: FoundPython
    pins: Pins
    missing: tuple[str, ...] = ()
    """The names that the file uses, and that neither it nor the caller defines."""

    @property
    def path(self) -> Path:
        """The model file."""
        return self.description.path

    @property
    def manifest(self) -> Manifest:
        """What the model needs."""
        return self.description.manifest


def resolve(
    description: Description,
    trust: Trust,
    options: ReplayOptions | None = None,
    progress: Progress = silent,
) -> Resolution:
    """Return the plan for a model, a Python for it, and exact pins.

    What was recorded is taken as it was; a file that was never captured gets what the index
    had some weeks after the Keras that wrote it was released, since what that Keras required
    without a version moved on since.

    Parameters
    ----------
    description
        The model.
    trust
        What was allowed: source distributions are built only where everything is.
    options
        How its environment is to be rebuilt.
    progress
        Called with each step that takes long.

    Raises
    ------
    ArtifactChangedError
        The file is not the one that its sidecar describes.
    RebuildError
        No Python is found, the Keras that wrote the file is not known, or its distributions
        can't be resolved.
    InputError
        The lock beside the model is not valid, or a value that was given can't reach another
        process.
    """
    options = options or ReplayOptions()
    if description.manifest.distributions is None:
        resolution = _as_of_release(description, trust, options, progress)
    else:
        resolution = _as_recorded(description, trust, options)
    place = lock_path(description.path)
    if not options.locked or not place.exists():
        return resolution
    hashes = read_hashes(place, resolution.pins)
    return replace(resolution, pins=replace(resolution.pins, hashes=hashes))


def write_lock_of(resolution: Resolution, options: ReplayOptions) -> Path:
    """Write the lock of a model beside it; return where. Nothing is installed."""
    place = lock_path(resolution.path)
    write_lock(resolution.pins, resolution.python, place, Uv(options.sources))
    return place


def _as_recorded(description: Description, trust: Trust, options: ReplayOptions) -> Resolution:
    """Return what the sidecar says of the model, a Python for it, and its pins."""
    manifest = description.manifest
    plan = make_plan(description, trust)  # a file that can't be read says so first
    if description.change is not None:
        raise ArtifactChangedError(f"{description.change}: restore it, or save the model again")
    python = python_for(manifest, options)
    pins = pins_of(
        manifest,
        options.scope,
        elsewhere=plan.consent.builds,
        own_index=bool(options.sources.index_url or options.sources.find_links),
    )
    return Resolution(description, plan, python, pins)


def python_for(manifest: Manifest, options: ReplayOptions) -> FoundPython:
    """Return the Python that *manifest* asks for, the same minor version at least.

    Another minor version will do where none is to be had and every function is restored
    from source: bytecode is at home in its own alone.
    """
    try:
        return find_python(manifest.python, options.python, download=options.download)
    except RebuildError as error:
        nodes = [manifest.nodes.get(function.node or "") for function in manifest.functions]
        by_source = all(node is None or node.source is not None for node in nodes)
        if error.code != "python-missing" or not by_source:
            raise
        mine = int(manifest.python.minor.partition(".")[2])
        for minor in sorted(range(6, 15), key=lambda other: (abs(other - mine), -other)):
            facts = replace(manifest.python, version=f"3.{minor}.0")
            with contextlib.suppress(RebuildError):
                return find_python(facts)
        raise


def _as_of_release(
    description: Description, trust: Trust, options: ReplayOptions, progress: Progress
) -> Resolution:
    """Return an environment for a file that was never captured, from the Keras that wrote it."""
    path, inspection = description.path, description.inspection
    release = _release(description)
    python = choose_python(inspection, release, options.python, options.download)
    description = description.on_python(python.version)
    try:
        build = configuration_as_written(description)
    except Untranslatable as error:
        raise RebuildError(f"{path}: {error.reason}") from None
    plan = make_plan(description, trust, keras=release.module, build=build)
    pins = _release_pins(release, python, options, plan.consent.builds, progress)
    manifest = description.manifest
    installed = tuple(
        DistributionFacts(name, version) for name, version in sorted(pins.versions.items())
    )
    chosen = Evidence("python", python.version, "assumed", "the best that was found here")
    manifest = replace(manifest, distributions=installed, evidence=(*manifest.evidence, chosen))
    bindings = (binding for node in manifest.nodes.values() for binding in node.names)
    missing = {binding.name for binding in bindings if binding.missing}
    missing |= set(inspection.classes) - {function.name for function in manifest.functions}
    description = description.with_manifest(manifest)
    return Resolution(description, plan, python, pins, tuple(sorted(missing)))


def _release(description: Description) -> Release:
    """Return the release of Keras to build for a file. Raises RebuildError or InputError."""
    path, form = description.path, description.artifact.format
    if form in ("weights-h5", "saved-model"):
        what = "weights and no model" if form == "weights-h5" else "a graph"
        raise RebuildError(f"{path} holds {what}: there is nothing to replay without a sidecar")
    for name, value in description.custom.bind.items():
        if values.is_opaque(values.encode(value)):
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
    download: str = "never",
) -> FoundPython:
    """Return the best Python found: one that wrote the file, else one its Keras runs on.

    Another Python than the writer's will do only where every function is decompiled.
    """
    candidates = _candidates(inspection, release)
    trouble: RebuildError | None = None
    for way in dict.fromkeys(("never", download)):  # what is here comes before what is not
        for version in candidates:
            facts = PythonFacts("cpython", f"{version}.0", MAGIC_NUMBERS[version], "")
            try:
                return find_python(facts, interpreter, download=way)
            except RebuildError as error:
                trouble = trouble or error
    lowest, highest = release.pythons
    if interpreter is not None:
        raise RebuildError(
            f"{interpreter} is not Python {lowest} to {highest}, on which Keras {release.version}"
            " runs"
        ) from trouble
    raise RebuildError(
        f"Keras {release.version} runs on Python {lowest} to {highest}, and none was found here:"
        f" get one with uv python install {candidates[0]}, or name it with --python",
        code="python-missing",
    ) from trouble


def _candidates(inspection: Inspection, release: Release) -> list[str]:
    """Return the minor versions of Python that would do, the best first."""
    order = list(VERSIONS)
    runs = _between(order, *release.pythons)
    wrote = order
    if inspection.python.lowest is not None and inspection.python.highest is not None:
        wrote = _between(order, inspection.python.lowest, inspection.python.highest)
    undecompiled = [f for f in inspection.functions if f.key is not None and f.source is None]
    candidates = sorted(runs, key=lambda v: (v not in wrote, -order.index(v)))
    if undecompiled:
        candidates = [version for version in candidates if version in wrote]
    if not candidates:
        function = undecompiled[0]
        raise RebuildError(
            f"{inspection.path}: {function.label} runs only on Python {inspection.python.lowest},"
            f" on which Keras {release.version} does not run ({function.stopped})"
        )
    return candidates


def _between(order: list[str], lowest: str, highest: str) -> list[str]:
    return order[order.index(lowest) : order.index(highest) + 1]


def _release_pins(
    release: Release, python: FoundPython, options: ReplayOptions, build: bool, progress: Progress
) -> Pins:
    """Return the pins of *release* as of its date, for *python*; resolved once, then cached."""
    folder = cache_folder() / "resolved"
    folder.mkdir(exist_ok=True, mode=0o700)
    request = {
        "requirements": list(release.requirements),
        "date": release.date.isoformat(),
        "python": python.version,
        "build": build,
        "sources": options.sources.told(),
    }
    text = json.dumps(request, sort_keys=True)
    file = folder / f"{hashlib.sha256(text.encode('ascii')).hexdigest()[:20]}.txt"
    if file.exists():
        return _pins_in(file.read_text(encoding="utf-8").splitlines())
    progress(f"resolving {', '.join(release.requirements)} as of {release.date}")
    try:
        lines = Uv(options.sources).resolve(
            release.requirements,
            python,
            folder,
            build=build,
            options=["--exclude-newer", release.date.isoformat()],
        )
    except RebuildError as error:
        if build or error.code == "network":
            raise
        raise RebuildError(
            f"Keras {release.version} needs a distribution that has no wheel here, and building"
            f" one runs its code: allow it with --unsafe ({error.message[-120:]})"
        ) from None
    temporary = file.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    temporary.replace(file)
    return _pins_in(lines)


def _pins_in(lines: Iterable[str]) -> Pins:
    """Return the exact requirements among *lines* as pins."""
    versions: dict[str, str] = {}
    for line in lines:
        requirement = Requirement(line)
        exact = [s.version for s in requirement.specifier if s.operator == "=="]
        if len(exact) == 1:
            versions[canonicalize_name(requirement.name)] = exact[0]
    ordered = {name: versions[name] for name in sorted(versions)}
    return Pins(tuple(f"{name}=={version}" for name, version in ordered.items()), ordered)
