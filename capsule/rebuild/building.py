"""Building a model's environment as it was resolved, and finding what was built before."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from capsule.consent.consent import Trust
from capsule.description.describe import Description, describe
from capsule.manifest.files import write_manifest
from capsule.rebuild.cache_listing import CacheEntry, list_cache
from capsule.rebuild.cached_environment import CachedEnvironment
from capsule.rebuild.errors import NeedsBuildError, RebuildError
from capsule.rebuild.installers import INSTALLERS, PIP_TOOLS_BUILD
from capsule.rebuild.options import Progress, ReplayOptions, silent
from capsule.rebuild.recipe import Recipe
from capsule.rebuild.relaxing import build_near, recall_relaxed
from capsule.rebuild.resolve import Resolution, resolve


def build(resolution: Resolution, progress: Progress = silent) -> CachedEnvironment:
    """Return the environment of a model, from the cache or built now; load nothing yet.

    Without consent only wheels are installed and no interpreter runs in it.

    Parameters
    ----------
    resolution
        The model, its Python and its distributions.
    progress
        Called with each step that takes long.

    Raises
    ------
    NeedsBuildError
        Without consent: some distributions have no wheel here.
    RebuildError
        The environment can't be had.
    """
    recipe, manifest = resolution.recipe, resolution.manifest
    if resolution.options.backend == "pip-tools" and not recipe.allow_build:
        raise RebuildError(PIP_TOOLS_BUILD, code="needs-build")
    try:
        relax = resolution.options.relax
        environment = build_near(manifest, recipe, relax=relax, progress=progress)
    except RebuildError as error:
        if recipe.allow_build or error.code == "network":
            raise
        progress("looking for what has no wheel here")
        with _empty_environment(recipe) as folder:
            unbuilt = recipe.installer.list_unbuilt(folder, recipe.pins)
        if not unbuilt:
            raise
        raise NeedsBuildError(
            f"building from source would run code of: {', '.join(unbuilt)} (no wheel here): allow"
            " it with --unsafe",
            unbuilt,
        ) from None
    if resolution.description.inferred:  # what was inferred of a file lies in its environment
        digest = manifest.artifact.sha256[:12]
        name = f"{manifest.artifact.name}-{digest}.capsule.json"
        write_manifest(manifest, environment.folder / name)
    return environment


@contextlib.contextmanager
def _empty_environment(recipe: Recipe) -> Iterator[Path]:
    """Give an environment with nothing in it, which is thrown away in the end."""
    with tempfile.TemporaryDirectory(prefix="capsule-") as folder:
        environment = Path(folder, "environment")
        recipe.installer.create(environment, recipe.python)
        yield environment


def find_environment(path: Path) -> CacheEntry:
    """Return the environment in the cache that the artifact at *path* is replayed in.

    Raises RebuildError where it was not built yet.
    """
    description = describe(path)
    entries = [entry for entry in list_cache() if entry.ready]
    if description.inferred:
        pattern = f"*-{description.identity.sha256[:12]}.capsule.json"
        entries = [entry for entry in entries if any(entry.folder.glob(pattern))]
    else:
        keys = set(_keys(description))
        entries = [entry for entry in entries if entry.key in keys]
    if entries:
        return entries[0]
    raise RebuildError(f"{path} has no environment yet: capsule replay {path} builds it")


def _keys(description: Description) -> Iterator[str]:
    """Give the keys of all environments that the model may have been replayed in."""
    recipe = resolve(description, Trust(), ReplayOptions(download="never")).recipe
    for installer, allow_build in itertools.product(INSTALLERS.values(), (True, False)):
        variant = replace(recipe, installer=installer(), allow_build=allow_build)
        yield variant.key
        yield recall_relaxed(variant).key
