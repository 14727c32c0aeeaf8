"""The cache of rebuilt environments: built once, under a lock, believed only when marked ready."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path

from packaging.version import Version

from capsule.environment import installed_versions
from capsule.rebuild.cache_folder import (
    READY,
    cache_folder,
    discard,
    exclusive_lock,
    failure_of,
    replace_text,
)
from capsule.rebuild.cached_environment import CachedEnvironment
from capsule.rebuild.errors import RebuildError
from capsule.rebuild.installers import Installation
from capsule.rebuild.options import Progress
from capsule.rebuild.pins import Pins
from capsule.rebuild.recipe import Recipe

REQUIREMENTS = "capsule-lock.txt"


def build_exact(recipe: Recipe, progress: Progress) -> CachedEnvironment:
    """Return the environment of a recipe, from the cache or built now.

    Whoever comes second waits for the first. What a killed build left is thrown away. Raises
    RebuildError where a distribution can't be had, or the cache can't be written.
    """
    root = cache_folder("environments")
    folder = root / recipe.key
    if is_ready(folder, recipe.pins):  # nobody has to wait for what is there
        with contextlib.suppress(OSError):  # a cache that can only be read is used as it is
            os.utime(folder / READY)
        return CachedEnvironment(folder, recipe, _installation(folder), cached=True)
    with exclusive_lock(root / f"{recipe.key}.lock", progress):
        if is_ready(folder, recipe.pins):
            return CachedEnvironment(folder, recipe, _installation(folder), cached=True)
        if (folder / READY).exists():
            progress("the environment was changed since it was built: building it anew")
        discard(folder)
        try:
            installation = _install(recipe, folder, progress)
        except BaseException as error:  # Ctrl-C as well: nothing half-built is left over
            discard(folder)
            if isinstance(error, OSError):
                raise failure_of(error, root) from None
            raise
    return CachedEnvironment(folder, recipe, installation, cached=False)


def _install(recipe: Recipe, folder: Path, progress: Progress) -> Installation:
    """Build the environment of a recipe in *folder*, and mark it ready last."""
    installer, pins = recipe.installer, recipe.pins
    progress(f"making an environment with Python {recipe.python.version} ({installer.name})")
    installer.create(folder, recipe.python)
    progress(f"installing {len(pins.requirements)} distributions")
    lock = folder / REQUIREMENTS
    installation = installer.install(folder, pins, lock, build=recipe.allow_build)
    wrong = differences(folder, pins)
    if wrong:
        raise RebuildError(f"{installer.name} installed something else: {'; '.join(wrong)}")
    marker = {
        "python": recipe.python.version,
        "backend": installer.name,
        "pins": sorted(pins.requirements),
        "from_source": list(installation.from_source),
        "yanked": dict(installation.yanked),
        "state": state_of(folder),
    }
    replace_text(folder / READY, json.dumps(marker, indent=1, sort_keys=True))
    return installation


def _installation(folder: Path) -> Installation:
    """Return how *folder* was installed, as its marker tells."""
    marker = json.loads((folder / READY).read_text(encoding="utf-8"))
    return Installation(tuple(marker.get("from_source", ())), marker.get("yanked", {}))


def is_ready(folder: Path, pins: Pins) -> bool:
    """Tell whether *folder* was built to its end, and is still what it was."""
    try:
        marker = json.loads((folder / READY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if marker.get("pins") != sorted(pins.requirements) or marker.get("state") != state_of(folder):
        return False
    return not differences(folder, pins)


def state_of(folder: Path) -> str:
    """Return a digest of what is installed in *folder*: another one tells of a change.

    It is over names, and over sizes and times of what says what is installed and of what
    runs at every start; the content of every file would take longer than many a model.
    What Python compiles as it goes is no change.
    """
    digest = hashlib.sha256()
    for site in _sites(folder):
        with os.scandir(site) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.name == "__pycache__":
                    continue
                digest.update(entry.name.encode("utf-8", "surrogateescape"))
                path = entry.path
                if entry.name.endswith(".dist-info"):
                    path = os.path.join(path, "RECORD")
                elif not entry.name.endswith((".pth", ".py")):
                    continue
                with contextlib.suppress(OSError):
                    stat = os.stat(path)
                    digest.update(f"{stat.st_size} {stat.st_mtime_ns}".encode("ascii"))
    return digest.hexdigest()[:20]


def _sites(folder: Path) -> list[Path]:
    return sorted([*folder.glob("lib/python*/site-packages"), *folder.glob("Lib/site-packages")])


def differences(folder: Path, pins: Pins) -> list[str]:
    """Return how what is installed in *folder* differs from *pins*, a text each."""
    installed = installed_versions(str(site) for site in _sites(folder))
    return [
        f"{name} {installed.get(name, 'is missing')}, not {version}"
        for name, version in pins.versions.items()
        if name not in installed or Version(installed[name]) != Version(version)
    ]
