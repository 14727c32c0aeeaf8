"""A build whose pins can't all be had: what would be near, and moving what nothing reaches.

The distributions that a function reaches, Keras and its backend are what computes; they
never move. Others move only when asked to, one at a time, each no further than it must.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from capsule.errors import RebuildError
from capsule.manifest import Manifest
from capsule.rebuild.backends import Backend, Uv
from capsule.rebuild.cache import Built, build, cache_folder, environment_key
from capsule.rebuild.options import Progress
from capsule.rebuild.pins import Pins, moved_to
from capsule.rebuild.pythons import FoundPython
from capsule.verdict.reach import Reaches
from capsule.verdict.requirements import parsed_requirement

UNAVAILABLE = ("distribution-gone", "no-wheel", "build-failed", "address-gone")


def build_near(
    manifest: Manifest,
    python: FoundPython,
    pins: Pins,
    backend: Backend,
    *,
    relax: bool,
    allow_build: bool,
    progress: Progress,
) -> Built:
    """Return the environment for *pins*; with *relax*, for what is nearest to them.

    Raises RebuildError where a distribution can't be had, with the nearest one that can:
    its ``distribution`` is gone from the index, has no wheel here, or did not build.
    """
    place = _place(python, pins, backend, allow_build)
    wanted = pins
    if relax:
        pins = remembered(place, pins)
    while True:
        try:
            built = build(python, pins, backend, allow_build=allow_build, progress=progress)
        except RebuildError as error:
            name = error.distribution
            if error.code not in UNAVAILABLE or name not in pins.versions or name in pins.relaxed:
                raise
            near = nearest(name, pins, manifest, python, backend, build=allow_build)
            why_not = _why_not(name, near, pins, manifest, relax)
            if near is None or why_not is not None:
                raise RebuildError(
                    f"{error.message}; {why_not}", code=error.code, distribution=name
                ) from None
            progress(f"{name} {pins.versions[name]} can't be had: taking {near}")
            pins = moved_to(pins, name, near)
            continue
        if pins is not wanted and pins.relaxed:
            with contextlib.suppress(OSError):  # a cache that can only be read knows it or not
                _remember(place, pins)
        for name, reason in built.installed.yanked.items() if not built.cached else ():
            near = None
            with contextlib.suppress(RebuildError):  # the environment is there: this is a hint
                near = nearest(name, pins, manifest, python, backend, build=allow_build)
            progress(
                f"{name} {pins.versions[name]} was yanked by its makers ({reason}); it was"
                f" taken, and the nearest that was not is {near or 'not known'}"
            )
        return built


def _why_not(
    name: str, near: str | None, pins: Pins, manifest: Manifest, relax: bool
) -> str | None:
    """Return why *name* may not move to the version *near* its own; None if it may."""
    if name in pins.moved and near is None:
        return (
            "it was installed from a folder or an address: build a wheel of it there, and name"
            " the wheel's folder with --find-links"
        )
    if near is None:
        return "no other version of it would do either"
    if Version(pins.versions[name]).local is not None:
        return (
            f"a version with a + comes from its makers' own index: name a page or folder of its"
            f" wheels with --find-links (the nearest here is {near})"
        )
    if name in unmovable(manifest):
        return f"the nearest that would do is {near}, but the model computes with it: it stays"
    if pins.hashes:
        return f"the nearest that would do is {near}, but the lock fixes it: capsule lock again"
    if not relax:
        return f"the nearest that would do is {near}, and no function reaches it: allow --relax"
    return None


def unmovable(manifest: Manifest) -> set[str]:
    """Return the distributions that compute: Keras, its backend, what the functions reach."""
    keras = manifest.keras
    own = (keras.distribution, keras.backend_distribution) if keras is not None else ()
    return {*Reaches(manifest).of_distribution, *(name for name in own if name is not None)}


def nearest(
    name: str, pins: Pins, manifest: Manifest, python: FoundPython, backend: Backend, *, build: bool
) -> str | None:
    """Return the version of *name* nearest to its pin that can be had, None if none can.

    It fits what the other distributions require of it. Yanked releases are passed over.
    """
    asked = SpecifierSet()
    for other in manifest.distributions or ():
        for text in other.requires if other.name in pins.versions else ():
            requirement = parsed_requirement(text)
            if canonicalize_name(requirement.name) == name and requirement.marker is None:
                asked &= requirement.specifier
    mine = pins.versions[name]
    below = "<" if Version(mine).local is None else "<="  # of 2.4.1+cpu, 2.4.1 is the nearest
    folder = cache_folder() / "resolved"
    folder.mkdir(exist_ok=True, mode=0o700)
    found = []
    for side, options in ((below, ()), (">", ("--resolution", "lowest-direct"))):
        try:
            limits = asked & SpecifierSet(f"{side}{Version(mine).public}")
            lines = Uv(backend.sources).resolve(
                [f"{name}{limits}"], python, folder, build=build, options=["--no-deps", *options]
            )
        except (RebuildError, InvalidSpecifier) as error:
            if isinstance(error, RebuildError) and error.code == "network":
                raise
            continue
        found += [
            version
            for one, _, version in (line.partition("==") for line in lines)
            if canonicalize_name(one) == name
        ]
    return min(found, key=lambda version: _distance(version, mine), default=None)


def _distance(version: str, other: str) -> tuple[int, ...]:
    """Order versions by how far they are: a major apart is further than any minor."""
    one, two = (Version(text.strip()).release + (0,) * 4 for text in (version, other))
    return tuple(abs(a - b) for a, b in zip(one[:4], two[:4]))


def _place(python: FoundPython, pins: Pins, backend: Backend, allow_build: bool) -> Path:
    key = environment_key(
        python, pins, backend=backend.name, build=allow_build, sources=backend.sources
    )
    return cache_folder() / "relaxed" / f"{key}.json"


def relaxed_pins(python: FoundPython, pins: Pins, backend: Backend, *, build: bool) -> Pins:
    """Return the pins that an earlier build came to when it might move what it had to."""
    return remembered(_place(python, pins, backend, build), pins)


def remembered(place: Path, pins: Pins) -> Pins:
    """Return *pins* moved as *place* says, which an earlier build wrote; as they are without it."""
    try:
        kept = json.loads(place.read_text(encoding="utf-8"))
        for name, version in kept.items():
            if name in pins.versions:
                pins = moved_to(pins, name, str(Version(version)))
    except (OSError, ValueError, AttributeError, InvalidVersion):
        pass
    return pins


def _remember(place: Path, pins: Pins) -> None:
    place.parent.mkdir(exist_ok=True, mode=0o700)
    temporary = place.with_suffix(f".{os.getpid()}.tmp")
    kept = {name: pins.versions[name] for name in pins.relaxed}
    temporary.write_text(json.dumps(kept, sort_keys=True), encoding="utf-8")
    os.replace(temporary, place)
