"""Whose code a module is: the standard library's, a distribution's, or the user's own."""

from __future__ import annotations

import importlib.util
import re
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from capsule.environment.distributions import metadata_folders
from capsule.manifest.parse import STANDARD_MODULES

# Where TensorFlow's and Keras' lazy modules really live, and the name people import.
_PUBLIC = (
    ("keras.api._v2.keras", "tensorflow", "keras"),
    ("keras._tf_keras.keras", "tensorflow", "keras"),
    ("tf_keras.api._v2.keras", "tf_keras", ""),
    ("keras.api", "keras", ""),
)


@dataclass(frozen=True)
class Origin:
    """``kind`` is stdlib, distribution, local (the user's own), main, or missing."""

    kind: str
    distribution: str | None = None


class Origins:
    """Tells the origin of modules and where objects can be imported from."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = [Path(path) for path in paths]
        self._folders: dict[str, Path] | None = None
        self._records: dict[Path, str] = {}
        self._known: dict[str, Origin] = {}
        self._files: dict[str, bool] = {}
        self._standard = [
            Path(p) for p in {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
        ]

    def of(self, name: str) -> Origin:
        """Return the origin of the module *name*, which need not be loaded."""
        if name not in self._known:
            self._known[name] = self._find(name)
        return self._known[name]

    def is_user_code(self, name: str | None) -> bool:
        """Tell whether a module's functions must be taken along, not imported again."""
        return name is None or self.of(name).kind in ("local", "main", "missing")

    def is_users(self, value: Any) -> bool:
        """Tell whether a function or class is the user's own: by its module, and its file.

        Decorators of libraries lend their own functions the user's names.
        """
        code = getattr(value, "__code__", None)
        if isinstance(code, CodeType) and self._is_installed(code.co_filename):
            return False
        return self.is_user_code(value.__module__)

    def _is_installed(self, filename: str) -> bool:
        if filename not in self._files:
            path = Path(filename)
            self._files[filename] = (
                "site-packages" in path.parts
                or "dist-packages" in path.parts
                or any(folder in path.parents for folder in self._standard)
            )
        return self._files[filename]

    def _find(self, name: str) -> Origin:
        if name == "__main__":
            return Origin("main")
        module = sys.modules.get(name)
        top = name.split(".")[0]
        file = _file(module)
        if top in STANDARD_MODULES and (file is None or self._is_installed(str(file))):
            return Origin("stdlib")
        if module is None:
            return self._unloaded(name, top)
        if file is None and "." in name:
            return self.of(name.rpartition(".")[0])
        if file is None:
            # Made by exec, or a namespace package: judged by whoever installed its name.
            owner = self._by_name(top)
            return Origin("distribution", owner) if owner else Origin("local")
        if "site-packages" in file.parts or "dist-packages" in file.parts:
            return Origin("distribution", self._owner(file, top))
        if any(folder in file.parents for folder in self._standard):
            return Origin("stdlib")
        return Origin("local")

    def _unloaded(self, name: str, top: str) -> Origin:
        """Return the origin of a module that nobody imported yet, without importing it."""
        if name != top:
            return self.of(top)
        try:
            spec = importlib.util.find_spec(top)
        except (ImportError, ValueError):
            spec = None
        if spec is None:
            return Origin("missing")
        places = [spec.origin] if spec.origin else list(spec.submodule_search_locations or ())
        installed = any("site-packages" in p or "dist-packages" in p for p in places)
        return (
            Origin("distribution", self._owner(Path(places[0]), top))
            if installed
            else Origin("local")
        )

    def _by_name(self, top: str) -> str | None:
        name = re.sub(r"[-_.]+", "-", top).lower()
        return name if name in self._metadata() else None

    def _metadata(self) -> dict[str, Path]:
        if self._folders is None:
            self._folders = metadata_folders(str(path) for path in self._paths)
        return self._folders

    def _owner(self, file: Path, top: str) -> str | None:
        """Return the distribution whose RECORD lists *file*; likely names are asked first."""
        # The innermost: a project's folder, in which its .venv lies, is on sys.path as well.
        sites = [p for p in self._paths if p in file.parents]
        if not sites:
            return self._by_name(top)
        site = max(sites, key=lambda path: len(path.parts))
        relative = file.relative_to(site).as_posix()
        guess = re.sub(r"[-_.]+", "-", top).lower()
        names = sorted(self._metadata(), key=lambda n: (n != guess, not n.startswith(guess), n))
        for name in names:
            if f"\n{relative}," in self._record(self._metadata()[name]):
                return name
        return self._by_name(top)

    def _record(self, folder: Path) -> str:
        if folder not in self._records:
            try:
                text = "\n" + (folder / "RECORD").read_text(encoding="utf-8", errors="replace")
            except OSError:
                text = ""  # conda and Debian may install without one
            self._records[folder] = text
        return self._records[folder]


def _file(module: ModuleType | None) -> Path | None:
    spec = getattr(module, "__spec__", None)
    origin = getattr(spec, "origin", None) or getattr(module, "__file__", None)
    if not isinstance(origin, str) or origin in ("built-in", "frozen", "namespace"):
        return None
    return Path(origin)


def module_place(module: ModuleType) -> tuple[str, str | None] | None:
    """Return ``(module, attribute)`` under which *module* can be imported again, or None."""
    name = module.__name__
    for inner, public, attribute in _PUBLIC:
        if name == inner or name.startswith(inner + "."):
            rest = name[len(inner) + 1 :]
            if public == "tensorflow":
                return public, ".".join(part for part in (attribute, rest) if part)
            return (f"{public}.{rest}" if rest else public), None
    if sys.modules.get(name) is module:
        return name, None
    # A lazy stand-in (tf.keras, tf.estimator) hangs on its parent under its last name.
    for parent_name in ("tensorflow", name.rpartition(".")[0]):
        parent = sys.modules.get(parent_name)
        for attribute, value in vars(parent).items() if parent is not None else ():
            if value is module and not attribute.startswith("_"):
                return parent_name, attribute
    return None


def object_place(value: Any) -> tuple[str, str] | None:
    """Return ``(module, dotted name)`` by which *value* can be imported again, or None.

    The public name comes first, since private ones move from version to version; each
    is believed only if it leads to the very object.
    """
    for module, name in _candidates(value):
        found: Any = sys.modules.get(module)
        for part in name.split("."):
            found = getattr(found, part, None) if found is not None else None
        if found is not None and found is value:
            return module, name
    return None


def _candidates(value: Any) -> list[tuple[str, str]]:
    places: list[tuple[str, str]] = []
    exported = getattr(value, "_api_export_path", None)
    for path in [exported] if isinstance(exported, str) else exported or ():
        module, _, name = str(path).rpartition(".")
        places.append((module, name))
    for path in getattr(value, "_tf_api_names", None) or ():
        places.append(("tensorflow", str(path)))
    called = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    home = getattr(value, "__module__", None) or getattr(type(value), "__module__", None)
    if isinstance(called, str) and isinstance(home, str) and "<" not in called:
        parts = home.split(".")
        places += [(".".join(parts[: n + 1]), called) for n in range(len(parts))]
        if parts[0] == "jax":
            places.insert(0, ("jax.numpy", called))
    # Types of numbers are objects under their own names: tf.float32, torch.float32.
    own = getattr(value, "name", None)
    if isinstance(own, str) and not callable(value):
        places.append((type(value).__module__.split(".")[0], own))
    if "dtype" in type(value).__name__ and str(value).startswith("torch."):
        places.append(("torch", str(value)[6:]))
    return places
