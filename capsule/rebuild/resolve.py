"""What is known before anything is built: the plan, a Python, and the exact distributions."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from pathlib import Path

from capsule.consent.consent import Trust
from capsule.consent.plan import Plan, make_plan
from capsule.description.configuration import configuration_as_written
from capsule.description.describe import Description
from capsule.errors import ArtifactChangedError
from capsule.keras_compat.untranslatable import Untranslatable
from capsule.manifest import DistributionFacts, Evidence, Manifest
from capsule.rebuild.errors import RebuildError
from capsule.rebuild.installers import INSTALLERS, Uv
from capsule.rebuild.locks import lock_path, read_hashes, write_lock
from capsule.rebuild.options import Progress, ReplayOptions, silent
from capsule.rebuild.pins import Pins, pins_of
from capsule.rebuild.python_discovery import Interpreter, find_python
from capsule.rebuild.recipe import Recipe
from capsule.rebuild.release_environment import choose_python, find_release, pin_release
from capsule.verdict import Finding
from capsule.verdict.judge import findings_of_manifest


@dataclass(frozen=True)
class Resolution:
    """What is known of a model before its environment is built."""

    description: Description
    """The model; its manifest says what is installed, of a file that was never captured too."""
    plan: Plan
    """What loading it would run, and whether that was allowed."""
    python: Interpreter
    """The Python to build on."""
    pins: Pins
    """The distributions to install, and no others."""
    options: ReplayOptions = field(default_factory=ReplayOptions)
    """How its environment is to be rebuilt."""
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

    @property
    def recipe(self) -> Recipe:
        """The recipe of its environment."""
        installer = INSTALLERS[self.options.backend](self.options.sources)
        return Recipe(self.python, self.pins, installer, self.plan.consent.builds)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the manifest alone tells of how the model will do."""
        return findings_of_manifest(self.manifest)

    def write_lock(self) -> Path:
        """Write the lock of the model beside it; return where. Nothing is installed."""
        path = lock_path(self.path)
        write_lock(self.pins, self.python, path, Uv(self.options.sources))
        return path


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
        The lock beside the model is not valid, or a value that was bound can't reach another
        process.
    """
    options = options or ReplayOptions()
    if description.manifest.distributions is None:
        resolution = _as_of_release(description, trust, options, progress)
    else:
        resolution = _as_recorded(description, trust, options)
    lock = lock_path(description.path)
    if not options.obey_lock or not lock.exists():
        return resolution
    hashes = read_hashes(lock, resolution.pins)
    return replace(resolution, pins=replace(resolution.pins, hashes=hashes))


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
        own_index=options.sources.is_named,
    )
    return Resolution(description, plan, python, pins, options)


def python_for(manifest: Manifest, options: ReplayOptions) -> Interpreter:
    """Return the Python that *manifest* asks for, the same minor version at least.

    Another minor version will do where none is to be had and every function is restored
    from source: bytecode is at home in its own alone. Raises RebuildError where there is none.
    """
    try:
        return find_python(manifest.python, options.python, download=options.download)
    except RebuildError as error:
        nodes = [manifest.nodes.get(function.node or "") for function in manifest.functions]
        by_source = all(node is None or node.source is not None for node in nodes)
        if error.code != "python-missing" or not by_source:
            raise
        target = int(manifest.python.minor.partition(".")[2])
        for minor in sorted(range(6, 15), key=lambda minor: (abs(minor - target), -minor)):
            facts = replace(manifest.python, version=f"3.{minor}.0")
            with contextlib.suppress(RebuildError):
                return find_python(facts)
        raise


def _as_of_release(
    description: Description, trust: Trust, options: ReplayOptions, progress: Progress
) -> Resolution:
    """Return an environment for a file that was never captured, from the Keras that wrote it."""
    inspection = description.inspection
    release = find_release(description)
    python = choose_python(inspection, release, options.python, options.download)
    description = description.on_python(python.version)
    try:
        build = configuration_as_written(description)
    except Untranslatable as error:
        raise RebuildError(f"{description.path}: {error.reason}") from None
    plan = make_plan(description, trust, keras=release.module, build=build)
    uv = Uv(options.sources)
    pins = pin_release(release, python, uv, build=plan.consent.builds, progress=progress)
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
    return Resolution(description, plan, python, pins, options, tuple(sorted(missing)))
