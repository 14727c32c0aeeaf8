"""Which distribution a file came with: by what installers wrote down, not by a folder's name.

A distribution that lists its files owns those. One that lists none, as Debian and conda
may install it, is recognised by the modules that it says it has, by the package manager's
own list, or by its name. What is left over in an installation folder is nobody's.
"""

from __future__ import annotations

import functools
import json
import os
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name

from capsule.environment.distributions import MetadataFolder, file_stamp, metadata_folders

DPKG = "/var/lib/dpkg/info"


class FileList(NamedTuple):
    """What a distribution lists: the text of its RECORD, and the first part of each path."""

    text: str
    tops: frozenset[str]


class PackageList(NamedTuple):
    """What conda or dpkg installed at once: the list's text, a path's beginning and end in it."""

    text: str
    prefix: str
    quote: str


class Owners:
    """Tells which distribution of the folders *paths* a file came with.

    It lists each folder once; a new one sees what was installed since.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        unique = dict.fromkeys(os.path.abspath(path) for path in paths)
        # The standard library's folder of extensions is on the search path as well.
        self._paths = [path for path in unique if not _is_of_standard_library(path)]
        self._folders: dict[str, list[MetadataFolder]] = {}

    def owner(self, file: str) -> str | None:
        """Return the canonical name of the distribution that *file* came with, None if unknown."""
        around = self._around(file)
        for path in around:
            name = self._listed(path, _below(file, path))
            if name is not None:
                return name
        if not around:
            return None
        relative = _below(file, around[0])
        top = relative.partition("/")[0].partition(".")[0]
        silent = self._silent(around[0])
        name = (
            _only(folder for folder in silent if _claims(folder, top))
            or _by_package_manager(file, silent)
            # Written into a package after it was installed.
            or _only(f for f in self._metadata(around[0]) if _lists(f, f"{top}/__init__.py"))
        )
        if name is None and around[0] in installation_folders():
            anywhere = (folder for path in self._paths for folder in self._silent(path))
            name = _only(folder for folder in anywhere if _claims(folder, top))
        return name

    def owner_of_folder(self, folder: str) -> str | None:
        """Return the only distribution with files below *folder*, None if none or several."""
        for path in self._around(folder):
            relative = _below(folder, path)
            name = _only(f for f in self._metadata(path) if _lists(f, relative, "/"))
            if name is not None:
                return name
        return None

    def named(self, name: str) -> str | None:
        """Return the canonical form of *name* if a distribution of that name is installed."""
        canonical = canonicalize_name(name)
        folders = (folder for path in self._paths for folder in self._metadata(path))
        return canonical if any(folder.name == canonical for folder in folders) else None

    def developed(self, file: str) -> str | None:
        """Return the distribution that is installed as editable, *file* being in its project."""
        for path in self._paths:
            for folder in self._metadata(path):
                project = _project_of(folder.path, file_stamp(folder.path))
                if project is not None and _is_below(file, project):
                    return folder.name
        return None

    def is_installed(self, file: str) -> bool:
        """Tell whether *file* came with a distribution, even where nobody can say which."""
        around = self._around(file)
        if not around:
            return False
        # Elsewhere than there the user's own files may lie beside what pip put there.
        return (
            around[0] in installation_folders()
            or self.owner(file) is not None
            or bool(self._silent(around[0]))
        )

    def _around(self, file: str) -> list[str]:
        """Return the search paths that *file* is below, the innermost first.

        A project's folder, in which its .venv lies, is often one of them.
        """
        return sorted((path for path in self._paths if _is_below(file, path)), key=len)[::-1]

    def _metadata(self, path: str) -> list[MetadataFolder]:
        if path not in self._folders:
            self._folders[path] = list(metadata_folders(path))
        return self._folders[path]

    def _silent(self, path: str) -> list[MetadataFolder]:
        """Return the distributions in *path* that do not list their files.

        An egg-info in a folder where nothing is installed is a checkout's own.
        """
        endings = (".dist-info", ".egg-info" if path in installation_folders() else ".dist-info")
        folders = (folder for folder in self._metadata(path) if folder.path.endswith(endings))
        return [folder for folder in folders if not _files_of(folder).tops]

    def _listed(self, path: str, relative: str) -> str | None:
        # Most modules bear the name of their distribution: those are asked first.
        guess = canonicalize_name(relative.partition("/")[0].partition(".")[0])
        folders = sorted(self._metadata(path), key=lambda folder: not folder.name.startswith(guess))
        return next((folder.name for folder in folders if _lists(folder, relative)), None)


@functools.lru_cache(maxsize=1)
def installation_folders() -> frozenset[str]:
    """Return the folders in which installers put packages for this Python; they never change."""
    folders = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    if hasattr(site, "getsitepackages"):  # a frozen application has a stub of it
        prefixes = [*site.PREFIXES, sys.base_prefix, sys.base_exec_prefix]
        folders.update(site.getsitepackages(prefixes))
    if getattr(site, "ENABLE_USER_SITE", False):
        folders.add(site.getusersitepackages())
    return frozenset(folders)


@functools.lru_cache(maxsize=1)
def _standard_folders() -> frozenset[str]:
    return frozenset({sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")})


def is_standard(file: str) -> bool:
    """Tell whether *file* is of the standard library, below which installed packages lie, too."""
    folders = [f for f in _standard_folders() | installation_folders() if _is_below(file, f)]
    return bool(folders) and max(folders, key=len) in _standard_folders()


def _is_of_standard_library(path: str) -> bool:
    return is_standard(os.path.join(path, "any")) and not any(metadata_folders(path))


def _is_below(file: str, folder: str) -> bool:
    return os.path.normcase(file).startswith(os.path.normcase(folder).rstrip(os.sep) + os.sep)


def _below(file: str, folder: str) -> str:
    return file[len(folder.rstrip(os.sep)) + 1 :].replace(os.sep, "/")


def _only(folders: Iterable[MetadataFolder]) -> str | None:
    names = {folder.name for folder in folders}
    return names.pop() if len(names) == 1 else None


def _lists(folder: MetadataFolder, relative: str, end: str = ",") -> bool:
    """Tell whether a distribution lists the file *relative*, or with ``/`` any file below it."""
    files = _files_of(folder)
    return relative.partition("/")[0] in files.tops and f"\n{relative}{end}" in files.text


def _claims(folder: MetadataFolder, top: str) -> bool:
    """Tell whether a distribution that lists no files has the module *top* by its own account."""
    modules = _words(os.path.join(folder.path, "top_level.txt"), file_stamp(folder.path))
    return top in modules if modules else canonicalize_name(top) == folder.name


def _files_of(folder: MetadataFolder) -> FileList:
    name = "RECORD" if folder.path.endswith(".dist-info") else "installed-files.txt"
    path = os.path.join(folder.path, name)
    return _read_files(path, file_stamp(path))


@functools.lru_cache(maxsize=4096)
def _read_files(path: str, stamp: tuple[int, int, int]) -> FileList:
    folder, name = os.path.split(path)
    lines = [line.replace("\\", "/") for line in _text(path).splitlines() if line]
    if name != "RECORD":  # relative to the egg-info, without digests
        inside = os.path.basename(folder)
        lines = [f"{os.path.normpath(os.path.join(inside, line))}," for line in lines]
    tops = {line.partition(",")[0].partition("/")[0] for line in lines}
    own = {top for top in tops if top.endswith((".dist-info", ".egg-info"))}
    return FileList("\n".join(["", *lines]), frozenset(tops - own))


@functools.lru_cache(maxsize=4096)
def _words(path: str, stamp: tuple[int, int, int]) -> frozenset[str]:
    return frozenset(_text(path).split())


@functools.lru_cache(maxsize=4096)
def _project_of(folder: str, stamp: tuple[int, int, int]) -> str | None:
    """Return the folder of the project that an editable installation points to (PEP 610)."""
    try:
        direct_url = json.loads(_text(os.path.join(folder, "direct_url.json")))
        editable, parts = direct_url["dir_info"]["editable"], urlsplit(direct_url["url"])
    except (ValueError, KeyError, TypeError):
        return None
    path = unquote(parts.path)
    return os.path.abspath(path.lstrip("/") if os.name == "nt" else path) if editable else None


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _by_package_manager(file: str, folders: list[MetadataFolder]) -> str | None:
    """Return whose metadata conda or dpkg installed together with *file*."""
    for listing in _package_lists() if folders else ():
        begin = len(listing.prefix)
        if f"{listing.quote}{file[begin:]}{listing.quote}" in listing.text:
            return _only(f for f in folders if f"{listing.quote}{f.path[begin:]}" in listing.text)
    return None


def _package_lists() -> Iterator[PackageList]:
    conda = Path(sys.prefix, "conda-meta")
    for path in sorted(conda.glob("*.json")):
        yield PackageList(_text(str(path)), os.path.join(sys.prefix, ""), '"')
    for path in sorted(Path(DPKG).glob("python3-*.list")):
        yield PackageList(_text(str(path)), "", "\n")
