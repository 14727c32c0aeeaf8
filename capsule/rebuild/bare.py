"""An environment for a file that was never captured: resolved as of a day after its Keras.

What an old Keras required without a version moved on since; as of some weeks after its
release, the index had what it worked with.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from capsule.artifact import Artifact
from capsule.bytecode.formats import MAGIC_NUMBERS
from capsule.consent.plan import Plan, make_plan
from capsule.description.definitions import given_by
from capsule.description.infer import inferred, on_python
from capsule.errors import InputError, RebuildError
from capsule.guest import values
from capsule.inspection import Inspection
from capsule.inspection.inspecting import inspect_with_artifact
from capsule.keras_compat.releases import Release, release_of
from capsule.keras_compat.translation import Untranslatable, mended
from capsule.manifest import DistributionFacts, KnownFact, Manifest, PythonFacts
from capsule.rebuild.backends import Progress, Uv
from capsule.rebuild.cache import cache_folder
from capsule.rebuild.pins import Pins
from capsule.rebuild.pythons import FoundPython, find_python
from capsule.rebuild.sources import Sources


@dataclass(frozen=True)
class Prepared:
    """What is known of a model before its environment is built.

    ``lacks`` are the names that a bare file uses and that nobody gave.
    """

    artifact: Artifact
    manifest: Manifest
    plan: Plan
    python: FoundPython
    pins: Pins
    lacks: tuple[str, ...] = ()


def prepare_bare(
    path: Path,
    *,
    safe_mode: bool,
    trust: Iterable[str],
    python: Any,
    bind: Mapping[str, Any],
    bind_from: Iterable[Any],
    download: str,
    sources: Sources,
    progress: Progress,
) -> Prepared:
    """Return the inferred manifest of *path*, a Python for it, and its pins.

    Raises RebuildError where the Keras that wrote it is not known, where no Python that it
    runs on is found, or where nothing can be resolved.
    """
    inspection, artifact = inspect_with_artifact(path)
    if artifact.format in ("weights-h5", "saved-model"):
        what = "weights and no model" if artifact.format == "weights-h5" else "a graph"
        raise RebuildError(f"{path} holds {what}: there is nothing to replay without a sidecar")
    for name, value in bind.items():
        if values.is_opaque(values.encode(value)):
            raise InputError(f"bind={{{name!r}: …}}: only plain values reach another process")
    release = release_of(inspection.keras)
    if release is None:
        raise RebuildError(
            f"{path} does not tell which Keras wrote it ({inspection.keras}): no environment"
            " can be chosen for it"
        )
    found = choose_python(inspection, release, python, download)
    files = [given_by(Path(file)) for file in bind_from]
    made = on_python(inferred(inspection, artifact, bind=bind, files=files), found.version)
    build = None
    try:
        better = mended(artifact.config)
    except Untranslatable as error:
        raise RebuildError(f"{path}: {error.reason}") from None
    if artifact.format == "keras-json" or better is not None:
        weights = artifact.format != "keras-json"
        build = {"config": better or artifact.config, "weights": weights, "translated": False}
    plan = make_plan(artifact, made, safe_mode=safe_mode, trust=trust, build=build)
    pins = resolved(release, found, sources, build=plan.consent.builds, progress=progress)
    installed = tuple(
        DistributionFacts(name, version) for name, version in sorted(pins.versions.items())
    )
    chosen = KnownFact("python", found.version, "assumed", "the best that was found here")
    made = replace(made, distributions=installed, known=(*made.known, chosen))
    used = (binding for node in made.nodes.values() for binding in node.names)
    lacking = {binding.name for binding in used if binding.missing}
    lacking |= {*inspection.classes} - {function.name for function in made.functions}
    return Prepared(artifact, made, plan, found, pins, tuple(sorted(lacking)))


def choose_python(
    inspection: Inspection, release: Release, named: Any = None, download: str = "never"
) -> FoundPython:
    """Return the best Python found: one that wrote the file, else one its Keras runs on.

    Another Python than the writer's will do only where every function is lifted.
    """
    order = list(MAGIC_NUMBERS)
    low, high = (order.index(version) for version in release.pythons)
    runs = order[low : high + 1]
    wrote = set(order)
    if inspection.python.lowest is not None and inspection.python.highest is not None:
        first, last = (
            order.index(v) for v in (inspection.python.lowest, inspection.python.highest)
        )
        wrote = set(order[first : last + 1])
    unlifted = [f for f in inspection.functions if f.key is not None and f.source is None]
    near = sorted(runs, key=lambda v: (v not in wrote, -order.index(v)))
    if unlifted:
        near = [version for version in near if version in wrote]
    if not near:
        raise RebuildError(
            f"{inspection.path}: {unlifted[0].label} runs only on Python"
            f" {inspection.python.lowest}, on which Keras {release.version} does not run"
            f" ({unlifted[0].stopped})"
        )
    trouble: RebuildError | None = None
    for how in dict.fromkeys(("never", download)):  # what is here comes before what is not
        for version in near:
            wanted = PythonFacts("cpython", f"{version}.0", MAGIC_NUMBERS[version], "")
            try:
                return find_python(wanted, named, download=how)
            except RebuildError as error:
                trouble = trouble or error
    if named is not None:
        raise RebuildError(
            f"{named} is no Python {release.pythons[0]} to {release.pythons[1]}, on which Keras"
            f" {release.version} runs"
        ) from trouble
    raise RebuildError(
        f"Keras {release.version} runs on Python {release.pythons[0]} to {release.pythons[1]}, and"
        f" none was found here: get one with uv python install {near[0]}, or name it with --python",
        code="python-missing",
    ) from trouble


def resolved(
    release: Release, python: FoundPython, sources: Sources, *, build: bool, progress: Progress
) -> Pins:
    """Return the pins of *release* as of its date, for *python*; resolved once, then kept."""
    kept = cache_folder() / "resolved"
    kept.mkdir(exist_ok=True, mode=0o700)
    asked = {
        "requirements": list(release.requirements),
        "date": release.date.isoformat(),
        "python": python.version,
        "build": build,
        "sources": sources.told(),
    }
    key = hashlib.sha256(json.dumps(asked, sort_keys=True).encode("ascii")).hexdigest()[:20]
    file = kept / f"{key}.txt"
    if file.exists():
        lines = file.read_text(encoding="utf-8").splitlines()
    else:
        progress(f"resolving {', '.join(release.requirements)} as of {release.date}")
        try:
            lines = Uv(sources).resolve(
                release.requirements,
                python,
                kept,
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
        temporary = file.with_suffix(".tmp")
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
        temporary.replace(file)
    found: dict[str, str] = {}
    for line in lines:
        requirement = Requirement(line)
        pinned = [one.version for one in requirement.specifier if one.operator == "=="]
        if len(pinned) == 1:
            found[canonicalize_name(requirement.name)] = pinned[0]
    ordered = {name: found[name] for name in sorted(found)}
    return Pins(tuple(f"{name}=={version}" for name, version in ordered.items()), ordered)
