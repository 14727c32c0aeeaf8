"""The distributions installed in some folders: versions by folder name, the rest from metadata.

Folders are listed anew at each call: a notebook installs between two saves. What is read
of a metadata folder is remembered by the times of that folder and of its files.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterable, Iterator
from email.parser import HeaderParser
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from capsule.manifest import DistributionFacts

if TYPE_CHECKING:
    from importlib_metadata import Distribution

Stamp = tuple[tuple[int, int, int], ...]


class MetadataFolder(NamedTuple):
    """A ``.dist-info`` or ``.egg-info``: canonical name, version, where it lies."""

    name: str
    version: str
    path: str


def installed_versions(paths: Iterable[str]) -> dict[str, str]:
    """Return ``{canonical name: version}`` of what is installed in *paths*; the first wins.

    Reads folder names alone, which is ten times cheaper than reading metadata.
    """
    versions: dict[str, str] = {}
    for path in paths:
        for folder in metadata_folders(path):
            versions.setdefault(folder.name, folder.version)
    return versions


def read_distributions(paths: Iterable[str]) -> tuple[DistributionFacts, ...]:
    """Return what is installed in *paths* with requirements and origin, sorted by name."""
    distributions: dict[str, DistributionFacts] = {}
    for path in paths:
        for folder in metadata_folders(path):
            if folder.name not in distributions:
                distributions[folder.name] = _read(folder, _stamp_of(folder.path))
    return tuple(distributions[name] for name in sorted(distributions))


def metadata_folders(path: str) -> Iterator[MetadataFolder]:
    """Give the metadata folders in *path*, by name; none if it is no folder that can be listed."""
    try:
        names = sorted(os.listdir(path))
    except OSError:
        return  # sys.path may name what is not there, or is a zip file
    for name in names:
        # A name that begins with ~ is what an interrupted pip left behind.
        if name.endswith((".dist-info", ".egg-info")) and not name.startswith("~"):
            place = os.path.join(path, name)
            identity = _identity_in_name(name) or _identity_in_metadata(place, _stamp_of(place))
            if identity is not None:
                yield MetadataFolder(*identity, place)


def file_stamp(path: str) -> tuple[int, int, int]:
    """Return what changes when the file or folder at *path* does; zeros if there is none."""
    try:
        stat = os.stat(path)
    except OSError:
        return (0, 0, 0)
    return (stat.st_mtime_ns, stat.st_size, stat.st_ino)


def _stamp_of(folder: str) -> Stamp:
    if folder.endswith(".dist-info"):
        return (file_stamp(folder),)  # an installer makes it anew
    return (file_stamp(folder), file_stamp(os.path.join(folder, "PKG-INFO")))


@functools.lru_cache(maxsize=4096)
def _identity_in_name(entry: str) -> tuple[str, str] | None:
    stem, ending = os.path.splitext(entry)
    name, _, version = stem.partition("-")
    if ending == ".egg-info":
        version = version.split("-py")[0]
    return (canonicalize_name(name), version) if _is_version(version) else None


@functools.lru_cache(maxsize=256)
def _identity_in_metadata(folder: str, stamp: Stamp) -> tuple[str, str] | None:
    """`setup.py develop` and some Linux distributions leave the version out of the name."""
    metadata = _metadata(folder).metadata
    if metadata is None:
        return None
    name, version = metadata.get("Name") or "", metadata.get("Version") or ""
    return (canonicalize_name(name), version) if name and _is_version(version) else None


@functools.lru_cache(maxsize=4096)
def _read(folder: MetadataFolder, stamp: Stamp) -> DistributionFacts:
    distribution = _metadata(folder.path)
    return DistributionFacts(
        name=folder.name,
        version=folder.version,
        requires=tuple(sorted(_requires(folder.path, distribution))),
        direct_url=redact(_json(distribution.read_text("direct_url.json"))),
        installer=(distribution.read_text("INSTALLER") or "").strip() or None,
    )


def _requires(folder: str, distribution: Distribution) -> list[str]:
    text = distribution.read_text("METADATA") if folder.endswith(".dist-info") else None
    if text is None:
        return distribution.requires or []
    # Without the description below, which is most of the file.
    headers = HeaderParser().parsestr(text.partition("\n\n")[0])
    return headers.get_all("Requires-Dist", [])


def _metadata(folder: str) -> Distribution:
    import importlib_metadata  # most environments are told by folder names alone

    return importlib_metadata.PathDistribution(Path(folder))


def _is_version(version: str) -> bool:
    try:
        Version(version)
    except InvalidVersion:
        return False
    return True


def _json(text: str | None) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return None


def redact(direct_url: Any) -> Any:
    """Return a PEP 610 record without user names, passwords, tokens and machine paths."""
    if not isinstance(direct_url, dict) or not isinstance(direct_url.get("url"), str):
        return None
    parts = urlsplit(direct_url["url"])
    if parts.scheme in ("file", ""):
        # What lies on this machine alone, or is no address: replay tells that it was so.
        url = "file:"
    else:
        user = "git@" if parts.username == "git" and "ssh" in parts.scheme else ""
        port = f":{parts.port}" if parts.port else ""
        url = urlunsplit((parts.scheme, f"{user}{parts.hostname or ''}{port}", parts.path, "", ""))
    fields = ("vcs_info", "archive_info", "dir_info", "subdirectory")
    return {"url": url, **{k: v for k, v in direct_url.items() if k in fields}}
