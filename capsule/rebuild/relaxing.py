"""A build whose pins can't all be had: what would be near, and moving what nothing reaches.

The distributions that a function reaches, Keras and its backend are what computes; they
never move. Others move only when asked to, one at a time, each no further than it must.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from capsule.manifest import Manifest
from capsule.rebuild.cache import build_exact
from capsule.rebuild.cache_folder import cache_folder, replace_text
from capsule.rebuild.cached_environment import CachedEnvironment
from capsule.rebuild.errors import RebuildError
from capsule.rebuild.installers import Uv
from capsule.rebuild.options import Progress
from capsule.rebuild.recipe import Recipe
from capsule.verdict.reach import Reaches
from capsule.verdict.requirements import parsed_requirement

UNAVAILABLE = ("distribution-gone", "no-wheel", "build-failed", "address-gone")


def build_near(
    manifest: Manifest, recipe: Recipe, *, relax: bool, progress: Progress
) -> CachedEnvironment:
    """Return the environment of a recipe; with *relax*, of one that is near it.

    What the model of *manifest* computes with does not move. Raises RebuildError where a
    distribution is gone from the index, has no wheel here, or did not build: it names the
    nearest that can be had, and why that one does not stand in.
    """
    place = _relaxed_file(recipe)
    environment: CachedEnvironment | None = None
    if relax:
        recipe = recall_relaxed(recipe)
    while environment is None:
        try:
            environment = build_exact(recipe, progress)
        except RebuildError as error:
            recipe = _relax(recipe, manifest, error, allowed=relax, progress=progress)
    if recipe.pins.relaxed:
        with contextlib.suppress(OSError, RebuildError):  # a cache may be there to be read only
            cache_folder(place.parent.name)
            versions = {name: recipe.pins.versions[name] for name in recipe.pins.relaxed}
            replace_text(place, json.dumps(versions, sort_keys=True))
    if not environment.cached:
        _report_yanked(environment.installation.yanked, manifest, recipe, progress)
    return environment


def _relax(
    recipe: Recipe, manifest: Manifest, error: RebuildError, *, allowed: bool, progress: Progress
) -> Recipe:
    """Return the recipe with another version of the distribution that *error* is about.

    Raises RebuildError where it may not move.
    """
    name, pins = error.distribution, recipe.pins
    if error.code not in UNAVAILABLE or name not in pins.versions or name in pins.relaxed:
        raise error
    near = find_nearest(name, manifest, recipe)
    reason = _reason_to_stay(name, near, manifest, recipe)
    if reason is None and not allowed:
        reason = f"the nearest that would do is {near}, and no function reaches it: allow --relax"
    if near is None or reason is not None:
        message = f"{error.message}; {reason}"
        raise RebuildError(message, code=error.code, distribution=name) from None
    progress(f"{name} {pins.versions[name]} can't be had: taking {near}")
    return replace(recipe, pins=pins.with_version(name, near))


def _reason_to_stay(name: str, near: str | None, manifest: Manifest, recipe: Recipe) -> str | None:
    """Return why *name* may not move to the version *near* its own; None if it may."""
    if near is None and name in recipe.pins.moved:
        return (
            "it was installed from a folder or an address: build a wheel of it there, and name"
            " the wheel's folder with --find-links"
        )
    if near is None:
        return "no other version of it would do either"
    if Version(recipe.pins.versions[name]).local is not None:
        return (
            "a version with a + comes from its makers' own index: name a page or folder of its"
            f" wheels with --find-links (the nearest here is {near})"
        )
    if name in unmovable(manifest):
        return f"the nearest that would do is {near}, but the model computes with it: it stays"
    if recipe.pins.hashes:
        return f"the nearest that would do is {near}, but the lock fixes it: capsule lock again"
    return None


def _report_yanked(
    yanked: Mapping[str, str], manifest: Manifest, recipe: Recipe, progress: Progress
) -> None:
    """Report which releases were installed though their makers took them back."""
    for name, reason in yanked.items():
        near = None
        with contextlib.suppress(RebuildError):  # the environment is there: this is a hint
            near = find_nearest(name, manifest, recipe)
        progress(
            f"{name} {recipe.pins.versions[name]} was yanked by its makers ({reason}); it was"
            f" taken, and the nearest that was not is {near or 'not known'}"
        )


def unmovable(manifest: Manifest) -> set[str]:
    """Return the distributions that compute: Keras, its backend, what the functions reach."""
    keras = manifest.keras
    own = (keras.distribution, keras.backend_distribution) if keras is not None else ()
    return {*Reaches(manifest).of_distribution, *(name for name in own if name is not None)}


def find_nearest(name: str, manifest: Manifest, recipe: Recipe) -> str | None:
    """Return the version of a distribution nearest to its pin that can be had, None if none can.

    It fits what the other distributions of *recipe* require of it, as *manifest* says. Yanked
    releases are passed over. Raises RebuildError where the package index can't be reached.
    """
    required = SpecifierSet()
    for distribution in manifest.distributions or ():
        for text in distribution.requires if distribution.name in recipe.pins.versions else ():
            requirement = parsed_requirement(text)
            if canonicalize_name(requirement.name) == name and requirement.marker is None:
                required &= requirement.specifier
    pin = Version(recipe.pins.versions[name])
    below = "<" if pin.local is None else "<="  # of 2.4.1+cpu, 2.4.1 is the nearest
    uv = Uv(recipe.installer.sources)
    versions = []
    for side, options in ((below, ()), (">", ("--resolution", "lowest-direct"))):
        try:
            text = f"{name}{required & SpecifierSet(f'{side}{pin.public}')}"
            options = ("--no-deps", *options)
            lines = uv.resolve([text], recipe.python, build=recipe.allow_build, options=options)
        except InvalidSpecifier:
            continue
        except RebuildError as error:
            if error.code == "network":
                raise
            continue
        pairs = (line.partition("==") for line in lines)
        versions += [version for other, _, version in pairs if canonicalize_name(other) == name]
    return min(versions, key=lambda version: _distance(Version(version.strip()), pin), default=None)


def _distance(version: Version, other: Version) -> tuple[int, ...]:
    """Order versions by how far they are: a major apart is further than any minor."""
    releases = ((*v.release, 0, 0, 0, 0)[:4] for v in (version, other))
    return tuple(abs(a - b) for a, b in zip(*releases))


def recall_relaxed(recipe: Recipe) -> Recipe:
    """Return the recipe that an earlier build came to when it might move what it had to."""
    pins = recipe.pins
    try:
        versions = json.loads(_relaxed_file(recipe).read_text(encoding="utf-8"))
        for name, version in versions.items():
            if name in pins.versions:
                pins = pins.with_version(name, str(Version(version)))
    except (OSError, ValueError, AttributeError, InvalidVersion):
        pass
    return replace(recipe, pins=pins)


def _relaxed_file(recipe: Recipe) -> Path:
    """Return where a build stores the versions that it moved distributions of *recipe* to."""
    return cache_folder() / "relaxed" / f"{recipe.key}.json"
