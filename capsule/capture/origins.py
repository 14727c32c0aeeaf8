"""Whose code a module is: the standard library's, a distribution's, or the user's own."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import CodeType, ModuleType
from typing import Any, Literal

from capsule.environment.ownership import Owners, is_standard
from capsule.manifest.parse import STANDARD_MODULES

OriginKind = Literal["stdlib", "distribution", "local", "main", "missing"]
# Nobody's own, wherever they lie: their developers run them from a checkout.
FRAMEWORKS = (
    "keras",
    "tf_keras",
    "tensorflow",
    "tensorflow_core",
    "jax",
    "jaxlib",
    "torch",
    "numpy",
)


@dataclass(frozen=True)
class Origin:
    """Who a module belongs to; ``local`` is the user's own.

    A ``distribution`` of None was installed, and nothing says by which distribution.
    """

    kind: OriginKind
    distribution: str | None = None


class Origins:
    """Tells the origin of modules, as things are in the search *paths* when it is made."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._owners = Owners(paths)
        self._modules: dict[str, Origin] = {}
        self._files: dict[str, bool] = {}

    def of(self, name: str) -> Origin:
        """Return the origin of the module *name*, which need not be loaded."""
        if name not in self._modules:
            self._modules[name] = self._origin(name)
        return self._modules[name]

    def is_user_code(self, name: str | None) -> bool:
        """Tell whether a module's functions must be captured, not imported again."""
        return name is None or self.of(name).kind in ("local", "main", "missing")

    def is_users(self, value: Any) -> bool:
        """Tell whether a function or class is the user's own: by its module, and its file.

        Decorators of libraries lend their own functions the user's names.
        """
        code = getattr(value, "__code__", None)
        if isinstance(code, CodeType) and self._is_library_file(code.co_filename):
            return False
        return self.is_user_code(value.__module__)

    def _is_library_file(self, file: str) -> bool:
        if file not in self._files:
            below_framework = any(file.startswith(folder) for folder in _framework_folders())
            self._files[file] = (
                below_framework or is_standard(file) or self._owners.is_installed(file)
            )
        return self._files[file]

    def _origin(self, name: str) -> Origin:
        if name == "__main__":
            return Origin("main")
        top = name.partition(".")[0]
        module = sys.modules.get(name)
        if module is None and name != top:
            return self.of(top)
        file, folders = _place(module, top)
        if top in STANDARD_MODULES and (file is None or is_standard(file)):
            return Origin("stdlib")
        if file is None and module is None and not folders:
            return Origin("missing")
        if file is None and name != top:
            return self.of(name.rpartition(".")[0])
        if top in FRAMEWORKS:
            return Origin("distribution", self._framework(file, top))
        if file is not None:
            return self._of_file(file)
        # A namespace package has no file, nor has a module that exec made.
        owner = self._owner_of(folders) if folders else self._owners.named(top)
        return Origin("distribution", owner) if owner else Origin("local")

    def _of_file(self, file: str) -> Origin:
        owner = self._owners.owner(file)
        if owner is None and is_standard(file):
            return Origin("stdlib")
        if owner is None and not self._owners.is_installed(file):
            return Origin("local")
        return Origin("distribution", owner)

    def _framework(self, file: str | None, top: str) -> str | None:
        if file is None:
            return self._owners.named(top)
        return self._owners.owner(file) or self._owners.developed(file)

    def _owner_of(self, folders: Iterable[str]) -> str | None:
        owners = {self._owners.owner_of_folder(folder) for folder in folders} - {None}
        return owners.pop() if len(owners) == 1 else None


def _place(module: ModuleType | None, top: str) -> tuple[str | None, tuple[str, ...]]:
    """Return a module's file, or the folders of a namespace package; nothing is imported for it.

    Of a *module* that nobody imported yet, it is where its *top* would come from.
    """
    if module is not None:
        file = getattr(getattr(module, "__spec__", None), "origin", None) or getattr(
            module, "__file__", None
        )
        folders = getattr(module, "__path__", None)
    else:
        try:
            spec = importlib.util.find_spec(top)
        except (ImportError, ValueError):
            spec = None
        file = getattr(spec, "origin", None)
        folders = getattr(spec, "submodule_search_locations", None)
    if not isinstance(file, str) or file in ("built-in", "frozen", "namespace"):
        return None, tuple(folders or ())
    return file, ()


def _framework_folders() -> list[str]:
    modules = (sys.modules.get(name) for name in FRAMEWORKS)
    files = [getattr(module, "__file__", None) for module in modules]
    return [os.path.dirname(file) + os.sep for file in files if file]
